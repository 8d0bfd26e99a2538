// Package edges keeps which edges there are and which are connected: join
// tokens, enrolments, and the presence that a connected edge renews.
package edges

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
)

var (
	// ErrNotFound: no edge has that name.
	ErrNotFound = errors.New("no such edge")
	// ErrJoinToken: the join token is unknown, spent or expired.
	ErrJoinToken = errors.New("join token is not valid: unknown, used or expired")
	// ErrRefused: the certificate is of a removed edge or a former enrolment.
	ErrRefused = errors.New("edge certificate is no longer accepted")
	// ErrInvalid: a join token was asked for with something out of range.
	ErrInvalid = errors.New("invalid edge")
	// ErrSuperseded: another connection of the edge has taken its place.
	ErrSuperseded = errors.New("superseded by a newer connection of this edge")
)

// Authority signs the certificates of edges.
type Authority interface {
	EdgeClient(name, enrolment string, csr []byte) (authority.Issued, error)
	EdgeServing(name string, csr []byte, allowed []string) (authority.Issued, error)
	PEM() []byte
}

// Events hears of an edge in the transaction that removes it. It has no
// effect outside tx, and fails only when the store does.
type Events interface {
	EdgeRemoved(tx *store.Tx, e Edge) error
}

// silence hears nothing.
type silence struct{}

func (silence) EdgeRemoved(*store.Tx, Edge) error { return nil }

// Config is what the registry needs. Everything without a stated default is
// required.
type Config struct {
	Store     *store.Store
	Authority Authority
	// Replica names this process in the presence of its edges.
	Replica string
	Rand    io.Reader        // for ids
	Now     func() time.Time // default time.Now
	Events  Events           // nil tells nobody
	Logger  hclog.Logger     // nil discards
}

// Registry is the set of edges, shared by all replicas.
type Registry struct {
	cfg   Config
	edges *store.Collection[Edge]
	joins *store.Collection[join]
	live  *store.Collection[Presence]
	seen  *store.Collection[sighting]
}

// New returns the registry kept in cfg.Store.
func New(cfg Config) (*Registry, error) {
	if cfg.Store == nil || cfg.Authority == nil || cfg.Replica == "" || cfg.Rand == nil {
		return nil, errors.New("edges: store, authority, replica and randomness are required")
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
	return &Registry{
		cfg:   cfg,
		edges: store.Define[Edge](cfg.Store, "edges"),
		joins: store.Define[join](cfg.Store, "edge-joins"),
		live:  store.Define[Presence](cfg.Store, "edges-live"),
		seen:  store.Define[sighting](cfg.Store, "edges-sightings"),
	}, nil
}

// Edge is one enrolled edge.
type Edge struct {
	Name  string   `json:"name"`
	Names []string `json:"names,omitempty"` // its serving certificate may carry
	// Enrolment is in the edge's certificates; a new one voids the former.
	Enrolment  string    `json:"enrolment"`
	Enrolments int       `json:"enrolments"` // how many there were
	EnrolledAt time.Time `json:"enrolled_at"`
	Removed    bool      `json:"removed,omitempty"`
	RemovedBy  string    `json:"removed_by,omitempty"`
}

// Certificates are what an edge gets; all PEM.
type Certificates struct {
	Client, Serving, CA []byte
}

// Enrol spends a join token and, in the same transaction, makes its edge
// enrolled. A request that cannot be signed leaves the token unspent.
func (r *Registry) Enrol(ctx context.Context, secret string, clientCSR, servingCSR []byte) (Edge, Certificates, error) {
	s, err := token.ParseSecret(token.JoinSecret, secret)
	if err != nil {
		return Edge{}, Certificates{}, ErrJoinToken
	}
	enrolment, err := r.random()
	if err != nil {
		return Edge{}, Certificates{}, err
	}
	var edge Edge
	var certs Certificates
	err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		j, err := r.spend(tx, s)
		if err != nil {
			return err
		}
		if edge, err = r.enrolled(tx, j, enrolment); err != nil {
			return err
		}
		certs, err = r.sign(edge, clientCSR, servingCSR)
		return err
	})
	if err != nil {
		return Edge{}, Certificates{}, fmt.Errorf("enrol: %w", err)
	}
	return edge, certs, nil
}

func (r *Registry) spend(tx *store.Tx, s token.Secret) (join, error) {
	key := s.Hash().String()
	e, err := r.joins.In(tx).Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return join{}, ErrJoinToken
	}
	if err != nil {
		return join{}, err
	}
	if !r.cfg.Now().Before(e.Value.ExpiresAt) {
		return join{}, ErrJoinToken
	}
	return e.Value, r.joins.In(tx).Delete(key)
}

func (r *Registry) enrolled(tx *store.Tx, j join, enrolment string) (Edge, error) {
	e, err := r.edges.In(tx).Get(j.Edge)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Edge{}, err
	}
	edge := Edge{
		Name: j.Edge, Names: j.Names, Enrolment: enrolment,
		Enrolments: e.Value.Enrolments + 1, EnrolledAt: r.cfg.Now().UTC(),
	}
	return edge, r.edges.In(tx).Put(edge.Name, edge)
}

func (r *Registry) sign(edge Edge, clientCSR, servingCSR []byte) (Certificates, error) {
	client, err := r.cfg.Authority.EdgeClient(edge.Name, edge.Enrolment, clientCSR)
	if err != nil {
		return Certificates{}, err
	}
	serving, err := r.cfg.Authority.EdgeServing(edge.Name, servingCSR, edge.Names)
	if err != nil {
		return Certificates{}, err
	}
	return Certificates{Client: client.Chain, Serving: serving.Chain, CA: r.cfg.Authority.PEM()}, nil
}

// Authenticate returns the edge that a verified certificate stands for, as the
// store has it now. ErrRefused is for an edge that was removed, enrolled anew,
// or holds a certificate that expired while its connection lasted.
func (r *Registry) Authenticate(ctx context.Context, peer identity.Edge) (Edge, error) {
	e, err := r.edges.Get(ctx, peer.Name)
	if errors.Is(err, store.ErrNotFound) {
		return Edge{}, ErrRefused
	}
	if err != nil {
		return Edge{}, err
	}
	return e.Value, r.accept(e.Value, peer)
}

// AuthenticateIn is Authenticate inside a transaction.
func (r *Registry) AuthenticateIn(tx *store.Tx, peer identity.Edge) (Edge, error) {
	e, err := r.edges.In(tx).Get(peer.Name)
	if errors.Is(err, store.ErrNotFound) {
		return Edge{}, ErrRefused
	}
	if err != nil {
		return Edge{}, err
	}
	return e.Value, r.accept(e.Value, peer)
}

func (r *Registry) accept(edge Edge, peer identity.Edge) error {
	same := subtle.ConstantTimeCompare([]byte(edge.Enrolment), []byte(peer.Enrolment)) == 1
	if edge.Removed || edge.Enrolment == "" || !same || !r.cfg.Now().Before(peer.Expires) {
		return ErrRefused
	}
	return nil
}

// Renew signs fresh certificates for an edge of the present enrolment.
func (r *Registry) Renew(ctx context.Context, peer identity.Edge, clientCSR, servingCSR []byte) (Certificates, error) {
	edge, err := r.Authenticate(ctx, peer)
	if err != nil {
		return Certificates{}, fmt.Errorf("renew: %w", err)
	}
	certs, err := r.sign(edge, clientCSR, servingCSR)
	if err != nil {
		return Certificates{}, fmt.Errorf("renew: %w", err)
	}
	return certs, nil
}

// Remove refuses the edge from now on: its certificates and the join tokens
// that were made for it. Its sessions are the caller's to end.
func (r *Registry) Remove(ctx context.Context, name, by string) error {
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := r.edges.In(tx).Get(name)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrKey) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		e.Value.Removed, e.Value.RemovedBy = true, by
		if err := r.edges.In(tx).Put(name, e.Value); err != nil {
			return err
		}
		return r.cfg.Events.EdgeRemoved(tx, e.Value)
	})
	if err != nil {
		return fmt.Errorf("remove edge %.80q: %w", name, err)
	}
	return r.voidJoins(ctx, name)
}

func (r *Registry) random() (string, error) {
	var b [12]byte
	if _, err := io.ReadFull(r.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// FollowEnrolments calls changed with an edge whenever its record was written,
// and for all of them at the start, until ctx ends.
func (r *Registry) FollowEnrolments(ctx context.Context, changed func(Edge)) error {
	return r.edges.Follow(ctx, func(all []store.Entry[Edge], _ store.Revision) {
		for _, e := range all {
			changed(e.Value)
		}
	}, func(ev store.Event[Edge]) {
		if ev.Deleted {
			changed(Edge{Name: ev.Key, Removed: true})
			return
		}
		changed(ev.Value)
	})
}
