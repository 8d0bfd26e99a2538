package quorum

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/pkg/oidctest"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
	"github.com/writhq/writ/test/world"
)

const (
	audience = "writ"
	resource = "orders-db"
	edgeName = "edge-a"
	bundle   = `@id("agents") permit (principal in Group::"agents", action in [Action::"access:request", Action::"session:open"], resource);`
)

// replica is one control plane.
type replica struct {
	*world.Process
	access, edge string // "host:port"
	ca           string // file
}

// plane is two replicas on one cluster.
type plane struct {
	t        *testing.T
	issuer   *oidctest.Issuer
	replicas [2]*replica
	roots    *x509.CertPool
}

func startPlane(t *testing.T, c *cluster) *plane {
	t.Helper()
	p := &plane{t: t, roots: x509.NewCertPool()}
	var err error
	if p.issuer, err = oidctest.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.issuer.Close() })
	dir, bin := t.TempDir(), world.Binaries(t)
	for i := range p.replicas {
		p.replicas[i] = p.startReplica(filepath.Join(dir, fmt.Sprintf("r%d", i)), dir, bin, c.urls)
	}
	pem, err := os.ReadFile(p.replicas[0].ca)
	if err != nil || !p.roots.AppendCertsFromPEM(pem) {
		t.Fatalf("no CA: %v", err)
	}
	return p
}

// startReplica starts one replica. Replicas share the seal key and the folder of the records.
func (p *plane) startReplica(dir, shared, bin string, etcd []string) *replica {
	p.t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	r := &replica{access: freeAddress(p.t), edge: freeAddress(p.t), ca: filepath.Join(dir, "data", "ca.pem")}
	conf := fmt.Sprintf(`listen-access: %s
listen-edge: %s
data-dir: %s
seal-key-file: %s
object-dir: %s
etcd:
  endpoints: [%s]
roles:
  admin: [writ-admins]
oidc:
- url: %s
  audiences: [%s]
  kind_claim: kind
  kind: agent
`, r.access, r.edge, filepath.Join(dir, "data"), filepath.Join(shared, "seal.key"), filepath.Join(shared, "records"),
		strings.Join(etcd, ", "), p.issuer.URL(), audience)
	file := filepath.Join(dir, "controlplane.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		p.t.Fatal(err)
	}
	r.Process = &world.Process{
		Name: "writ-controlplane", Path: filepath.Join(bin, "writ-controlplane"), Args: []string{"--config", file}, LogFile: filepath.Join(dir, "log"),
	}
	if err := r.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		r.Stop()
		if text, _ := os.ReadFile(r.LogFile); p.t.Failed() {
			p.t.Logf("%s:\n%s", dir, text[max(0, len(text)-4000):])
		}
	})
	p.awaitReplica(r)
	return r
}

func (p *plane) awaitReplica(r *replica) {
	p.t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		pem, err := os.ReadFile(r.ca)
		pool := x509.NewCertPool()
		if err != nil || !pool.AppendCertsFromPEM(pem) {
			continue
		}
		client := http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
		resp, err := client.Get("https://" + r.access + "/healthz")
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	p.t.Fatal("a replica is not ready")
}

// as is a client that signs in with each call.
func (p *plane) as(name, email, kind string, groups ...string) *http.Client {
	p.t.Helper()
	token, err := p.issuer.Token(oidctest.Claims{
		"sub": name, "aud": audience, "email": email, "email_verified": true, "groups": groups, "kind": kind, "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: bearer{token, &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true,
	}}}
}

type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(req)
}

// publish pushes the policy, fills the inventory, and returns a join token for the edge.
func (p *plane) publish() string {
	p.t.Helper()
	ctx, admin, at := p.t.Context(), p.as("root", "root@example.com", "person", "writ-admins"), "https://"+p.replicas[0].access
	_, err := accessv1connect.NewPolicyServiceClient(admin, at).PushPolicy(ctx, &accessv1.PushPolicyRequest{
		Bundle: &accessv1.Bundle{Files: map[string][]byte{"a.cedar": []byte(bundle)}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	_, err = accessv1connect.NewResourceServiceClient(admin, at).ApplyResources(ctx, &accessv1.ApplyResourcesRequest{
		Resources: []*accessv1.Resource{{
			Name: resource, Edges: []string{edgeName}, Target: &accessv1.Resource_Postgres{Postgres: &accessv1.PostgresTarget{
				Endpoint: "db.example:5432", Database: "orders", Credential: &accessv1.PostgresCredential{
					Source: &accessv1.PostgresCredential_Static{Static: &accessv1.StaticCredential{User: "app", Password: "secret"}},
				},
			}},
		}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	join, err := accessv1connect.NewEdgeServiceClient(admin, at).CreateJoinToken(ctx, &accessv1.CreateJoinTokenRequest{
		Edge: edgeName, Names: []string{"127.0.0.1"},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return join.GetToken()
}

// accessToken gets the agent a grant.
func (p *plane) accessToken() string {
	p.t.Helper()
	ctx, agent, at := p.t.Context(), p.as("ada", "ada@example.com", "agent", "agents"), "https://"+p.replicas[0].access
	created, err := accessv1connect.NewRequestServiceClient(agent, at).CreateRequest(ctx, &accessv1.CreateRequestRequest{
		Resource: resource, Duration: durationpb.New(time.Hour), Reason: "clean up",
	})
	if err != nil || created.GetGrant() == nil {
		p.t.Fatalf("no grant: %v, %v", created, err)
	}
	issued, err := accessv1connect.NewGrantServiceClient(agent, at).IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: created.GetGrant().GetId()})
	if err != nil {
		p.t.Fatal(err)
	}
	return issued.GetToken()
}
