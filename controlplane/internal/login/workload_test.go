package login_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/go-jose/go-jose/v4"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/login/awsiam"
	"github.com/writhq/writ/controlplane/internal/login/svid"
	"github.com/writhq/writ/pkg/policy"
)

// workloads are logins for a role of AWS, behind an STS that believes everybody, and for a trust domain.
func workloads(t *testing.T) (*fixture, signer) {
	t.Helper()
	f, own := setUp(t, nil), newSigner(t)
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/deploy/run</Arn>"+
			"<UserId>AROA:run</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
	}))
	t.Cleanup(sts.Close)
	bundle := filepath.Join(t.TempDir(), "bundle.json")
	key := own.jwk("k1")
	key.Use = "jwt-svid"
	writeKeys(t, bundle, key)
	l, err := login.New(login.Config{
		Store: f.store, Locks: f.locks, Now: f.clock.now, NonceKey: []byte(strings.Repeat("k", 32)),
		Issuers: []login.Issuer{{URL: f.issuer.URL(), Audiences: []string{audience}, Kind: policy.KindPerson, KindClaim: "kind"}},
		AWS: login.AWSConfig{
			ServerID: "writ.example", Regions: []string{"eu-west-1"}, Endpoint: sts.URL,
			Roles: []awsiam.Role{{Account: "123456789012", Role: "deploy", Kind: policy.KindJob, Groups: []string{"deployers"}}},
		},
		SPIFFE: login.SPIFFEConfig{
			TrustDomain: "prod.example", BundleFile: bundle, Audiences: []string{"writ"},
			Rules: []svid.Rule{{Path: "/ns/shop/sa/*", Kind: policy.KindService, Groups: []string{"shop"}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Logins = l
	return f, own
}

// awsProof signs a request with a fresh nonce.
func (f *fixture) awsProof(t *testing.T) *login.AWSProof {
	t.Helper()
	nonce, _, err := f.CreateNonce()
	if err != nil {
		t.Fatal(err)
	}
	host := awsiam.Host("eu-west-1")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "X-Writ-Server-Id": {"writ.example"}, "X-Writ-Nonce": {nonce},
	}
	sum := sha256.Sum256([]byte(awsiam.Body))
	creds := aws.Credentials{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "x", SessionToken: "y"}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(sum[:]), "sts", "eu-west-1", f.clock.now().UTC()); err != nil {
		t.Fatal(err)
	}
	p := &login.AWSProof{Region: "eu-west-1", Body: awsiam.Body, Headers: map[string]string{"host": host}}
	for name := range req.Header {
		p.Headers[strings.ToLower(name)] = req.Header.Get(name)
	}
	return p
}

func (f *fixture) svid(t *testing.T, s signer, path string) string {
	t.Helper()
	now := f.clock.now()
	return s.sign(t, fmt.Sprintf(`{"sub":"spiffe://prod.example%s","aud":["writ"],"iat":%d,"exp":%d}`, path, now.Unix(), now.Add(time.Minute).Unix()),
		map[jose.HeaderKey]any{"kid": "k1"})
}

func TestWorkloadsSignIn(t *testing.T) {
	f, own := workloads(t)
	for name, tt := range map[string]struct {
		proof login.Proof
		who   string
		group string
	}{
		"aws":    {login.Proof{AWS: f.awsProof(t)}, "aws:123456789012/deploy", "deployers"},
		"spiffe": {login.Proof{SVID: f.svid(t, own, "/ns/shop/sa/worker")}, "spiffe://prod.example/ns/shop/sa/worker", "shop"},
	} {
		in, err := f.WithProof(t.Context(), tt.proof)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c, err := f.Identify(t.Context(), in.Token.Reveal())
		if err != nil || c.Principal.ID != tt.who || !slices.Equal(c.Principal.Groups, []string{tt.group}) || c.Principal.Kind == policy.KindPerson {
			t.Fatalf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestWorkloadActsForAPerson(t *testing.T) {
	f, own := workloads(t)
	in, err := f.WithProof(t.Context(), login.Proof{SVID: f.svid(t, own, "/ns/shop/sa/worker"), OnBehalfOf: f.token(t, alice(nil))})
	if err != nil {
		t.Fatal(err)
	}
	p := in.Caller.Principal
	if len(p.Delegators) != 1 || p.Delegators[0].ID != "alice@example.com" || !slices.Equal(p.Groups, []string{"shop"}) {
		t.Fatalf("got %+v", p)
	}
}

func TestSignedRequestSignsInOnce(t *testing.T) {
	f, _ := workloads(t)
	proof := f.awsProof(t)
	var good atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			_, err := f.WithProof(t.Context(), login.Proof{AWS: proof})
			if err == nil {
				good.Add(1)
			} else if !errors.Is(err, login.ErrProof) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 {
		t.Fatalf("it signed in %d times", good.Load())
	}
	if _, err := f.WithProof(t.Context(), login.Proof{AWS: proof}); !errors.Is(err, login.ErrProof) {
		t.Fatalf("replayed later: %v", err)
	}
}

func TestWaysThatAreNotConfigured(t *testing.T) {
	with, own := workloads(t)
	without := setUp(t, nil)
	if _, _, err := without.CreateNonce(); !errors.Is(err, login.ErrNoMethod) {
		t.Errorf("a nonce: %v", err)
	}
	for name, p := range map[string]login.Proof{
		"aws": {AWS: with.awsProof(t)}, "spiffe": {SVID: with.svid(t, own, "/ns/shop/sa/worker")}, "nothing": {},
	} {
		if _, err := without.WithProof(t.Context(), p); !errors.Is(err, login.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := with.WithProof(t.Context(), login.Proof{SVID: with.svid(t, newSigner(t), "/ns/shop/sa/worker")}); !errors.Is(err, login.ErrProof) {
		t.Errorf("another key: %v", err)
	}
}

func TestNobodyIsNamedLikeAWorkload(t *testing.T) {
	f, _ := workloads(t)
	for _, sub := range []string{"aws:123456789012/deploy", "spiffe://prod.example/ns/shop/sa/worker"} {
		for name, more := range map[string]map[string]any{"subject": {"sub": sub}, "actor": {"sub": "x", "act": map[string]any{"sub": sub}}} {
			claims := map[string]any{"aud": audience}
			for k, v := range more {
				claims[k] = v
			}
			if in, err := f.WithIDToken(t.Context(), f.token(t, claims)); !errors.Is(err, login.ErrProof) {
				t.Errorf("%s %s: %+v, %v", name, sub, in.Caller.Principal, err)
			}
		}
	}
}
