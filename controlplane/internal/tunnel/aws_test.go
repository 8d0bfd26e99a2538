package tunnel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awskey"
)

const prodRole = "arn:aws:iam::111122223333:role/writ-prod"

// applyAccount puts an AWS account into the inventory that the edge serves.
func (p *plane) applyAccount(name, edge string) {
	p.t.Helper()
	_, err := p.resources.Apply(p.t.Context(), []resources.Resource{{
		Name: name, Labels: map[string]string{"env": "dev"}, Edges: []string{edge},
		AWS: &resources.AWS{
			Account: "111122223333", RoleARN: prodRole, Credential: resources.AccountCredential{AssumeRole: &resources.AssumeRole{}},
		},
	}}, false)
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestAccountSessionGetsKeysAndWhatItsClientSignsWith(t *testing.T) {
	p := newPlane(t)
	p.applyAccount("prod", "edge-a")
	e, _, _, _ := p.connect("edge-a")
	g, access := p.grant("prod")
	resp, err := e.openAs("aws", session1, access)
	if err != nil {
		t.Fatal(err)
	}
	want, err := awskey.SecretFor(p.keys, access)
	if err != nil || string(resp.GetClientSecret()) != want || len(want) != 40 {
		t.Fatalf("clients sign with %d bytes, %v", len(resp.GetClientSecret()), err)
	}
	cred := resp.GetCredential()
	keys := cred.GetAws()
	if cred.GetUser() != prodRole || len(cred.GetPassword()) > 0 || !strings.HasPrefix(keys.GetAccessKeyId(), "ASIA") ||
		len(keys.GetSecretAccessKey()) == 0 || len(keys.GetSessionToken()) == 0 || cred.GetExpiresAt().AsTime().After(g.ExpiresAt) {
		t.Fatalf("got the key %s of %s until %s", keys.GetAccessKeyId(), cred.GetUser(), cred.GetExpiresAt().AsTime())
	}
	p.clock.advance(10 * time.Minute)
	if again, err := e.refresh(session1); err != nil || again.GetAws() == nil || again.GetLease() != cred.GetLease() {
		t.Fatalf("renewed: %v, %v", again.GetUser(), err)
	}
	for _, r := range must[[]audit.Record](t)(p.records.AdminRecords(t.Context(), 1000)) {
		text := fmt.Sprintf("%+v", r)
		if strings.Contains(text, want) || strings.Contains(text, string(keys.GetSecretAccessKey())) || strings.Contains(text, string(keys.GetSessionToken())) {
			t.Fatalf("a secret is in a record of the kind %v", r.Kind)
		}
		if r.Kind == audit.KindCredential && (r.Protocol != "aws" || !slices.Contains(r.Attrs, audit.Attr{Name: "source", Value: "assume_role"}) ||
			!slices.Contains(r.Attrs, audit.Attr{Name: "user", Value: prodRole})) {
			t.Fatalf("recorded %+v", r)
		}
	}
}

// A token that was signed before a rotation keeps what its client signs with.
func TestClientSecretIsOfTheKeyThatSignedTheToken(t *testing.T) {
	p := newPlane(t)
	p.applyAccount("prod", "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, access := p.grant("prod")
	want := must[string](t)(awskey.SecretFor(p.keys, access))
	if err := p.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(authority.Settle)
	_, next := p.grant("prod")
	resp, err := e.openAs("aws", session1, access)
	if err != nil || string(resp.GetClientSecret()) != want {
		t.Fatalf("another secret, %v", err)
	}
	if other := must[string](t)(awskey.SecretFor(p.keys, next)); other == want {
		t.Fatal("the new token has the same secret")
	}
}

func TestOnlyAWSClientsGetAClientSecret(t *testing.T) {
	p := newPlane(t)
	p.applyAccount("prod", "edge-a")
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, access := p.grant("prod")
	for _, protocol := range []string{"postgres", "kubernetes", "", "AWS"} {
		resp, err := e.openAs(protocol, session1, access)
		wantCode(t, protocol, err, codes.FailedPrecondition)
		if resp.GetCredential() != nil || len(resp.GetClientSecret()) > 0 || !strings.Contains(err.Error(), "writ aws login prod") {
			t.Fatalf("%v", err)
		}
	}
	_, database := p.grant("orders-db")
	resp, err := e.open(session1, database)
	if err != nil || len(resp.GetClientSecret()) > 0 || resp.GetCredential().GetAws() != nil {
		t.Fatalf("a database's session got %d bytes, %v", len(resp.GetClientSecret()), err)
	}
}
