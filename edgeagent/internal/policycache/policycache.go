// Package policycache holds the policy revision that the edge enforces. It
// takes only what the control plane signed and only ever a newer revision; a
// bad one leaves the last good one in force.
package policycache

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

var (
	// ErrOlder: the revision is not newer than the one in force.
	ErrOlder = errors.New("policy revision is older than the one in force")
	// ErrDigest: the bundle is not the one the revision names, or a number
	// stands for two bundles.
	ErrDigest = errors.New("policy bundle does not match its digest")
)

// Revision is a signed policy bundle as the control plane sent it.
type Revision struct {
	Number    uint64
	Bundle    policy.Bundle
	Digest    []byte // policy.Bundle.Digest
	KeyID     string
	Signature []byte // Ed25519 over the number and the digest
}

// Cache is the revision in force. The zero value is not usable; New is. It is
// safe for concurrent use.
type Cache struct {
	apply sync.Mutex // one Apply at a time

	mu      sync.RWMutex
	keys    identity.Keys
	set     *policy.Set
	number  uint64
	digest  []byte
	changed chan struct{}
}

// New returns a cache without a revision and without trusted keys: everything
// is denied.
func New() *Cache { return &Cache{changed: make(chan struct{})} }

// SetKeys replaces the keys that revisions must be signed with.
func (c *Cache) SetKeys(keys identity.Keys) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = keys
}

// Current returns the set in force and its revision. ok is false before the
// first revision, which means that everything is denied.
func (c *Cache) Current() (set *policy.Set, revision uint64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.set, c.number, c.set != nil
}

// Held returns the number and digest of the revision in force; 0 and nil
// before the first.
func (c *Cache) Held() (number uint64, digest []byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.number, c.digest
}

// Changed is closed when the revision in force is replaced next.
func (c *Cache) Changed() <-chan struct{} {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changed
}

// Apply verifies, compiles and enforces a revision. The one in force, sent
// again, changes nothing. Errors are ErrOlder, ErrDigest,
// identity.ErrSignature, and what is wrong with the policies; with each of
// them the former revision stays in force.
func (c *Cache) Apply(r Revision) error {
	c.apply.Lock()
	defer c.apply.Unlock()
	if err := c.verify(r); err != nil {
		return fmt.Errorf("revision %d: %w", r.Number, err)
	}
	if number, _ := c.Held(); number == r.Number {
		return nil
	}
	set, err := policy.Compile(r.Bundle)
	if err != nil {
		return fmt.Errorf("revision %d: compile: %w", r.Number, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set, c.number, c.digest = set, r.Number, bytes.Clone(r.Digest)
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// verify checks signature, digest and order.
func (c *Cache) verify(r Revision) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.keys.Verify(r.KeyID, policy.SignedRevision(r.Number, r.Digest), r.Signature); err != nil {
		return err
	}
	digest := r.Bundle.Digest()
	switch {
	case r.Number == 0 || !bytes.Equal(digest[:], r.Digest):
		return ErrDigest
	case r.Number < c.number:
		return fmt.Errorf("%w (%d)", ErrOlder, c.number)
	case r.Number == c.number && !bytes.Equal(c.digest, r.Digest):
		return fmt.Errorf("%w: another bundle has this number", ErrDigest)
	}
	return nil
}
