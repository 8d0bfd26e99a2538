package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `kind: postgres
name: orders-db
labels: {env: prod}
edges: [edge-a]
endpoint: 10.0.0.5:5432
database: orders
tls: {mode: verify-ca, ca_file: ./ca.pem}
credential:
  static: {user: app, password_file: ./pw}
classes:
  pii: [public.customers.email, public.customers.phone]
detectors: [none]
---
kind: postgres
name: shop-db
endpoint: shop:5432
database: shop
credential:
  dynamic: {admin_user: adm, admin_password_env: ADM, member_of: [app_rw], connection_limit: 2}
`

func source(t testing.TB) Source {
	dir := t.TempDir()
	for name, text := range map[string]string{"ca.pem": "PEM", "pw": "s3cret\n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Source{Name: "r.yaml", Dir: dir, Getenv: func(n string) string {
		return map[string]string{"ADM": "adm-pw"}[n]
	}}
}

func TestParse(t *testing.T) {
	got, err := Parse([]byte(good), source(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("got %d resources, want 2", len(got))
	}
	orders := got[0].GetPostgres()
	if pw := orders.Credential.GetStatic().Password; pw != "s3cret" {
		t.Errorf("password %q", pw)
	}
	if orders.Tls.CaPem != "PEM" || len(orders.Classes["pii"].Columns) != 2 || got[0].Labels["env"] != "prod" {
		t.Errorf("got %v", got[0])
	}
	dynamic := got[1].GetPostgres().Credential.GetDynamic()
	if dynamic.AdminPassword != "adm-pw" || dynamic.ConnectionLimit != 2 || dynamic.MemberOf[0] != "app_rw" {
		t.Errorf("got %v", dynamic)
	}
}

const clusters = `kind: kubernetes
name: shop-k8s
labels: {env: prod}
edges: [edge-a]
endpoint: 0123.gr7.eu-west-1.eks.amazonaws.com:443
tls: {ca_file: ./ca.pem}
credential:
  eks: {cluster: shop, region: eu-west-1, role_arn: "arn:aws:iam::123456789012:role/writ-shop", external_id: writ}
groups: [viewers]
classes:
  pii: ["configmaps:data.*", "apps/deployments:spec.template.spec.containers[*].env[*].value"]
detectors: [none]
---
kind: kubernetes
name: lab-k8s
endpoint: 10.0.0.5:6443
tls: {mode: verify-ca, server_name: kubernetes}
credential:
  service_account: {namespace: writ, name: gate, token_file: ./pw, audiences: [a]}
---
kind: kubernetes
name: old-k8s
endpoint: 10.0.0.6:6443
credential:
  client_certificate: {certificate_file: ./ca.pem, key_env: ADM}
`

func TestParseClusters(t *testing.T) {
	got, err := Parse([]byte(clusters), source(t))
	if err != nil || len(got) != 3 {
		t.Fatalf("%d resources, %v", len(got), err)
	}
	shop := got[0].GetKubernetes()
	if e := shop.GetCredential().GetEks(); e.GetCluster() != "shop" || e.GetRegion() != "eu-west-1" || e.GetExternalId() != "writ" ||
		e.GetRoleArn() != "arn:aws:iam::123456789012:role/writ-shop" {
		t.Errorf("got %v", e)
	}
	if shop.GetTls().GetCaPem() != "PEM" || len(shop.GetClasses()["pii"].GetFields()) != 2 || shop.GetGroups()[0] != "viewers" ||
		shop.GetDetectors()[0] != "none" || got[0].GetLabels()["env"] != "prod" {
		t.Errorf("got %v", got[0])
	}
	if s := got[1].GetKubernetes().GetCredential().GetServiceAccount(); s.GetToken() != "s3cret" || s.GetNamespace() != "writ" || s.GetName() != "gate" || s.GetAudiences()[0] != "a" {
		t.Errorf("got %v", s)
	}
	if c := got[2].GetKubernetes().GetCredential().GetClientCertificate(); c.GetCertificatePem() != "PEM" || c.GetKeyPem() != "adm-pw" {
		t.Errorf("got %v", c)
	}
}

const accounts = `kind: aws
name: prod
labels: {env: prod}
edges: [edge-a]
account: "011122223333"
role_arn: arn:aws:iam::011122223333:role/writ-prod
partition: aws
regions: [eu-west-1, eu-central-1]
endpoint: https://vpce.example:443
tls: {ca_file: ./ca.pem}
credential:
  assume_role:
    hub_role_arn: arn:aws:iam::999988887777:role/writ-hub
    external_id: writ-prod
    region: eu-west-1
    session_duration: 45m
    whole_role: true
classes:
  pii: ["dynamodb:GetItem:Item.Email"]
detectors: [none]
---
kind: aws
name: lab
account: 111122223333
role_arn: arn:aws:iam::111122223333:role/writ-lab
endpoint: http://127.0.0.1:5000
allow_loopback: true
credential:
  assume_role: {}
`

func TestParseAccounts(t *testing.T) {
	got, err := Parse([]byte(accounts), source(t))
	if err != nil || len(got) != 2 {
		t.Fatalf("%d resources, %v", len(got), err)
	}
	prod := got[0].GetAws()
	if prod.GetAccount() != "011122223333" || prod.GetRoleArn() != "arn:aws:iam::011122223333:role/writ-prod" || prod.GetPartition() != "aws" ||
		strings.Join(prod.GetRegions(), " ") != "eu-west-1 eu-central-1" || prod.GetEndpoint() != "https://vpce.example:443" ||
		prod.GetTls().GetCaPem() != "PEM" || prod.GetClasses()["pii"].GetFields()[0] != "dynamodb:GetItem:Item.Email" ||
		prod.GetDetectors()[0] != "none" || got[0].GetLabels()["env"] != "prod" {
		t.Errorf("got %v", got[0])
	}
	if s := prod.GetCredential().GetAssumeRole(); s.GetHubRoleArn() != "arn:aws:iam::999988887777:role/writ-hub" || s.GetExternalId() != "writ-prod" ||
		s.GetRegion() != "eu-west-1" || s.GetSessionDuration().AsDuration() != 45*time.Minute || !s.GetWholeRole() {
		t.Errorf("got %v", s)
	}
	lab := got[1].GetAws()
	if s := lab.GetCredential().GetAssumeRole(); s == nil || s.GetWholeRole() || s.GetSessionDuration() != nil || !lab.GetAllowLoopback() {
		t.Errorf("got %v", lab)
	}
	if lab.GetAccount() != "111122223333" {
		t.Errorf("without quotes the account is %s", lab.GetAccount())
	}
}

func TestParseRefuses(t *testing.T) {
	const head = "kind: postgres\nname: a\nendpoint: h:1\ndatabase: d\n"
	const cred = "credential:\n  rds_iam: {user: u, region: r}\n"
	const account = "kind: aws\nname: a\naccount: \"111122223333\"\nrole_arn: r\n"
	const cluster = "kind: kubernetes\nname: a\nendpoint: h:1\n"
	for name, c := range map[string]struct{ text, want, hint string }{
		"account without number":     {"kind: aws\nname: a\n", "no account", ""},
		"account without role":       {"kind: aws\nname: a\naccount: \"1\"\n", "no role_arn", ""},
		"account without credential": {account, "needs assume_role", ""},
		"account with keys":          {account + "credential:\n  static: {user: a}\n", `unknown key "static"`, ""},
		"account and its database":   {account + "database: d\n", `unknown key "database"`, ""},
		"for how long":               {account + "credential:\n  assume_role: {session_duration: 1 hour}\n", `session_duration "1 hour"`, ""},
		"cluster without credential": {cluster, "exactly one of eks", ""},
		"cluster with a database":    {cluster + "database: d\n", `unknown key "database"`, ""},
		"cluster without endpoint":   {"kind: kubernetes\nname: a\n", "no endpoint", ""},
		"two cluster credentials":    {cluster + "credential:\n  eks: {cluster: c}\n  service_account: {name: n}\n", "exactly one of eks", ""},
		"inline token":               {cluster + "credential:\n  service_account: {token: hunter2}\n", "a token does not belong in a manifest", "token_file"},
		"inline key":                 {cluster + "credential:\n  client_certificate:\n    key: hunter2\n", "a key does not belong in a manifest", "key_env"},
		"no token":                   {cluster + "credential:\n  service_account: {name: n}\n", "needs one of token_file and token_env", ""},
		"no certificate":             {cluster + "credential:\n  client_certificate: {key_env: ADM}\n", "needs certificate_file", ""},
		"no key":                     {cluster + "credential:\n  client_certificate: {certificate_file: ca.pem}\n", "needs one of key_file and key_env", ""},
		"the key of a postgres":      {cluster + "credential:\n  static: {user: a}\n", `unknown key "static"`, ""},
		"unknown key":                {head + cred + "endpont: x\n", `r.yaml:7:1: unknown key "endpont"`, ""},
		"nested unknown key":         {head + "tls: {mod: x}\n" + cred, `unknown key "mod"`, ""},
		"repeated key":               {head + "name: b\n" + cred, "r.yaml:5:1:", ""},
		"inline password":            {head + "credential:\n  static: {user: a, password: hunter2}\n", "does not belong in a manifest", "password_file"},
		"inline admin":               {head + "credential:\n  dynamic:\n    admin_password: hunter2\n", "r.yaml:7:5:", "admin_password_env"},
		"no credential":              {head, "exactly one of", ""},
		"two credentials":            {head + cred + "  dynamic: {admin_user: a, admin_password_env: ADM}\n", "exactly one of", ""},
		"two passwords":              {head + "credential:\n  static: {user: a, password_file: pw, password_env: ADM}\n", "needs one of", ""},
		"empty password file":        {head + "credential:\n  static: {user: a, password_file: empty}\n", "is empty", ""},
		"unset variable":             {head + "credential:\n  static: {user: a, password_env: NOPE}\n", "NOPE is not set", ""},
		"missing file":               {head + "credential:\n  static: {user: a, password_file: nope}\n", "no such file", ""},
		"no kind":                    {"name: a\n", "no kind", ""},
		"unknown kind":               {"kind: oracle\n", `unknown kind "oracle"`, ""},
		"no name":                    {"kind: postgres\n", "no name", ""},
		"bad tls mode":               {head + "tls: {mode: prefer}\n" + cred, `unknown mode "prefer"`, ""},
		"twice":                      {head + cred + "---\n" + head + cred, "there twice", ""},
		"nothing":                    {"# nothing\n", "no resources", ""},
		"syntax":                     {"kind: [postgres\n", "r.yaml:1", ""},
		"not a mapping":              {"- a\n- b\n", "r.yaml:1", ""},
		"alias":                      {head + cred + "labels: &l {a: b}\n", "r.yaml:7:9: anchors", ""},
		"deep":                       {"kind: " + strings.Repeat("[", 100), "nested too deeply", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), source(t))
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, ErrManifest) {
				t.Fatalf("got %v, want a manifest error", err)
			}
			if !strings.Contains(e.Error(), c.want) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("got %q with hint %q, want %q with hint %q", e, e.Hint, c.want, c.hint)
			}
			if strings.Contains(e.Error()+e.Hint, "hunter2") {
				t.Errorf("the error tells the password: %v", e)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(clusters)
	f.Add(accounts)
	f.Add("kind: postgres\n---\n...\n")
	f.Add("a: &a [*a]\n")
	src := source(f)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse([]byte(text), src)
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%d resources and error %v", len(got), err)
		}
	})
}
