package credentials_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
)

const eksRole = "arn:aws:iam::111122223333:role/writ-shop"

func eksCluster() resources.Resource {
	return cluster("shop-k8s", resources.ClusterCredential{EKS: &resources.EKS{
		Cluster: "shop", Region: "eu-west-1", RoleARN: eksRole, ExternalID: "writ-shop",
	}})
}

func cluster(name string, c resources.ClusterCredential) resources.Resource {
	return resources.Resource{Name: name, Kubernetes: &resources.Kubernetes{Endpoint: "api.test:443", Credential: c}}
}

// presigned reads an EKS token.
func presigned(t *testing.T, token []byte) *url.URL {
	t.Helper()
	text, ok := strings.CutPrefix(string(token), "k8s-aws-v1.")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("not a token: %q, %v", token, err)
	}
	u, err := url.Parse(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMintEKS(t *testing.T) {
	b, _, aws, _ := newBroker(t)
	lease, cred, err := b.Mint(t.Context(), eksCluster(), ask(now.Add(40*time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	want := credentials.Assumption{
		Region: "eu-west-1", RoleARN: eksRole, ExternalID: "writ-shop", SessionName: "ses-1", SourceIdentity: "agent-7",
		Tags:     map[string]string{"writ:session": "ses-1", "writ:grant": "grant-1", "writ:principal": "agent-7"},
		Duration: 40 * time.Minute,
	}
	if len(aws.assumed) != 1 || fmt.Sprint(aws.assumed[0]) != fmt.Sprint(want) {
		t.Fatalf("assumed %+v, want %+v", aws.assumed, want)
	}
	if lease.Kind != credentials.KindEKS || lease.Role != "" || cred.User != eksRole || cred.Role != nil || cred.TokenRequest != nil ||
		cred.ClientCertificate != nil || !cred.ExpiresAt.Equal(now.Add(14*time.Minute)) {
		t.Fatalf("%+v %+v", lease, cred)
	}
	u := presigned(t, cred.Password)
	if u.Scheme != "https" || u.Host != "sts.eu-west-1.amazonaws.com" || u.Path != "/" {
		t.Fatalf("for %s", u)
	}
	for key, want := range map[string]string{
		"Action": "GetCallerIdentity", "Version": "2011-06-15", "X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
		"X-Amz-Date": "20261123T120000Z", "X-Amz-Security-Token": "session-token", "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
		"X-Amz-Credential": "ASIAEXAMPLE/20261123/eu-west-1/sts/aws4_request",
	} {
		if got := u.Query()[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if strings.Contains(u.String(), "topsecret") {
		t.Error("the role's secret key is in the token")
	}
}

func TestEKSTokenIsForOneCluster(t *testing.T) {
	b, _, _, _ := newBroker(t)
	signature := func(name string) string {
		r := eksCluster()
		r.Kubernetes.Credential.EKS.Cluster = name
		_, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		return presigned(t, cred.Password).Query().Get("X-Amz-Signature")
	}
	if a, again, other := signature("shop"), signature("shop"), signature("shop2"); a != again || a == other || a == "" {
		t.Fatalf("%s, %s, %s", a, again, other)
	}
}

func TestEKSLasts(t *testing.T) {
	for _, tt := range []struct{ left, assumed, token time.Duration }{
		{12 * time.Hour, time.Hour, 14 * time.Minute},
		{time.Hour + time.Nanosecond, time.Hour, 14 * time.Minute},
		{20*time.Minute + time.Millisecond, 20 * time.Minute, 14 * time.Minute},
		{5 * time.Minute, 15 * time.Minute, 5 * time.Minute},
		{0, 15 * time.Minute, 0},
	} {
		b, _, aws, _ := newBroker(t)
		_, cred, err := b.Mint(t.Context(), eksCluster(), ask(now.Add(tt.left)))
		if err != nil {
			t.Fatal(err)
		}
		if got := cred.ExpiresAt.Sub(now); aws.assumed[0].Duration != tt.assumed || got != tt.token {
			t.Errorf("with %s left: assumed for %s, good for %s", tt.left, aws.assumed[0].Duration, got)
		}
	}
}

// What AWS documents of RoleSessionName and SourceIdentity, and of session tags.
var (
	identityForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	tagForm      = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$`)
)

func TestSourceIdentity(t *testing.T) {
	seen := map[string]string{}
	for _, tt := range []struct{ name, want string }{
		{"alice@example.com", "alice@example.com"},
		{"ci+deploy=1,x", "ci+deploy=1,x"},
		{"repo:acme/shop", "repo_acme_shop-"},
		{"repo_acme_shop", "repo_acme_shop"},
		{"repo:acme_shop", "repo_acme_shop-"},
		{"aws:123456789012/deploy", "aws_123456789012_deploy-"},
		{"AWS:123456789012/deploy", "AWS_123456789012_deploy-"},
		{"aws_123456789012/deploy", "aws_123456789012_deploy-"},
		{"a", "a-"},
		{"", "-"},
		{"jürgen", "j_rgen-"},
		{"a\nb", "a_b-"},
		{strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{strings.Repeat("x", 65), strings.Repeat("x", 47) + "-"},
		{strings.Repeat("x", 64) + "y", strings.Repeat("x", 47) + "-"},
		{"looks-0123456789abcdef", "looks-0123456789abcdef-"},
	} {
		b, _, aws, _ := newBroker(t)
		order := ask(now.Add(time.Hour))
		order.Principal = tt.name
		if _, _, err := b.Mint(t.Context(), eksCluster(), order); err != nil {
			t.Fatal(err)
		}
		a := aws.assumed[0]
		hash := strings.TrimPrefix(a.SourceIdentity, tt.want)
		if !strings.HasPrefix(a.SourceIdentity, tt.want) || !strings.HasSuffix(tt.want, "-") && hash != "" || strings.HasSuffix(tt.want, "-") && len(hash) != 16 {
			t.Errorf("%q acts as %q", tt.name, a.SourceIdentity)
		}
		checkNames(t, tt.name, a)
		if other, ok := seen[a.SourceIdentity]; ok {
			t.Errorf("%q and %q act as %q", tt.name, other, a.SourceIdentity)
		}
		seen[a.SourceIdentity] = tt.name
	}
}

func checkNames(t *testing.T, name string, a credentials.Assumption) {
	t.Helper()
	if !identityForm.MatchString(a.SourceIdentity) || !identityForm.MatchString(a.SessionName) {
		t.Errorf("%q: AWS refuses %q and %q", name, a.SourceIdentity, a.SessionName)
	}
	for key, value := range a.Tags {
		if !tagForm.MatchString(value) || strings.HasPrefix(strings.ToLower(value), "aws:") {
			t.Errorf("%q: AWS refuses %q for %s", name, value, key)
		}
	}
}

func FuzzNamesStayApart(f *testing.F) {
	f.Add("aws:1/x", "aws_1/x")
	f.Add("a:b", "a/b")
	f.Add("a_b-0123456789abcdef", "a:b")
	f.Fuzz(func(t *testing.T, one, other string) {
		a, b := credentials.IdentityName(one), credentials.IdentityName(other)
		c, d := credentials.TagValue(one), credentials.TagValue(other)
		if one != other && (a == b || c == d) {
			t.Fatalf("%q and %q become %q and %q", one, other, a, c)
		}
		checkNames(t, one, credentials.Assumption{SessionName: a, SourceIdentity: a, Tags: map[string]string{"x": c}})
	})
}

func TestRefreshEKS(t *testing.T) {
	b, _, aws, clock := newBroker(t)
	lease, first, err := b.Mint(t.Context(), eksCluster(), ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	*clock = now.Add(10 * time.Minute)
	cred, err := b.Refresh(t.Context(), eksCluster(), lease, ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if cred.Lease != lease.ID || string(cred.Password) == string(first.Password) || !cred.ExpiresAt.Equal(now.Add(24*time.Minute)) ||
		len(aws.assumed) != 2 || aws.assumed[1].Duration != 50*time.Minute {
		t.Fatalf("%+v, assumed %+v", cred, aws.assumed)
	}
}

func TestRefreshRefuses(t *testing.T) {
	b, _, _, _ := newBroker(t)
	lease, _, err := b.Mint(t.Context(), eksCluster(), ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	dynamic := resource("orders-db", resources.Credential{Dynamic: &resources.Dynamic{AdminUser: "admin", MemberOf: []string{"r"}}})
	role, _, err := b.Mint(t.Context(), dynamic, ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	ended, foreign := lease, ask(now.Add(time.Hour))
	ended.State = credentials.Settled
	foreign.Session = "ses-2"
	for name, try := range map[string]func() (credentials.Credential, error){
		"an ended lease": func() (credentials.Credential, error) {
			return b.Refresh(t.Context(), eksCluster(), ended, ask(now.Add(time.Hour)))
		},
		"another session's": func() (credentials.Credential, error) {
			return b.Refresh(t.Context(), eksCluster(), lease, foreign)
		},
		"a role": func() (credentials.Credential, error) {
			return b.Refresh(t.Context(), dynamic, role, ask(now.Add(time.Hour)))
		},
		"another source": func() (credentials.Credential, error) {
			return b.Refresh(t.Context(), cluster("orders-db", resources.ClusterCredential{ServiceAccount: &resources.ServiceAccount{Namespace: "writ", Name: "gate"}}), lease, ask(now.Add(time.Hour)))
		},
	} {
		if cred, err := try(); !errors.Is(err, credentials.ErrFixed) || len(cred.Password) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
