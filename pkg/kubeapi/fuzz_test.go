package kubeapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/writhq/writ/pkg/kubeapi"
)

// What is accepted is canonical: read again in the form in which it is forwarded, it says the same.
func FuzzParse(f *testing.F) {
	f.Add("GET", "/api/v1/namespaces/shop/pods/web-0/log", "follow=true&tailLines=10", "", "")
	f.Add("GET", "/api/v1/pods", "watch=1&fieldSelector=metadata.name%3Dx&labelSelector=a+in+(b,c)", "", "")
	f.Add("POST", "/api/v1/namespaces/a/pods/x/exec", "command=sh&command=-c&stdin=true", "Upgrade", "SPDY/3.1")
	f.Add("PATCH", "/apis/apps/v1/namespaces/a/deployments/web/scale", "dryRun=All&force=1", "", "")
	f.Add("GET", "/api/v1/namespaces/a/services/https:x:1/proxy/%2A/b", "a=b;c", "", "")
	f.Add("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%3Ab%20c", "", "keep-alive", "")
	f.Fuzz(func(t *testing.T, method, path, query, connection, upgrade string) {
		h := http.Header{}
		if connection != "" || upgrade != "" {
			h = http.Header{"Connection": {connection}, "Upgrade": {upgrade}}
		}
		r, err := kubeapi.Parse(method, path, query, h)
		if err != nil {
			var e *kubeapi.Error
			if !errors.As(err, &e) || e.Kind == nil || e.Part == "" || e.Why == "" || !reflect.DeepEqual(r, kubeapi.Request{}) {
				t.Errorf("%#v with %+v", err, r)
			}
			return
		}
		u, err := url.ParseRequestURI(r.URI())
		if err != nil || u.Host != "" || u.Path == "" || strings.ContainsAny(u.Path, "%\\;?#\x00\x7f") || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path, "//") {
			t.Errorf("%q forwarded as %q: %v", path, r.URI(), err)
		}
		again, err := kubeapi.Parse(method, r.Path, r.Query.Encode(), h)
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%+v is %+v when read again, %v", r, again, err)
		}
		if r.Upgrade != kubeapi.NoUpgrade && !r.Streams() || r.Streams() && r.Upgrade == kubeapi.NoUpgrade {
			t.Errorf("%+v upgrades", r)
		}
	})
}

// What is forwarded is one document, and every other reader finds the same in it.
func FuzzReadBody(f *testing.F) {
	for _, body := range []string{
		`{"kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"image":"a","securityContext":{"privileged":true}}]}}`,
		"a: 1\n---\nb: 2", "x: &a [*a]", "{a: [1, 2.5e3, null, ~, yes]}", `{"a":"\u0085\ud83d\ude00\u2028"}`, `{"a":1,"a":2}`, `{"a":"\ud800"}`,
		`[{"op":"add","path":"/metadata/labels/a~1b","value":"c"},{"op":"copy","from":"/a","path":"/b"}]`, "k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x11\x0a\x00\x12\x0d\x12\x09\x0a\x01c\x12\x04evil\x60\x01", "%YAML 1.1\n---\na: !!binary aGk=", `{"roleRef":{"kind":"a","name":"b"}}`,
	} {
		for i := range len(bodyKinds) {
			f.Add(uint8(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		k := bodyKinds[int(kind)%len(bodyKinds)]
		r, err := kubeapi.Parse(k.method, k.path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := kubeapi.ReadBody(r, k.media, body, 1<<16)
		if err != nil {
			if !reflect.DeepEqual(b, kubeapi.Body{}) {
				t.Errorf("%v with %+v", err, b)
			}
			return
		}
		if len(body) == 0 {
			return
		}
		var doc any
		if err := json.Unmarshal(b.JSON, &doc); err != nil || !utf8.Valid(b.JSON) {
			t.Fatalf("forwarded %q: %v", b.JSON, err)
		}
		if k.media == jsonType && !bytes.Equal(b.JSON, body) {
			t.Errorf("%q was changed to %q", body, b.JSON)
		}
		sameAsYAML(t, b, doc)
		again, err := kubeapi.ReadBody(r, b.ContentType, b.JSON, 1<<17)
		if err != nil || !reflect.DeepEqual(b, again) {
			t.Errorf("%+v is %+v when read again, %v", b, again, err)
		}
		if !b.Facts.Known && !(b.Facts.Privileged && b.Facts.HostNamespaces && b.Facts.Escalates && b.Facts.EphemeralContainers) {
			t.Errorf("unknown, but %+v", b.Facts)
		}
	})
}

// sameAsYAML checks that an apply patch means to the API server, which reads it as YAML, what it means here.
func sameAsYAML(t *testing.T, b kubeapi.Body, doc any) {
	if b.Patch != kubeapi.ApplyPatch {
		return
	}
	var other any
	if err := yaml.Unmarshal(b.JSON, &other); err != nil {
		return // refused by the server: no harm
	}
	if !reflect.DeepEqual(doc, other) {
		t.Errorf("%q is %v here and %v there", b.JSON, doc, other)
	}
}

var bodyKinds = []struct{ method, path, media string }{
	{"POST", podCollection, jsonType}, {"POST", podCollection, yamlType}, {"PATCH", deployment, jsonPatch}, {"PATCH", deployment, mergePatch},
	{"PATCH", deployment, strategic}, {"PATCH", deployment, applyPatch}, {"DELETE", podCollection, jsonType}, {"POST", "/api/v1/namespaces/a/secrets", jsonType},
	{"POST", podCollection, protobuf}, {"DELETE", podCollection, protobuf},
	{"POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", jsonType},
}

// Whatever is accepted has no name that some server would take for one of those that are refused.
func FuzzHeader(f *testing.F) {
	for _, name := range []string{"Impersonate-User", "impersonate_group", "X-Remote-User", "Accept", "Connection", "X-Forwarded-For", "Te", "\u0130mpersonate-User"} {
		f.Add(name, "Authorization", "")
		f.Add(name, "keep-alive", "close")
	}
	f.Fuzz(func(t *testing.T, name, one, two string) {
		h := http.Header{name: {one, two}}
		if kubeapi.CheckHeader(h) != nil {
			return
		}
		plain := strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
				return c
			}
			return -1
		}, strings.ToLower(name))
		for _, bad := range []string{"impersonate", "xremote", "xforwarded", "proxyauthorization"} {
			if strings.HasPrefix(plain, bad) {
				t.Errorf("%q accepted", name)
			}
		}
		if strings.ContainsAny(one+two, "\r\n\x00") || plain == "connection" && strings.Contains(strings.ToLower(one+two), "auth") {
			t.Errorf("%q: %q, %q accepted", name, one, two)
		}
		for forwarded := range kubeapi.ForwardHeader(h) {
			if forwarded != name || name == "Authorization" || name == "Connection" {
				t.Errorf("%q forwarded", forwarded)
			}
		}
	})
}
