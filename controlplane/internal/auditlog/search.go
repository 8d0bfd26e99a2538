package auditlog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/identity"
)

// What one Search does before it returns what it has.
const (
	searchTime  = 3 * time.Second
	searchBytes = 64 << 20 // of blocks read
	pageBytes   = 8 << 20  // of records returned
	readAhead   = 16       // blocks
	listAhead   = 32       // folders
	// adminSpan is how long the records of one of the control plane's own blocks may be apart.
	adminSpan = time.Minute
)

// Search finds records, newest first, by reading the blocks that may hold them, which the index says; what it does not have yet is read.
// Without an index, or while it is far behind, the blocks are listed, and left out are those whose name, or whose summary from an earlier
// reading, says that they hold nothing of it. A Search does a bounded amount of work; the query goes on at Found.Next. Errors are ErrQuery and ErrStorage; a block that cannot be read is a Hit.
func (l *Log) Search(ctx context.Context, q Query) (Found, error) {
	f, err := q.check(l.cfg.Now())
	if err != nil {
		return Found{}, err
	}
	if l.cfg.Index == nil {
		return l.scan(ctx, &f)
	}
	found, err := l.searchBy(ctx, &f, (*search).runIndexed)
	if errors.Is(err, errIndex) {
		if !errors.Is(err, errBehind) {
			l.cfg.Logger.Error("a search reads the records", "error", err)
		}
		return l.scan(ctx, &f)
	}
	return found, err
}

// scan searches by listing and reading blocks alone.
func (l *Log) scan(ctx context.Context, f *filterQuery) (Found, error) {
	return l.searchBy(ctx, f, (*search).run)
}

func (l *Log) searchBy(ctx context.Context, f *filterQuery, run func(*search, context.Context) error) (Found, error) {
	s := &search{log: l, query: f, began: l.cfg.Now(), floor: f.until, edges: map[string][]string{}}
	if err := s.narrow(ctx); err != nil {
		return Found{}, err
	}
	if err := run(s, ctx); err != nil && !errors.Is(err, errStopped) {
		return Found{}, err
	}
	return s.found(), nil
}

// place is a block that a search may have to read.
type place struct {
	key         string
	edge        string // empty for the control plane's own
	first, last audit.RecordID
	maybe       bool // it may not be stored
}

type search struct {
	log   *Log
	query *filterQuery
	only  string // edge, when only its blocks and the control plane's own can matter
	began time.Time
	read  int // bytes

	days  map[string]bool     // of which there is anything; nil before it is known
	edges map[string][]string // by day
	queue []place             // listed and not yet read, the latest first
	held  []Hit               // below floor, which something earlier in the order may still come before
	out   []Hit
	size  int
	// floor is where everything has been searched, down to it.
	floor audit.RecordID
	done  bool
}

func (s *search) found() Found {
	if s.done {
		return Found{Hits: s.out, Back: s.query.from}
	}
	return Found{Hits: s.out, Next: s.query.token(s.floor), Back: s.floor.Time()}
}

// narrow finds out which edge a session is at.
func (s *search) narrow(ctx context.Context) error {
	if s.query.Session == "" {
		return nil
	}
	session, err := s.log.cfg.Sessions.Describe(ctx, s.query.Session)
	if errors.Is(err, ErrUnknownSession) {
		return nil
	}
	s.only = session.Edge
	return err
}

// run goes back in time by hours. Blocks are listed under the hour in which they begin, so the blocks that reach into
// an hour are listed under it or the one before.
func (s *search) run(ctx context.Context) error {
	hour := s.query.until.Time().Truncate(time.Hour)
	last := s.query.from.UTC().Truncate(time.Hour)
	if err := s.list(ctx, hour); err != nil {
		return err
	}
	for ; !hour.Before(last); hour = hour.Add(-time.Hour) {
		if err := s.list(ctx, hour.Add(-time.Hour)); err != nil {
			return err
		}
		if err := s.readDown(ctx, maxID(firstID(hour), firstID(s.query.from))); err != nil {
			return err
		}
	}
	s.done = true
	return nil
}

// list adds the blocks under an hour to the queue.
func (s *search) list(ctx context.Context, hour time.Time) error {
	folders, err := s.folders(ctx, hour)
	if err != nil {
		return err
	}
	listed := make([][]place, len(folders))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(listAhead)
	for i, folder := range folders {
		g.Go(func() (err error) {
			listed[i], err = s.listFolder(ctx, folder)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	s.queue = append(s.queue, slices.Concat(listed...)...)
	s.sortQueue()
	return nil
}

func (s *search) sortQueue() {
	slices.SortFunc(s.queue, func(a, b place) int {
		return cmp.Or(compare(b.last, a.last), strings.Compare(a.key, b.key))
	})
}

func compare(a, b audit.RecordID) int { return slices.Compare(a[:], b[:]) }

type folder struct{ key, edge string }

func (s *search) folders(ctx context.Context, hour time.Time) ([]folder, error) {
	day := hour.Format(dayLayout)
	if err := s.listDays(ctx); err != nil || !s.days[day] {
		return nil, err
	}
	all := []folder{{key: path.Join(adminFolder, day, hour.Format("15"))}}
	if s.query.calls {
		return all, nil
	}
	edges, ok := s.edges[day]
	if !ok {
		var err error
		if edges, err = s.log.cfg.Objects.Folders(ctx, path.Join(recordsFolder, day)); err != nil {
			return nil, err
		}
		s.edges[day] = edges
	}
	for _, edge := range edges {
		if (s.only == "" || s.only == edge) && identity.CheckEdgeName(edge) == nil {
			all = append(all, folder{key: hourFolder(edge, hour), edge: edge})
		}
	}
	return all, nil
}

func (s *search) listDays(ctx context.Context) error {
	if s.days != nil {
		return nil
	}
	days := map[string]bool{}
	for _, folder := range []string{adminFolder, recordsFolder} {
		names, err := s.log.cfg.Objects.Folders(ctx, folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			days[name] = true
		}
	}
	s.days = days
	return nil
}

func (s *search) listFolder(ctx context.Context, f folder) ([]place, error) {
	var all []place
	for key, err := range s.log.cfg.Objects.List(ctx, f.key) {
		if err != nil {
			return nil, err
		}
		if p, ok := s.wanted(key, f.edge); ok {
			all = append(all, p)
		}
	}
	return all, nil
}

// wanted leaves out the blocks that their names, or what is remembered of them, rule out.
func (s *search) wanted(key, edge string) (place, bool) {
	p := place{key: key, edge: edge}
	if edge == "" {
		ms, err := strconv.ParseInt(strings.SplitN(path.Base(key), "_", 2)[0], 10, 64)
		if err != nil {
			return p, false
		}
		first := time.UnixMilli(ms)
		p.first, p.last = firstID(first), firstID(first.Add(adminSpan))
	} else {
		k, ok := parseBlockName(path.Base(key))
		if !ok || s.query.Session != "" && !k.sessions.mayHold(s.query.Session) {
			return p, false
		}
		p.first, p.last = firstID(k.first), firstID(k.last.Add(time.Millisecond))
	}
	if compare(p.first, s.query.until) >= 0 || p.last.Time().Before(s.query.from) {
		return p, false
	}
	if known, ok := s.log.summaries.Get(key); ok && !known.mayHold(s.query) {
		return p, false
	}
	if compare(p.last, s.query.until) > 0 {
		p.last = s.query.until
	}
	return p, true
}

// readDown reads the blocks that reach above an id. All that is above it is then found.
func (s *search) readDown(ctx context.Context, to audit.RecordID) error {
	for len(s.queue) > 0 && compare(s.queue[0].last, to) > 0 {
		n := 0
		for n < len(s.queue) && n < readAhead && compare(s.queue[n].last, to) > 0 {
			n++
		}
		if err := s.readSome(ctx, s.queue[:n]); err != nil {
			return err
		}
		s.queue = s.queue[n:]
		down := to
		if len(s.queue) > 0 && compare(s.queue[0].last, to) > 0 {
			down = s.queue[0].last
		}
		if err := s.settle(down); err != nil {
			return err
		}
	}
	return s.settle(to)
}

// readSome holds what matches in some blocks.
func (s *search) readSome(ctx context.Context, places []place) error {
	hits, sizes := make([][]Hit, len(places)), make([]int, len(places))
	g, ctx := errgroup.WithContext(ctx)
	for i, p := range places {
		g.Go(func() (err error) {
			hits[i], sizes[i], err = s.readBlock(ctx, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range places {
		s.held, s.read = append(s.held, hits[i]...), s.read+sizes[i]
	}
	return nil
}

func (s *search) readBlock(ctx context.Context, p place) ([]Hit, int, error) {
	data, err := s.log.cfg.Objects.Get(ctx, p.key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, 0, err
	}
	if err != nil && s.gone(p) {
		return nil, 0, nil
	}
	var records []audit.Record
	if err == nil {
		records, err = decodeBlock(data, p.edge)
	}
	if err != nil {
		return s.damaged(p, err), len(data), nil
	}
	whose, err := s.log.ownersOf(ctx, p.edge, records)
	if err != nil {
		return nil, 0, err
	}
	s.log.summaries.Add(p.key, summarise(records, whose))
	var hits []Hit
	for i := range records {
		r := &records[i]
		if compare(r.ID, s.query.until) < 0 && !r.ID.Time().Before(s.query.from) && s.query.matches(r, whose.of(r), p.edge == "") {
			hits = append(hits, Hit{Record: *r, id: r.ID})
		}
	}
	return hits, len(data), nil
}

// damaged is a hit in the place of the block's first record.
func (s *search) damaged(p place, err error) []Hit {
	at := p.first.Time()
	if at.Before(s.query.from) {
		at = s.query.from
	}
	h := Hit{Damage: err, Block: p.key, id: firstID(at)}
	sum := sha256.Sum256([]byte(p.key))
	copy(h.id[6:], sum[:])
	if compare(h.id, s.query.until) >= 0 {
		return nil // reported on a page before
	}
	return []Hit{h}
}

// settle takes what is held above an id to what is found, and stops when that is enough or the search has done its
// share.
func (s *search) settle(down audit.RecordID) error {
	slices.SortFunc(s.held, func(a, b Hit) int { return compare(b.id, a.id) })
	for len(s.held) > 0 && compare(s.held[0].id, down) >= 0 {
		h := s.held[0]
		if s.held = s.held[1:]; h.id == s.floor {
			continue // the same record, shipped again
		}
		s.out, s.size, s.floor = append(s.out, h), s.size+weight(&h.Record), h.id
		if len(s.out) == s.query.Limit || s.size >= pageBytes {
			return errStopped
		}
	}
	moved := compare(down, s.query.until) < 0
	s.floor = down
	if moved && (s.read >= searchBytes || s.log.cfg.Now().Sub(s.began) >= searchTime) {
		return errStopped
	}
	return nil
}

// weight is about how many bytes a record takes.
func weight(r *audit.Record) int {
	n := len(r.Statement)
	for _, p := range r.Params {
		n += len(p.Data)
	}
	for _, row := range r.Rows {
		for _, v := range row {
			n += len(v.Data)
		}
	}
	return n
}
