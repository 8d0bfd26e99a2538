package policycache

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

const permit = `@id("read") permit (principal in Group::"agents", action == Action::"sql:select", resource);`

type signer struct{ private ed25519.PrivateKey }

func newSigner(seed byte) signer {
	s := make([]byte, ed25519.SeedSize)
	s[0] = seed
	return signer{ed25519.NewKeyFromSeed(s)}
}

func (s signer) public() ed25519.PublicKey { return s.private.Public().(ed25519.PublicKey) }

func (s signer) keys(t *testing.T) identity.Keys {
	t.Helper()
	keys, err := identity.NewKeys(map[string]ed25519.PublicKey{identity.KeyID(s.public()): s.public()})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (s signer) revision(number uint64, text string) Revision {
	b := policy.Bundle{Files: map[string][]byte{"main.cedar": []byte(text)}}
	digest := b.Digest()
	return Revision{
		Number: number, Bundle: b, Digest: digest[:], KeyID: identity.KeyID(s.public()),
		Signature: ed25519.Sign(s.private, policy.SignedRevision(number, digest[:])),
	}
}

func TestApply(t *testing.T) {
	s, other := newSigner(1), newSigner(2)
	good := s.revision(5, permit)
	for _, tt := range []struct {
		name   string
		change func(r *Revision)
		want   error
	}{
		{"older", func(r *Revision) { *r = s.revision(4, permit) }, ErrOlder},
		{"same number, other bundle", func(r *Revision) { *r = s.revision(5, permit+"\n") }, ErrDigest},
		{"bundle changed", func(r *Revision) {
			r.Number = 6
			*r = s.revision(6, permit)
			r.Bundle = policy.Bundle{Files: map[string][]byte{"main.cedar": []byte("permit (principal, action, resource);")}}
		}, ErrDigest},
		{"number changed", func(r *Revision) { r.Number = 6 }, identity.ErrSignature},
		{"signature flipped", func(r *Revision) { *r = s.revision(6, permit); r.Signature[0] ^= 1 }, identity.ErrSignature},
		{"no signature", func(r *Revision) { *r = s.revision(6, permit); r.Signature = nil }, identity.ErrSignature},
		{"another signer", func(r *Revision) { *r = other.revision(6, permit) }, identity.ErrSignature},
		{"another signer under our id", func(r *Revision) { *r = other.revision(6, permit); r.KeyID = good.KeyID }, identity.ErrSignature},
		{"number 0", func(r *Revision) { *r = s.revision(0, permit) }, ErrDigest},
		{"does not compile", func(r *Revision) { *r = s.revision(6, "permit (") }, nil},
		{"one bad policy among good ones", func(r *Revision) {
			*r = s.revision(6, permit+`@id("x") forbid (principal, action == Action::"nope", resource);`)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := New()
			c.SetKeys(s.keys(t))
			if err := c.Apply(good); err != nil {
				t.Fatal(err)
			}
			set, _, _ := c.Current()
			changed := c.Changed()
			r := good
			tt.change(&r)
			err := c.Apply(r)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			now, number, ok := c.Current()
			if now != set || number != 5 || !ok {
				t.Fatalf("the last good revision is gone: %d %v", number, ok)
			}
			select {
			case <-changed:
				t.Fatal("a change was announced")
			default:
			}
		})
	}
}

func TestNothingIsInForceAtFirst(t *testing.T) {
	c := New()
	if set, number, ok := c.Current(); set != nil || number != 0 || ok {
		t.Fatal("a fresh cache has a revision")
	}
	s := newSigner(1)
	if err := c.Apply(s.revision(1, permit)); !errors.Is(err, identity.ErrSignature) {
		t.Fatalf("without keys: %v", err)
	}
	c.SetKeys(s.keys(t))
	changed := c.Changed()
	first := s.revision(1, permit)
	for range 2 { // the same again changes nothing
		if err := c.Apply(first); err != nil {
			t.Fatal(err)
		}
	}
	<-changed
	if err := c.Apply(s.revision(9, permit+"\n")); err != nil {
		t.Fatal(err)
	}
	if number, digest := c.Held(); number != 9 || len(digest) != 32 {
		t.Fatalf("%d %x", number, digest)
	}
}
