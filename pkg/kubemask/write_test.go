package kubemask

import (
	"testing"

	"github.com/writhq/writ/pkg/mask"
)

func TestHasPlaceholder(t *testing.T) {
	cfg := secrets(t)
	cfg.Fields = append(cfg.Fields, paths(t, "spec.size", "spec.set[*]", "metadata.annotations.note")...)
	redacts := must(New(cfg))
	nulls := redacts.With(with(mask.Rule{}))
	reveals := redacts.With(func(Object) []Choice {
		return []Choice{{Reveal: true}, {Reveal: true}, {Reveal: true}, {Reveal: true}, {Reveal: true}}
	})
	for body, want := range map[string]bool{
		`{"data":{"a":"aGV5"}}`: false, `{"data":{"a":"Kioq"}}`: true, `{"data":{"a":"KioqMTIzNA=="}}`: true, `{"data":{"a":"***"}}`: true, `{"data":{"a":"\u002a**"}}`: true,
		`{"stringData":{"a":"***1234"}}`: true, `{"stringData":{"a":"**"}}`: false, `{"stringData":{"a":""}}`: false, `{"stringData":{"a":null}}`: false, `{"type":"***"}`: false,
		`{"stringData":{"a":"***0123456789abcdef0123456789abcdef"}}`: true, `{"spec":{"size":0}}`: true, `{"spec":{"size":10}}`: false, `{"spec":{"size":false}}`: true,
		`{"spec":{"size":true}}`: false, `{"spec":{"size":[ ]}}`: true, `{"spec":{"size":[1]}}`: false, `{"spec":{"size":{}}}`: true, `{"spec":{"size":"x"}}`: false,
		`{"metadata":{"annotations":{"note":"***"}}}`: true, `{"metadata":{"annotations":{"other":"***"}}}`: false,
		`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"***"}}}`:                           true,
		`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"a\":\"Kioq\"}}\n"}}}`: true,
		`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"a\":\"aGV5\"}}\n"}}}`: false,
		`{"metadata":{"managedFields":[{"fieldsV1":{"f:spec":{"f:set":{"v:\"***\"":{}}}}}]}}`:                               true,
		`{"metadata":{"managedFields":[{"fieldsV1":{"f:spec":{"f:set":{"v:\"a\"":{}}}}}]}}`:                                 false,
		`{"items":[{"data":{"a":"Kioq"}}]}`: true,
		// patches
		`[]`: false, `[{"op":"remove","path":"/data/a"}]`: false, `[{"op":"add","path":"/data/a","value":"aGV5"}]`: false, `[{"op":"add","path":"/data/a","value":"Kioq"}]`: true,
		`[{"op":"add","path":"/data","value":{"a":"aGV5","b":"Kioq"}}]`: true, `[{"op":"add","path":"/d\u0061ta/a~1b","value":"Kioq"}]`: true, `[{"op":"add","path":"","value":{"data":{"a":"Kioq"}}}]`: true,
		`[{"op":"test","path":"/x","value":1},{"value":"***","path":"/spec/set/-","op":"add"}]`: true, `[{"op":"add","path":"/type","value":"***"}]`: false,
		`[{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration","value":"{\"data\":{\"a\":\"Kioq\"}}"}]`: true,
		`[{"op":"add","path":"data/a","value":"aGV5"}]`: true, `[{"op":"add","path":"/x","value":"a","path":"/data/a"}]`: true, `[{"path":"/data/a","value":"a","value":"Kioq"}]`: true,
		`[{"op":"add","path":"","value":"aGV5"}]`: true, `[{"op":"add","path":"/metadata","value":{"name":"a","name":"b"}}]`: true,
		// what is not understood
		``: true, ` `: true, `x`: true, `"a"`: true, `{`: true, `{}}`: true, `[`: true, `[1]`: true, `[{}]x`: true, `{"data":{"a":"aGV5"}} `: false, `{"kind":"a","kind":"b"}`: true,
	} {
		if got := redacts.HasPlaceholder([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	for body, want := range map[string]bool{`{"data":{"a":""}}`: true, `{"stringData":{"a":""}}`: true, `{"data":{"a":"aGV5"}}`: false, `{"type":""}`: false, `[{"path":"/data/a","value":""}]`: true} {
		if got := nulls.HasPlaceholder([]byte(body)); got != want {
			t.Errorf("where null hides, %s: %v", body, got)
		}
	}
	for body, want := range map[string]bool{`{"data":{"a":""}}`: false, `{"spec":{"size":0}}`: false, `{"data":{"a":"Kioq"}}`: true} {
		if got := reveals.HasPlaceholder([]byte(body)); got != want {
			t.Errorf("where all is revealed, %s: %v", body, got)
		}
	}
}

func TestReadsMasked(t *testing.T) {
	cfg := Config{Group: "apps", Resource: "deployments", Fields: paths(t, "spec.template.spec.containers[*].env[*].value", "data.tls.crt", "spec.open", `metadata.annotations["a/b"]`)}
	asked := Object{}
	cfg.Choose = func(o Object) []Choice {
		asked = o
		return []Choice{{}, {}, {Reveal: true}, {}}
	}
	m := must(New(cfg))
	const env, crt, note = "spec.template.spec.containers[*].env[*].value", "data.tls.crt", "metadata.annotations.a/b"
	for pointer, want := range map[string]string{
		"/spec/template/spec/containers/0/env/1/value": env, "/spec/template/spec/containers/-/env/-/value": env, "/spec/template/spec/containers/0/env/1/value/x": env,
		"/spec/template/spec/containers/0/env/1": env, "/spec/template/spec/containers/0/env": env, "/spec/template/spec/containers": env, "/spec": env, "": "any",
		"/spec/template/spec/containers/0/env/1/name": "", "/spec/template/spec/containers/0/image": "", "/spec/replicas": "", "/spec/open": "", "/spec/template/metadata": "",
		"/data/tls.crt": crt, "/data/tls/crt": crt, "/data": crt, "/data/tls": crt, "/data/other": "", "/data/tls.key": "",
		"/metadata/annotations/a~1b": note, "/metadata/annotations/a~1c": "", "/metadata/labels": "", "/metadata/name": "",
		"/metadata": "any", "/metadata/annotations": "any", "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration": "any",
		"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration/x": "any",
		"/metadata/managedFields": "any", "/metadata/managedFields/0/fieldsV1/f:spec": "any",
		"spec": "none", "/spec/~2": "none", "/spec/~": "none",
	} {
		field, bad := m.ReadsMasked([]string{"/spec/replicas", pointer}, Object{Name: "web"})
		switch {
		case want == "any" && bad && field != "", want == "none" && bad && field == "":
		case bad != (want != "") || field != want:
			t.Errorf("%q reads %q, %v", pointer, field, bad)
		}
	}
	if asked.Name != "web" {
		t.Errorf("asked for %v", asked)
	}
	if _, bad := m.ReadsMasked(nil, Object{}); bad {
		t.Error("nothing reads something")
	}
	open := m.With(func(Object) []Choice { return []Choice{{Reveal: true}, {Reveal: true}, {Reveal: true}, {Reveal: true}} })
	if field, bad := open.ReadsMasked([]string{"", "/data/tls.crt", "/metadata"}, Object{}); bad {
		t.Errorf("reads %q, which is revealed", field)
	}
}

func TestUnselected(t *testing.T) {
	for in, want := range map[string]string{
		``: ``, `a`: `a`, `.a[0].b`: `.a[0].b`, `[a]`: `[a]`, `[`: `[`, `[a=`: `[a="***"`, `[="x"]`: `[="***"]`, `.a[b="x"].c`: `.a[b="***"].c`,
		`.a[b="x\"]y",c=1]z`: `.a[b="***",c="***"]z`, `[a="x`: `[a="***"`, `[a=1].b[c=2]`: `[a="***"].b[c="***"]`, `[={"a":"x","b":"y"}].z`: `[="***",`,
		`x [b=1, c=2] y`: `x [b="***",`, `[data[a b]: Invalid`: `[data[a b]: Invalid`,
	} {
		if got := string(appendUnselected(nil, []byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
