package authority

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
)

// Settle is how long a new key is published before it signs, so that every
// verifier knows it by then.
const Settle = time.Minute

// KeyringConfig is what a keyring needs.
type KeyringConfig struct {
	Store  *store.Store // required
	Sealer seal.Sealer  // required

	// Purpose names the keyring, for example "access-tokens". Required.
	Purpose string

	// Retain is for how long a key that no longer signs still verifies;
	// 0 means for ever. For access tokens, the longest grant.
	Retain time.Duration

	// OnChange is called from Run with the public keys when they change.
	OnChange func(identity.Keys)

	Clock  func() time.Time // default time.Now
	Logger hclog.Logger     // nil discards
}

// Keyring holds the Ed25519 keys for one purpose, the same on every replica.
type Keyring struct {
	cfg  KeyringConfig
	keys *store.Collection[ring]
	held atomic.Pointer[store.Entry[ring]]
}

// ring is how a keyring is stored, oldest key first.
type ring struct {
	Keys []signingKey `json:"keys"`
}

type signingKey struct {
	Seed []byte    `json:"seed"`
	From time.Time `json:"from"` // signs from then until the next one's From
}

func (k signingKey) private() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.Seed) }

// OpenKeyring loads a keyring from the store or, the first time, makes it with
// one key.
func OpenKeyring(ctx context.Context, cfg KeyringConfig) (*Keyring, error) {
	if cfg.Store == nil || cfg.Sealer == nil || cfg.Purpose == "" {
		return nil, errors.New("keyring: a store, a sealer and a purpose are required")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	k := &Keyring{cfg: cfg, keys: store.Define[ring](cfg.Store, "signing-keys", store.Sealed(cfg.Sealer))}
	first := ring{Keys: []signingKey{newSigningKey(cfg.Clock())}}
	if _, err := k.keys.Create(ctx, cfg.Purpose, first); err != nil && !errors.Is(err, store.ErrExists) {
		return nil, fmt.Errorf("open keyring %s: %w", cfg.Purpose, err)
	}
	if err := k.reload(ctx); err != nil {
		return nil, fmt.Errorf("open keyring %s: %w", cfg.Purpose, err)
	}
	return k, nil
}

func newSigningKey(from time.Time) signingKey {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails, see crypto/rand
	return signingKey{Seed: seed, From: from.UTC()}
}

// Rotate adds a key, which signs after Settle.
func (k *Keyring) Rotate(ctx context.Context) error {
	now := k.cfg.Clock()
	err := k.change(ctx, func(r ring) []signingKey {
		return append(r.prune(now, k.cfg.Retain), newSigningKey(now.Add(Settle)))
	})
	if err != nil {
		return fmt.Errorf("rotate keyring %s: %w", k.cfg.Purpose, err)
	}
	return nil
}

// Destroy removes every key that exists and starts over with a new one that
// signs at once: for keys that somebody else may have. What the old ones
// signed verifies no more.
func (k *Keyring) Destroy(ctx context.Context) error {
	now := k.cfg.Clock()
	err := k.change(ctx, func(ring) []signingKey { return []signingKey{newSigningKey(now)} })
	if err != nil {
		return fmt.Errorf("destroy keyring %s: %w", k.cfg.Purpose, err)
	}
	return nil
}

// change replaces the keys by those that edit makes of them.
func (k *Keyring) change(ctx context.Context, edit func(ring) []signingKey) error {
	err := k.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		view := k.keys.In(tx)
		e, err := view.Get(k.cfg.Purpose)
		if err != nil {
			return err
		}
		return view.Put(k.cfg.Purpose, ring{Keys: edit(e.Value)})
	})
	if err != nil {
		return err
	}
	return k.reload(ctx)
}

func (k *Keyring) reload(ctx context.Context) error {
	e, err := k.keys.Get(ctx, k.cfg.Purpose)
	if err != nil {
		return err
	}
	return k.take(e)
}

// Run keeps up with changes by other replicas until ctx ends.
func (k *Keyring) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	notice := func(e store.Entry[ring]) {
		if e.Key != k.cfg.Purpose {
			return
		}
		if err := k.take(e); err != nil {
			cancel(err)
		} else if k.cfg.OnChange != nil {
			k.cfg.OnChange(k.Public())
		}
	}
	return k.keys.Follow(ctx,
		func(entries []store.Entry[ring], _ store.Revision) {
			for _, e := range entries {
				notice(e)
			}
		},
		func(ev store.Event[ring]) {
			if !ev.Deleted {
				notice(ev.Entry)
			}
		})
}

// take uses e from now on, unless a later state is already in use.
func (k *Keyring) take(e store.Entry[ring]) error {
	if len(e.Value.Keys) == 0 {
		return fmt.Errorf("keyring %s is empty", k.cfg.Purpose)
	}
	for _, key := range e.Value.Keys {
		if len(key.Seed) != ed25519.SeedSize {
			return fmt.Errorf("keyring %s holds an unusable key", k.cfg.Purpose)
		}
	}
	for {
		held := k.held.Load()
		if held != nil && held.Revision >= e.Revision || k.held.CompareAndSwap(held, &e) {
			return nil
		}
	}
}

// Private is the key that signs now.
func (k *Keyring) Private() ed25519.PrivateKey {
	return k.held.Load().Value.current(k.cfg.Clock()).private()
}

// Sign returns the signature of message by the key that signs now, and the
// key's id.
func (k *Keyring) Sign(message []byte) (keyID string, signature []byte) {
	private := k.Private()
	public, _ := private.Public().(ed25519.PublicKey)
	return identity.KeyID(public), ed25519.Sign(private, message)
}

// Public is every key that verifies now, including one that does not sign yet.
func (k *Keyring) Public() identity.Keys {
	byID := map[string]ed25519.PublicKey{}
	for _, key := range k.held.Load().Value.prune(k.cfg.Clock(), k.cfg.Retain) {
		public, _ := key.private().Public().(ed25519.PublicKey)
		byID[identity.KeyID(public)] = public
	}
	keys, err := identity.NewKeys(byID)
	if err != nil { // ids and keys were made together just above
		k.cfg.Logger.Error("unusable public keys", "purpose", k.cfg.Purpose, "error", err)
	}
	return keys
}

// derivedSize is how long the keys are that Derive gives, in bytes.
const derivedSize = 32

// Derive returns a key of 32 bytes that comes of a signing key and of info by HKDF-SHA256 (RFC 5869), which is the same
// on every replica and says nothing of the signing key. It is false for a key that verifies no more.
func (k *Keyring) Derive(keyID, info string) ([]byte, bool) {
	for _, key := range k.held.Load().Value.prune(k.cfg.Clock(), k.cfg.Retain) {
		public, _ := key.private().Public().(ed25519.PublicKey)
		if identity.KeyID(public) != keyID {
			continue
		}
		derived, err := hkdf.Key(sha256.New, key.Seed, nil, info, derivedSize)
		return derived, err == nil
	}
	return nil, false
}

// current is the newest key whose time has come, or the oldest one.
func (r ring) current(now time.Time) signingKey {
	for i := len(r.Keys) - 1; i > 0; i-- {
		if !now.Before(r.Keys[i].From) {
			return r.Keys[i]
		}
	}
	return r.Keys[0]
}

// prune returns the keys without those that stopped signing over retain ago.
func (r ring) prune(now time.Time, retain time.Duration) []signingKey {
	var kept []signingKey
	for i, key := range r.Keys {
		last := i == len(r.Keys)-1
		if retain == 0 || last || now.Before(r.Keys[i+1].From.Add(retain)) {
			kept = append(kept, key)
		}
	}
	return kept
}
