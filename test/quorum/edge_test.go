package quorum

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/pkg/identity"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// edge speaks edge.v1 by hand, to either replica: a rogue or broken edge may do all of this, the real one less.
type edge struct {
	t       *testing.T
	tunnels [2]edgev1.TunnelServiceClient
	session string
	digest  [sha256.Size]byte
}

const boot = "boot-1"

func enrol(t *testing.T, p *plane, joinToken string) *edge {
	t.Helper()
	key, client := csr(t)
	_, serving := csr(t)
	resp, err := edgev1.NewEnrolmentServiceClient(dial(t, p.replicas[0].edge, p.roots)).Enrol(t.Context(), &edgev1.EnrolRequest{
		JoinToken: joinToken, ClientCsr: client, ServingCsr: serving,
	})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(resp.GetCertificates().GetClientChain())
	cert := tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}
	e := &edge{t: t, session: "ses-" + strings.ToLower(ulid.Make().String()), digest: sha256.Sum256([]byte("DELETE FROM orders"))}
	for i, r := range p.replicas {
		e.tunnels[i] = edgev1.NewTunnelServiceClient(dial(t, r.edge, p.roots, cert))
	}
	return e
}

func csr(t *testing.T) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, request
}

func dial(t *testing.T, addr string, roots *x509.CertPool, certs ...tls.Certificate) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: identity.ControlPlane, Certificates: certs,
	})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// link keeps the edge linked to one replica until the test ends. It returns once the edge has the newest policy.
func (e *edge) link(replica int) (revision uint64) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e.t.Cleanup(cancel)
	stream, err := e.tunnels[replica].Link(ctx)
	if err != nil {
		e.t.Fatal(err)
	}
	hello := &edgev1.Hello{Boot: boot, Version: "test", Endpoints: []string{"127.0.0.1:5432"}}
	if err := stream.Send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Hello{Hello: hello}}); err != nil {
		e.t.Fatal(err)
	}
	var state, policy []byte
	for state == nil || revision == 0 {
		m, err := stream.Recv()
		if err != nil {
			e.t.Fatal(err)
		}
		if s := m.GetState(); s != nil {
			state = s.GetDigest()
		}
		if p := m.GetPolicy(); p != nil {
			revision, policy = p.GetNumber(), p.GetDigest()
		}
	}
	go func() {
		for ; ctx.Err() == nil; time.Sleep(time.Second) {
			_ = stream.Send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Heartbeat{Heartbeat: &edgev1.Heartbeat{
				Sequence: 1, Revision: revision, StateDigest: state, PolicyDigest: policy, Sessions: []string{e.session},
			}}})
		}
	}()
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
		}
	}()
	return revision
}

func (e *edge) open(replica int, accessToken string) {
	e.t.Helper()
	_, err := e.tunnels[replica].OpenSession(e.t.Context(), &edgev1.OpenSessionRequest{
		AccessToken: accessToken, Protocol: "postgres", ClientAddr: "127.0.0.1:50000", Session: e.session,
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

// hold files a command that waits for approvers, and returns its id. It is filed until the test ends.
func (e *edge) hold(replica, approvers int, revision uint64) string {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	e.t.Cleanup(cancel)
	stream, err := e.tunnels[replica].Hold(ctx, &edgev1.HoldRequest{
		Session: e.session, Statement: "DELETE FROM orders", Actions: []string{"sql:delete"}, Digest: e.digest[:], Revision: revision,
		Requirements: []*accessv1.Requirement{{Count: int32(approvers), Group: "dba"}}, Timeout: durationpb.New(time.Hour),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		e.t.Fatal(err)
	}
	return first.GetId()
}

// spend asks once for the release of the held command.
func (e *edge) spend(ctx context.Context, replica int, hold string, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := e.tunnels[replica].SpendApproval(ctx, &edgev1.SpendApprovalRequest{
		Hold: hold, Session: e.session, Digest: e.digest[:], Revision: revision,
	})
	return err
}
