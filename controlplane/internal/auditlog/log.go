package auditlog

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/writhq/writ/controlplane/internal/recordindex"
	"github.com/writhq/writ/pkg/merklelog"
)

// Session is what the log needs to know of a session. A zero Ended means that
// it is live.
type Session struct {
	ID, Edge       string
	Principals     []string // the principal, and those it acts for
	Resource       string
	Started, Ended time.Time
}

// ErrUnknownSession is a session that was never opened, or long ago.
var ErrUnknownSession = errors.New("unknown session")

// Sessions tells whose a session is.
type Sessions interface {
	// Describe returns the session with an id, or ErrUnknownSession.
	Describe(ctx context.Context, id string) (Session, error)
}

// Registrar gives what is stored its place in the Merkle log.
type Registrar interface {
	// Register has put store the object, and returns when it is durable that it gets its place.
	Register(ctx context.Context, e merklelog.Entry, put func() error) error
}

// Config is what a Log needs. Everything without a stated default is required.
type Config struct {
	Objects   ObjectStore
	Sessions  Sessions
	Registrar Registrar
	// Replica names this process start in the keys and chains of the control
	// plane's own records: letters, digits and dashes, never used before.
	Replica string
	// Now defaults to time.Now.
	Now func() time.Time
	// Poll is how often a follower looks for what other replicas stored.
	// Default 1 s.
	Poll time.Duration
	// Index tells searches where records are, and Feed what it has to have; it is kept up by RunIndex. Without them searches read more.
	Index *recordindex.Index
	Feed  Feed
	// Tally hears what was shipped; nil is nobody.
	Tally  Tally
	Logger hclog.Logger
}

// Log stores and reads records. It is safe for concurrent use.
type Log struct {
	cfg    Config
	owners *lru.Cache[string, owner] // by session
	// summaries of blocks, by key.
	summaries *lru.Cache[string, summary]
	admin     *adminWriter

	mu    sync.Mutex
	fresh chan struct{} // closed and replaced when a block was stored
}

// New returns a log over cfg.Objects.
func New(cfg Config) (*Log, error) {
	if cfg.Objects == nil || cfg.Sessions == nil || cfg.Registrar == nil {
		return nil, errors.New("audit log: objects, sessions and a registrar are required")
	}
	if (cfg.Index == nil) != (cfg.Feed == nil) {
		return nil, errors.New("audit log: an index needs a feed, and a feed an index")
	}
	if err := CheckBoot(cfg.Replica); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Poll <= 0 {
		cfg.Poll = time.Second
	}
	if cfg.Tally == nil {
		cfg.Tally = noTally{}
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	owners, err := lru.New[string, owner](8192)
	if err != nil {
		return nil, err
	}
	summaries, err := lru.New[string, summary](maxSummaries)
	if err != nil {
		return nil, err
	}
	admin, err := newAdminWriter(cfg)
	if err != nil {
		return nil, err
	}
	return &Log{cfg: cfg, owners: owners, summaries: summaries, admin: admin, fresh: make(chan struct{})}, nil
}

// stored wakes the followers.
func (l *Log) stored() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.fresh)
	l.fresh = make(chan struct{})
}

func (l *Log) news() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fresh
}
