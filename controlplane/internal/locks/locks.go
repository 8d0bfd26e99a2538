// Package locks keeps the orders to stop a principal, resource, edge or grant now, everywhere. A lock refuses what is
// new, ends the sessions that run, and stays until it is removed or its time is up.
package locks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/writhq/writ/controlplane/internal/store"
)

var (
	// ErrLocked refuses what a lock stops. Its text names the lock and its reason.
	ErrLocked = errors.New("locked")
	// ErrNotFound is a lock id that does not exist, or no longer.
	ErrNotFound = errors.New("no such lock")
	// ErrInvalid is a lock that lacks a target, name or reason.
	ErrInvalid = errors.New("invalid lock")
)

// Target says what kind of thing a lock stops.
type Target string

// The targets.
const (
	Principal Target = "principal"
	Resource  Target = "resource"
	Edge      Target = "edge"
	Grant     Target = "grant"
)

func (t Target) valid() bool {
	return t == Principal || t == Resource || t == Edge || t == Grant
}

// Lock is one order. A zero ExpiresAt means until it is removed.
type Lock struct {
	ID        string    `json:"id"`
	Target    Target    `json:"target"`
	Name      string    `json:"name"`
	Reason    string    `json:"reason"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Active reports whether the lock holds at now.
func (l Lock) Active(now time.Time) bool {
	return l.ExpiresAt.IsZero() || now.Before(l.ExpiresAt)
}

// Ender ends the live sessions that a lock covers, on every edge, and says how many it ordered to end.
type Ender interface {
	EndSessions(ctx context.Context, target Target, name, reason, by string) (int, error)
}

// Events hears of locks in the transaction that changes them. It has no effect outside tx, and fails only when the
// store does.
type Events interface {
	LockCreated(tx *store.Tx, lock Lock) error
	LockRemoved(tx *store.Tx, lock Lock, by string) error
}

// silence hears nothing.
type silence struct{}

func (silence) LockCreated(*store.Tx, Lock) error         { return nil }
func (silence) LockRemoved(*store.Tx, Lock, string) error { return nil }

// Config is what the locks need; everything but Events is required.
type Config struct {
	Store    *store.Store
	Sessions Ender
	Now      func() time.Time
	Rand     io.Reader // for ids
	Events   Events    // nil tells nobody
}

// Locks is the set of locks, shared by all replicas.
type Locks struct {
	cfg  Config
	rows *store.Collection[Lock]
}

// New returns the locks kept in cfg.Store.
func New(cfg Config) (*Locks, error) {
	if cfg.Store == nil || cfg.Sessions == nil || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("locks: store, sessions, clock and randomness are required")
	}
	if cfg.Events == nil {
		cfg.Events = silence{}
	}
	return &Locks{cfg: cfg, rows: store.Define[Lock](cfg.Store, "locks")}, nil
}

// Limits of a lock.
const (
	maxText = 500
	// MaxTTL is the longest time a lock may be given; for longer, give none.
	MaxTTL = 366 * 24 * time.Hour
)

// Order asks for a lock. A zero TTL means until it is removed.
type Order struct {
	Target Target
	Name   string
	Reason string
	By     string
	TTL    time.Duration
}

func (o Order) check() error {
	switch {
	case !o.Target.valid():
		return fmt.Errorf("%w: target %q; use principal, resource, edge or grant", ErrInvalid, o.Target)
	case o.Name == "" || len(o.Name) > maxText:
		return fmt.Errorf("%w: name of %d bytes; give the %s's name, at most %d bytes", ErrInvalid, len(o.Name), o.Target, maxText)
	case strings.TrimSpace(o.Reason) == "" || len(o.Reason) > maxText:
		return fmt.Errorf("%w: reason of %d bytes; say why, in at most %d bytes", ErrInvalid, len(o.Reason), maxText)
	case o.TTL < 0 || o.TTL > MaxTTL:
		return fmt.Errorf("%w: ttl %s; use 0 for no end, or at most %s", ErrInvalid, o.TTL, MaxTTL)
	}
	return nil
}

// Create sets the lock and then orders the sessions it covers to end. The lock stands even when that order fails;
// the error then says so.
func (l *Locks) Create(ctx context.Context, order Order) (Lock, int, error) {
	if err := order.check(); err != nil {
		return Lock{}, 0, err
	}
	now := l.cfg.Now().UTC()
	id, err := ulid.New(ulid.Timestamp(now), l.cfg.Rand)
	if err != nil {
		return Lock{}, 0, fmt.Errorf("lock id: %w", err)
	}
	lock := Lock{
		ID: "lock-" + strings.ToLower(id.String()), Target: order.Target, Name: order.Name,
		Reason: order.Reason, CreatedBy: order.By, CreatedAt: now,
	}
	if order.TTL > 0 {
		lock.ExpiresAt = now.Add(order.TTL)
	}
	if err := l.put(ctx, lock, order.TTL); err != nil {
		return Lock{}, 0, err
	}
	ended, err := l.cfg.Sessions.EndSessions(ctx, lock.Target, lock.Name, lock.Reason, lock.CreatedBy)
	if err != nil {
		return lock, ended, fmt.Errorf("%s is set, but ending its sessions failed: %w", lock.ID, err)
	}
	return lock, ended, nil
}

// put lets a lock with an end vanish with a lease, so that whoever follows the collection sees it go.
func (l *Locks) put(ctx context.Context, lock Lock, ttl time.Duration) error {
	var opts []store.PutOption
	if ttl > 0 {
		lease, err := l.cfg.Store.Lease(ctx, ttl+time.Second)
		if err != nil {
			return fmt.Errorf("create lock: %w", err)
		}
		opts = append(opts, store.WithLease(lease.ID()))
	}
	err := l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := l.rows.In(tx).Create(key(lock.Target, lock.Name, lock.ID), lock, opts...); err != nil {
			return err
		}
		return l.cfg.Events.LockCreated(tx, lock)
	})
	if err != nil {
		return fmt.Errorf("create lock: %w", err)
	}
	return nil
}

// key folds case, so that a lock on a name covers every spelling of it.
func key(target Target, name, id string) string {
	return store.Key(string(target), strings.ToLower(name), id)
}

// List returns the active locks, oldest first within a target.
func (l *Locks) List(ctx context.Context) ([]Lock, error) {
	entries, _, err := l.rows.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list locks: %w", err)
	}
	return active(entries, l.cfg.Now()), nil
}

func active(entries []store.Entry[Lock], now time.Time) []Lock {
	var out []Lock
	for _, e := range entries {
		if e.Value.Active(now) {
			out = append(out, e.Value)
		}
	}
	return out
}

// Remove lifts the lock with that id, or fails with ErrNotFound.
func (l *Locks) Remove(ctx context.Context, id, by string) error {
	entries, _, err := l.rows.List(ctx, store.ListOptions{})
	if err != nil {
		return fmt.Errorf("remove lock: %w", err)
	}
	for _, e := range entries {
		if e.Value.ID != id {
			continue
		}
		err := l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			if err := l.rows.In(tx).Delete(e.Key); err != nil {
				return err
			}
			return l.cfg.Events.LockRemoved(tx, e.Value, by)
		})
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		return err
	}
	return fmt.Errorf("%w: %q", ErrNotFound, id)
}

// Follow calls changed with all active locks now and after every change, until ctx ends.
func (l *Locks) Follow(ctx context.Context, changed func([]Lock)) error {
	rows := map[string]store.Entry[Lock]{}
	publish := func() {
		entries := make([]store.Entry[Lock], 0, len(rows))
		for _, e := range rows {
			entries = append(entries, e)
		}
		sortByKey(entries)
		changed(active(entries, l.cfg.Now()))
	}
	return l.rows.Follow(ctx, func(all []store.Entry[Lock], _ store.Revision) {
		clear(rows)
		for _, e := range all {
			rows[e.Key] = e
		}
		publish()
	}, func(ev store.Event[Lock]) {
		if ev.Deleted {
			delete(rows, ev.Key)
		} else {
			rows[ev.Key] = ev.Entry
		}
		publish()
	})
}
