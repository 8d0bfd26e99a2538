package roles_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/pkg/iampolicy"
	"github.com/writhq/writ/test/mototest"
)

// at makes an AWS endpoint the control plane's only one.
func at(t *testing.T, endpoint, key, secret string) *credentials.DefaultAWS {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_STS": endpoint, "AWS_ENDPOINT_URL_IAM": endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	return new(credentials.DefaultAWS)
}

func of(role, reader string) resources.AWS {
	return resources.AWS{Account: mototest.Account, RoleARN: role, Partition: "aws", Credential: resources.AccountCredential{
		AssumeRole: &resources.AssumeRole{ReaderRoleARN: reader, ExternalID: "writ-lab"},
	}}
}

// watching keeps what roles were assumed.
type watching struct {
	*credentials.DefaultAWS
	assumed []credentials.Assumption
}

func (w *watching) AssumeRole(ctx context.Context, a credentials.Assumption) (aws.Credentials, error) {
	w.assumed = append(w.assumed, a)
	return w.DefaultAWS.AssumeRole(ctx, a)
}

const (
	mayRead = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}`
	notIAM  = `{"Version":"2012-10-17","Statement":{"Sid":"Most","Effect":"Allow","NotAction":["iam:*","sts:*","organizations:*"],"Resource":"*"}}`
)

// TestReadAtMoto reads roles as AWS has them, with a reader role that may do nothing else.
func TestReadAtMoto(t *testing.T) {
	moto := mototest.Start(t, mototest.ManagedPolicies)
	reader := role(t, moto, "reader", "", "inline", mayRead)
	a := &watching{DefaultAWS: at(t, moto.URL, moto.Key, moto.Secret)}
	for _, c := range []struct {
		name, arn string
		want      []string // some of what is privileged
		none      []string // some of what is not
		seen      []string
	}{
		{"AWS's AdministratorAccess", role(t, moto, "admin", "", "attached", "arn:aws:iam::aws:policy/AdministratorAccess"),
			[]string{"iam:PassRole", "rds:DeleteDBInstance", "kms:PutKeyPolicy"}, nil, []string{"attached arn:aws:iam::aws:policy/AdministratorAccess v1"}},
		{"AWS's ReadOnlyAccess", role(t, moto, "viewer", "", "attached", "arn:aws:iam::aws:policy/ReadOnlyAccess"), nil, []string{"iam:PassRole", "rds:DeleteDBInstance"}, nil},
		{"what an inline policy leaves out", role(t, moto, "most", "", "inline", notIAM), []string{"rds:DeleteDBInstance", "lambda:UpdateFunctionCode"}, []string{"iam:PassRole", "iam:CreateAccessKey"}, []string{"inline p "}},
		{"all that a boundary leaves", role(t, moto, "bounded", "arn:aws:iam::aws:policy/AmazonRDSFullAccess", "attached", "arn:aws:iam::aws:policy/AdministratorAccess"),
			[]string{"rds:DeleteDBInstance"}, []string{"kms:PutKeyPolicy", "iam:CreateAccessKey"}, []string{"boundary arn:aws:iam::aws:policy/AmazonRDSFullAccess "}},
		{"a role with nothing", role(t, moto, "nothing", ""), nil, []string{"iam:PassRole"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := roles.NewIAM(a).Read(t.Context(), of(c.arn, reader))
			if err != nil {
				t.Fatal(err)
			}
			found, err := iampolicy.Analyse(got, iampolicy.Default())
			if err != nil {
				t.Fatal(err)
			}
			for _, action := range c.want {
				if !slices.Contains(found.Actions(), action) {
					t.Errorf("%s is not found", action)
				}
			}
			for _, action := range c.none {
				if slices.Contains(found.Actions(), action) {
					t.Errorf("%s is found", action)
				}
			}
			if c.want == nil && found.Privileged() {
				t.Errorf("it is privileged: %v", found.Actions())
			}
			for _, want := range c.seen {
				if !slices.ContainsFunc(found.Seen, func(s iampolicy.Seen) bool {
					return strings.HasPrefix(s.Use+" "+cmp.Or(s.ARN, s.Name)+" "+s.Version, want)
				}) {
					t.Errorf("%s is not among %+v", want, found.Seen)
				}
			}
		})
	}
	got := a.assumed[0]
	if got.RoleARN != reader || got.ExternalID != "writ-lab" || got.SessionName != "writ-role-reader" || got.SourceIdentity != "writ-controlplane" || len(got.Tags) != 0 {
		t.Errorf("assumed %+v", got)
	}
	may, err := iampolicy.Parse([]byte(got.Policy))
	if err != nil {
		t.Fatal(err)
	}
	session := iampolicy.Role{ARN: reader, Inline: []iampolicy.Document{{Name: "session", Policy: may}}}
	for action, want := range map[string]iampolicy.Outcome{
		"iam:GetRole": iampolicy.Permit, "iam:GetPolicyVersion": iampolicy.Permit, "iam:ListRolePolicies": iampolicy.Permit,
		"iam:PassRole": iampolicy.ImplicitDeny, "s3:GetObject": iampolicy.ImplicitDeny, "iam:GetUser": iampolicy.ImplicitDeny, "sts:AssumeRole": iampolicy.ImplicitDeny,
	} {
		if d, err := iampolicy.Evaluate(session, action, "*", nil); err != nil || d.Outcome != want {
			t.Errorf("reading, %s is answered with %s, %v", action, d.Outcome, err)
		}
	}
}

// role makes a role at moto: with a boundary, and "inline" a document or "attached" the ARN of a policy. It returns its ARN.
func role(t *testing.T, moto *mototest.Server, name, boundary string, policies ...string) string {
	t.Helper()
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	params := []string{"RoleName", name, "Path", "/writ/", "AssumeRolePolicyDocument", trust}
	if boundary != "" {
		params = append(params, "PermissionsBoundary", boundary)
	}
	moto.IAM(t, "CreateRole", params...)
	for i := 0; i+1 < len(policies); i += 2 {
		switch policies[i] {
		case "inline":
			moto.IAM(t, "PutRolePolicy", "RoleName", name, "PolicyName", "p", "PolicyDocument", policies[i+1])
		default:
			moto.IAM(t, "AttachRolePolicy", "RoleName", name, "PolicyArn", policies[i+1])
		}
	}
	return "arn:aws:iam::" + mototest.Account + ":role/writ/" + name
}

// A role that may not read itself, and one that is not there, are refused; another version of a policy is seen.
func TestChangesAtMoto(t *testing.T) {
	moto := mototest.Start(t)
	a := at(t, moto.URL, moto.Key, moto.Secret)
	closed := role(t, moto, "closed", "", "inline", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	for name, account := range map[string]resources.AWS{
		"may not read itself": of(closed, ""), "a reader that may not read": of(closed, closed), "no such role": of(closed+"2", role(t, moto, "reader", "", "inline", mayRead)),
	} {
		if _, err := roles.NewIAM(a).Read(t.Context(), account); !errors.Is(err, roles.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	arn := "arn:aws:iam::" + mototest.Account + ":policy/deploy"
	moto.IAM(t, "CreatePolicy", "PolicyName", "deploy", "PolicyDocument", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:Get*","Resource":"*"}}`)
	own := of(role(t, moto, "own", "", "attached", arn, "inline", mayRead), "")
	digests := map[string]bool{}
	for i, next := range []string{"s3:GetObject", "iam:PassRole"} {
		got, err := roles.NewIAM(a).Read(t.Context(), own)
		if err != nil || len(got.Attached) != 1 || got.Attached[0].Version != fmt.Sprint("v", i+1) || got.Attached[0].Name != "deploy" {
			t.Fatalf("%+v, %v", got.Attached, err)
		}
		digests[got.Digest(iampolicy.Default())] = true
		moto.IAM(t, "CreatePolicyVersion", "PolicyArn", arn, "SetAsDefault", "true", "PolicyDocument", fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:Get*",%q],"Resource":"*"}}`, next))
	}
	if len(digests) != 2 {
		t.Error("another version has the same digest")
	}
}

// scripted answers calls of IAM and STS by action.
func scripted(t *testing.T, answers map[string]string) *credentials.DefaultAWS {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		action := r.PostForm.Get("Action")
		answer, ok := answers[action+r.PostForm.Get("Marker")]
		switch {
		case action == "AssumeRole":
			answer = `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>`
		case !ok:
			t.Errorf("asked for %s", action)
		case strings.HasPrefix(answer, "!"):
			status, code, _ := strings.Cut(answer[1:], " ")
			n := http.StatusForbidden
			if status != "403" {
				n = http.StatusServiceUnavailable
			}
			w.WriteHeader(n)
			answer = "<ErrorResponse><Error><Code>" + code + "</Code><Message>no</Message></Error></ErrorResponse>"
		default:
			answer = "<R><" + action + "Result>" + answer + "</" + action + "Result></R>"
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	return at(t, server.URL, "AKIA", "s")
}

const labRole = "arn:aws:iam::" + mototest.Account + ":role/writ/lab"

func TestReadsAllPages(t *testing.T) {
	a := scripted(t, map[string]string{
		"GetRole":                   `<Role><Arn>` + labRole + `</Arn></Role>`,
		"ListAttachedRolePolicies":  `<IsTruncated>true</IsTruncated><Marker>2</Marker><AttachedPolicies><member><PolicyArn>arn:aws:iam::aws:policy/One</PolicyArn></member></AttachedPolicies>`,
		"ListAttachedRolePolicies2": `<IsTruncated>false</IsTruncated><AttachedPolicies><member><PolicyArn>arn:aws:iam::aws:policy/Two</PolicyArn></member></AttachedPolicies>`,
		"ListRolePolicies":          `<IsTruncated>true</IsTruncated><Marker>2</Marker><PolicyNames><member>a</member></PolicyNames>`,
		"ListRolePolicies2":         `<IsTruncated>false</IsTruncated><PolicyNames><member>b</member></PolicyNames>`,
		"GetPolicy":                 `<Policy><PolicyName>P</PolicyName><DefaultVersionId>v3</DefaultVersionId></Policy>`,
		"GetPolicyVersion":          `<PolicyVersion><Document>` + url.PathEscape(mayRead) + `</Document></PolicyVersion>`,
		"GetRolePolicy":             `<PolicyDocument>` + url.PathEscape(mayRead) + `</PolicyDocument>`,
	})
	got, err := roles.NewIAM(a).Read(t.Context(), of(labRole, ""))
	if err != nil || len(got.Attached) != 2 || len(got.Inline) != 2 || got.Attached[1].ARN != "arn:aws:iam::aws:policy/Two" || got.Inline[1].Name != "b" {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestWhatReadingFailsWith(t *testing.T) {
	good := map[string]string{"GetRole": `<Role><Arn>` + labRole + `</Arn></Role>`, "ListAttachedRolePolicies": "", "ListRolePolicies": ""}
	many := strings.Repeat("<member>a</member>", 101)
	for name, c := range map[string]struct {
		change map[string]string
		want   error // nil: AWS could not be asked
	}{
		"refused":          {map[string]string{"GetRole": "!403 AccessDenied"}, roles.ErrRefused},
		"throttled":        {map[string]string{"GetRole": "!403 Throttling"}, nil},
		"down":             {map[string]string{"GetRole": "!503 ServiceFailure"}, nil},
		"another role":     {map[string]string{"GetRole": `<Role><Arn>arn:aws:iam::` + mototest.Account + `:role/lab</Arn></Role>`}, roles.ErrUnclear},
		"no role":          {map[string]string{"GetRole": ``}, roles.ErrUnclear},
		"half a list":      {map[string]string{"ListRolePolicies": "!403 AccessDenied"}, roles.ErrRefused},
		"no policy":        {map[string]string{"ListRolePolicies": "<PolicyNames><member>a</member></PolicyNames>", "GetRolePolicy": ""}, iampolicy.ErrSyntax},
		"not understood":   {map[string]string{"ListRolePolicies": "<PolicyNames><member>a</member></PolicyNames>", "GetRolePolicy": "<PolicyDocument>{}</PolicyDocument>"}, iampolicy.ErrSyntax},
		"too many":         {map[string]string{"ListRolePolicies": "<PolicyNames>" + many + "</PolicyNames>", "GetRolePolicy": "<PolicyDocument>" + mayRead + "</PolicyDocument>"}, roles.ErrTooLarge},
		"no version":       {map[string]string{"ListAttachedRolePolicies": "<AttachedPolicies><member><PolicyArn>arn:aws:iam::aws:policy/One</PolicyArn></member></AttachedPolicies>", "GetPolicy": "<Policy/>"}, roles.ErrUnclear},
		"a secret version": {map[string]string{"ListAttachedRolePolicies": "<AttachedPolicies><member><PolicyArn>arn:aws:iam::aws:policy/One</PolicyArn></member></AttachedPolicies>", "GetPolicy": "<Policy><DefaultVersionId>v1</DefaultVersionId></Policy>", "GetPolicyVersion": "!403 AccessDenied"}, roles.ErrRefused},
		"a secret boundary": {map[string]string{"GetRole": `<Role><Arn>` + labRole + `</Arn><PermissionsBoundary><PermissionsBoundaryArn>arn:aws:iam::aws:policy/One</PermissionsBoundaryArn></PermissionsBoundary></Role>`,
			"GetPolicy": "!403 AccessDenied"}, roles.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]string{}
			for _, from := range []map[string]string{good, c.change} {
				for action, answer := range from {
					answers[action] = answer
				}
			}
			_, err := roles.NewIAM(scripted(t, answers)).Read(t.Context(), of(labRole, ""))
			if err == nil || c.want != nil && !errors.Is(err, c.want) ||
				c.want == nil && (errors.Is(err, roles.ErrRefused) || errors.Is(err, roles.ErrTooLarge) || errors.Is(err, roles.ErrUnclear)) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := roles.NewIAM(at(t, "http://127.0.0.1:1", "AKIA", "s")).Read(t.Context(), of(labRole, "")); err == nil || errors.Is(err, roles.ErrRefused) {
		t.Errorf("unreachable: %v", err)
	}
	if _, err := roles.NewIAM(at(t, "http://127.0.0.1:1", "AKIA", "s")).Read(t.Context(), resources.AWS{RoleARN: labRole}); !errors.Is(err, roles.ErrRefused) {
		t.Errorf("no way to assume it: %v", err)
	}
}
