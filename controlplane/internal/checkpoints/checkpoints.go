// Package checkpoints puts every object with records into the Merkle log, signs its checkpoints, and stores its tiles beside the records.
//
// An entry is announced before its object is stored, and durable before whoever shipped the records hears that they are. One replica at a time, the leader, gives the
// waiting entries their places: in one transaction with the head of the log, so that there are never two logs of one size. What is placed
// is then laid out in the object store; that can be done again, and always gives the same objects.
package checkpoints

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/merklelog"
)

// Config is what a Log needs. Everything without a stated default is required.
type Config struct {
	Store   *store.Store
	Objects auditlog.ObjectStore
	// Origin names a new log, such as "writ.example.com/audit". A log that exists keeps its name.
	Origin string
	// Key signs checkpoints.
	Key ed25519.PrivateKey
	// Replica is unlike that of every other process start.
	Replica string
	// Period is the longest time between a place in the log and its checkpoint in the object store. Default 5 s.
	Period time.Duration
	// Lost is how long an object that was announced may take until it is registered. After that the leader looks whether it was stored.
	// Default 1 min.
	Lost   time.Duration
	Logger hclog.Logger
}

// Log is the Merkle log over the stored records. It is safe for concurrent use.
type Log struct {
	cfg    Config
	origin string
	signer note.Signer
	public string
	heads  *store.Collection[head]
	// Encoded entries: of objects that are about to be stored, of those that are and wait for a place, and with a place but not laid out.
	announced *store.Collection[[]string]
	waiting   *store.Collection[[]string]
	batches   *store.Collection[[]string]

	announcing, registering *queue
}

// head is where the log stands.
type head struct {
	Origin string         `json:"origin"`
	Tree   merklelog.Tree `json:"tree"`
	// Published is how much of it is laid out in the object store, and Next what is to be. A publisher that takes over does that first, so
	// that there are tiles of no other sizes than those that have a checkpoint.
	Published int64 `json:"published"`
	Next      *next `json:"next,omitempty"`
	// Checkpoint is the signed one of Tree.
	Checkpoint []byte `json:"checkpoint"`
}

// next is a state of the log that is to be laid out.
type next struct {
	Size       int64  `json:"size"`
	Checkpoint []byte `json:"checkpoint"`
}

const headKey = "head"

// Open returns the log, which it begins when there is none.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if cfg.Store == nil || cfg.Objects == nil || cfg.Origin == "" || cfg.Key == nil || cfg.Replica == "" {
		return nil, errors.New("checkpoints: store, objects, origin, key and replica are required")
	}
	if cfg.Period <= 0 {
		cfg.Period = 5 * time.Second
	}
	if cfg.Lost <= 0 {
		cfg.Lost = time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	l := &Log{
		cfg: cfg, heads: store.Define[head](cfg.Store, "log-head"), waiting: store.Define[[]string](cfg.Store, "log-waiting"),
		batches: store.Define[[]string](cfg.Store, "log-batches"),
	}
	l.announced = store.Define[[]string](cfg.Store, "log-announced")
	l.announcing = &queue{to: l.announced, replica: cfg.Replica}
	l.registering = &queue{to: l.waiting, replica: cfg.Replica}
	if err := l.begin(ctx); err != nil {
		return nil, fmt.Errorf("open log of records: %w", err)
	}
	return l, nil
}

// begin finds the log's name, and the head of an empty log where there is none.
func (l *Log) begin(ctx context.Context) error {
	signer, public, err := merklelog.NewSigner(l.cfg.Origin, l.cfg.Key)
	if err != nil {
		return err
	}
	var empty merklelog.Tree
	signed, err := merklelog.Checkpoint{Origin: l.cfg.Origin, Root: empty.Root()}.Sign(signer)
	if err != nil {
		return err
	}
	if _, err := l.heads.Create(ctx, headKey, head{Origin: l.cfg.Origin, Checkpoint: signed}); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	e, err := l.heads.Get(ctx, headKey)
	if err != nil {
		return err
	}
	if e.Value.Origin != l.cfg.Origin {
		signer, public, err = merklelog.NewSigner(e.Value.Origin, l.cfg.Key)
	}
	l.origin, l.signer, l.public = e.Value.Origin, signer, public
	return err
}

// PublicKey is the key that checkpoints are verified with, in C2SP's text form.
func (l *Log) PublicKey() string { return l.public }

// Origin names the log.
func (l *Log) Origin() string { return l.origin }

// Latest returns the checkpoint over everything that has a place, as a signed note. Its tiles may not be stored yet.
func (l *Log) Latest(ctx context.Context) ([]byte, error) {
	e, err := l.heads.Get(ctx, headKey)
	if err != nil {
		return nil, fmt.Errorf("latest checkpoint: %w", err)
	}
	return e.Value.Checkpoint, nil
}
