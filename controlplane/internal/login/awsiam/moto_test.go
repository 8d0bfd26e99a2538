package awsiam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/test/mototest"
)

const region, server = "eu-west-1", "writ.example"

// setUp returns a Verifier that asks moto, and credentials of a session of the role.
func setUp(t *testing.T, role string) (*Verifier, aws.Credentials) {
	t.Helper()
	moto := mototest.Start(t)
	client := sts.New(sts.Options{
		Region: region, BaseEndpoint: aws.String(moto.URL), Credentials: credentials.NewStaticCredentialsProvider(moto.Key, moto.Secret, ""),
	})
	out, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + mototest.Account + ":role/" + role), RoleSessionName: aws.String("run-7"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return verifier(t, moto.URL), aws.Credentials{
		AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken,
	}
}

func verifier(t *testing.T, endpoint string) *Verifier {
	t.Helper()
	nonces, err := NewNonces([]byte(strings.Repeat("k", 32)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(Config{
		ServerID: server, Regions: []string{region, "us-east-1"}, Endpoint: endpoint,
		Roles: []Role{
			{Account: mototest.Account, Role: "deploy-*", Kind: policy.KindJob, Groups: []string{"deployers"}},
			{Account: mototest.Account, Role: "agent", Kind: policy.KindAgent, Name: "planner"},
		},
	}, nonces, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signing is a request about to be signed.
type signing struct {
	method, url, body, region, service string
	headers                            map[string]string
	at                                 time.Time
}

func (v *Verifier) signing() signing {
	nonce, _ := v.nonces.Create()
	return signing{
		method: Method, url: "https://" + Host(region) + Path, body: Body, region: region, service: stsService, at: time.Now(),
		headers: map[string]string{"Content-Type": contentTypes[1], "X-Writ-Server-Id": server, "X-Writ-Nonce": nonce},
	}
}

// sign makes a proof of it, as the official signer does.
func (s signing) sign(t *testing.T, creds aws.Credentials) Proof {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), s.method, s.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range s.headers {
		req.Header.Set(name, value)
	}
	sum := sha256.Sum256([]byte(s.body))
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(sum[:]), s.service, s.region, s.at.UTC()); err != nil {
		t.Fatal(err)
	}
	p := Proof{Region: s.region, Body: s.body, Headers: map[string]string{"host": req.URL.Host}}
	for name := range req.Header {
		p.Headers[strings.ToLower(name)] = req.Header.Get(name)
	}
	return p
}

func TestRoleSignsIn(t *testing.T) {
	v, creds := setUp(t, "deploy-shop")
	got, err := v.Verify(t.Context(), v.signing().sign(t, creds))
	if err != nil {
		t.Fatal(err)
	}
	p := got.Principal
	want := map[string]string{"aws_account": mototest.Account, "aws_role": "deploy-shop", "aws_session": "run-7"}
	if p.ID != "aws:"+mototest.Account+"/deploy-shop" || p.Kind != policy.KindJob || !slices.Equal(p.Groups, []string{"deployers"}) ||
		!maps.Equal(p.Attrs, want) || got.Nonce == "" || time.Since(got.Signed) > time.Minute {
		t.Fatalf("got %+v", got)
	}

	for name, change := range map[string]func(p *Proof){
		"another nonce": func(p *Proof) { p.Headers[NonceHeader], _ = v.nonces.Create() },
		"another secret": func(p *Proof) {
			creds := creds
			creds.SecretAccessKey += "x"
			*p = v.signing().sign(t, creds)
		},
		"another key": func(p *Proof) {
			creds := creds
			creds.AccessKeyID = "ASIAAAAAAAAAAAAAAAAA"
			*p = v.signing().sign(t, creds)
		},
		"signed as GET": func(p *Proof) {
			s := v.signing()
			s.method = http.MethodGet
			*p = s.sign(t, creds)
		},
		"signed with a query": func(p *Proof) {
			s := v.signing()
			s.url += "?Action=AssumeRole"
			*p = s.sign(t, creds)
		},
		"another session": func(p *Proof) { p.Headers["x-amz-security-token"] += "x" },
		"a later date": func(p *Proof) {
			p.Headers["x-amz-date"] = time.Now().UTC().Add(10 * time.Second).Format(amzDate)
		},
		"another signature": func(p *Proof) {
			a := p.Headers["authorization"]
			p.Headers["authorization"] = a[:len(a)-4] + "0000"
		},
	} {
		proof := v.signing().sign(t, creds)
		change(&proof)
		if got, err := v.Verify(t.Context(), proof); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestOnlyRolesOfTheListSignIn(t *testing.T) {
	v, creds := setUp(t, "admin")
	if got, err := v.Verify(t.Context(), v.signing().sign(t, creds)); !errors.Is(err, ErrProof) {
		t.Errorf("another role: %+v, %v", got, err)
	}
	moto := mototest.Start(t)
	user := verifier(t, moto.URL)
	got, err := user.Verify(t.Context(), user.signing().sign(t, aws.Credentials{AccessKeyID: moto.Key, SecretAccessKey: moto.Secret}))
	if !errors.Is(err, ErrProof) || !strings.Contains(err.Error(), "assume a role") {
		t.Errorf("a user: %+v, %v", got, err)
	}
}
