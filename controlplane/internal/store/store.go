// Package store keeps the control plane's shared state in etcd as typed,
// versioned, watchable collections with serialisable transactions. It is the
// only importer of etcd: nothing outside knows keys, leases or client errors.
package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Config says where the state is. With no Endpoints an embedded single member
// is started in DataDir; it listens on no port and no socket.
type Config struct {
	// DataDir is the folder of the embedded member. It is created with mode
	// 0700 and must not be accessible to others. Required without Endpoints.
	DataDir string

	// Endpoints are the URLs of an external cluster. Only https is accepted,
	// except for loopback addresses.
	Endpoints []string

	// TLS names the files for an external cluster.
	TLS TLSFiles

	// Username and Password sign in to an external cluster; empty for none
	// (a client certificate then identifies this replica).
	Username, Password string

	// Prefix starts every key. It begins and ends with a slash.
	// Default "/writ/".
	Prefix string

	// DialTimeout bounds how long Open waits for a working quorum.
	// Default 15 s.
	DialTimeout time.Duration

	// OpTimeout bounds every single read and write. Default 5 s.
	OpTimeout time.Duration

	// Retention is how long the embedded member keeps past revisions for
	// watchers that resume. Default 10 min.
	Retention time.Duration

	// Logger receives messages; nil discards them.
	Logger hclog.Logger
}

// TLSFiles names PEM files for the connection to an external cluster.
type TLSFiles struct {
	CA   string // trusted roots; empty means the system's roots
	Cert string // client certificate; needs Key
	Key  string // key of Cert
}

const (
	defaultPrefix      = "/writ/"
	defaultDialTimeout = 15 * time.Second
	defaultOpTimeout   = 5 * time.Second
	defaultRetention   = 10 * time.Minute
)

// Store is one connection to the state. It is safe for concurrent use.
type Store struct {
	client  *clientv3.Client
	member  *member // nil for an external cluster
	prefix  string
	timeout time.Duration
	log     hclog.Logger

	life context.Context // ends at Close, and with it every watch
	stop context.CancelFunc
	once sync.Once
}

// Open connects, waits until a read succeeds, and returns the store. It fails
// with ErrUnavailable when no quorum answers within DialTimeout and with
// ErrInUse when another process owns DataDir.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.DialTimeout, errOpTimeout)
	defer cancel()
	s := &Store{prefix: cfg.Prefix, timeout: cfg.OpTimeout, log: cfg.Logger}
	s.life, s.stop = context.WithCancel(context.Background())
	if len(cfg.Endpoints) > 0 {
		s.client, err = dialExternal(cfg)
	} else {
		s.member, s.client, err = startMember(ctx, cfg)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.Close())
	}
	return s, nil
}

func (cfg Config) complete() (Config, error) {
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	cfg.Prefix = orDefault(cfg.Prefix, defaultPrefix)
	cfg.DialTimeout = orDefault(cfg.DialTimeout, defaultDialTimeout)
	cfg.OpTimeout = orDefault(cfg.OpTimeout, defaultOpTimeout)
	cfg.Retention = orDefault(cfg.Retention, defaultRetention)
	switch {
	case cfg.DialTimeout < 0 || cfg.OpTimeout < 0 || cfg.Retention < time.Second:
		return cfg, errors.New("store: timeouts must be positive and retention at least one second")
	case cfg.DataDir == "" && len(cfg.Endpoints) == 0:
		return cfg, errors.New("store: a data dir or etcd endpoints are required")
	}
	return cfg, checkPrefix(cfg.Prefix)
}

func orDefault[V comparable](v, def V) V {
	var zero V
	if v == zero {
		return def
	}
	return v
}

// await repeats a read until one succeeds or ctx ends.
func (s *Store) await(ctx context.Context) error {
	for {
		err := s.Ready(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrRefused) {
			return err
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// Ready makes one linearizable read. An error means that this replica cannot
// see a quorum now and must not answer from what it remembers.
func (s *Store) Ready(ctx context.Context) error {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	_, err := s.client.Get(ctx, s.prefix, clientv3.WithCountOnly())
	return s.fault(ctx, err)
}

// Run waits until ctx ends (nil) or the embedded member stops by itself
// (ErrUnavailable).
func (s *Store) Run(ctx context.Context) error {
	if s.member == nil {
		<-ctx.Done()
		return nil
	}
	return s.member.run(ctx)
}

// Close ends all watches and stops an embedded member. Operations that are
// under way fail with ErrUnavailable.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		s.stop()
		if s.client != nil { // before the member: it waits for its clients
			err = s.client.Close()
		}
		if errors.Is(err, context.Canceled) {
			err = nil // the in-process client reports its own cancellation
		}
		if s.member != nil {
			err = errors.Join(err, s.member.close())
		}
	})
	return err
}

// bound gives ctx the time limit of one operation, with a cause by which a
// timeout of ours is told from the caller's.
func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout, errOpTimeout)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
