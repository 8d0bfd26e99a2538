package aws

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmodel"
)

func TestMaskJSON(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"Email", `{"Email":"a@b","Name":"x"}`, `{"Email":"***","Name":"x"}`},
		{"Item.Email", `{"Item":{"Email":{"S":"a@b"},"Age":{"N":"3"}}}`, `{"Item":{"Age":{"N":"3"},"Email":{"S":"***"}}}`},
		{"Item.*", `{"Item":{"Email":{"S":"a@b"},"Age":{"N":"3"}}}`, `{"Item":{"Age":{"N":"***"},"Email":{"S":"***"}}}`},
		{"Items[*].Email", `{"Items":[{"Email":"a"},{"Name":"x"},null,7]}`, `{"Items":[{"Email":"***"},{"Name":"x"},null,7]}`},
		{`Tags["a.b"]`, `{"Tags":{"a.b":"x","a":{"b":"y"}}}`, `{"Tags":{"a":{"b":"y"},"a.b":"***"}}`},
		{"Data", `{"Data":{"n":5,"b":true,"z":null,"l":["x"]}}`, `{"Data":{"b":false,"l":["***"],"n":0,"z":null}}`},
		{"Big", `{"Big":1,"Other":12345678901234567890}`, `{"Big":0,"Other":12345678901234567890}`},
		{"Value|base64", `{"Value":"aGk="}`, `{"Value":"***"}`},
		{"None.Here", `{"None":"x"}`, `{"None":"x"}`},
		{"Email", ``, ``},
	} {
		all, err := newFields(map[string][]string{"pii": {"s:O:" + c.path}})
		if err != nil {
			t.Fatal(err)
		}
		got, found, err := maskJSON([]byte(c.body), all.of(awsmodel.Call{Service: "s", Operation: "O"}))
		if err != nil || string(got) != c.want {
			t.Errorf("%s of %s: %s, %v", c.path, c.body, got, err)
		}
		if changed := c.body != "" && strings.Contains(c.want, "***"); changed && len(found) != 1 {
			t.Errorf("%s of %s: found %q", c.path, c.body, found)
		}
	}
	for _, body := range []string{`{"Email":`, `{} {}`, `<xml/>`} {
		if got, _, err := maskJSON([]byte(body), []field{{path: "Email", steps: []step{{name: "Email"}}}}); err == nil {
			t.Errorf("%s becomes %s", body, got)
		}
	}
}

// The paths of models and those of classes come to the same.
func TestPaths(t *testing.T) {
	for model, class := range map[string]string{
		"SecretString": "SecretString", "Reservations[].Instances[].Tags[].Value": "Reservations[*].Instances[*].Tags[*].Value",
		"Item{}": "Item.*", "Environment.Variables{}": "Environment.Variables.*", "List[]": "List[*]", "Deep[][].X": "Deep[*][*].X",
	} {
		a := modelPath(model)
		b, err := classPath(class)
		if err != nil || len(a) != len(b) {
			t.Errorf("%s: %v, %s: %v, %v", model, a, class, b, err)
			continue
		}
		for i := range a {
			if a[i].each != b[i].each || !a[i].each && a[i].name != b[i].name {
				t.Errorf("%s: %v, %s: %v", model, a, class, b)
			}
		}
	}
	for _, bad := range []string{"", "a..b", "[", `["a`, "a[0]", ".", `[""`} {
		if steps, err := classPath(bad); err == nil {
			t.Errorf("%q is read as %v", bad, steps)
		}
	}
	for _, bad := range []string{"", "s", "s:O", "s:O:", "s:O:a..b"} {
		if _, err := newFields(map[string][]string{"pii": {bad}}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// FuzzMaskJSON: what a path leads to is never shown, and what comes out is JSON.
func FuzzMaskJSON(f *testing.F) {
	f.Add("a.b", `{"a":{"b":"secret"}}`)
	f.Add("a[*].*", `{"a":[{"b":"secret"},[]]}`)
	f.Add(`["a.b"]`, `{"a.b":["secret",{"c":"secret"}]}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		steps, err := classPath(path)
		if err != nil {
			return
		}
		out, found, err := maskJSON([]byte(body), []field{{path: path, steps: steps}})
		if err != nil || strings.TrimSpace(body) == "" {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%s of %s becomes %s", path, body, out)
		}
		again, foundAgain, err := maskJSON(out, []field{{path: path, steps: steps}})
		if err != nil || string(again) != string(out) || len(found) != len(foundAgain) {
			t.Fatalf("%s of %s becomes %s and then %s: %v", path, body, out, again, err)
		}
	})
}
