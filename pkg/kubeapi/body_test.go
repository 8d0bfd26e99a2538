package kubeapi_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/kubeapi"
)

const (
	jsonType      = "application/json"
	yamlType      = "application/yaml"
	protobuf      = "application/vnd.kubernetes.protobuf"
	jsonPatch     = "application/json-patch+json"
	mergePatch    = "application/merge-patch+json"
	strategic     = "application/strategic-merge-patch+json"
	applyPatch    = "application/apply-patch+yaml"
	deployment    = "/apis/apps/v1/namespaces/shop/deployments/web"
	podCollection = "/api/v1/namespaces/shop/pods"
)

func parse(t testing.TB, method, path, query string) kubeapi.Request {
	t.Helper()
	r, err := kubeapi.Parse(method, path, query, nil)
	if err != nil {
		t.Fatalf("%s %s?%s: %v", method, path, query, err)
	}
	return r
}

func TestReadBodyForwards(t *testing.T) {
	create, patch := parse(t, "POST", podCollection, ""), parse(t, "PATCH", deployment, "")
	for _, c := range []struct {
		r                       kubeapi.Request
		media, body             string
		wantMedia, want, labels string
		kind                    kubeapi.Patch
	}{
		{create, "", `{"kind":"Pod"}`, jsonType, `{"kind":"Pod"}`, "", 0},
		{create, "application/json; charset=UTF-8", " {\"kind\": \"Pod\"}\n", jsonType, " {\"kind\": \"Pod\"}\n", "", 0},
		{create, "Application/JSON", `{}`, jsonType, `{}`, "", 0},
		{create, yamlType, "# pod\n---\nkind: Pod\nmetadata: {labels: {a: b}}\nspec: {hostNetwork: no, size: 0x10}\n", jsonType,
			`{"kind":"Pod","metadata":{"labels":{"a":"b"}},"spec":{"hostNetwork":false,"size":16}}`, "b", 0},
		{create, yamlType, `{"kind": "Pod", "n": 1.50}`, jsonType, `{"kind":"Pod","n":1.50}`, "", 0},
		{patch, jsonPatch, `[{"op":"add","path":"/metadata/labels/a","value":"b"}]`, jsonPatch, `[{"op":"add","path":"/metadata/labels/a","value":"b"}]`, "b", kubeapi.JSONPatch},
		{patch, mergePatch, `{"metadata":{"labels":{"a":"b","gone":null}}}`, mergePatch, `{"metadata":{"labels":{"a":"b","gone":null}}}`, "b", kubeapi.MergePatch},
		{patch, strategic + ";charset=utf-8", `{"spec":{"replicas":2}}`, strategic, `{"spec":{"replicas":2}}`, "", kubeapi.StrategicMergePatch},
		{patch, applyPatch, "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n", applyPatch, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"}}`, "", kubeapi.ApplyPatch},
		{patch, applyPatch, `{"metadata":{"annotations":{"n":"a\u0085\u2028\ufeff\u007f<&>é😀"}}}`, applyPatch, `{"metadata":{"annotations":{"n":"a\u0085\u2028\ufeff\u007f<&>é😀"}}}`, "", kubeapi.ApplyPatch},
	} {
		b, err := kubeapi.ReadBody(c.r, c.media, []byte(c.body), 0)
		if err != nil || string(b.JSON) != c.want || b.ContentType != c.wantMedia || b.Patch != c.kind || b.Labels["a"] != c.labels || len(b.Labels) > 1 {
			t.Errorf("%s %q: %s %s %v %v, %v", c.media, c.body, b.ContentType, b.JSON, b.Patch, b.Labels, err)
		}
	}
}

func TestReadBodyRefusesMediaTypes(t *testing.T) {
	create, patch := parse(t, "POST", podCollection, ""), parse(t, "PATCH", deployment, "")
	for _, media := range []string{
		"application/cbor", "application/apply-patch+cbor", "text/plain", "application/x-www-form-urlencoded", "application/json-seq",
		"application/json; charset=utf-16", "application/json;charset=utf-7", "application/json; a=b", "application/json,application/yaml", "application/json;", "json", "/", "text/json", "text/yaml",
		"application/vnd.kubernetes.protobuf;stream=watch", "multipart/form-data; boundary=x", " ", "application/json; charset=utf-8; charset=utf-16",
	} {
		for _, r := range []kubeapi.Request{create, patch} {
			if b, err := kubeapi.ReadBody(r, media, []byte(`{}`), 0); !errors.Is(err, kubeapi.ErrMediaType) && !(media == "application/json;" && r.Verb == "create") {
				t.Errorf("%s %s: %+v, %v", r.Verb, media, b, err)
			}
		}
	}
	for _, media := range []string{"", jsonType, yamlType} {
		if _, err := kubeapi.ReadBody(patch, media, []byte(`{}`), 0); !errors.Is(err, kubeapi.ErrMediaType) {
			t.Errorf("patch %s: %v", media, err)
		}
	}
	for _, media := range []string{jsonPatch, mergePatch, applyPatch} {
		if _, err := kubeapi.ReadBody(create, media, []byte(`{}`), 0); !errors.Is(err, kubeapi.ErrMediaType) {
			t.Errorf("create %s: %v", media, err)
		}
	}
}

func TestReadBodyRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	create, update := parse(t, "POST", podCollection, ""), parse(t, "PUT", deployment, "")
	patch, cluster := parse(t, "PATCH", deployment, ""), parse(t, "POST", "/api/v1/nodes", "")
	for _, c := range []struct {
		r           kubeapi.Request
		media, body string
	}{
		{create, jsonType, ""}, {update, jsonType, ""}, {patch, mergePatch, ""}, {create, jsonType, "null"}, {create, jsonType, "[]"}, {create, jsonType, `"x"`}, {create, jsonType, "1"},
		{create, jsonType, `{} {}`}, {create, jsonType, `{}x`}, {create, jsonType, "\ufeff{}"}, {create, jsonType, `{"a":1,}`}, {create, jsonType, `{a: 1}`}, {create, jsonType, "kind: Pod"}, {create, jsonType, `{} // x`},
		{create, jsonType, "{\"a\":\"\xff\"}"}, {create, jsonType, `{"a":"\ud800"}`}, {create, jsonType, `{"\udc00":1}`}, {create, jsonType, `{"a":NaN}`}, {create, jsonType, `{"a":01}`},
		{create, jsonType, `{"a":1,"a":1}`}, {create, jsonType, `{"spec":{"b":1,"\u0062":2}}`}, {create, jsonType, deep(kubeapi.MaxDepth + 1)}, {create, jsonType, strings.Repeat("[", 100000)},
		{create, jsonType, `{"a":[` + strings.Repeat("0,", kubeapi.MaxValues) + "0]}"},
		{create, jsonType, `{"Kind":"Pod"}`}, {create, jsonType, `{"metadata":{},"Metadata":{"namespace":"other"}}`}, {create, jsonType, `{"\u212aind":"Pod"}`}, {create, jsonType, `{"metadata":{"Namespace":"other"}}`},
		{create, jsonType, `{"metadata":{"name\u017fpace":"other"}}`}, {create, jsonType, `{"metadata":{"NAME":"x"}}`}, {create, jsonType, `{"metadata":{"Labels":{}}}`},
		{create, jsonType, `{"kind":1}`}, {create, jsonType, `{"metadata":[]}`}, {create, jsonType, `{"metadata":{"name":1}}`}, {create, jsonType, `{"metadata":{"labels":{"a":1}}}`}, {create, jsonType, `{"metadata":{"labels":[]}}`},
		{create, jsonType, `{"metadata":{"namespace":"other"}}`}, {cluster, jsonType, `{"metadata":{"namespace":"shop"}}`}, {update, jsonType, `{"metadata":{"name":"other"}}`}, {update, jsonType, `{"metadata":{"name":"web","namespace":"other"}}`},
		{create, jsonType, `{"metadata":{"name":"a/b"}}`}, {create, jsonType, `{"metadata":{"name":".."}}`}, {create, jsonType, `{"metadata":{"name":"é"}}`},
		{create, yamlType, "a: 1\n---\nb: 2\n"}, {create, yamlType, "---\na: 1\n---\n"}, {create, yamlType, "a: 1\n...\n"}, {create, yamlType, "a: 1\r---\rb: 2"}, {create, yamlType, "a: 1\u2028--- {b: 2}"}, {create, yamlType, "a: 1\u0085---\tb"},
		{create, yamlType, "a: 1\na: 2\n"}, {create, yamlType, "a: &a [*a]\n"}, {create, yamlType, "a: .inf"}, {create, yamlType, "? [a]\n: b"}, {create, yamlType, "- a"}, {create, yamlType, "a: \xff"}, {create, yamlType, "\ufeffa: 1"}, {create, yamlType, "{a: 1"}, {create, yamlType, "# only"},
		{create, yamlType, strings.Repeat("{a: ", kubeapi.MaxDepth+1) + strings.Repeat("}", kubeapi.MaxDepth+1)}, {create, yamlType, bomb(9)},
		{patch, mergePatch, `{"metadata":{"namespace":"other"}}`}, {patch, applyPatch, "metadata: {name: other}"}, {patch, strategic, `{"metadata":{"name":"other"}}`}, {patch, mergePatch, `[]`},
		{patch, jsonPatch, `{}`}, {patch, jsonPatch, `[1]`}, {patch, jsonPatch, `[{"op":"add","path":"/a"}]`}, {patch, jsonPatch, `[{"op":"remove","path":"/a","value":1}]`}, {patch, jsonPatch, `[{"op":"ADD","path":"/a","value":1}]`},
		{patch, jsonPatch, `[{"OP":"add","path":"/a","value":1}]`}, {patch, jsonPatch, `[{"op":"add","Op":"remove","path":"/a","value":1}]`}, {patch, jsonPatch, `[{"op":"add","path":"/a","value":1,"x":2}]`},
		{patch, jsonPatch, `[{"op":"copy","path":"/a"}]`}, {patch, jsonPatch, `[{"op":"add","path":"/a","value":1,"from":"/b"}]`}, {patch, jsonPatch, `[{"op":"add","path":"/a","value":1,"from":1}]`}, {patch, jsonPatch, `[{"op":"move","path":"/a","from":"b"}]`},
		{patch, jsonPatch, `[{"op":"add","path":"a/b","value":1}]`}, {patch, jsonPatch, `[{"op":"add","path":"x/metadata/name","value":"y"}]`}, {patch, jsonPatch, `[{"op":"add","path":"/a~2","value":1}]`}, {patch, jsonPatch, `[{"op":"add","path":"/a~","value":1}]`}, {patch, jsonPatch, `[{"op":"add","path":1,"value":1}]`},
		{patch, jsonPatch, `[{"op":"replace","path":"/metadata/name","value":"other"}]`}, {patch, jsonPatch, `[{"op":"replace","path":"/metadata","value":{"namespace":"other"}}]`}, {patch, jsonPatch, `[{"op":"replace","path":"","value":{"metadata":{"name":"other"}}}]`},
		{patch, jsonPatch, `[{"op":"replace","path":"/metadata/name~0","value":"x"},{"op":"replace","path":"/Metadata/name","value":"web"}]`}, {patch, jsonPatch, `[{"op":"replace","path":"","value":[]}]`}, {patch, jsonPatch, `[{"op":"add","path":"/metadata/labels/a","value":1}]`},
		{patch, jsonPatch, `[` + strings.Repeat(`{"op":"remove","path":"/a"},`, 10_000) + `{"op":"remove","path":"/a"}]`}, {patch, jsonPatch, `[{"op":"add","path":"` + strings.Repeat("/a", kubeapi.MaxDepth+1) + `","value":1}]`},
		{parse(t, "GET", podCollection, ""), jsonType, "{}"}, {parse(t, "GET", podCollection, "watch=1"), jsonType, "{}"}, {parse(t, "HEAD", "/version", ""), jsonType, "{}"},
	} {
		if b, err := kubeapi.ReadBody(c.r, c.media, []byte(c.body), 0); !errors.Is(err, kubeapi.ErrBody) || !reflect.DeepEqual(b, kubeapi.Body{}) {
			t.Errorf("%s %s %.200q: %+v, %v", c.r.Verb, c.media, c.body, b.Facts, err)
		}
	}
}

// What kubectl sends of objects that Kubernetes knows is protobuf; it goes on as JSON, with the same facts.
func TestReadBodyOfProtobuf(t *testing.T) {
	pod := "k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x1e\x0a\x0d\x0a\x03web\x1a\x04shop\x22\x00\x12\x0d\x12\x09\x0a\x01c\x12\x04evil\x60\x01\x1a\x00\x22\x00"
	b, err := kubeapi.ReadBody(parse(t, "POST", podCollection, ""), protobuf, []byte(pod), 0)
	want := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},"spec":{"containers":[{"image":"evil","name":"c"}],"hostPID":true}}`
	if err != nil || string(b.JSON) != want || b.ContentType != jsonType || b.Name != "web" || shown(b.Facts) != "host image=evil" {
		t.Errorf("%s %s %+v, %v", b.ContentType, b.JSON, b, err)
	}
	if _, err := kubeapi.ReadBody(parse(t, "POST", "/api/v1/namespaces/other/pods", ""), protobuf, []byte(pod), 0); !errors.Is(err, kubeapi.ErrBody) {
		t.Error(err)
	}
	if _, err := kubeapi.ReadBody(parse(t, "POST", podCollection, ""), protobuf, []byte(pod), len(want)-1); !errors.Is(err, kubeapi.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := kubeapi.ReadBody(parse(t, "PATCH", deployment, ""), protobuf, []byte(pod), 0); !errors.Is(err, kubeapi.ErrMediaType) {
		t.Error(err)
	}
	for body, want := range map[string]error{"{}": kubeapi.ErrBody, pod + "\x01": kubeapi.ErrBody, strings.Replace(pod, "Pod", "Pox", 1): kubeapi.ErrMediaType} {
		if _, err := kubeapi.ReadBody(parse(t, "POST", podCollection, ""), protobuf, []byte(body), 0); !errors.Is(err, want) {
			t.Errorf("%q: %v", body, err)
		}
	}
	options := "k8s\x00\x0a\x13\x0a\x02v1\x12\x0dDeleteOptions\x12\x05\x2a\x03All"
	b, err = kubeapi.ReadBody(parse(t, "DELETE", podCollection+"/web", ""), protobuf, []byte(options), 0)
	if err != nil || !b.DryRun || string(b.JSON) != `{"apiVersion":"v1","dryRun":["All"],"kind":"DeleteOptions"}` {
		t.Errorf("%s, %v", b.JSON, err)
	}
}

// bomb is YAML that stands for 10 to the power of n values.
func bomb(n int) string {
	s := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < n; i++ {
		from := "*a" + string(rune('0'+i-1))
		s += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(from+",", 9) + from + "]\n"
	}
	return s
}

func TestReadBodySize(t *testing.T) {
	create := parse(t, "POST", podCollection, "")
	body := []byte(`{"a":"` + strings.Repeat("x", kubeapi.MaxBody) + `"}`)
	for limit, want := range map[int]error{0: kubeapi.ErrTooLarge, -1: kubeapi.ErrTooLarge, len(body) - 1: kubeapi.ErrTooLarge, len(body): nil} {
		if _, err := kubeapi.ReadBody(create, jsonType, body, limit); !errors.Is(err, want) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func TestReadBodyOfExec(t *testing.T) {
	r, err := kubeapi.Parse("POST", "/api/v1/namespaces/a/pods/x/exec", "command=x", spdy)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := kubeapi.ReadBody(r, "", nil, 0); err != nil || !b.Facts.Known {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := kubeapi.ReadBody(r, jsonType, []byte(`{}`), 0); !errors.Is(err, kubeapi.ErrBody) {
		t.Error(err)
	}
}

// What is passed on to a pod is not the API server's to read, and nothing is known of it.
func TestReadBodyOfProxy(t *testing.T) {
	r := parse(t, "POST", "/api/v1/namespaces/a/services/x/proxy/y", "")
	b, err := kubeapi.ReadBody(r, "text/plain", []byte("\xff"), 0)
	if err != nil || string(b.JSON) != "\xff" || b.ContentType != "text/plain" || b.Facts.Known || !b.Facts.Privileged || !b.Facts.Escalates || !b.Facts.HostNamespaces {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestReadBodyOfDelete(t *testing.T) {
	const pod = podCollection + "/web-0"
	for _, c := range []struct {
		path, query, body string
		dry               bool
		err               error
	}{
		{pod, "", "", false, nil},
		{pod, "dryRun=All", "", true, nil},
		{pod, "", `{"kind":"DeleteOptions","apiVersion":"v1","dryRun":["All"],"propagationPolicy":"Background"}`, true, nil},
		{pod, "", `{"dryRun":[]}`, false, nil},
		{pod, "pretty=true", `{"dryRun":null}`, false, nil},
		{podCollection, "labelSelector=a&resourceVersion=1", `{"dryRun":["All"]}`, true, nil},
		// With a body the query's options are not heeded: these would delete.
		{pod, "dryRun=All", `{}`, false, kubeapi.ErrQuery},
		{pod, "dryRun=All", `{"dryRun":["All"]}`, false, kubeapi.ErrQuery},
		{podCollection, "dryRun=All", `{"propagationPolicy":"Orphan"}`, false, kubeapi.ErrQuery},
		{pod, "gracePeriodSeconds=30", `{}`, false, kubeapi.ErrQuery},
		{pod, "resourceVersion=1", `{}`, false, kubeapi.ErrQuery},
		{pod, "", `{"dryRun":"All"}`, false, kubeapi.ErrBody},
		{pod, "", `{"dryRun":["all"]}`, false, kubeapi.ErrBody},
		{pod, "", `{"dryRun":["All","x"]}`, false, kubeapi.ErrBody},
		{pod, "", `{"DryRun":["All"]}`, false, kubeapi.ErrBody},
		{pod, "", `[]`, false, kubeapi.ErrBody},
	} {
		r := parse(t, "DELETE", c.path, c.query)
		b, err := kubeapi.ReadBody(r, jsonType, []byte(c.body), 0)
		if !errors.Is(err, c.err) || b.DryRun != c.dry {
			t.Errorf("%s?%s %s: dry run %v, %v", c.path, c.query, c.body, b.DryRun, err)
		}
	}
}

func TestReadBodyDryRun(t *testing.T) {
	for query, want := range map[string]bool{"": false, "dryRun=All": true} {
		b, err := kubeapi.ReadBody(parse(t, "POST", podCollection, query), jsonType, []byte(`{"dryRun":["All"]}`), 0)
		if err != nil || b.DryRun != want {
			t.Errorf("%s: %v, %v", query, b.DryRun, err)
		}
	}
}

func TestReadBodyMeta(t *testing.T) {
	create, patch := parse(t, "POST", podCollection, ""), parse(t, "PATCH", deployment, "")
	b, err := kubeapi.ReadBody(create, jsonType, []byte(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x","namespace":"shop","generateName":"x-","labels":{"a":"b"}}}`), 0)
	if err != nil || b.Kind+b.APIVersion+b.Name+b.Namespace+b.GenerateName+b.Labels["a"] != "Podv1xshopx-b" {
		t.Errorf("%+v, %v", b, err)
	}
	b, err = kubeapi.ReadBody(patch, jsonPatch, []byte(`[{"op":"test","path":"/data/a","value":"guess"},{"op":"replace","path":"/metadata/name","value":"web"},{"op":"add","path":"/metadata/labels","value":{"a":"b"}},
		{"op":"add","path":"/metadata/labels/x~1y","value":"z"},{"op":"copy","from":"/data/b","path":"/c"},{"op":"move","from":"/data/b","path":"/c"}]`), 0)
	if err != nil || b.Name != "web" || !reflect.DeepEqual(b.Labels, map[string]string{"a": "b", "x/y": "z"}) || !reflect.DeepEqual(b.Reads, []string{"/data/a", "/data/b"}) || b.Facts.Known {
		t.Errorf("%+v, %v", b, err)
	}
}
