package postgres

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/pkg/sqlclass"
)

// catalog keeps a target's names up to date. It is safe for concurrent use.
type catalog struct {
	open    func(ctx context.Context) (ask asker, hangUp func(), err error)
	trusted []string                // functions, "schema.name", that an operator vouches for
	learn   func(*sqlclass.Catalog) // is told of every catalog that the edge itself read
	log     hclog.Logger

	system   system
	now      atomic.Pointer[sqlclass.Catalog]
	versions atomic.Uint64
	dirty    atomic.Bool

	mu          sync.Mutex // one reader at a time; guards what follows
	line        line
	stopped     bool // poll has ended: the line is not kept
	readAt      time.Time
	fingerprint string
	failed      error
	failedAt    time.Time
}

// Times of a catalog.
const (
	catalogPoll    = 2 * time.Second  // between looks at the fingerprint
	catalogTimeout = 30 * time.Second // of one reading
	catalogRetry   = time.Second      // after a reading that failed
)

// current returns the catalog, and reads it first when it is known to be out of date.
func (c *catalog) current(<-chan struct{}) (*sqlclass.Catalog, error) {
	if cat := c.now.Load(); cat != nil && !c.dirty.Load() {
		return cat, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cat := c.now.Load(); cat != nil && !c.dirty.Load() {
		return cat, nil
	}
	return c.read()
}

// stale makes the next user read the catalog again.
func (c *catalog) stale() { c.dirty.Store(true) }

// refreshOlder reads the catalog again unless that was done after t.
func (c *catalog) refreshOlder(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readAt.Before(t) {
		c.read()
	}
}

// read reads the catalog; c.mu is held.
func (c *catalog) read() (*sqlclass.Catalog, error) {
	if c.failed != nil && time.Since(c.failedAt) < catalogRetry {
		return nil, c.failed
	}
	began := time.Now()
	c.dirty.Store(false)
	cat, print, err := c.load()
	if err != nil {
		c.dirty.Store(true)
		c.failed, c.failedAt = err, time.Now()
		c.log.Error("read target catalog", "error", err)
		return nil, err
	}
	c.failed = nil
	c.readAt, c.fingerprint = began, print
	c.now.Store(cat)
	return cat, nil
}

// load reads the catalog over the line kept open, or over a new one where that has broken.
func (c *catalog) load() (*sqlclass.Catalog, string, error) {
	kept := c.line.ask != nil
	cat, print, err := c.loadOnce()
	if err != nil && kept {
		cat, print, err = c.loadOnce()
	}
	return cat, print, err
}

func (c *catalog) loadOnce() (cat *sqlclass.Catalog, print string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), catalogTimeout)
	defer cancel()
	if err := c.call(ctx); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil || c.stopped {
			c.drop()
		}
	}()
	if err := c.line.ask(fingerprintQuery, func(cols []string) { print = cols[0] }); err != nil {
		return nil, "", err
	}
	snapshot, err := c.system.read(c.line.ask)
	if err != nil {
		return nil, "", err
	}
	if cat, err = c.build(snapshot); err == nil {
		c.learn(cat)
	}
	if leavesOut(snapshot) {
		print = "" // look again soon
	}
	return cat, print, err
}

// leavesOut tells whether definitions are missing because somebody is changing what they read.
func leavesOut(s sqlclass.Snapshot) bool {
	return slices.ContainsFunc(s.Relations, func(r sqlclass.Relation) bool {
		return (r.Kind == 'v' || r.Kind == 'm') && r.ViewDef == "" || slices.Contains(r.Rules, leftOut)
	})
}

// line is a connection of the edge's own.
type line struct {
	ask    asker
	hangUp func()
}

// call opens the line unless it is open; c.mu is held.
func (c *catalog) call(ctx context.Context) (err error) {
	if c.line.ask == nil {
		c.line.ask, c.line.hangUp, err = c.open(ctx)
	}
	if err != nil {
		c.line = line{}
	}
	return err
}

// drop closes the line; c.mu is held.
func (c *catalog) drop() {
	if c.line.hangUp != nil {
		c.line.hangUp()
	}
	c.line = line{}
}

// build indexes a snapshot under a version of its own.
func (c *catalog) build(s sqlclass.Snapshot) (*sqlclass.Catalog, error) {
	s.Version = c.versions.Add(1)
	s.Functions = slices.Clone(s.Functions)
	for i := range s.Functions {
		f := &s.Functions[i]
		f.Trusted = slices.Contains(c.trusted, f.Schema+"."+f.Name)
	}
	return sqlclass.NewCatalog(s)
}

// poll looks for changes made by others until ctx ends.
func (c *catalog) poll(ctx context.Context) {
	tick := time.NewTicker(catalogPoll)
	defer tick.Stop()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stopped = true
		c.drop()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look(ctx)
		}
	}
}

// look compares the fingerprint. What cannot be looked at may have changed.
func (c *catalog) look(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	print := ""
	err := c.call(ctx)
	if err == nil {
		err = c.line.ask(fingerprintQuery, func(cols []string) { print = cols[0] })
	}
	if err != nil {
		c.drop()
	}
	if err != nil || print != c.fingerprint {
		c.stale()
	}
}
