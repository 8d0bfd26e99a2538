package kubemask

import (
	"bytes"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/mask"
)

func paths(t testing.TB, list ...string) (out []Path) {
	t.Helper()
	for _, s := range list {
		p, err := ParsePath(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func redactAll(o Object) []Choice {
	return []Choice{{Rule: mask.Rule{Kind: mask.Redact}}, {Rule: mask.Rule{Kind: mask.Redact}}}
}

func TestSmoke(t *testing.T) {
	m, err := New(Config{Resource: "secrets", Fields: paths(t, "data.*", "stringData.*"), Choose: redactAll, Cells: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{
		`{"kind":"Secret","data":{"a":"aGV5"},"metadata":{"name":"x","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"a\":\"aGV5\"}}"}}}` + "\n",
		`{"kind":"SecretList","items":[{"data":{"a":"aGV5"}}, {"d\u0061ta":{"a":"aGV5"}}],"x":1}`,
		`{"kind":"Table","rows":[{"cells":["a",1,"b",null],"object":{"metadata":{"name":"x"}}}],"x":1}`,
	} {
		var out bytes.Buffer
		rep, err := m.Answer(&out, strings.NewReader(in))
		t.Log(out.String(), rep, err)
		out.Reset()
		rep, err = m.Events(&out, strings.NewReader(`{"type":"ADDED","object":`+in+"}\n"), nil)
		t.Log(out.String(), rep, err)
	}
}
