// Package policies keeps the numbered, signed, immutable policy revisions and gives out the one in force. Without a
// revision everything is denied.
package policies

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

// What callers branch on. Their texts are for people.
var (
	ErrNotFound = errors.New("no such policy revision")
	// ErrBase is a push that starts from another revision than the newest.
	ErrBase = errors.New("policy has a newer revision")
	// ErrTampered is a stored revision whose signature or digest does not fit.
	ErrTampered = errors.New("stored policy revision does not verify")
	// ErrInvalid is a push without files, or with a message that is too long.
	ErrInvalid = errors.New("invalid policy push")
)

// Keyring signs and verifies with the control plane's Ed25519 keys.
type Keyring interface {
	// Sign returns the signature of message by the key that signs now, and the key's id.
	Sign(message []byte) (keyID string, signature []byte)
	// Public returns all keys that are trusted.
	Public() identity.Keys
}

// Revision is one immutable version of all policies.
type Revision struct {
	Number     uint64            `json:"number"`
	Files      map[string][]byte `json:"files"`
	Digest     []byte            `json:"digest"` // policy.Bundle.Digest of Files
	Author     string            `json:"author"`
	Message    string            `json:"message,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	Policies   int               `json:"policies"`
	RollbackOf uint64            `json:"rollback_of,omitempty"`
	KeyID      string            `json:"key_id"`
	Signature  []byte            `json:"signature"` // Ed25519 over policy.SignedRevision
}

// Bundle is the revision's files.
func (r Revision) Bundle() policy.Bundle { return policy.Bundle{Files: r.Files} }

// DigestText is the digest as 64 hex digits.
func (r Revision) DigestText() string { return hex.EncodeToString(r.Digest) }

// Events hears of a revision in the transaction that puts it in force. It has no effect outside tx, and fails only when
// the store does.
type Events interface {
	PolicyPushed(tx *store.Tx, r Revision) error
}

// silence hears nothing.
type silence struct{}

func (silence) PolicyPushed(*store.Tx, Revision) error { return nil }

// Config is what the policies need. All but Events and Logger is required.
type Config struct {
	Store   *store.Store
	Keyring Keyring
	Now     func() time.Time
	Events  Events       // nil tells nobody
	Logger  hclog.Logger // nil discards
}

// Policies is the history of revisions, shared by all replicas.
type Policies struct {
	cfg  Config
	rows *store.Collection[Revision]
	head *store.Collection[headRow]

	mu       sync.Mutex
	compiled *compiled // the last one used
}

// headRow names the revision in force.
type headRow struct {
	Number uint64 `json:"number"`
}

type compiled struct {
	number uint64
	digest [sha256.Size]byte
	set    *policy.Set
}

const headKey = "current"

// New returns the policies kept in cfg.Store.
func New(cfg Config) (*Policies, error) {
	if cfg.Store == nil || cfg.Keyring == nil || cfg.Now == nil {
		return nil, errors.New("policies: store, keyring and clock are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Events == nil {
		cfg.Events = silence{}
	}
	return &Policies{
		cfg:  cfg,
		rows: store.Define[Revision](cfg.Store, "policy-revisions"),
		head: store.Define[headRow](cfg.Store, "policy-head"),
	}, nil
}

func key(number uint64) string { return fmt.Sprintf("%020d", number) }

// InForce returns the compiled set of the newest revision and its number, as the transaction sees them: when a revision
// is pushed before the transaction commits, it runs again. Without any revision it is an empty set, which denies, and 0.
func (p *Policies) InForce(tx *store.Tx) (*policy.Set, uint64, error) {
	head, err := p.head.In(tx).Get(headKey)
	if errors.Is(err, store.ErrNotFound) {
		return new(policy.Set), 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	number := head.Value.Number
	if set := p.cached(number); set != nil {
		return set, number, nil
	}
	e, err := p.rows.In(tx).Get(key(number))
	if err != nil {
		return nil, 0, fmt.Errorf("read revision %d: %w", number, err)
	}
	set, err := p.compile(number, e.Value)
	return set, number, err
}

// Current is InForce outside a transaction.
func (p *Policies) Current(ctx context.Context) (set *policy.Set, number uint64, err error) {
	err = p.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		set, number, err = p.InForce(tx)
		return err
	})
	return set, number, err
}

func (p *Policies) cached(number uint64) *policy.Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.compiled != nil && p.compiled.number == number {
		return p.compiled.set
	}
	return nil
}

// compile verifies a stored revision and makes it ready to decide.
func (p *Policies) compile(number uint64, r Revision) (*policy.Set, error) {
	if err := p.verify(number, r); err != nil {
		return nil, err
	}
	set, err := policy.Compile(r.Bundle())
	if err != nil {
		return nil, fmt.Errorf("compile revision %d: %w", number, err)
	}
	p.remember(number, set)
	return set, nil
}

func (p *Policies) remember(number uint64, set *policy.Set) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.compiled == nil || p.compiled.number < number {
		p.compiled = &compiled{number: number, digest: set.Digest(), set: set}
	}
}

// verify checks that the revision is the one with that number and that the control plane signed it.
func (p *Policies) verify(number uint64, r Revision) error {
	digest := r.Bundle().Digest()
	if r.Number != number || !slices.Equal(r.Digest, digest[:]) {
		return fmt.Errorf("%w: revision %d", ErrTampered, number)
	}
	if err := p.cfg.Keyring.Public().Verify(r.KeyID, policy.SignedRevision(number, r.Digest), r.Signature); err != nil {
		return fmt.Errorf("%w: revision %d", ErrTampered, number)
	}
	return nil
}

// sign fills in the digest, key and signature.
func (p *Policies) sign(r *Revision) {
	digest := r.Bundle().Digest()
	r.Digest = digest[:]
	r.KeyID, r.Signature = p.cfg.Keyring.Sign(policy.SignedRevision(r.Number, r.Digest))
}

// Get returns one revision, verified; number 0 is the newest. It fails with ErrNotFound when there is none.
func (p *Policies) Get(ctx context.Context, number uint64) (Revision, error) {
	if number == 0 {
		head, err := p.head.Get(ctx, headKey)
		if errors.Is(err, store.ErrNotFound) {
			return Revision{}, fmt.Errorf("%w: none was pushed yet", ErrNotFound)
		}
		if err != nil {
			return Revision{}, err
		}
		number = head.Value.Number
	}
	e, err := p.rows.Get(ctx, key(number))
	if errors.Is(err, store.ErrNotFound) {
		return Revision{}, fmt.Errorf("%w: %d", ErrNotFound, number)
	}
	if err != nil {
		return Revision{}, err
	}
	return e.Value, p.verify(number, e.Value)
}

// List returns all revisions, newest first, without their files.
func (p *Policies) List(ctx context.Context) ([]Revision, error) {
	entries, _, err := p.rows.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := make([]Revision, 0, len(entries))
	for _, e := range slices.Backward(entries) {
		r := e.Value
		r.Files = nil
		out = append(out, r)
	}
	return out, nil
}

// Follow calls changed with the newest revision now and after every push, until ctx ends. It is not called while there
// is none. A revision that does not verify is logged and not passed on.
func (p *Policies) Follow(ctx context.Context, changed func(Revision)) error {
	deliver := func(number uint64) {
		r, err := p.Get(ctx, number)
		if err != nil {
			p.cfg.Logger.Error("policy revision cannot be delivered", "revision", number, "error", err)
			return
		}
		changed(r)
	}
	return p.head.Follow(ctx, func(all []store.Entry[headRow], _ store.Revision) {
		for _, e := range all {
			deliver(e.Value.Number)
		}
	}, func(ev store.Event[headRow]) {
		if !ev.Deleted {
			deliver(ev.Value.Number)
		}
	})
}
