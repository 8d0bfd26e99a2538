// Package sessions keeps the book of sessions: who is connected to what,
// through which edge, under which grant, and how each session ended. The book
// is in the store, so ending a session on one replica ends it everywhere.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

var (
	// ErrNotFound: no session has that id.
	ErrNotFound = errors.New("no such session")
	// ErrForeign: the session is at another edge.
	ErrForeign = errors.New("session of another edge")
	// ErrEnded: the session is over.
	ErrEnded = errors.New("session has ended")
	// ErrExists: the id was used before.
	ErrExists = errors.New("session id is taken")
	// ErrID: not a session id.
	ErrID = errors.New("invalid session id")
)

// Session is one connection under one grant through one edge.
type Session struct {
	ID            string           `json:"id"`
	Principal     policy.Principal `json:"principal"`
	Resource      string           `json:"resource"`
	Edge          string           `json:"edge"`
	Boot          string           `json:"boot"` // process start of the edge
	Grant         string           `json:"grant"`
	Lease         string           `json:"lease"` // of the upstream credential
	Protocol      string           `json:"protocol"`
	ClientAddr    string           `json:"client_addr,omitempty"`
	Application   string           `json:"application,omitempty"`
	RequestReason string           `json:"request_reason,omitempty"` // of the access request
	Ticket        string           `json:"ticket,omitempty"`
	Intent        approvals.Intent `json:"intent,omitzero"` // of the access request
	StartedAt     time.Time        `json:"started_at"`
	ExpiresAt     time.Time        `json:"expires_at"`
	EndedAt       time.Time        `json:"ended_at,omitzero"`
	EndReason     string           `json:"end_reason,omitempty"`
	EndedBy       string           `json:"ended_by,omitempty"`
}

// Live tells whether the session has not ended.
func (s Session) Live() bool { return s.EndedAt.IsZero() }

// Admission is what the session uses its grant for.
func (s Session) Admission() approvals.Admission {
	return approvals.Admission{Grant: s.Grant, Principal: s.Principal.ID, Resource: s.Resource, Edge: s.Edge}
}

// Leases ends the credential lease of a session.
type Leases interface {
	// EndIn marks the lease as ending, in the transaction that ends its
	// session. One that does not exist is no error.
	EndIn(tx *store.Tx, lease string) error
}

// Config is what the book needs. Everything without a stated default is
// required.
type Config struct {
	Store  *store.Store
	Leases Leases
	Now    func() time.Time // default time.Now
	Events Events           // nil tells nobody
	Logger hclog.Logger     // nil discards
}

// Book is the set of sessions, shared by all replicas.
type Book struct {
	cfg   Config
	live  *store.Collection[Session]
	ended *store.Collection[Session]
	// newest lists live and ended ones by their start.
	newest *store.Collection[row]
	counts *store.Collection[Count]
}

// New returns the book kept in cfg.Store.
func New(cfg Config) (*Book, error) {
	if cfg.Store == nil || cfg.Leases == nil {
		return nil, errors.New("sessions: a store and leases are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Events == nil {
		cfg.Events = silence{}
	}
	return &Book{
		cfg:    cfg,
		live:   store.Define[Session](cfg.Store, "sessions"),
		ended:  store.Define[Session](cfg.Store, "sessions-ended"),
		newest: store.Define[row](cfg.Store, "sessions-newest"),
		counts: store.Define[Count](cfg.Store, "sessions-counts"),
	}, nil
}

var idForm = regexp.MustCompile(`^ses-[0-9a-z]{16,40}$`)

// CheckID accepts "ses-" and 16 to 40 lower-case letters and digits.
func CheckID(id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("%w: %.80q", ErrID, id)
	}
	return nil
}

// CreateIn adds a live session. An id that was ever used is ErrExists.
func (b *Book) CreateIn(tx *store.Tx, s Session) error {
	if err := CheckID(s.ID); err != nil {
		return err
	}
	if s.Principal.ID == "" || s.Resource == "" || s.Edge == "" || s.Boot == "" || s.Grant == "" ||
		s.StartedAt.Unix() <= 0 || !s.Live() {
		return errors.New("create session: principal, resource, edge, boot, grant and start are required")
	}
	if _, err := b.ended.In(tx).Get(s.ID); !errors.Is(err, store.ErrNotFound) {
		return orErr(err, ErrExists)
	}
	err := b.live.In(tx).Create(s.ID, s)
	if errors.Is(err, store.ErrExists) {
		return ErrExists
	}
	if err != nil {
		return err
	}
	return b.index(tx, s)
}

func orErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// Get returns a session, live or ended.
func (b *Book) Get(ctx context.Context, id string) (Session, error) {
	var s Session
	err := b.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		s, err = b.GetIn(tx, id)
		return err
	})
	return s, err
}

// SessionLives tells whether a session has not ended. One that nobody knows does not live.
func (b *Book) SessionLives(ctx context.Context, id string) (bool, error) {
	s, err := b.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && s.Live(), err
}

// GetIn is Get inside a transaction.
func (b *Book) GetIn(tx *store.Tx, id string) (Session, error) {
	if err := CheckID(id); err != nil {
		return Session{}, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	e, err := b.live.In(tx).Get(id)
	if errors.Is(err, store.ErrNotFound) {
		e, err = b.ended.In(tx).Get(id)
	}
	if errors.Is(err, store.ErrNotFound) {
		return Session{}, ErrNotFound
	}
	return e.Value, err
}

// LiveIn returns a live session at an edge. Errors are ErrNotFound, ErrForeign
// and ErrEnded.
func (b *Book) LiveIn(tx *store.Tx, id, edge string) (Session, error) {
	s, err := b.GetIn(tx, id)
	switch {
	case err != nil:
		return Session{}, err
	case s.Edge != edge:
		return Session{}, ErrForeign
	case !s.Live():
		return Session{}, fmt.Errorf("%w: %s", ErrEnded, s.EndReason)
	}
	return s, nil
}

// AtEdge is LiveIn by itself.
func (b *Book) AtEdge(ctx context.Context, id, edge string) (Session, error) {
	var s Session
	err := b.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		s, err = b.LiveIn(tx, id, edge)
		return err
	})
	return s, err
}

// ExtendIn gives a live session another end.
func (b *Book) ExtendIn(tx *store.Tx, s Session, expires time.Time) error {
	s.ExpiresAt = expires
	return b.live.In(tx).Put(s.ID, s)
}
