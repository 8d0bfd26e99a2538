package authority_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
)

func openKeyring(t testing.TB, cfg authority.KeyringConfig) *authority.Keyring {
	t.Helper()
	if cfg.Purpose == "" {
		cfg.Purpose = "access-tokens"
	}
	k, err := authority.OpenKeyring(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyringRotates(t *testing.T) {
	clock := newClock()
	cfg := authority.KeyringConfig{Store: openStore(t), Sealer: newSealer(t), Clock: clock.now, Retain: time.Hour}
	k := openKeyring(t, cfg)
	oldID, oldSignature := k.Sign([]byte("m"))
	verifies := func(id string, signature []byte) bool {
		return k.Public().Verify(id, []byte("m"), signature) == nil
	}
	if !verifies(oldID, oldSignature) {
		t.Fatal("own signature does not verify")
	}
	if err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id, _ := k.Sign([]byte("m")); id != oldID || len(k.Public().All()) != 2 {
		t.Fatal("the new key must be published before it signs")
	}
	clock.advance(authority.Settle)
	newID, newSignature := k.Sign([]byte("m"))
	if newID == oldID || !verifies(newID, newSignature) || !verifies(oldID, oldSignature) {
		t.Fatal("after settling the new key signs and both verify")
	}
	clock.advance(time.Hour)
	if verifies(oldID, oldSignature) || !verifies(newID, newSignature) {
		t.Fatal("after its time the old key verifies no more")
	}
	if err := k.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id, _ := k.Sign([]byte("m")); id == newID || verifies(newID, newSignature) || len(k.Public().All()) != 1 {
		t.Fatal("destroyed keys are gone at once")
	}
	again := openKeyring(t, cfg)
	if !again.Private().Equal(k.Private()) {
		t.Fatal("a restart lost the key")
	}
}

func TestKeyringForEver(t *testing.T) {
	clock := newClock()
	k := openKeyring(t, authority.KeyringConfig{Store: openStore(t), Sealer: newSealer(t), Clock: clock.now})
	id, signature := k.Sign([]byte("m"))
	if err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.advance(10 * 365 * 24 * time.Hour)
	if err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.Public().Verify(id, []byte("m"), signature); err != nil {
		t.Fatal(err)
	}
}

func TestKeyringReplicasAgree(t *testing.T) {
	s, sealer := openStore(t), newSealer(t)
	rings := make([]*authority.Keyring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			k, err := authority.OpenKeyring(t.Context(), authority.KeyringConfig{Store: s, Sealer: sealer, Purpose: "p"})
			if err != nil {
				t.Error(err)
				return
			}
			rings[i] = k
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, k := range rings {
		if !k.Private().Equal(rings[0].Private()) {
			t.Fatal("replicas made different keys")
		}
	}
	other := openKeyring(t, authority.KeyringConfig{Store: s, Sealer: sealer, Purpose: "q"})
	if other.Private().Equal(rings[0].Private()) {
		t.Fatal("two purposes share a key")
	}
}

func TestKeyringFollows(t *testing.T) {
	s, sealer := openStore(t), newSealer(t)
	changes := make(chan identity.Keys, 16)
	here := openKeyring(t, authority.KeyringConfig{Store: s, Sealer: sealer, OnChange: func(k identity.Keys) { changes <- k }})
	there := openKeyring(t, authority.KeyringConfig{Store: s, Sealer: sealer})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- here.Run(ctx) }()
	<-changes // the snapshot
	if err := there.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys := <-changes
	if _, ok := keys.Get(identity.KeyID(there.Private().Public().(ed25519.PublicKey))); !ok {
		t.Fatal("the change did not arrive")
	}
	if !here.Private().Equal(there.Private()) {
		t.Fatal("replicas sign with different keys")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestKeyringRefuses(t *testing.T) {
	s, sealer := openStore(t), newSealer(t)
	openKeyring(t, authority.KeyringConfig{Store: s, Sealer: sealer})
	for name, c := range map[string]struct {
		cfg  authority.KeyringConfig
		want error
	}{
		"no store":     {cfg: authority.KeyringConfig{Sealer: sealer, Purpose: "p"}},
		"no sealer":    {cfg: authority.KeyringConfig{Store: s, Purpose: "p"}},
		"no purpose":   {cfg: authority.KeyringConfig{Store: s, Sealer: sealer}},
		"other sealer": {cfg: authority.KeyringConfig{Store: s, Sealer: newSealer(t), Purpose: "access-tokens"}, want: store.ErrCorrupt},
		"none":         {cfg: authority.KeyringConfig{Store: s, Sealer: seal.None(), Purpose: "x"}, want: seal.ErrNotConfigured},
	} {
		if _, err := authority.OpenKeyring(t.Context(), c.cfg); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyringDerives(t *testing.T) {
	clock := newClock()
	cfg := authority.KeyringConfig{Store: openStore(t), Sealer: newSealer(t), Clock: clock.now, Retain: time.Hour}
	k, replica := openKeyring(t, cfg), openKeyring(t, cfg)
	oldID, _ := k.Sign([]byte("m"))
	derived, ok := k.Derive(oldID, "one")
	if !ok || len(derived) != 32 || bytes.Equal(derived, make([]byte, 32)) {
		t.Fatalf("got %d bytes, %v", len(derived), ok)
	}
	if same, ok := replica.Derive(oldID, "one"); !ok || !bytes.Equal(same, derived) {
		t.Error("another replica derives another key")
	}
	if other, ok := k.Derive(oldID, "two"); !ok || bytes.Equal(other, derived) {
		t.Error("the info makes no difference")
	}
	if bytes.Contains(k.Private(), derived) {
		t.Error("what is derived is the key itself")
	}
	if _, ok := k.Derive("unknown", "one"); ok {
		t.Error("derived of no key")
	}
	if err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.advance(authority.Settle)
	newID, _ := k.Sign([]byte("m"))
	if next, ok := k.Derive(newID, "one"); !ok || newID == oldID || bytes.Equal(next, derived) {
		t.Error("after a rotation the key is the same")
	}
	if same, ok := k.Derive(oldID, "one"); !ok || !bytes.Equal(same, derived) {
		t.Error("what the old key signed lost its secret too early")
	}
	clock.advance(time.Hour)
	if _, ok := k.Derive(oldID, "one"); ok {
		t.Error("a key that verifies no more derives")
	}
	if err := k.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.Derive(newID, "one"); ok {
		t.Error("a destroyed key derives")
	}
}
