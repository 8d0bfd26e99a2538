package kubemask

import (
	"errors"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	for in, want := range map[string]string{
		"data.*": "data.*", "data": "data", "spec.containers[*].env[*].value": "spec.containers[*].env[*].value", `data["tls.crt"]`: `data["tls.crt"]`,
		`data["a"]`: "data.a", `["data"].a-b_c/d:e`: "data.a-b_c/d:e", `a["\u0041\""].*`: `a["A\""].*`, "a[*][*].*.*": "a[*][*].*.*", "a.b|base64": "a.b|base64", `["*"]`: `["*"]`,
		"$a": "$a",
	} {
		p, err := ParsePath(in)
		if err != nil || p.String() != want {
			t.Errorf("%s is %s, %v", in, p, err)
		}
	}
	for _, in := range []string{
		"", ".", ".a", "a.", "a..b", "a[0]", "a[]", "a[*", "a[*]b", `a["b"`, `a["b]`, `a[""]`, `a["b"]c`, "a.b*", "a.**", "a b", "{.a}", "$.a.[*]", "a|base64|base64", "|base64", "a,b", "é",
		`a["\x"]`, "a\x00", strings.Repeat("a.", maxPathSteps) + "a", strings.Repeat("a", maxPathBytes+1),
	} {
		if p, err := ParsePath(in); !errors.Is(err, ErrPath) {
			t.Errorf("%q is %q, %v", in, p, err)
		}
	}
}

// TestByteFields knows which fields have bytes in base 64.
func TestByteFields(t *testing.T) {
	for _, tc := range []struct {
		group, resource, path string
		want                  bool
	}{
		{"", "secrets", "data.*", true}, {"", "secrets", "data.a", true}, {"", "secrets", `data["a.b"]`, true}, {"", "secrets", "data", true},
		{"", "secrets", "stringData.*", false}, {"", "secrets", "database", false}, {"example.com", "secrets", "data.*", false},
		{"", "configmaps", "data.*", false}, {"", "configmaps", "binaryData.*", true}, {"certificates.k8s.io", "certificatesigningrequests", "spec.request", true},
	} {
		if got := isBytes(tc.group, tc.resource, paths(t, tc.path)[0]); got != tc.want {
			t.Errorf("%v: %v", tc, got)
		}
	}
	cfg := Config{Resource: "things", Fields: paths(t, "spec.blob|base64"), Choose: redactAll}
	if got := masked(t, cfg, `{"spec":{"blob":"aGV5"}}`); got != `{"spec":{"blob":"Kioq"}}` {
		t.Error(got)
	}
}
