package kubernetes

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/kubetest"
)

// raw sends a request as it is written, over HTTP/1.1, and returns the answer's code and body.
func (b *bed) raw(request string) (int, string) {
	b.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b.caPEM)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(b.url, "https://"), &tls.Config{RootCAs: pool})
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	request = strings.ReplaceAll(strings.ReplaceAll(request, "TOKEN", b.Token(b.t, "grant-1")), "\n", "\r\n")
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "" // closed without an answer
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// arrived returns what the API server was asked on behalf of the edge's clients since mark, apart from discovery.
func (b *bed) arrived(mark kubetest.Mark) (out []kubetest.AuditEvent) {
	b.t.Helper()
	for _, e := range b.lab.AuditSince(b.t, mark) {
		if e.User.Username == "writ-edge" {
			out = append(out, e)
		}
	}
	return out
}

// TestImpersonationIsTheEdgesOwn: no spelling of an impersonation header, and no trick that takes the edge's own away,
// reaches the API server. A plain request in the end shows that the bed can tell.
func TestImpersonationIsTheEdgesOwn(t *testing.T) {
	b := newBed(t)
	for _, header := range []string{
		"Impersonate-User: system:admin", "impersonate-user: system:admin", "IMPERSONATE-USER: system:admin", "iMpErSoNaTe-UsEr: x",
		"Impersonate-Group: system:masters", "Impersonate-Uid: 1", "impersonate-uid: 1", "Impersonate-Extra-Scopes: all",
		"Impersonate-Extra-writ.dev%2Fsession: ses-x", "Impersonate_User: system:admin", "Impersonate_Group: system:masters", "Impersonate-User : x",
		"Impersonate-User: a\nImpersonate-User: b", "Impersonate: x", "Impersonate-Anything-New: x",
		"Connection: Impersonate-User, Authorization", "Connection: close, Impersonate-Group", "Connection: keep-alive\nConnection: Authorization",
		"Connection: X-Anything", "Proxy-Connection: Impersonate-User", "Te: trailers, Impersonate-User", "Trailer: Impersonate-User",
		"X-Remote-User: system:admin", "X-Remote-Group: system:masters", "X-Remote-Extra-a: b", "X_Remote_User: x",
		"X-Forwarded-Host: other", "X-Original-URL: /api/v1/secrets", "X-Rewrite-Url: /api/v1/secrets", "X-HTTP-Method-Override: DELETE",
		"Authorization: Bearer other", "Content-Length: 0\nContent-Length: 5", "Transfer-Encoding: chunked, identity",
	} {
		mark := b.lab.Mark(t)
		code, body := b.raw("GET /api/v1/namespaces/default HTTP/1.1\nHost: edge\nAuthorization: Bearer TOKEN\n" + header + "\n\n")
		if code != 0 && code < 400 {
			t.Errorf("%q: answered %d %s", header, code, body)
		}
		if got := b.arrived(mark); len(got) > 0 {
			t.Errorf("%q: the API server saw %v as %s", header, got[0], got[0].Actor())
		}
	}
	mark := b.lab.Mark(t)
	if code, body := b.raw("GET /api/v1/namespaces/default HTTP/1.1\nHost: edge\nAuthorization: Bearer TOKEN\nConnection: close\n\n"); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	e := b.arrived(mark)
	if len(e) == 0 || e[0].Actor() != "writ:ada" || len(e[0].ImpersonatedUser.Extra["writ.dev/session"]) != 1 {
		t.Fatalf("the API server saw %v", e)
	}
}

// TestPathsAreCanonical: with Secrets forbidden, no spelling of their path gets through, and none is passed on.
func TestPathsAreCanonical(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, permitAll+`@id("no-secrets") forbid (principal, action, resource in APIResource::"lab//secrets");`)
	ns := b.lab.Namespace(t, "path")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "db", "--from-literal=password=hunter2")
	for _, path := range []string{
		"/api/v1/namespaces/NS/secrets/db", "//api/v1/namespaces/NS/secrets/db", "/api//v1/namespaces/NS/secrets/db", "/api/v1/namespaces/NS//secrets/db",
		"/api/v1/namespaces/NS/secrets/db/", "/api/v1/namespaces/NS/secrets/", "/./api/v1/namespaces/NS/secrets/db", "/api/v1/x/../namespaces/NS/secrets/db",
		"/api/v1/namespaces/NS/configmaps/../secrets/db", "/api/v1/namespaces/NS/configmaps/%2e%2e/secrets/db", "/api/v1/namespaces/NS/configmaps/..%2fsecrets/db",
		"/api/v1/namespaces/NS/%73ecrets/db", "/api/v1/namespaces/NS/secrets%2fdb", "/api/v1/namespaces/NS/secrets;x/db", "/api/v1/namespaces/NS/secrets/db;x",
		"/API/v1/namespaces/NS/secrets/db", "/api/V1/namespaces/NS/secrets/db", "/api/v1/namespaces/NS/Secrets/db", "/api/v1/namespaces/NS/SECRETS/db",
		"/api/v1/namespaces/NS/secrets/db%00", "/api/v1/namespaces/NS/secrets/db%20", "/api/v1/namespaces/NS/secrets\\db", "/api/v1/namespaces/NS/secrets/%2e",
		"/api/v1/watch/namespaces/NS/secrets/db", "/api/v1/watch/secrets", "/api/v1/secrets", "/api/v1/secrets?watch=1", "/api/v1/secrets?watch=TRUE",
		"/api/v1/proxy/namespaces/NS/secrets/db", "/api/v1/namespaces/NS/secrets?limit=1&limit=2", "/api/v1/namespaces/NS/secrets?watch=false&watch=true",
		"https://other/api/v1/namespaces/NS/secrets/db", "*", "/api/v1/namespaces/NS/secrets/db#x", "/api/v1/namespaces/NS/secrets/db?unknown=1",
		"/api/v1/namespaces/NS/secrets/db/status",
	} {
		path = strings.ReplaceAll(path, "NS", ns)
		mark := b.lab.Mark(t)
		code, body := b.raw("GET " + path + " HTTP/1.1\nHost: edge\nAuthorization: Bearer TOKEN\nConnection: close\n\n")
		if code == http.StatusOK || strings.Contains(body, "aHVudGVyMg") {
			t.Errorf("%s: answered %d %s", path, code, body)
		}
		for _, e := range b.arrived(mark) {
			if strings.Contains(strings.ToLower(e.RequestURI), "secret") || strings.Contains(e.RequestURI, "..") || strings.Contains(e.RequestURI, "%") {
				t.Errorf("%s: the API server saw %s", path, e)
			}
		}
	}
	for _, method := range []string{"OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "GeT"} {
		mark := b.lab.Mark(t)
		if code, body := b.raw(method + " /api/v1/namespaces/" + ns + "/secrets/db HTTP/1.1\nHost: edge\nAuthorization: Bearer TOKEN\nConnection: close\n\n"); code == http.StatusOK {
			t.Errorf("%s: answered %s", method, body)
		}
		if got := b.arrived(mark); len(got) > 0 {
			t.Errorf("%s: the API server saw %v", method, got[0])
		}
	}
}

// TestUpgradeIsNoRead: who may read everything may not open a stream, by either protocol.
func TestUpgradeIsNoRead(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, `@id("read") permit (principal, action in [Action::"session:open", Action::"k8s:read"], resource);`)
	ns := b.lab.Namespace(t, "exec")
	for _, upgrade := range []string{
		"GET %s HTTP/1.1\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\nSec-WebSocket-Protocol: v5.channel.k8s.io\n",
		"POST %s HTTP/1.1\nUpgrade: SPDY/3.1\nConnection: Upgrade\nX-Stream-Protocol-Version: v4.channel.k8s.io\n",
		"GET %s HTTP/1.1\nUpgrade: SPDY/3.1\nConnection: Upgrade\nX-Stream-Protocol-Version: v4.channel.k8s.io\n",
		"GET %s HTTP/1.1\n",
		"GET %s HTTP/1.1\nUpgrade: h2c\nConnection: Upgrade\n",
	} {
		for _, path := range []string{"/exec?command=id&stdout=true", "/attach?stdout=true", "/portforward", "/portforward?ports=80", "/proxy/", "/proxy"} {
			mark := b.lab.Mark(t)
			request := fmt.Sprintf(upgrade, "/api/v1/namespaces/"+ns+"/pods/p"+path)
			code, body := b.raw(request + "Host: edge\nAuthorization: Bearer TOKEN\n\n")
			if code != http.StatusForbidden && code != http.StatusBadRequest {
				t.Errorf("%s: %d %s", request, code, body)
			}
			if got := b.arrived(mark); len(got) > 0 {
				t.Errorf("%s: the API server saw %v", request, got[0])
			}
		}
	}
	refused := b.Records.Of(audit.KindRefusal)
	if len(refused) < 20 {
		t.Errorf("%d refusals recorded", len(refused))
	}
}

// TestCollectionsHideNothing: what is forbidden for one namespace or name is forbidden for what holds it.
func TestCollectionsHideNothing(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "coll")
	b.Policies.Set(t, permitAll+fmt.Sprintf(`
@id("not-there") forbid (principal, action, resource in Namespace::"lab/%s");
@id("not-that") forbid (principal, action, resource is Object) when { resource.resource == "configmaps" && resource.name == "precious" };
`, ns))
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/api/v1/pods", ""}, {"GET", "/api/v1/pods?watch=1", ""}, {"GET", "/api/v1/namespaces/" + ns + "/pods", ""},
		{"GET", "/api/v1/watch/pods", ""}, {"GET", "/api/v1/namespaces/" + ns, ""}, {"GET", "/api/v1/namespaces", ""},
		{"GET", "/api/v1/namespaces/default/configmaps", ""}, {"DELETE", "/api/v1/namespaces/default/configmaps", ""},
		{"GET", "/api/v1/namespaces/default/configmaps?watch=1", ""}, {"GET", "/api/v1/namespaces/default/configmaps/precious", ""},
		{"POST", "/api/v1/namespaces/default/configmaps", `{"metadata":{"generateName":"prec"}}`},
		{"POST", "/api/v1/namespaces/default/configmaps", `{"metadata":{"name":"precious"}}`},
		{"GET", "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dprecious", ""},
	} {
		mark := b.lab.Mark(t)
		if code, body := b.do(c.method, c.path, c.body); code != http.StatusForbidden {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
		}
		if got := b.arrived(mark); len(got) > 0 {
			t.Errorf("%s %s: the API server saw %v", c.method, c.path, got[0])
		}
	}
	for _, path := range []string{"/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt"} {
		if code, body := b.do("GET", path, ""); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// TestLabelsAreFound: a forbid by label holds for one object by its name, whatever the request says of its labels.
func TestLabelsAreFound(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "label")
	b.lab.Apply(t, "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: vip, namespace: "+ns+", labels: {tier: gold}}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: plain, namespace: "+ns+"}}]}")
	b.Policies.Set(t, permitAll+`@id("no-gold") forbid (principal, action, resource is Object) when { resource.labels.contains("tier=gold") };`)
	path := "/api/v1/namespaces/" + ns + "/configmaps"
	for _, c := range []struct{ method, path, body, media string }{
		{"GET", path + "/vip", "", ""}, {"DELETE", path + "/vip", "", ""}, {"GET", path, "", ""}, {"DELETE", path, "", ""},
		{"PATCH", path + "/vip", `{"metadata":{"labels":{"tier":null}}}`, "application/merge-patch+json"},
		{"PUT", path + "/vip", `{"metadata":{"name":"vip"},"data":{"a":"b"}}`, "application/json"},
		{"POST", path, `{"metadata":{"name":"new","labels":{"tier":"gold"}}}`, "application/json"},
		{"PATCH", path + "/plain", `{"metadata":{"labels":{"tier":"gold"}}}`, "application/merge-patch+json"},
		{"PATCH", path + "/plain", `[{"op":"add","path":"/metadata/labels","value":{"tier":"gold"}}]`, "application/json-patch+json"},
		{"PATCH", path + "/plain", `[{"op":"copy","from":"/metadata/annotations","path":"/metadata/labels"}]`, "application/json-patch+json"},
		{"PUT", path + "/plain", `{"metadata":{"name":"plain","labels":{"tier":"gold"}}}`, "application/json"},
	} {
		code, body := b.do(c.method, c.path, c.body, "Content-Type: "+c.media)
		if code != http.StatusForbidden {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
		}
	}
	if got := b.lab.Kubectl(t, "-n", ns, "get", "configmap", "vip", "-o", "jsonpath={.metadata.labels.tier}{.data}"); got != "gold" {
		t.Errorf("the object is %q", got)
	}
	if got := b.lab.Kubectl(t, "-n", ns, "get", "configmap", "plain", "-o", "jsonpath={.metadata.labels}"); got != "" {
		t.Errorf("the object got the labels %q", got)
	}
	if code, body := b.do("PATCH", path+"/plain", `{"metadata":{"labels":{"tier":"lead"}}}`, "Content-Type: application/merge-patch+json"); code != http.StatusOK {
		t.Errorf("another label: %d %s", code, body)
	}
	if code, body := b.do("PATCH", path+"/plain", `{"data":{"a":"b"}}`, "Content-Type: application/merge-patch+json"); code != http.StatusOK {
		t.Errorf("an object without the label: %d %s", code, body)
	}
}
