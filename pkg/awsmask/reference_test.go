package awsmask_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmask"
)

// hideAll is the reference: every scalar in a value of encoding/json is hidden, but null.
func hideAll(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k := range t {
			t[k] = hideAll(t[k])
		}
	case []any:
		for i := range t {
			t[i] = hideAll(t[i])
		}
	case json.Number:
		return json.Number("0")
	case bool:
		return false
	case string:
		return "***"
	}
	return v
}

func read(t *testing.T, body []byte) (v any) {
	t.Helper()
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	if err := in.Decode(&v); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return v
}

// FuzzReference: encoding/json reads what it would after hiding the member itself, and all other members are there byte for byte.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{
		`{"ARN":"a","SecretString":{"b":[1,true,null,"c"]},"Name": 1.50 }`, `{"SecretString":"\ud800\u0041","x":{"SecretString":"kept"}}`, `[{"SecretString":"a"}]`, `"a"`, `7`, `null`, "{ \"SecretString\"\t:\n\"x\" , \"y\" : [ ] }",
	} {
		f.Add(seed)
	}
	m := masker(f, "secretsmanager", "GetSecretValue", "SecretString")
	f.Fuzz(func(t *testing.T, body string) {
		if !json.Valid([]byte(body)) {
			return
		}
		out, _, err := m.Document([]byte(body), false)
		if errors.Is(err, awsmask.ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		want := read(t, []byte(body))
		if object, ok := want.(map[string]any); ok {
			if v, ok := object["SecretString"]; ok {
				object["SecretString"] = hideAll(v)
			}
		} else {
			want = hideAll(want)
		}
		if got := read(t, out); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q becomes %q, want %v", body, out, want)
		}
		var before, after map[string]json.RawMessage
		if !strings.HasPrefix(strings.TrimSpace(body), "{") {
			return
		}
		if err := errors.Join(json.Unmarshal([]byte(body), &before), json.Unmarshal(out, &after)); err != nil {
			t.Fatal(err)
		}
		for name, raw := range before {
			if name != "SecretString" && !bytes.Equal(raw, after[name]) {
				t.Fatalf("%q becomes %q: %q changed", body, out, name)
			}
		}
	})
}
