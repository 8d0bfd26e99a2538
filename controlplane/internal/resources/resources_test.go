package resources_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
)

func setUp(t *testing.T) (*resources.Inventory, *store.Store) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	sealer, err := seal.FileOrNew(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	inv, err := resources.New(resources.Config{Store: st, Sealer: sealer, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return inv, st
}

func good(name string) resources.Resource {
	return resources.Resource{
		Name: name, Labels: map[string]string{"env": "prod"}, Edges: []string{"edge-1"},
		Postgres: &resources.Postgres{
			Endpoint: "db.example:5432", Database: "shop",
			Credential: resources.Credential{Dynamic: &resources.Dynamic{
				AdminUser: "writ", AdminPassword: "hunter2", MemberOf: []string{"app"},
			}},
			Classes: map[string][]string{"pii": {"public.customers.email", `public."odd.table"."col"`}},
		},
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	inv, _ := setUp(t)
	for field, edit := range map[string]func(*resources.Resource){
		"name":                          func(r *resources.Resource) { r.Name = "Orders_DB" },
		"labels":                        func(r *resources.Resource) { r.Labels = map[string]string{"a=b": "c"} },
		"edges":                         func(r *resources.Resource) { r.Edges = nil },
		"postgres":                      func(r *resources.Resource) { r.Postgres = nil },
		"postgres.endpoint":             func(r *resources.Resource) { r.Postgres.Endpoint = "169.254.169.254:80" },
		"postgres.database":             func(r *resources.Resource) { r.Postgres.Database = "" },
		"postgres.tls.mode":             func(r *resources.Resource) { r.Postgres.TLS.Mode = "maybe" },
		"postgres.tls.ca_pem":           func(r *resources.Resource) { r.Postgres.TLS.CAPEM = "x" },
		"postgres.credential":           func(r *resources.Resource) { r.Postgres.Credential = resources.Credential{} },
		"postgres.classes.pii":          func(r *resources.Resource) { r.Postgres.Classes["pii"] = []string{"email"} },
		"postgres.safe_functions":       func(r *resources.Resource) { r.Postgres.SafeFunctions = []string{"f"} },
		"postgres.detectors":            func(r *resources.Resource) { r.Postgres.Detectors = []string{"none", "card"} },
		"postgres.credential.dynamic.a": func(r *resources.Resource) { r.Postgres.Credential.Dynamic.AdminUser = "" },
	} {
		r := good("orders")
		edit(&r)
		_, err := inv.Apply(t.Context(), []resources.Resource{r}, false)
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) || len(invalid.Problems) == 0 || !strings.HasPrefix(invalid.Problems[0].Field, field) || invalid.Problems[0].Fix == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	bad := good("Orders")
	bad.Edges, bad.Postgres.Database = nil, ""
	_, err := inv.Apply(t.Context(), []resources.Resource{good("ok"), bad}, false)
	var invalid *resources.Invalid
	if !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
		t.Errorf("got %v", err)
	}
	if all, _ := inv.List(t.Context()); len(all) != 0 {
		t.Errorf("some were applied: %v", all)
	}
}

func TestEndpoints(t *testing.T) {
	inv, _ := setUp(t)
	for endpoint, ok := range map[string]bool{
		"db.example:5432": true, "10.0.0.3:5432": true, "[fd00::1]:5432": true,
		"127.0.0.1:5432": false, "localhost:5432": false, "LOCALHOST.:5432": false, "a.localhost:1": false, "[::1]:5432": false,
		"[::ffff:127.0.0.1]:5432": false, "0.0.0.0:5432": false, "[::]:5432": false, "[::ffff:169.254.169.254]:80": false,
		"[fe80::1]:5432": false, "[fd00:ec2::254]:80": false, "[64:ff9b::a9fe:a9fe]:80": false, "db.example": false, "db.example:": false, "db.example:0": false, "db.example:70000": false,
		":5432": false, "db example:5432": false, "db/x:5432": false, "u@db:5432": false,
	} {
		r := good("orders")
		r.Postgres.Endpoint = endpoint
		if _, err := inv.Apply(t.Context(), []resources.Resource{r}, true); ok != (err == nil) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestApply(t *testing.T) {
	inv, _ := setUp(t)
	ctx := t.Context()
	apply := func(r resources.Resource, dry bool, want string) {
		t.Helper()
		changes, err := inv.Apply(ctx, []resources.Resource{r}, dry)
		if err != nil || changes[0].What != want {
			t.Fatalf("got %v, %v; want %s", changes, err, want)
		}
	}
	apply(good("orders"), true, resources.Created)
	if _, err := inv.Get(ctx, "orders"); !errors.Is(err, resources.ErrNotFound) {
		t.Fatalf("a dry run wrote: %v", err)
	}
	apply(good("orders"), false, resources.Created)
	apply(good("orders"), false, resources.Unchanged)
	silent := good("orders")
	silent.Postgres.Credential.Dynamic.AdminPassword = ""
	apply(silent, false, resources.Unchanged)
	rotated := good("orders")
	rotated.Postgres.Credential.Dynamic.AdminPassword = "correct horse"
	apply(rotated, false, resources.Updated)
	if s, err := inv.Secret(ctx, "orders"); err != nil || string(s) != "correct horse" {
		t.Fatalf("got %q, %v", string(s), err)
	}
	first, _ := inv.Get(ctx, "orders")
	if first.Version != 2 {
		t.Errorf("version %d", first.Version)
	}
	for name, edit := range map[string]func(*resources.Postgres){
		"another server": func(p *resources.Postgres) { p.Endpoint = "evil.example:5432" },
		"another user":   func(p *resources.Postgres) { p.Credential.Dynamic.AdminUser = "eve" },
		"less checking":  func(p *resources.Postgres) { p.TLS.Mode = resources.Disable },
	} {
		moved := good("orders")
		moved.Postgres.Credential.Dynamic.AdminPassword = ""
		edit(moved.Postgres)
		if _, err := inv.Apply(ctx, []resources.Resource{moved}, false); err == nil {
			t.Errorf("%s: the stored password went along", name)
		}
	}
	if err := inv.Delete(ctx, "orders", leases{resources.ErrInUse}); !errors.Is(err, resources.ErrInUse) {
		t.Fatalf("got %v", err)
	}
	if secret, err := inv.Secret(ctx, "orders"); err != nil || secret == "" {
		t.Fatalf("what ends its roles is gone: %v", err)
	}
	if err := inv.Delete(ctx, "orders", leases{}); err != nil {
		t.Fatal(err)
	}
	if _, err := inv.Secret(ctx, "orders"); !errors.Is(err, resources.ErrNotFound) {
		t.Errorf("the password outlived its resource: %v", err)
	}
	apply(good("orders"), false, resources.Created)
	if again, _ := inv.Get(ctx, "orders"); again.UID == first.UID || again.UID == "" {
		t.Errorf("the new resource has the old one's id")
	}
}

func TestPasswordsRestSealedAndNeverShow(t *testing.T) {
	inv, st := setUp(t)
	if _, err := inv.Apply(t.Context(), []resources.Resource{good("orders")}, false); err != nil {
		t.Fatal(err)
	}
	for _, collection := range []string{"resources", "resource-secrets"} {
		raw := store.Define[json.RawMessage](st, collection)
		e, err := raw.Get(t.Context(), "orders")
		if err == nil && strings.Contains(string(e.Value), "hunter2") {
			t.Errorf("%s holds the password in clear", collection)
		}
	}
	r := good("orders")
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(text), fmt.Sprintf("%v %+v %#v %s", *r.Postgres.Credential.Dynamic, r.Postgres.Credential.Dynamic,
		r.Postgres.Credential.Dynamic.AdminPassword, r.Postgres.Credential.Dynamic.AdminPassword)} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("printed: %s", s)
		}
	}
	got, err := inv.Get(t.Context(), "orders")
	if err != nil || got.Postgres.Credential.Dynamic.AdminPassword != "" {
		t.Errorf("Get returns a password: %v", err)
	}
}

func TestApplyIsAllOrNone(t *testing.T) {
	inv, _ := setUp(t)
	noPassword := good("b")
	noPassword.Postgres.Credential.Dynamic.AdminPassword = ""
	if _, err := inv.Apply(t.Context(), []resources.Resource{good("a"), noPassword}, false); err == nil {
		t.Fatal("accepted")
	}
	if all, _ := inv.List(t.Context()); len(all) != 0 {
		t.Fatalf("some were applied: %v", all)
	}
	var many []resources.Resource
	for i := range resources.MaxApply {
		many = append(many, good(fmt.Sprintf("r-%d", i)))
	}
	if _, err := inv.Apply(t.Context(), many, false); err != nil {
		t.Fatalf("the largest possible: %v", err)
	}
	if _, err := inv.Apply(t.Context(), append(many, good("one-more")), false); err == nil {
		t.Fatal("one too many: accepted")
	}
}

func FuzzApply(f *testing.F) {
	f.Add("orders", "db.example:5432", "public.t.c", "eu-west-1")
	f.Add("..", "[::1]:0", `"`, "")
	inv, err := resources.New(resources.Config{Store: new(store.Store), Sealer: seal.None(), Now: time.Now, Rand: rand.Reader})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, endpoint, column, region string) {
		r := good(name)
		r.Postgres.Endpoint = endpoint
		r.Postgres.Classes = map[string][]string{"pii": {column}}
		r.Postgres.Credential = resources.Credential{Static: &resources.Static{}, RDSIAM: &resources.RDSIAM{Region: region}}
		_, err := inv.Apply(t.Context(), []resources.Resource{r}, true) // two sources: always refused, before the store
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) {
			t.Fatalf("got %v", err)
		}
	})
}

// leases answers for what is left at a target.
type leases struct{ err error }

func (l leases) NoneOpenIn(*store.Tx, string) error { return l.err }
