package policies_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

const allow = `@id("a") permit (principal, action == Action::"access:request", resource);`

type keyring struct{ private ed25519.PrivateKey }

func newKeyring(t *testing.T) keyring {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyring{private}
}

func (k keyring) Sign(message []byte) (string, []byte) {
	return identity.KeyID(k.private.Public().(ed25519.PublicKey)), ed25519.Sign(k.private, message)
}

func (k keyring) Public() identity.Keys {
	public := k.private.Public().(ed25519.PublicKey)
	keys, _ := identity.NewKeys(map[string]ed25519.PublicKey{identity.KeyID(public): public})
	return keys
}

func setUp(t *testing.T) (*policies.Policies, *store.Store, keyring) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	k := newKeyring(t)
	return open(t, st, k), st, k
}

func open(t *testing.T, st *store.Store, k keyring) *policies.Policies {
	t.Helper()
	p, err := policies.New(policies.Config{Store: st, Keyring: k, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bundle(text string) map[string][]byte { return map[string][]byte{"a.cedar": []byte(text)} }

func TestRevisions(t *testing.T) {
	p, st, k := setUp(t)
	ctx := t.Context()
	if set, n, err := p.Current(ctx); err != nil || n != 0 || set.Len() != 0 {
		t.Fatalf("before the first: %d, %v", n, err)
	}
	if _, err := p.Get(ctx, 0); !errors.Is(err, policies.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	first, err := p.Push(ctx, policies.Push{Files: bundle(allow), Author: "alice"})
	if err != nil || first.Number != 1 || first.Policies != 1 {
		t.Fatal(first, err)
	}
	if err := k.Public().Verify(first.KeyID, policy.SignedRevision(1, first.Digest), first.Signature); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Push(ctx, policies.Push{Files: bundle(allow + "\n"), Author: "bob", Base: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Push(ctx, policies.Push{Files: bundle(allow), Author: "late", Base: 1}); !errors.Is(err, policies.ErrBase) {
		t.Fatalf("a push over a newer revision: %v", err)
	}
	back, err := p.Rollback(ctx, 1, "alice", "oops")
	if err != nil || back.Number != 3 || back.RollbackOf != 1 || back.DigestText() != first.DigestText() {
		t.Fatal(back, err)
	}
	all, err := p.List(ctx)
	if err != nil || len(all) != 3 || all[0].Number != 3 || all[0].Files != nil {
		t.Fatal(all, err)
	}
	if _, n, err := open(t, st, k).Current(ctx); err != nil || n != 3 {
		t.Fatalf("another replica: %d, %v", n, err)
	}
}

func TestBadBundlesAreRefusedWhole(t *testing.T) {
	p, _, _ := setUp(t)
	for name, files := range map[string]map[string][]byte{
		"syntax":        bundle("permit ("),
		"schema":        bundle(`@id("x") permit (principal, action == Action::"sql:nothing", resource);`),
		"one of two":    {"a.cedar": []byte(allow), "b.cedar": []byte("forbid (")},
		"a path out":    {"../a.cedar": []byte(allow)},
		"another file":  {"a.cedar": []byte(allow), "run.sh": []byte("x")},
		"nothing":       {},
		"not text":      {"a.cedar": {0xff, 0xfe}},
		"failing tests": {"a.cedar": []byte(allow), "t.yaml": []byte("tests: [{name: x}]")},
	} {
		if _, err := p.Push(t.Context(), policies.Push{Files: files, Author: "x"}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var refused *policy.BundleError
	_, err := p.Push(t.Context(), policies.Push{Files: bundle("\n\n  permit ("), Author: "x"})
	if !errors.As(err, &refused) || refused.Problems[0].Line == 0 {
		t.Errorf("without a line: %v", err)
	}
	if _, n, _ := p.Current(t.Context()); n != 0 {
		t.Errorf("a bad bundle became revision %d", n)
	}
}

// A revision that was changed in the store, or that another key signed, is not used.
func TestTamperedRevisions(t *testing.T) {
	for name, change := range map[string]func(*policies.Revision){
		"another text": func(r *policies.Revision) { r.Files = bundle(allow + "// x") },
		"text and digest": func(r *policies.Revision) {
			r.Files = bundle(allow + "// x")
			d := r.Bundle().Digest()
			r.Digest = d[:]
		},
		"an older number":   func(r *policies.Revision) { r.Number = 7 },
		"no signature":      func(r *policies.Revision) { r.Signature = nil },
		"an unknown key":    func(r *policies.Revision) { r.KeyID = "x" },
		"a replayed former": func(r *policies.Revision) { r.Signature = append([]byte(nil), r.Signature...); r.Signature[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			p, st, k := setUp(t)
			if _, err := p.Push(t.Context(), policies.Push{Files: bundle(allow), Author: "x"}); err != nil {
				t.Fatal(err)
			}
			rows := store.Define[policies.Revision](st, "policy-revisions")
			entries, _, err := rows.List(t.Context(), store.ListOptions{})
			if err != nil || len(entries) != 1 {
				t.Fatal(entries, err)
			}
			change(&entries[0].Value)
			if _, err := rows.Put(t.Context(), entries[0].Key, entries[0].Value); err != nil {
				t.Fatal(err)
			}
			if _, _, err := open(t, st, k).Current(t.Context()); !errors.Is(err, policies.ErrTampered) {
				t.Errorf("used: %v", err)
			}
			if _, err := p.Get(t.Context(), 0); !errors.Is(err, policies.ErrTampered) {
				t.Errorf("given out: %v", err)
			}
		})
	}
}

func TestConcurrentPushesGetTheirOwnNumbers(t *testing.T) {
	p, st, k := setUp(t)
	other := open(t, st, k)
	var conflicts atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			replica := p
			if i%2 == 0 {
				replica = other
			}
			if _, err := replica.Push(context.Background(), policies.Push{Files: bundle(allow + strings.Repeat("\n", i)), Author: "x"}); err != nil {
				conflicts.Add(1)
			}
		})
	}
	wg.Wait()
	all, err := p.List(t.Context())
	if err != nil || len(all) != 20 || conflicts.Load() != 0 {
		t.Fatalf("%d revisions, %d conflicts, %v", len(all), conflicts.Load(), err)
	}
	seen := map[string]bool{}
	for _, r := range all {
		if seen[r.DigestText()] {
			t.Fatal("one bundle is in force twice")
		}
		seen[r.DigestText()] = true
	}
}

func TestFollow(t *testing.T) {
	p, _, _ := setUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	numbers := make(chan uint64, 10)
	go func() { _ = p.Follow(ctx, func(r policies.Revision) { numbers <- r.Number }) }()
	for want := uint64(1); want <= 3; want++ {
		if _, err := p.Push(ctx, policies.Push{Files: bundle(allow), Author: "x"}); err != nil {
			t.Fatal(err)
		}
		for got := range numbers {
			if got == want {
				break
			}
		}
	}
}
