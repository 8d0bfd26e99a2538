package kubernetes

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/audit"
)

const (
	hunter    = "hunter2-very-secret"
	appliedBy = `apiVersion: v1
kind: Secret
metadata: {name: db, labels: {app: web}}
stringData: {password: ` + hunter + `}
`
)

// shows reports whether a text gives the secret away, in clear or as Kubernetes writes it.
func shows(text string) bool {
	return strings.Contains(text, hunter) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(hunter))) ||
		strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(hunter))[:20])
}

// TestNoFormShowsASecret: however a Secret is asked for, its value comes back hidden, or nothing does.
func TestNoFormShowsASecret(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "mask")
	if out, err := b.kubectl(appliedBy, "-n", ns, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if raw := b.lab.Kubectl(t, "-n", ns, "get", "secret", "db", "-o", "json"); !shows(raw) || !strings.Contains(raw, "last-applied-configuration") {
		t.Fatalf("the bed is not as it should be: %s", raw)
	}
	for _, args := range [][]string{
		{"get", "secret", "db"}, {"get", "secret", "db", "-o", "yaml"}, {"get", "secret", "db", "-o", "json"}, {"get", "secrets", "-o", "json"},
		{"get", "secrets", "-o", "wide"}, {"get", "secrets", "-l", "app=web", "-o", "yaml"}, {"describe", "secret", "db"},
		{"get", "secret", "db", "-o", "jsonpath={.data.password}"}, {"get", "secret", "db", "-o", "go-template={{.data.password}}"},
		{"get", "secret", "db", "-o", "jsonpath={.metadata.annotations}"}, {"get", "secret", "db", "--show-managed-fields", "-o", "yaml"},
		{"annotate", "secret", "db", "a=b", "-o", "yaml"}, {"label", "secret", "db", "a=b", "-o", "json"},
		{"patch", "secret", "db", "-p", `{"metadata":{"labels":{"c":"d"}}}`, "-o", "yaml"},
		{"patch", "secret", "db", "-p", `{"metadata":{"labels":{"c":"e"}}}`, "--dry-run=server", "-o", "yaml"},
		{"get", "secrets,configmaps", "-o", "yaml"}, {"apply", "view-last-applied", "secret", "db"},
		{"get", "--raw", "/api/v1/namespaces/" + ns + "/secrets/db?pretty=true"}, {"get", "events", "-o", "yaml"},
	} {
		out, err := b.kubectl("", append([]string{"-n", ns}, args...)...)
		if err != nil {
			t.Errorf("%q: %v: %s", args, err, out)
		}
		if shows(out) {
			t.Errorf("%q shows %s", args, out)
		}
	}
	path := "/api/v1/namespaces/" + ns + "/secrets"
	for _, accept := range []string{
		"application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json", "application/cbor",
		"application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
		"application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json", "*/*", "application/*", "text/plain", "application/json;stream=watch", "application/x-yaml",
	} {
		for _, p := range []string{path + "/db", path, path + "?includeObject=Object"} {
			code, body := b.do(http.MethodGet, p, "", "Accept: "+accept)
			if shows(body) || code == http.StatusOK && !strings.HasPrefix(body, "{") {
				t.Errorf("%s as %s: %d %s", p, accept, code, body)
			}
		}
	}
	for _, encoding := range []string{"gzip", "deflate, gzip;q=1.0", "br", "zstd"} {
		if _, body := b.do(http.MethodGet, path+"/db", "", "Accept-Encoding: "+encoding); shows(body) || !strings.HasPrefix(body, "{") {
			t.Errorf("with %s: %q", encoding, body)
		}
	}
	if b.Records.Contain(hunter) || b.Records.Contain(base64.StdEncoding.EncodeToString([]byte(hunter))) {
		t.Error("a record shows the secret")
	}
}

// TestMaskedValuesCannotBeTold: a patch that reads what is hidden, or a write that would store the mask, is refused before it
// reaches the API server.
func TestMaskedValuesCannotBeTold(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "tell")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "db", "--from-literal=password="+hunter)
	path := "/api/v1/namespaces/" + ns + "/secrets/db"
	value := base64.StdEncoding.EncodeToString([]byte(hunter))
	for _, c := range []struct{ method, media, body string }{
		{"PATCH", "application/json-patch+json", `[{"op":"test","path":"/data/password","value":"` + value + `"},{"op":"add","path":"/metadata/labels","value":{"hit":"yes"}}]`},
		{"PATCH", "application/json-patch+json", `[{"op":"test","path":"/data","value":{}}]`},
		{"PATCH", "application/json-patch+json", `[{"op":"copy","from":"/data/password","path":"/metadata/annotations/x"}]`},
		{"PATCH", "application/json-patch+json", `[{"op":"move","from":"/data","path":"/immutable"}]`},
		{"PATCH", "application/json-patch+json", `[{"op":"copy","from":"","path":"/metadata/annotations/x"}]`},
		{"PATCH", "application/json-patch+json", `[{"op":"copy","from":"/d\u0061ta/password","path":"/metadata/annotations/x"}]`},
		{"PATCH", "application/merge-patch+json", `{"data":{"password":"Kioq"}}`},
		{"PATCH", "application/strategic-merge-patch+json", `{"stringData":{"password":"***"}}`},
		{"PATCH", "application/apply-patch+yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata: {password: Kioq}\n"},
		{"PUT", "application/json", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"data":{"password":"Kioq"}}`},
		{"PUT", "application/json", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"d\u0061ta":{"password":"Kioq"}}`},
	} {
		query := ""
		if strings.Contains(c.media, "apply") {
			query = "?fieldManager=x&force=true"
		}
		mark := b.lab.Mark(t)
		code, body := b.do(c.method, path+query, c.body, "Content-Type: "+c.media)
		if code != http.StatusForbidden && code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", c.body, code, body)
		}
		for _, e := range b.arrived(mark) {
			if e.Verb != "get" {
				t.Errorf("%s: the API server saw %s", c.body, e)
			}
		}
	}
	if got := b.lab.Kubectl(t, "-n", ns, "get", "secret", "db", "-o", "jsonpath={.data.password}"); got != value {
		t.Errorf("the secret is %q now", got)
	}
	for _, media := range []string{"application/vnd.kubernetes.protobuf", "application/cbor", "text/plain", "application/json; charset=utf-16", "multipart/form-data; boundary=x"} {
		mark := b.lab.Mark(t)
		code, body := b.do("POST", "/api/v1/namespaces/"+ns+"/secrets", "k8s\x00...", "Content-Type: "+media)
		if code != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d %s", media, code, body)
		}
		if got := b.arrived(mark); len(got) > 0 {
			t.Errorf("%s: the API server saw %v", media, got[0])
		}
	}
}

// TestConfiguredFieldsAreMasked: a cluster's own classes, in objects, Tables, annotations and watches.
func TestConfiguredFieldsAreMasked(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "class")
	changed := *b.res
	b.res = &changed
	b.res.Classes = map[string][]string{"pii": {"configmaps:data.mail", "pods:spec.containers[*].env[*].value"}}
	b.res.Version++
	if err := b.server.SetResources([]*Resource{b.res}, []byte("0123456789abcdef0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	b.Policies.Set(t, permitAll+`@id("mask-pii") @mask("partial:4") forbid (principal, action == Action::"k8s:reveal", resource in DataClass::"pii");`)
	objects := `{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: NS}, data: {mail: ann@example.com, other: kept}},
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: NS}, spec: {schedulerName: none, containers: [{name: a, image: i, env: [{name: TOKEN, value: topsecret-token-9}, {name: B, value: "x"}]}]}}]}`
	b.lab.Apply(t, strings.ReplaceAll(objects, "NS", ns))
	for _, args := range [][]string{
		{"get", "configmap", "c", "-o", "yaml"}, {"get", "configmaps", "-o", "json"}, {"get", "pods", "-o", "yaml"}, {"get", "pod", "p", "-o", "wide"}, {"describe", "pod", "p"},
	} {
		out, err := b.kubectl("", append([]string{"-n", ns}, args...)...)
		if err != nil || strings.Contains(out, "ann@example") || strings.Contains(out, "topsecret") {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
	out, _ := b.kubectl("", "-n", ns, "get", "configmap", "c", "-o", "jsonpath={.data.mail} {.data.other}")
	if out != "***.com kept" {
		t.Errorf("got %q", out)
	}
	r := b.Records.Await(t, audit.KindOutcome, func(r audit.Record) bool { return len(r.MaskedColumns) > 0 })
	if !strings.Contains(strings.Join(r.MaskedColumns, " "), "data.mail") {
		t.Errorf("masked fields %q", r.MaskedColumns)
	}
}

// TestSelectorsTellNothing: who may not see a field may not choose objects by it.
func TestSelectorsTellNothing(t *testing.T) {
	b := newBed(t)
	changed := *b.res
	b.res = &changed
	b.res.Classes = map[string][]string{"pii": {"pods:spec.nodeName"}}
	b.res.Version++
	if err := b.server.SetResources([]*Resource{b.res}, []byte("0123456789abcdef0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	b.Policies.Set(t, permitAll+`@id("mask-pii") @mask("redact") forbid (principal, action == Action::"k8s:reveal", resource in DataClass::"pii");`)
	mark := b.lab.Mark(t)
	for _, selector := range []string{"spec.nodeName=n", "spec.nodeName!%3Dn", "metadata.name=x,spec.nodeName=n", "spec.nodeName=n&watch=1"} {
		if code, body := b.do(http.MethodGet, "/api/v1/namespaces/default/pods?fieldSelector="+selector, ""); code != http.StatusForbidden {
			t.Errorf("%s: %d %s", selector, code, body)
		}
	}
	if got := b.arrived(mark); len(got) > 0 {
		t.Errorf("the API server saw %v", got[0])
	}
	if code, body := b.do(http.MethodGet, "/api/v1/namespaces/default/pods?fieldSelector=status.phase=Running", ""); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
}
