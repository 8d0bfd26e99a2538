package credentials_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/test/mototest"
)

// at makes an AWS endpoint the control plane's only one.
func at(t *testing.T, endpoint, key, secret string) *credentials.DefaultAWS {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_STS": endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	return new(credentials.DefaultAWS)
}

var assumption = credentials.Assumption{
	Region: "eu-west-1", RoleARN: eksRole, ExternalID: "writ-shop", SessionName: "ses-1", SourceIdentity: "agent-7",
	Tags: map[string]string{"writ:session": "ses-1", "writ:grant": "grant-1", "writ:principal": "agent-7"}, Duration: 40 * time.Minute,
}

func TestAssumeRoleSaysWhoIsBehindIt(t *testing.T) {
	var forms []url.Values
	var scopes []string
	answer := `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2026-11-23T13:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		forms, scopes = append(forms, r.PostForm), append(scopes, r.Header.Get("Authorization"))
		fmt.Fprintf(w, answer, len(forms))
	}))
	defer server.Close()
	d := at(t, server.URL, "AKIAEXAMPLE", "topsecret")
	plain := assumption
	plain.ExternalID = ""
	for i, a := range []credentials.Assumption{assumption, assumption, plain} {
		c, err := d.AssumeRole(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if c.AccessKeyID != fmt.Sprintf("ASIA%d", i+1) || c.SecretAccessKey != "s" || c.SessionToken != "t" {
			t.Fatalf("call %d: credentials of another call, or none", i)
		}
	}
	if len(forms) != 3 {
		t.Fatalf("%d calls: credentials of a role were kept", len(forms))
	}
	want := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {eksRole}, "RoleSessionName": {"ses-1"}, "SourceIdentity": {"agent-7"},
		"ExternalId": {"writ-shop"}, "DurationSeconds": {"2400"},
		"Tags.member.1.Key": {"writ:grant"}, "Tags.member.1.Value": {"grant-1"},
		"Tags.member.2.Key": {"writ:principal"}, "Tags.member.2.Value": {"agent-7"},
		"Tags.member.3.Key": {"writ:session"}, "Tags.member.3.Value": {"ses-1"},
	}
	if forms[0].Encode() != want.Encode() {
		t.Fatalf("got %s, want %s", forms[0].Encode(), want.Encode())
	}
	if forms[2].Has("ExternalId") || !strings.Contains(scopes[0], "/eu-west-1/sts/aws4_request") {
		t.Fatalf("%v, %s", forms[2], scopes[0])
	}
}

func TestAssumeRoleWithoutCredentials(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}))
	defer server.Close()
	if c, err := at(t, server.URL, "AKIAEXAMPLE", "topsecret").AssumeRole(t.Context(), assumption); err == nil || c.AccessKeyID != "" {
		t.Fatal("half a credential was taken")
	}
}

// moto checks that the call is signed and its parameters are ones that AWS knows.
func TestAssumeRoleAtMoto(t *testing.T) {
	moto := mototest.Start(t)
	d := at(t, moto.URL, moto.Key, moto.Secret)
	a := assumption
	a.RoleARN = "arn:aws:iam::" + mototest.Account + ":role/writ-shop"
	c, err := d.AssumeRole(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(c.AccessKeyID, "ASIA") || c.SecretAccessKey == "" || c.SessionToken == "" {
		t.Fatalf("got the key %s", c.AccessKeyID)
	}
	if _, err := at(t, moto.URL, moto.Key, "wrong").AssumeRole(t.Context(), a); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Fatalf("got %v", err)
	}
}
