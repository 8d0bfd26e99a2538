package credentials_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
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

func TestAssumeRoleThroughAHub(t *testing.T) {
	type call struct {
		form       url.Values
		key, token string
	}
	var calls []call
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ = strings.Cut(key, "/")
		calls = append(calls, call{r.PostForm, key, r.Header.Get("X-Amz-Security-Token")})
		role := r.PostForm.Get("RoleArn")
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA-%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>%s</SessionToken><Expiration>2126-11-23T13:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, role[len(role)-3:], role)
	}))
	defer server.Close()
	d := at(t, server.URL, "AKIAEXAMPLE", "topsecret")
	a := assumption
	a.Hub, a.RoleARN, a.Policy, a.Transitive = hubRole, prodRole, `{"Version":"2012-10-17"}`, true
	for range 2 {
		c, err := d.AssumeRole(t.Context(), a)
		if err != nil || c.SessionToken != prodRole || !c.CanExpire || c.Expires.Year() != 2126 {
			t.Fatalf("got the credentials of %s, ending %s, %v", c.SessionToken, c.Expires, err)
		}
	}
	if len(calls) != 3 {
		t.Fatalf("%d calls, want one for the hub and two through it", len(calls))
	}
	hub, through := calls[0], calls[1:]
	if hub.key != "AKIAEXAMPLE" || hub.form.Get("RoleArn") != hubRole || hub.form.Get("RoleSessionName") != "writ-controlplane" ||
		hub.form.Has("Policy") || hub.form.Has("SourceIdentity") || hub.form.Has("ExternalId") {
		t.Errorf("the hub was assumed by %s with %v", hub.key, hub.form)
	}
	for _, c := range through {
		if c.key != "ASIA-hub" || c.token != hubRole || c.form.Get("RoleArn") != prodRole || c.form.Get("SourceIdentity") != "agent-7" ||
			c.form.Get("ExternalId") != "writ-shop" || c.form.Get("Policy") != a.Policy || c.form.Get("DurationSeconds") != "2400" ||
			c.form.Get("TransitiveTagKeys.member.1") != "writ:grant" || c.form.Get("TransitiveTagKeys.member.3") != "writ:session" {
			t.Errorf("assumed by %s with %v", c.key, c.form)
		}
	}
}

// moto checks the keys of both calls, and keeps accounts apart.
func TestAssumeRoleThroughAHubAtMoto(t *testing.T) {
	moto := mototest.Start(t)
	admin := aws.Credentials{AccessKeyID: moto.Key, SecretAccessKey: moto.Secret}
	const mayAssume = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`
	callAWS(t, moto.URL, admin, "iam", url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"writ-hub"}, "AssumeRolePolicyDocument": {
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`,
	}})
	callAWS(t, moto.URL, admin, "iam", url.Values{
		"Action": {"PutRolePolicy"}, "Version": {"2010-05-08"}, "RoleName": {"writ-hub"}, "PolicyName": {"a"}, "PolicyDocument": {mayAssume},
	})
	a := assumption
	a.Hub, a.RoleARN, a.Policy = "arn:aws:iam::"+mototest.Account+":role/writ-hub", prodRole, credentials.SessionPolicies(resources.AWS{Regions: []string{"eu-west-1"}}, []string{"aws:read"})[0]
	keys, err := at(t, moto.URL, moto.Key, moto.Secret).AssumeRole(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(keys.Expires); !keys.CanExpire || left < 30*time.Minute || left > a.Duration+time.Minute {
		t.Fatalf("the keys end at %s", keys.Expires)
	}
	answer := callAWS(t, moto.URL, keys, "sts", url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}})
	if !strings.Contains(answer, "<Arn>arn:aws:sts::111122223333:assumed-role/writ-prod/ses-1</Arn>") {
		t.Fatalf("sessions act as %s", answer)
	}
}

// callAWS makes one signed call.
func callAWS(t *testing.T, endpoint string, with aws.Credentials, service string, form url.Values) string {
	t.Helper()
	body := form.Encode()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), with, req, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s %v", form.Get("Action"), resp.Status, answer, err)
	}
	return string(answer)
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
