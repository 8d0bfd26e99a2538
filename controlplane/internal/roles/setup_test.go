package roles_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/iampolicy"
	"github.com/writhq/writ/pkg/identity"
)

const prodRole = "arn:aws:iam::111122223333:role/writ/prod"

// clock stands still until it is moved on.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// reader answers with a role of one inline policy, or an error.
type reader struct {
	mu    sync.Mutex
	role  func(*iampolicy.Role)
	text  string
	fails error
	reads int
	wait  chan struct{} // nil answers at once
}

func (r *reader) Read(ctx context.Context, account resources.AWS) (iampolicy.Role, error) {
	r.mu.Lock()
	r.reads++
	text, err, wait, change := r.text, r.fails, r.wait, r.role
	r.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return iampolicy.Role{}, context.Cause(ctx)
		}
	}
	if err != nil {
		return iampolicy.Role{}, err
	}
	p, err := iampolicy.Parse([]byte(text))
	role := iampolicy.Role{ARN: account.RoleARN, Inline: []iampolicy.Document{{Name: "p", Policy: p}}}
	if change != nil {
		change(&role)
	}
	return role, err
}

func (r *reader) says(text string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text, r.fails = text, err
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads
}

func allowing(actions string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Action":` + actions + `,"Resource":"*"}]}`
}

type keyring struct{ private ed25519.PrivateKey }

func (k keyring) Sign(message []byte) (string, []byte) {
	return identity.KeyID(k.private.Public().(ed25519.PublicKey)), ed25519.Sign(k.private, message)
}

func (k keyring) Public() identity.Keys {
	public := k.private.Public().(ed25519.PublicKey)
	keys, _ := identity.NewKeys(map[string]ed25519.PublicKey{identity.KeyID(public): public})
	return keys
}

// plainSealer seals nothing; how secrets rest is tested elsewhere.
type plainSealer struct{}

func (plainSealer) Seal(plain, _ []byte) ([]byte, error)  { return plain, nil }
func (plainSealer) Open(sealed, _ []byte) ([]byte, error) { return sealed, nil }

type fixture struct {
	*roles.Roles
	t         *testing.T
	store     *store.Store
	clock     *clock
	reader    *reader
	policies  *policies.Policies
	resources *resources.Inventory
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}, reader: &reader{text: allowing(`"s3:GetObject"`)}}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	f.store, err = store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	check(t, err)
	t.Cleanup(func() { _ = f.store.Close() })
	f.policies, err = policies.New(policies.Config{Store: f.store, Keyring: keyring{private}, Now: f.clock.now})
	check(t, err)
	f.resources, err = resources.New(resources.Config{Store: f.store, Sealer: plainSealer{}, Now: f.clock.now, Rand: rand.Reader})
	check(t, err)
	f.Roles, err = roles.New(roles.Config{Store: f.store, Resources: f.resources, Policies: f.policies, Reader: f.reader, Now: f.clock.now})
	check(t, err)
	return f
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account applies an account, and returns it as it is in the inventory.
func (f *fixture) account(name, role string) resources.Resource {
	f.t.Helper()
	_, err := f.resources.Apply(f.t.Context(), []resources.Resource{{
		Name: name, Edges: []string{"edge-1"}, AWS: &resources.AWS{
			Account: "111122223333", RoleARN: role, Credential: resources.AccountCredential{AssumeRole: &resources.AssumeRole{}},
		},
	}}, false)
	check(f.t, err)
	r, err := f.resources.Get(f.t.Context(), name)
	check(f.t, err)
	return r
}

func (f *fixture) push(files map[string]string) error {
	f.t.Helper()
	bundle := map[string][]byte{"a.cedar": []byte(`@id("a") permit (principal, action, resource);`)}
	for name, text := range files {
		bundle[name] = []byte(text)
	}
	_, err := f.policies.Push(f.t.Context(), policies.Push{Files: bundle, Author: "test"})
	return err
}

// knows fails the test unless exactly these privileged actions are known, or nothing is, for the reason given.
func (f *fixture) knows(r resources.Resource, problem roles.Problem, actions ...string) {
	f.t.Helper()
	facts, err := f.Facts(f.t.Context(), r)
	check(f.t, err)
	if facts.Problem != problem || (facts.Analysis == nil) != (problem != "") || facts.RoleARN != r.AWS.RoleARN {
		f.t.Fatalf("known is %+v, want the problem %q", facts, problem)
	}
	role := facts.Policy()
	if problem != "" {
		if role.Privileges != nil {
			f.t.Fatalf("policies see %v", role.Privileges)
		}
		return
	}
	if role.Privileges == nil || len(role.Privileges) != len(actions) {
		f.t.Fatalf("policies see %v, want %v", role.Privileges, actions)
	}
	for i := range actions {
		if role.Privileges[i] != actions[i] {
			f.t.Fatalf("policies see %v, want %v", role.Privileges, actions)
		}
	}
}
