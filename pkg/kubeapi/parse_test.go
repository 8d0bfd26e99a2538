package kubeapi_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/kubeapi"
)

var (
	spdy      = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
	webSocket = http.Header{"Connection": {"keep-alive, Upgrade"}, "Upgrade": {"websocket"}}
)

// said is what a request says, in short: verb, group/version/resource/subresource, namespace/name, and marks.
func said(r kubeapi.Request) string {
	if !r.IsResource {
		return r.Verb + " " + r.Path
	}
	s := r.Verb + " " + strings.Join([]string{r.Group, r.Version, r.Resource, r.Subresource}, "|") + " " + r.Namespace + "/" + r.Name
	for _, mark := range []struct {
		is   bool
		text string
	}{
		{r.Collection, "collection"}, {r.AllNamespaces, "all"}, {r.DryRun, "dry"}, {r.Upgrade != 0, r.Upgrade.String()},
		{r.ProxyPath != "", r.ProxyPath},
	} {
		if mark.is {
			s += " " + mark.text
		}
	}
	return s
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		method, path, query, want string
	}{
		{"GET", "/", "", "get /"},
		{"GET", "/version", "timeout=32s", "get /version"},
		{"HEAD", "/healthz", "", "head /healthz"},
		{"GET", "/readyz/poststarthook/start-apiextensions-informers", "verbose", "get /readyz/poststarthook/start-apiextensions-informers"},
		{"GET", "/livez", "exclude=etcd&exclude=ping", "get /livez"},
		{"GET", "/api", "", "get /api"},
		{"GET", "/api/v1", "", "get /api/v1"},
		{"GET", "/apis/apps/v1", "timeout=32s", "get /apis/apps/v1"},
		{"GET", "/openapi/v3/apis/rbac.authorization.k8s.io/v1", "hash=0A1B", "get /openapi/v3/apis/rbac.authorization.k8s.io/v1"},
		{"GET", "/.well-known/openid-configuration", "", "get /.well-known/openid-configuration"},

		{"GET", "/api/v1/pods", "limit=500", "list |v1|pods| / collection all"},
		{"HEAD", "/api/v1/pods", "", "list |v1|pods| / collection all"},
		{"GET", "/api/v1/nodes", "", "list |v1|nodes| / collection"},
		{"GET", "/api/v1/namespaces", "", "list |v1|namespaces| / collection"},
		{"GET", "/api/v1/namespaces/shop", "", "get |v1|namespaces| shop/shop"},
		{"PUT", "/api/v1/namespaces/shop/finalize", "", "update |v1|namespaces|finalize shop/shop"},
		{"GET", "/api/v1/namespaces/shop/pods", "", "list |v1|pods| shop/ collection"},
		{"GET", "/api/v1/namespaces/shop/pods/web-0", "", "get |v1|pods| shop/web-0"},
		{"HEAD", "/api/v1/namespaces/shop/pods/web-0", "", "get |v1|pods| shop/web-0"},
		{"GET", "/apis/x.io/v1/widgets", "", "list x.io|v1|widgets| / collection all"},
		{"POST", "/api/v1/namespaces/shop/pods", "dryRun=All&fieldManager=kubectl-create&fieldValidation=Strict", "create |v1|pods| shop/ collection dry"},
		{"POST", "/api/v1/namespaces/shop/pods/web-0/eviction", "", "create |v1|pods|eviction shop/web-0"},
		{"POST", "/api/v1/namespaces/shop/serviceaccounts/ci/token", "", "create |v1|serviceaccounts|token shop/ci"},
		{"PATCH", "/apis/apps/v1/namespaces/shop/deployments/web/scale", "", "patch apps|v1|deployments|scale shop/web"},
		{"PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", "fieldManager=kubectl&force=true&dryRun=All&dryRun=All", "patch apps|v1|deployments| shop/web dry"},
		{"DELETE", "/api/v1/namespaces/shop/pods/web-0", "gracePeriodSeconds=0&propagationPolicy=Background", "delete |v1|pods| shop/web-0"},
		{"DELETE", "/api/v1/namespaces/shop/pods", "labelSelector=app%3Dweb", "deletecollection |v1|pods| shop/ collection"},
		{"DELETE", "/api/v1/persistentvolumes", "", "deletecollection |v1|persistentvolumes| / collection"},

		{"GET", "/api/v1/pods", "watch=1", "watch |v1|pods| / collection all"},
		{"GET", "/api/v1/pods", "watch", "watch |v1|pods| / collection all"},
		{"GET", "/api/v1/pods", "watch=no", "watch |v1|pods| / collection all"},
		{"GET", "/api/v1/pods", "wat%63h=tRuE", "watch |v1|pods| / collection all"},
		{"GET", "/api/v1/pods", "watch=0", "list |v1|pods| / collection all"},
		{"GET", "/api/v1/pods", "watch=FALSE", "list |v1|pods| / collection all"},
		{"GET", "/api/v1/namespaces/shop/secrets", "fieldSelector=metadata.name%3Ddb&watch=true", "watch |v1|secrets| shop/db collection"},
		{"GET", "/api/v1/namespaces/shop/secrets", "fieldSelector=type%3D%3DOpaque%2Cmetadata.name%3D%3Ddb", "list |v1|secrets| shop/db collection"},
		{"GET", "/api/v1/namespaces/shop/secrets", "fieldSelector=metadata.name%21%3Ddb", "list |v1|secrets| shop/ collection"},
		{"GET", "/api/v1/watch/namespaces/shop/pods/web-0", "", "watch |v1|pods| shop/web-0"},
		{"GET", "/apis/apps/v1/watch/deployments", "timeoutSeconds=5", "watch apps|v1|deployments| / collection all"},
		{"DELETE", "/api/v1/namespaces/shop/secrets", "fieldSelector=metadata.name%3Ddb", "deletecollection |v1|secrets| shop/ collection"},

		{"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:admin", "", "get rbac.authorization.k8s.io|v1|clusterroles| /system:admin"},
		{"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aadmin", "", "get rbac.authorization.k8s.io|v1|clusterroles| /system:admin"},
		{"GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/Team%20A", "", "get rbac.authorization.k8s.io|v1|clusterroles| /Team A"},

		{"GET", "/api/v1/namespaces/shop/pods/web-0/log", "follow=true&tailLines=10&container=web", "get |v1|pods|log shop/web-0"},
		{"GET", "/api/v1/namespaces/shop/services/https:web:443/proxy/a/b", "x=1&x=2", "get |v1|services|proxy shop/https:web:443 /a/b"},
		{"GET", "/api/v1/namespaces/shop/services/web/proxy/", "", "get |v1|services|proxy shop/web /"},
		{"GET", "/api/v1/namespaces/shop/services/web/proxy/a/", "", "get |v1|services|proxy shop/web /a/"},
		{"POST", "/api/v1/nodes/n1/proxy/run", "", "create |v1|nodes|proxy /n1 /run"},
	} {
		r, err := kubeapi.Parse(c.method, c.path, c.query, nil)
		if err != nil || said(r) != c.want {
			t.Errorf("%s %s?%s is %q, %v; want %q", c.method, c.path, c.query, said(r), err, c.want)
		}
	}
}

func TestParseCanonicalPath(t *testing.T) {
	for path, want := range map[string]string{
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/a%3Ab%40c":   "/apis/rbac.authorization.k8s.io/v1/clusterroles/a:b@c",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/a%20b%7b%7D": "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%20b%7B%7D",
		"/api/v1/namespaces/a/pods/%2A/proxy/%3A":                     "/api/v1/namespaces/a/pods/*/proxy/:",
	} {
		if r, err := kubeapi.Parse("GET", path, "", nil); err != nil || r.Path != want {
			t.Errorf("%s: %q, %v", path, r.Path, err)
		}
	}
	r, err := kubeapi.Parse("GET", "/api/v1/pods", "watch=1&limit=2", nil)
	if err != nil || r.URI() != "/api/v1/pods?limit=2&watch=1" {
		t.Errorf("%q, %v", r.URI(), err)
	}
}

func TestParseRefusesPaths(t *testing.T) {
	long := strings.Repeat("a", kubeapi.MaxName+1)
	for _, path := range []string{
		"", "api/v1/pods", "http://other/api/v1/pods", "//api/v1/pods", "/api//v1/pods", "/api/v1//pods", "/api/v1/pods/", "/api/v1/pods//",
		"/version/", "/healthz//ping", "/api/v1/nodes/x/proxy//", "/api/v1/nodes/x/proxy//a", "/apis/x.io/v1/nodes/x/proxy/", "/api/v1/namespaces/a/secrets/x/proxy/", "//", "/api/v1/./pods", "/api/v1/../v1/pods", "/.", "/..", "/version/..", "/api/v1/%2e%2e/pods", "/api/v1/%2E/pods",
		"/api/v1/.%2e/pods", "/api/v1/namespaces/a/pods/%2e%2e", "/api/v1/namespaces/a/pods/..",
		"/api/v1/namespaces/a/pods/x%2Fexec", "/api/v1/namespaces/a/pods/x%2fexec", "/api%2Fv1/secrets", "/api/v1/namespaces/a/pods/x%252Fexec",
		"/api/v1/namespaces/a/secrets;x=1", "/api/v1/namespaces/a/secrets/db;x", "/api/v1/namespaces/a/secrets%3Bx", "/api/v1/namespaces/a/secrets/db%3bx",
		`/api/v1/namespaces\a/secrets`, "/api/v1/namespaces/a/secrets/%5C", "/api/v1/namespaces/a/secrets/db%3Fx", "/api/v1/namespaces/a/secrets/db%23x",
		"/API/v1/pods", "/Api/v1/pods", "/api/V1/pods", "/api/v1/Pods", "/api/v1/namespaces/A/pods", "/api/v1/Namespaces/a/pods",
		"/api/v1/namespaces/a/pods/x/Exec", "/apis/Apps/v1/deployments", "/VERSION", "/apis/Apps", "/apis/apps/V1", "/apis/a..b", "/apis/a_b", "/api/v1.x", "/apis/apps/-",
		"/api/v1/pods/x%00", "/api/v1/pods/x%0a", "/api/v1/pods/x%0d%0aHost:x", "/api/v1/pods/x%7f", "/api/v1/pods/\x01", "/api/v1/pods/x y",
		"/api/v1/pods/x%", "/api/v1/pods/x%2", "/api/v1/pods/x%zz", "/api/v1/p%6fds", "/api/v1/pods/%61", "/api/v1/pods/%2Dx",
		"/api/v1/pods?x", "/api/v1/pods#x", "/api/v1/p\u00f6ds", "/api/v1/pods/p%C3%B6d", "/api/v1/pods/\xff", "/api/v1/pods/%ff",
		"/api/v1/pods/%20x", "/api/v1/pods/x%20", "/api/v1/proxy/nodes/x", "/api/v1/proxy", "/api/v1/watch",
		"/apis/apps/v1/namespaces/a/deployments/x/scale/y", "/api/v1/namespaces/a/status/b", "/api/v1/namespaces/a/pods/x/log/y",
		"/apis/x.io/v1/namespaces/a/pods/x/proxy/y", "/api/v1/po_ds", "/api/v1/pods.v1", "/api/v1/-pods", "/apis/a..b/v1/x", "/apis/-/v1/x",
		"/api/v1/namespaces/a.b/pods", "/api/v1/namespaces/" + strings.Repeat("a", 64), "/api/v1/namespaces/a/pods/" + long,
		"/apis/" + strings.Repeat("a.", 127) + "a/v1/x", "/version/" + strings.Repeat("a/", 3000) + "a", "/metrics/(a)", "/version/a:b",
	} {
		if r, err := kubeapi.Parse("GET", path, "", nil); !errors.Is(err, kubeapi.ErrPath) || !reflect.DeepEqual(r, kubeapi.Request{}) {
			t.Errorf("Parse(%q) = %+v, %v", path, r, err)
		}
	}
}

func TestParseRefusesMethods(t *testing.T) {
	for _, c := range [][2]string{
		{"OPTIONS", "/api/v1/pods"}, {"CONNECT", "/api/v1/pods"}, {"TRACE", "/"}, {"get", "/api/v1/pods"}, {"", "/api/v1/pods"}, {"WATCH", "/api/v1/pods"},
		{"GET ", "/api/v1/pods"}, {"POST", "/version"}, {"PUT", "/debug/flags/v"}, {"DELETE", "/api/v1"}, {"PATCH", "/"},
		{"POST", "/api/v1/namespaces/a/pods/x"}, {"PUT", "/api/v1/namespaces/a/pods"}, {"PATCH", "/api/v1/pods"},
		{"POST", "/api/v1/watch/pods"}, {"DELETE", "/api/v1/watch/pods"}, {"HEAD", "/api/v1/watch/pods"}, {"GET", "/api/v1/watch/namespaces/a/pods/x/log"},
	} {
		if r, err := kubeapi.Parse(c[0], c[1], "", nil); !errors.Is(err, kubeapi.ErrMethod) {
			t.Errorf("%s %s: %+v, %v", c[0], c[1], r, err)
		}
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE", "HEAD"} {
		if r, err := kubeapi.Parse(method, "/api/v1/namespaces/a/pods/x/exec", "command=x", spdy); !errors.Is(err, kubeapi.ErrMethod) && !errors.Is(err, kubeapi.ErrQuery) {
			t.Errorf("%s: %+v, %v", method, r, err)
		}
	}
}

func TestParseRefusesQueries(t *testing.T) {
	for _, c := range [][2]string{
		{"/api/v1/pods", "watch=true;limit=1"}, {"/api/v1/pods", "watch=%zz"}, {"/api/v1/pods", "%"}, {"/api/v1/pods", "watch=true&watch=false"},
		{"/api/v1/pods", "watch=false&watch=true"}, {"/api/v1/pods", "watch=0&wat%63h=1"}, {"/api/v1/pods", "Watch=true"}, {"/api/v1/pods", "watch%20=true"},
		{"/api/v1/pods", "fieldSelector=metadata.name%3Da&fieldSelector=metadata.name%3Db"}, {"/api/v1/pods", "labelSelector=a&labelSelector=b"},
		{"/api/v1/pods", "fieldSelector=metadata.name"}, {"/api/v1/pods", "fieldSelector=metadata.name%3Da,x"}, {"/api/v1/pods", "fieldSelector=metadata.name%3D.."},
		{"/api/v1/pods", "fieldSelector=metadata.name%3Da/b"}, {"/api/v1/pods", `fieldSelector=metadata.name%3Da%5Cb`}, {"/api/v1/pods", `fieldSelector=a%3Db%5C`},
		{"/api/v1/pods", "fieldSelector=a%3Db%3Dc"}, {"/api/v1/pods", "fieldSelector=%3Db"}, {"/api/v1/pods", "fieldSelector=metadata.name%3D%C3%A9"},
		{"/api/v1/pods", "labelSelector=%3D"}, {"/api/v1/pods", "labelSelector=a+in+("}, {"/api/v1/pods", "labelSelector=a%2C"}, {"/api/v1/pods", "labelSelector=a%3D%3D%3Db"},
		{"/api/v1/pods", "limit=x"}, {"/api/v1/pods", "limit="}, {"/api/v1/pods", "timeoutSeconds=99999999999999999999"}, {"/api/v1/pods", "continue=%0a"}, {"/api/v1/pods", "continue=%ff"},
		{"/api/v1/pods", "access_token=x"}, {"/api/v1/pods", "dryRun=All"}, {"/api/v1/pods", "command=x"}, {"/api/v1/pods", "=x"}, {"/api/v1/pods", "export=1"},
		{"/api/v1/namespaces/a/pods/x", "watch=true"}, {"/api/v1/namespaces/a/pods/x", "fieldSelector=a%3Db"}, {"/api/v1/namespaces/a/pods/x/log", "command=x"},
		{"/api/v1/watch/pods", "fieldSelector=metadata.name%3Da"}, {"/api/v1/watch/pods", "labelSelector=a"}, {"/api/v1/watch/pods", "watch=false"},
		{"/version", "watch=1"}, {"/version", "x=y"}, {"/api/v1/nodes/n/proxy/x", "a=%ff"}, {"/api/v1/pods", "limit=" + strings.Repeat("1", kubeapi.MaxQuery)},
	} {
		if r, err := kubeapi.Parse("GET", c[0], c[1], nil); !errors.Is(err, kubeapi.ErrQuery) {
			t.Errorf("%s?%s: %+v, %v", c[0], c[1], r, err)
		}
	}
	if r, err := kubeapi.Parse("DELETE", "/api/v1/namespaces/a/pods", "fieldSelector=metadata.name", nil); !errors.Is(err, kubeapi.ErrQuery) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, query := range []string{"dryRun=", "dryRun=None", "dryRun=all", "dryRun=All&dryRun=", "dryRun", "watch=true", "force=true", "fieldManager=%00"} {
		if r, err := kubeapi.Parse("POST", "/api/v1/namespaces/a/pods", query, nil); !errors.Is(err, kubeapi.ErrQuery) {
			t.Errorf("%s: %+v, %v", query, r, err)
		}
	}
}

// The error of a query repeats no value: it may be a token.
func TestErrorsKeepValues(t *testing.T) {
	for _, query := range []string{"access_token=hunter2", "limit=hunter2", "continue=hunter2%00", "dryRun=hunter2", "fieldSelector=hunter2", "labelSelector=hunter2!", "watch=a&watch=hunter2", "%zzhunter2"} {
		for _, method := range []string{"GET", "POST"} {
			_, err := kubeapi.Parse(method, "/api/v1/namespaces/a/pods", query, nil)
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", query, err)
			}
		}
	}
}

func TestParseExec(t *testing.T) {
	const path = "/api/v1/namespaces/shop/pods/web-0/"
	for _, c := range []struct {
		method, sub, query string
		h                  http.Header
		want               kubeapi.Exec
		verb               string
	}{
		{"POST", "exec", "command=sh&command=-c&command=a%3Bb%0Ac&container=web&stdin=true&stdout=true&tty=true", spdy,
			kubeapi.Exec{Command: []string{"sh", "-c", "a;b\nc"}, Container: "web", Stdin: true, Stdout: true, TTY: true}, "create"},
		{"GET", "exec", "command=ls&stdin=0&stdout=1&stderr=&tty=False", webSocket,
			kubeapi.Exec{Command: []string{"ls"}, Stdout: true, Stderr: true}, "get"},
		{"GET", "attach", "stdin=yes&tty=no", webSocket, kubeapi.Exec{Stdin: true, TTY: true}, "get"},
	} {
		r, err := kubeapi.Parse(c.method, path+c.sub, c.query, c.h)
		if err != nil || r.Exec == nil || !reflect.DeepEqual(*r.Exec, c.want) || r.Verb != c.verb || !r.Streams() || r.Upgrade == kubeapi.NoUpgrade {
			t.Errorf("%s %s: %+v %+v, %v", c.method, c.query, r, r.Exec, err)
		}
	}
	r, err := kubeapi.Parse("GET", path+"portforward", "ports=80,8080&ports=443", webSocket)
	if err != nil || !reflect.DeepEqual(r.Ports, []uint16{80, 8080, 443}) {
		t.Errorf("%v, %v", r.Ports, err)
	}
	for _, query := range []string{"ports=0", "ports=65536", "ports=", "ports=80,", "ports=-1", "ports=x"} {
		if r, err := kubeapi.Parse("POST", path+"portforward", query, spdy); !errors.Is(err, kubeapi.ErrQuery) {
			t.Errorf("%s: %v, %v", query, r.Ports, err)
		}
	}
	for _, query := range []string{"", "container=a", "command=x&tty=true&tty=false", "command=x&container=a&container=b", "command=x&dryRun=All", "command=%ff"} {
		if r, err := kubeapi.Parse("POST", path+"exec", query, spdy); !errors.Is(err, kubeapi.ErrQuery) {
			t.Errorf("%s: %+v, %v", query, r, err)
		}
	}
}

func TestParseUpgrade(t *testing.T) {
	for _, c := range []struct {
		method, path string
		h            http.Header
		want         error
	}{
		{"GET", "/api/v1/namespaces/a/pods/x/exec?command=x", nil, kubeapi.ErrUpgrade},
		{"POST", "/api/v1/namespaces/a/pods/x/portforward", nil, kubeapi.ErrUpgrade},
		{"POST", "/api/v1/namespaces/a/pods/x/exec?command=x", webSocket, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x/log", webSocket, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x", webSocket, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/pods?watch=true", webSocket, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x/proxy", webSocket, kubeapi.ErrUpgrade},
		{"GET", "/apis/x.io/v1/namespaces/a/pods/x/exec", webSocket, kubeapi.ErrUpgrade},
		{"GET", "/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/x/console", webSocket, kubeapi.ErrUpgrade},
		{"GET", "/version", spdy, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x/exec?command=x", http.Header{"Connection": {"Upgrade"}}, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x/exec?command=x", http.Header{"Upgrade": {"websocket"}}, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x/exec?command=x", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket, SPDY/3.1"}}, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x/exec?command=x", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}}, kubeapi.ErrUpgrade},
		{"GET", "/api/v1/namespaces/a/pods/x/exec?command=x", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket", "SPDY/3.1"}}, kubeapi.ErrHeader},
		{"GET", "/api/v1/namespaces/a/pods/x/exec?command=x", http.Header{"Connection": {"Upgrade, Authorization"}, "Upgrade": {"websocket"}}, kubeapi.ErrHeader},
	} {
		path, query, _ := strings.Cut(c.path, "?")
		if r, err := kubeapi.Parse(c.method, path, query, c.h); !errors.Is(err, c.want) {
			t.Errorf("%s %s %v: %+v, %v", c.method, c.path, c.h, r, err)
		}
	}
}
