package tunnel_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// applyCluster puts a Kubernetes cluster into the inventory that the edges serve.
func (p *plane) applyCluster(name string, cred resources.ClusterCredential, edges ...string) {
	p.t.Helper()
	_, err := p.resources.Apply(p.t.Context(), []resources.Resource{{
		Name: name, Labels: map[string]string{"env": "dev"}, Edges: edges,
		Kubernetes: &resources.Kubernetes{Endpoint: "api.test:6443", Credential: cred},
	}}, false)
	if err != nil {
		p.t.Fatal(err)
	}
}

func eks() resources.ClusterCredential {
	return resources.ClusterCredential{EKS: &resources.EKS{Cluster: "shop", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/x"}}
}

func account() resources.ClusterCredential {
	return resources.ClusterCredential{ServiceAccount: &resources.ServiceAccount{Namespace: "writ", Name: "gate", Token: "topsecret"}}
}

func (e *edge) openAs(protocol, session, access string) (*edgev1.OpenSessionResponse, error) {
	return e.tunnel.OpenSession(e.plane.t.Context(), &edgev1.OpenSessionRequest{
		AccessToken: access, Protocol: protocol, ClientAddr: "10.0.0.1:999", Application: "kubectl", Session: session,
	})
}

func (e *edge) refresh(session string) (*edgev1.Credential, error) {
	resp, err := e.tunnel.RefreshCredential(e.plane.t.Context(), &edgev1.RefreshCredentialRequest{Session: session})
	return resp.GetCredential(), err
}

// cluster opens a session on a cluster and returns what a test then takes away.
func openCluster(t *testing.T, cred resources.ClusterCredential) (*plane, *edge, approvals.Grant, *edgev1.Credential) {
	t.Helper()
	p := newPlane(t)
	p.applyCluster("shop-k8s", cred, "edge-a")
	e, _, _, _ := p.connect("edge-a")
	g, access := p.grant("shop-k8s")
	resp, err := e.openAs("kubernetes", session1, access)
	if err != nil {
		t.Fatal(err)
	}
	return p, e, g, resp.GetCredential()
}

// credentialRecords counts the records of credentials that were handed out and those of renewed ones.
func (p *plane) credentialRecords() (all, renewed int) {
	p.t.Helper()
	for _, r := range must[[]audit.Record](p.t)(p.records.AdminRecords(p.t.Context(), 1000)) {
		if r.Kind != audit.KindCredential {
			continue
		}
		all++
		if slices.Contains(r.Attrs, audit.Attr{Name: "renewed", Value: "true"}) {
			renewed++
		}
	}
	return all, renewed
}

func TestClusterSessionGetsItsCredential(t *testing.T) {
	p, _, g, cred := openCluster(t, account())
	if cred.GetUser() != "system:serviceaccount:writ:gate" || string(cred.GetPassword()) != "topsecret" || cred.GetLease() == "" ||
		cred.GetTokenRequest().GetNamespace() != "writ" || cred.GetTokenRequest().GetServiceAccount() != "gate" ||
		!cred.GetExpiresAt().AsTime().Equal(g.ExpiresAt) {
		t.Fatalf("got %v", cred)
	}
	for _, r := range must[[]audit.Record](t)(p.records.AdminRecords(t.Context(), 1000)) {
		if r.Kind == audit.KindCredential && (r.Protocol != "kubernetes" || !slices.Contains(r.Attrs, audit.Attr{Name: "source", Value: "service_account"})) {
			t.Fatalf("recorded %+v", r)
		}
		if strings.Contains(fmt.Sprintf("%+v", r), "topsecret") {
			t.Fatal("a record holds the token")
		}
	}
}

func TestOnlyClientsOfItsKindOpenAResource(t *testing.T) {
	p := newPlane(t)
	p.applyCluster("shop-k8s", account(), "edge-a")
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	for resource, wrong := range map[string][]string{"shop-k8s": {"postgres", "", "Kubernetes", "mysql"}, "orders-db": {"kubernetes", "", "mysql"}} {
		_, access := p.grant(resource)
		for _, protocol := range wrong {
			resp, err := e.openAs(protocol, session1, access)
			wantCode(t, protocol+" to "+resource, err, codes.FailedPrecondition)
			if resp.GetCredential() != nil || !strings.Contains(err.Error(), resource) {
				t.Fatalf("%v, %v", resp, err)
			}
		}
	}
	if all, _ := p.credentialRecords(); all != 0 || len(p.refusals()) != 7 {
		t.Fatalf("%d credentials, %d refusals", all, len(p.refusals()))
	}
	p.wantRefusal("OpenSession")
	if live, err := p.sessions.CountLive(t.Context()); err != nil || live["edge-a"] != 0 {
		t.Fatalf("%v, %v", live, err)
	}
}

func TestRefreshCredential(t *testing.T) {
	p, e, g, first := openCluster(t, eks())
	p.clock.advance(10 * time.Minute)
	cred, err := e.refresh(session1)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(cred.GetPassword(), first.GetPassword()) || cred.GetLease() != first.GetLease() || !cred.GetExpiresAt().AsTime().After(first.GetExpiresAt().AsTime()) {
		t.Fatalf("got %v after %v", cred, first)
	}
	p.clock.advance(45 * time.Minute)
	if cred, err = e.refresh(session1); err != nil || cred.GetExpiresAt().AsTime().After(g.ExpiresAt) {
		t.Fatalf("outlives the grant: %v, %v", cred, err)
	}
	if all, renewed := p.credentialRecords(); all != 3 || renewed != 2 {
		t.Fatalf("%d records of credentials, %d of renewed ones", all, renewed)
	}
}

func TestRefreshNeedsWhatOpeningNeeded(t *testing.T) {
	for name, tt := range map[string]struct {
		take func(t *testing.T, p *plane, g approvals.Grant) error
		want codes.Code
	}{
		"grant revoked": {func(t *testing.T, p *plane, g approvals.Grant) error {
			_, _, err := p.approvals.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "alice"})
			return err
		}, codes.FailedPrecondition}, // its sessions ended with it
		"grant over": {func(_ *testing.T, p *plane, _ approvals.Grant) error {
			p.clock.advance(61 * time.Minute)
			return nil
		}, codes.PermissionDenied},
		"principal locked": {func(t *testing.T, p *plane, _ approvals.Grant) error {
			_, _, err := p.locks.Create(t.Context(), locks.Order{Target: locks.Principal, Name: agent.ID, Reason: "leaked", By: "alice"})
			return err
		}, codes.FailedPrecondition},
		"resource replaced": {func(t *testing.T, p *plane, _ approvals.Grant) error {
			if err := p.resources.Delete(t.Context(), "shop-k8s", p.broker); err != nil {
				return err
			}
			p.applyCluster("shop-k8s", eks(), "edge-a")
			return nil
		}, codes.PermissionDenied},
		"edge no longer serves it": {func(_ *testing.T, p *plane, _ approvals.Grant) error {
			p.applyCluster("shop-k8s", eks(), "edge-b")
			return nil
		}, codes.PermissionDenied},
		"another credential source": {func(_ *testing.T, p *plane, _ approvals.Grant) error {
			p.applyCluster("shop-k8s", account(), "edge-a")
			return nil
		}, codes.FailedPrecondition},
		"session closed": {func(t *testing.T, p *plane, _ approvals.Grant) error {
			return p.sessions.Close(t.Context(), "edge-a", session1, "bye")
		}, codes.FailedPrecondition},
	} {
		t.Run(name, func(t *testing.T) {
			p, e, g, _ := openCluster(t, eks())
			if err := tt.take(t, p, g); err != nil {
				t.Fatal(err)
			}
			cred, err := e.refresh(session1)
			wantCode(t, name, err, tt.want)
			if cred != nil {
				t.Fatal("a credential was given")
			}
			p.wantRefusal("RefreshCredential")
			if _, renewed := p.credentialRecords(); renewed != 0 {
				t.Fatal("a renewal is recorded")
			}
		})
	}
}

func TestRevocationWhileACredentialIsMade(t *testing.T) {
	p, e, g, _ := openCluster(t, eks())
	p.meanwhile = func() {
		if _, _, err := p.approvals.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "alice"}); err != nil {
			t.Error(err)
		}
	}
	cred, err := e.refresh(session1)
	wantCode(t, "revoked meanwhile", err, codes.FailedPrecondition)
	if _, renewed := p.credentialRecords(); cred != nil || renewed != 0 {
		t.Fatal("a credential of a revoked grant was given")
	}
}

func TestResourceChangesWhileACredentialIsMade(t *testing.T) {
	p, e, _, _ := openCluster(t, eks())
	calls := 0
	p.meanwhile = func() {
		if calls++; calls == 1 {
			moved := eks()
			moved.EKS.Cluster = "shop2"
			p.applyCluster("shop-k8s", moved, "edge-a")
		}
	}
	if _, err := e.refresh(session1); err != nil || calls != 2 {
		t.Fatalf("%v after %d tries", err, calls)
	}
}

func TestRefreshIsForTheSessionsEdge(t *testing.T) {
	p, _, _, _ := openCluster(t, eks())
	p.applyCluster("shop-k8s", eks(), "edge-a", "edge-b")
	other, _, _, _ := p.connect("edge-b")
	_, err := other.refresh(session1)
	wantCode(t, "another edge", err, codes.PermissionDenied)
	_, err = other.refresh("ses-01hzzzzzzzzzzzzzzzzzzzzzz9")
	wantCode(t, "no such session", err, codes.NotFound)
	_, err = other.refresh(strings.Repeat("../", 1000))
	wantCode(t, "no session id", err, codes.NotFound)
}

func TestRolesAreNotRenewed(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", dynamic(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	_, err := e.refresh(session1)
	wantCode(t, "a session's role", err, codes.FailedPrecondition)
}

func TestNoRecordNoRenewal(t *testing.T) {
	p, e, _, _ := openCluster(t, eks())
	p.objects.fail(true)
	if cred, err := e.refresh(session1); err == nil || cred != nil {
		t.Fatal("a credential left without a record")
	}
	p.objects.fail(false)
	if _, err := e.refresh(session1); err != nil {
		t.Fatal(err)
	}
}

func TestEndpointsAreKnownByKind(t *testing.T) {
	p := newPlane(t)
	e := p.newEdge("edge-a")
	p.awaitReady(e)
	l := e.link()
	await(t, "state", l.state)
	present := must[map[string]edges.Presence](t)(p.edges.Present(t.Context()))
	if got := present["edge-a"]; !slices.Equal(got.Endpoints, []string{"127.0.0.1:5432"}) || !slices.Equal(got.Kubernetes, []string{"127.0.0.1:6443"}) ||
		!slices.Equal(got.AWS, []string{"127.0.0.1:5170"}) {
		t.Fatalf("got %+v", got)
	}
}
