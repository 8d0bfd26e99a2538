package credentials_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
)

type secrets map[string]resources.Secret

func (s secrets) Secret(_ context.Context, name string) (resources.Secret, error) {
	v, ok := s[name]
	if !ok {
		return "", resources.ErrNotFound
	}
	return v, nil
}

// fakeAWS notes for which role it was asked.
type fakeAWS struct {
	region, role string
	assumed      []credentials.Assumption
	expires      time.Time // of what is assumed; zero is not said
	refuse       func(credentials.Assumption) error
}

func (f *fakeAWS) Credentials(_ context.Context, region, role string) (aws.CredentialsProvider, error) {
	f.region, f.role = region, role
	if role == "broken" {
		return nil, errors.New("access denied")
	}
	return awscreds.NewStaticCredentialsProvider("AKIAEXAMPLE", "topsecret", ""), nil
}

func (f *fakeAWS) AssumeRole(_ context.Context, a credentials.Assumption) (aws.Credentials, error) {
	if a.RoleARN == "broken" {
		return aws.Credentials{}, errors.New("access denied")
	}
	if f.refuse != nil {
		if err := f.refuse(a); err != nil {
			return aws.Credentials{}, err
		}
	}
	f.assumed = append(f.assumed, a)
	return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "topsecret", SessionToken: "session-token", CanExpire: !f.expires.IsZero(), Expires: f.expires}, nil
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newBroker(t *testing.T) (*credentials.Broker, *store.Store, *fakeAWS, *time.Time) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DataDir: t.TempDir() + "/etcd"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	clock := now
	aws := &fakeAWS{}
	b, err := credentials.New(credentials.Config{
		Store: s, Secrets: secrets{"orders-db": "hunter2"}, AWS: aws, Rand: rand.Reader, Now: func() time.Time { return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, s, aws, &clock
}

func ask(until time.Time) credentials.Ask {
	return credentials.Ask{Session: "ses-1", Edge: "edge-a", Principal: "agent-7", Grant: "grant-1", Until: until}
}

func resource(name string, c resources.Credential) resources.Resource {
	return resources.Resource{Name: name, Postgres: &resources.Postgres{Endpoint: "db.test:5432", Credential: c}}
}

func TestMintStatic(t *testing.T) {
	b, _, _, _ := newBroker(t)
	r := resource("orders-db", resources.Credential{Static: &resources.Static{User: "app"}})
	lease, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if cred.User != "app" || string(cred.Password) != "hunter2" || cred.Role != nil || cred.Lease != lease.ID || lease.Role != "" {
		t.Fatalf("%+v %+v", lease, cred)
	}
	if text := fmt.Sprintf("%v %+v %#v %+v", cred, cred, cred, lease); strings.Contains(text, "hunter2") || strings.Contains(text, "104 117") {
		t.Fatalf("a password is printed: %s", text)
	}
	cred.Wipe()
	if strings.Trim(string(cred.Password), "\x00") != "" {
		t.Fatal("the password was not wiped")
	}
}

func TestMintDynamic(t *testing.T) {
	b, _, _, _ := newBroker(t)
	r := resource("orders-db", resources.Credential{Dynamic: &resources.Dynamic{AdminUser: "admin", MemberOf: []string{"readers"}}})
	seen := map[string]bool{}
	for range 100 {
		lease, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(cred.User, credentials.RolePrefix) || len(cred.User) > 63 || lease.Role != cred.User || seen[cred.User] || seen[string(cred.Password)] {
			t.Fatalf("%+v %+v", lease, cred)
		}
		seen[cred.User], seen[string(cred.Password)] = true, true
		if !cred.Role.ValidUntil.Equal(now.Add(15*time.Minute)) || cred.Role.ConnectionLimit != 1 || len(cred.Password) < 40 {
			t.Fatalf("%+v", cred.Role)
		}
	}
	_, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Minute)))
	if err != nil || !cred.Role.ValidUntil.Equal(now.Add(time.Minute)) {
		t.Fatalf("outlives the grant: %+v, %v", cred.Role, err)
	}
	service, err := b.Service(t.Context(), r)
	if err != nil || service.User != "admin" || string(service.Password) != "hunter2" {
		t.Fatalf("service: %v, %v", service, err)
	}
}

func TestMintRDSToken(t *testing.T) {
	b, _, aws, _ := newBroker(t)
	r := resource("rds", resources.Credential{RDSIAM: &resources.RDSIAM{User: "app", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/db"}})
	_, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse("https://" + string(cred.Password))
	if err != nil || u.Host != "db.test:5432" || u.Query().Get("DBUser") != "app" || u.Query().Get("Action") != "connect" || u.Query().Get("X-Amz-Expires") != "900" {
		t.Fatalf("token: %v", u)
	}
	if aws.region != "eu-west-1" || aws.role != "arn:aws:iam::111122223333:role/db" || !cred.ExpiresAt.Equal(now.Add(15*time.Minute)) {
		t.Fatalf("%+v %s", aws, cred.ExpiresAt)
	}
	r.Postgres.Credential.RDSIAM.RoleARN = "broken"
	if _, _, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour))); !errors.Is(err, credentials.ErrSource) {
		t.Fatalf("got %v", err)
	}
}

func TestMintRefuses(t *testing.T) {
	b, _, _, _ := newBroker(t)
	for _, r := range []resources.Resource{
		{Name: "no-target"},
		resource("no-source", resources.Credential{}),
		resource("no-password", resources.Credential{Static: &resources.Static{User: "app"}}),
	} {
		if _, _, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour))); !errors.Is(err, credentials.ErrSource) {
			t.Errorf("%s: %v", r.Name, err)
		}
		if _, err := b.Service(t.Context(), r); !errors.Is(err, credentials.ErrSource) {
			t.Errorf("%s: service: %v", r.Name, err)
		}
	}
}

func TestLeaseLife(t *testing.T) {
	b, s, _, clock := newBroker(t)
	ctx := t.Context()
	dynamic := resource("orders-db", resources.Credential{Dynamic: &resources.Dynamic{AdminUser: "admin", MemberOf: []string{"r"}}})
	static := resource("orders-db", resources.Credential{Static: &resources.Static{User: "app"}})
	put := func(r resources.Resource) credentials.Lease {
		lease, _, err := b.Mint(ctx, r, ask(now.Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(ctx, func(tx *store.Tx) error { return b.PutIn(tx, lease) }); err != nil {
			t.Fatal(err)
		}
		return lease
	}
	end := func(id string) {
		t.Helper()
		if err := s.Update(ctx, func(tx *store.Tx) error { return b.EndIn(tx, id) }); err != nil {
			t.Fatal(err)
		}
	}
	state := func(id string) credentials.State {
		t.Helper()
		l, err := b.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return l.State
	}
	inUse := func(resource string) bool {
		t.Helper()
		err := s.Update(ctx, func(tx *store.Tx) error { return b.NoneOpenIn(tx, resource) })
		if err != nil && !errors.Is(err, resources.ErrInUse) {
			t.Fatal(err)
		}
		return err != nil
	}
	d, st := put(dynamic), put(static)
	if !inUse("orders-db") || inUse("orders") || inUse("other-db") {
		t.Fatal("a live session's role is not seen, or seen elsewhere")
	}
	if err := b.Settle(ctx, d.ID, "edge-b"); !errors.Is(err, credentials.ErrInUse) {
		t.Fatalf("another edge settles a live lease: %v", err)
	}
	end("lease-unknown")
	end(d.ID)
	end(st.ID)
	if state(d.ID) != credentials.Ending || state(st.ID) != credentials.Settled {
		t.Fatalf("%s, %s", state(d.ID), state(st.ID))
	}
	if all, _ := b.Unsettled(ctx, time.Minute, "other-db", "orders-db"); len(all) != 0 {
		t.Fatal("no grace was given")
	}
	*clock = now.Add(2 * time.Minute)
	if all, _ := b.Unsettled(ctx, time.Minute, "other-db", "orders-db"); len(all) != 1 || all[0].ID != d.ID {
		t.Fatalf("unsettled: %v", all)
	}
	if others, _ := b.Unsettled(ctx, 0, "orders", "other-db"); len(others) != 0 || !inUse("orders-db") {
		t.Fatalf("unsettled elsewhere: %v", others)
	}
	for range 2 {
		if err := b.Settle(ctx, d.ID, "edge-b"); err != nil {
			t.Fatal(err)
		}
	}
	if all, _ := b.Unsettled(ctx, 0, "orders-db"); len(all) != 0 || inUse("orders-db") {
		t.Fatalf("settled, and yet there: %v", all)
	}
	lost := put(dynamic)
	end(lost.ID)
	*clock = clock.Add(59 * time.Minute)
	if !inUse("orders-db") {
		t.Fatal("given up too soon")
	}
	*clock = clock.Add(2 * time.Minute)
	if all, _ := b.Unsettled(ctx, 0, "orders-db"); len(all) != 1 || inUse("orders-db") {
		t.Fatal("a target that is gone for good keeps its resource")
	}
	if err := b.Settle(ctx, "../x", "edge-b"); !errors.Is(err, credentials.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	*clock = now.Add(3 * time.Hour)
	if err := b.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(ctx, d.ID); !errors.Is(err, credentials.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
}
