package kubemask

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/writhq/writ/pkg/mask"
)

var update = flag.Bool("update", false, "write what the golden files should be")

// paths parses a list of paths.
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

// with hides all fields by one rule.
func with(rule mask.Rule) func(Object) []Choice {
	return func(Object) []Choice { return slices.Repeat([]Choice{{Rule: rule}}, 8) }
}

func redactAll(o Object) []Choice { return with(mask.Rule{Kind: mask.Redact})(o) }

// secrets is the configuration for core Secrets.
func secrets(t testing.TB) Config {
	return Config{Resource: "secrets", Fields: paths(t, "data.*", "stringData.*"), Choose: redactAll, QuietErrors: true}
}

// goldenConfig is what the answers of a real API server are masked by.
func goldenConfig(t *testing.T, resource string) Config {
	key, err := mask.NewKey([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := secrets(t)
	cfg.Key, cfg.Resource = key, resource
	switch resource {
	case "secrets":
		cfg.Choose = func(o Object) []Choice {
			if o.Name == "login" {
				return with(mask.Rule{Kind: mask.Hash})(o)
			}
			return redactAll(o)
		}
	case "configmaps":
		cfg.Fields, cfg.Choose = paths(t, "data.*", "binaryData.*"), with(mask.Rule{Kind: mask.Partial, Keep: 2})
	case "pods":
		cfg.Fields = paths(t, "spec.containers[*].env[*].value")
	case "deployments":
		cfg.Group, cfg.Fields = "apps", paths(t, "spec.template.spec.containers[*].env[*].value")
	case "vaults":
		cfg.Group, cfg.Fields, cfg.Cells = "example.com", paths(t, "spec.token", "spec.allowed[*]", "spec.users[*].email", "spec.size"), true
	}
	return cfg
}

// TestRealAnswers masks what a kube-apiserver 1.35 answered. Each classified value in it has one of the marks.
func TestRealAnswers(t *testing.T) {
	files, _ := filepath.Glob("testdata/answers/*.json")
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, ".masked.json") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			text := must(os.ReadFile(file))
			resource, _, _ := strings.Cut(name, ".")
			m := testMasker(t, goldenConfig(t, resource))
			var got bytes.Buffer
			var err error
			if strings.Contains(name, "watch") {
				_, err = m.Events(&got, iotest.HalfReader(bytes.NewReader(text)), nil)
			} else {
				_, err = m.Answer(&got, iotest.HalfReader(bytes.NewReader(text)))
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, mark := range []string{"secret-", "c2VjcmV0", "secret@", `secret\"`, `secret\\"`} {
				if strings.Contains(strings.ReplaceAll(got.String(), "#secret-types", ""), mark) {
					t.Errorf("%s is shown", mark)
				}
			}
			golden := strings.TrimSuffix(file, ".json") + ".masked.json"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := must(os.ReadFile(golden)); !bytes.Equal(got.Bytes(), want) {
				t.Error(difference(text, got.Bytes(), want))
			}
		})
	}
}

// TestTypedClientsRead decodes a masked answer as client-go's types have it.
func TestTypedClientsRead(t *testing.T) {
	for _, rule := range []mask.Rule{{}, {Kind: mask.Redact}, {Kind: mask.Partial, Keep: 4}, {Kind: mask.Hash}} {
		cfg := secrets(t)
		cfg.Choose = with(rule)
		cfg.Fields = append(cfg.Fields, paths(t, "immutable", "spec.replicas", "spec.args", "spec.when")...)
		out := masked(t, cfg, `{"data":{"a":"aGV5","b":"","c":null,"d":"not base 64"},"stringData":{"e":"hey"},"immutable":true,"spec":{"replicas":3,"args":["a"],"when":null}}`)
		var got struct {
			Data       map[string][]byte
			StringData map[string]string
			Immutable  *bool
			Spec       struct {
				Replicas *int32
				Args     []string
				When     *string
			}
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		want := map[mask.Kind]string{mask.Null: "", mask.Redact: "***", mask.Partial: "***", mask.Hash: "***"}[rule.Kind]
		if string(got.Data["a"]) != want || got.StringData["e"] != want || *got.Immutable || *got.Spec.Replicas != 0 || len(got.Spec.Args) != 0 || got.Spec.When != nil {
			t.Errorf("%s: %s", rule, out)
		}
	}
}

func masked(t *testing.T, cfg Config, text string) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := testMasker(t, cfg).Answer(&out, strings.NewReader(text)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out.String()
}

func TestMasked(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"data":             {`{"data":{"a":"aGV5"}}`, `{"data":{"a":"Kioq"}}`},
		"an escaped name":  {`{"d\u0061ta":{"a":"aGV5"}}`, `{"d\u0061ta":{"a":"Kioq"}}`},
		"names twice":      {`{"data":{"a":"aGV5","a":"aGV6"},"data":{"a":"aGV7"}}`, `{"data":{"a":"Kioq","a":"Kioq"},"data":{"a":"Kioq"}}`},
		"another type":     {`{"data":{"a":1.5,"b":true,"c":null,"d":{"e":"f"},"f":["g"]}}`, `{"data":{"a":0,"b":false,"c":null,"d":{},"f":[]}}`},
		"no map":           {`{"data":["aGV5",["b"]]}`, `{"data":["Kioq",[]]}`},
		"other names":      {`{"Data":{"a":"aGV5"},"spec":{"data":{"a":"b"}}}`, `{"Data":{"a":"aGV5"},"spec":{"data":{"a":"b"}}}`},
		"white space":      {" {\n\t\"data\" : { \"a\"\r\n: \"aGV5\" } } \n", " {\n\t\"data\" : { \"a\"\r\n: \"Kioq\" } } \n"},
		"spelling":         {`{"a":1.50E+3,"b":"\u0041\/"}`, `{"a":1.50E+3,"b":"\u0041\/"}`},
		"a list":           {`{"items":[{"data":{"a":"aGV5"}},null,1,{}],"kind":"List"}`, `{"items":[{"data":{"a":"Kioq"}},null,1,{}],"kind":"List"}`},
		"a list in a list": {`{"items":[{"kind":"List","items":[{"data":{"a":"aGV5"}}]}]}`, `{"items":[{"kind":"List","items":[{"data":{"a":"Kioq"}}]}]}`},
		"lists twice":      {`{"items":[],"items":[{"data":{"a":"aGV5"}}]}`, `{"items":[],"items":[{"data":{"a":"Kioq"}}]}`},
		"around a list":    {`{"data":{"a":"aGV5"},"items":[],"stringData":{"a":"b"}}`, `{"data":{"a":""},"items":[],"stringData":{"a":""}}`},
		"a Table": {`{"kind":"Table","rows":[{"cells":["a","Opaque",1],"object":{"data":{"a":"aGV5"}}}]}`,
			`{"kind":"Table","rows":[{"cells":["a","Opaque",1],"object":{"data":{"a":"Kioq"}}}]}`},
		"last applied": {`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"stringData\":{\"a\":\"h\\\"ey\"}}\n"}}}`,
			`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"stringData\":{\"a\":\"***\"}}\n"}}}`},
		"last applied unread": {`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"stringData\":{\"a\":\"hey\"}"}}}`,
			`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"***"}}}`},
		"last applied no text": {`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":{"stringData":{"a":"hey"}}}}}`,
			`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"***"}}}`},
		"another tool's": {`{"metadata":{"annotations":{"kapp.k14s.io/original":"\t{\"data\":{\"a\":\"aGV5\"}}","x":"{not","y":"\u007b\"data\":{\"a\":\"aGV5\"}}"}}}`,
			`{"metadata":{"annotations":{"kapp.k14s.io/original":"\t{\"data\":{\"a\":\"Kioq\"}}","x":"{not","y":"{\"data\":{\"a\":\"Kioq\"}}"}}}`},
		"an error": {`{"kind":"Status","apiVersion":"v1","message":"a: Invalid value: \"hey\": no","details":{"causes":[{"message":"Invalid value: 1","field":"a[b=\"hey\"]"}]}}`,
			`{"kind":"Status","apiVersion":"v1","message":"a: Invalid value: ***","details":{"causes":[{"message":"Invalid value: ***","field":"a[b=\"***\"]"}]}}`},
		"no error": {`{"kind":"Secret","apiVersion":"v1","message":"a: Invalid value: \"hey\": no"}`, `{"kind":"Secret","apiVersion":"v1","message":"a: Invalid value: \"hey\": no"}`},
	} {
		if got := masked(t, secrets(t), tc.in); got != tc.want {
			t.Errorf("%s: %s\nwant %s", name, got, tc.want)
		}
	}
}

func TestOtherKinds(t *testing.T) {
	cfg := Config{Resource: "pods", Fields: paths(t, "spec.x"), Choose: redactAll, Others: []Kind{
		{Kind: "Secret", Resource: "secrets", Fields: paths(t, "data.*")}, {Group: "apps", Kind: "Vault", Resource: "vaults", Fields: paths(t, "spec.y")},
	}}
	for in, want := range map[string]string{
		`{"kind":"Secret","apiVersion":"v1","data":{"a":"aGV5"},"spec":{"x":"a"}}`:                                       `{"kind":"Secret","apiVersion":"v1","data":{"a":"Kioq"},"spec":{"x":"***"}}`,
		`{"data":{"a":"aGV5"},"apiVersion":"v1","kind":"S\u0065cret"}`:                                                   `{"data":{"a":"Kioq"},"apiVersion":"v1","kind":"S\u0065cret"}`,
		`{"kind":"Secret","apiVersion":"apps/v1","data":{"a":"aGV5"}}`:                                                   `{"kind":"Secret","apiVersion":"apps/v1","data":{"a":"aGV5"}}`,
		`{"kind":"Vault","apiVersion":"apps/v1","spec":{"y":"a"}}`:                                                       `{"kind":"Vault","apiVersion":"apps/v1","spec":{"y":"***"}}`,
		`{"kind":"List","items":[{"kind":"Secret","data":{"a":"aGV5"}},{"kind":"Pod","data":{"a":"b"},"spec":{"x":1}}]}`: `{"kind":"List","items":[{"kind":"Secret","data":{"a":"Kioq"}},{"kind":"Pod","data":{"a":"b"},"spec":{"x":0}}]}`,
		`{"kind":"SecretList","apiVersion":"v1","items":[{"data":{"a":"aGV5"}}]}`:                                        `{"kind":"SecretList","apiVersion":"v1","items":[{"data":{"a":"Kioq"}}]}`,
		`{"metadata":{"annotations":{"a":"{\"kind\":\"Secret\",\"data\":{\"a\":\"aGV5\"}}"}}}`:                           `{"metadata":{"annotations":{"a":"{\"kind\":\"Secret\",\"data\":{\"a\":\"\"}}"}}}`,
	} {
		if got := masked(t, cfg, in); got != want {
			t.Errorf("of %s\n%s, want\n%s", in, got, want)
		}
	}
}

// TestChoices asks once for each object with something classified, and hides what it gets no answer for.
func TestChoices(t *testing.T) {
	asked := map[Object]int{}
	cfg := secrets(t)
	cfg.Choose = func(o Object) []Choice {
		asked[o]++
		switch o.Name {
		case "open":
			return []Choice{{Reveal: true}, {Reveal: true}}
		case "half":
			return []Choice{{Reveal: true}}
		}
		return nil
	}
	got := masked(t, cfg, `{"items":[{"data":{"a":"aGV5","b":"aGV5"},"type":"Opaque","metadata":{"namespace":"x","name":"open"}},`+
		`{"data":{"a":"aGV5"},"stringData":{"a":"b"},"metadata":{"name":"half"}},{"data":{"a":"aGV5"},"metadata":{"name":1}},{"metadata":{"name":"none"}}]}`)
	want := `{"items":[{"data":{"a":"aGV5","b":"aGV5"},"type":"Opaque","metadata":{"namespace":"x","name":"open"}},` +
		`{"data":{"a":"aGV5"},"stringData":{"a":""},"metadata":{"name":"half"}},{"data":{"a":""},"metadata":{"name":1}},{"metadata":{"name":"none"}}]}`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if !maps.Equal(asked, map[Object]int{{"", "secrets", "x", "open", "Opaque"}: 1, {"", "secrets", "", "half", ""}: 1, {"", "secrets", "", "", ""}: 1}) {
		t.Errorf("asked for %v", asked)
	}
	cfg.Choose = nil
	if got := masked(t, cfg, `{"data":{"a":"aGV5"}}`); got != `{"data":{"a":""}}` {
		t.Errorf("without Choose: %s", got)
	}
}

// TestNotesAreNotBelieved reveals one object and puts its name into what another's annotation says.
func TestNotesAreNotBelieved(t *testing.T) {
	cfg := secrets(t)
	cfg.Choose = func(o Object) []Choice { return slices.Repeat([]Choice{{Reveal: o.Name == "open"}}, 2) }
	note := `{\"metadata\":{\"name\":\"open\"},\"data\":{\"a\":\"aGV5\"},\"items\":[{\"metadata\":{\"name\":\"open\"},\"data\":{\"a\":\"aGV5\"}}]}`
	got := masked(t, cfg, `{"metadata":{"name":"db","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"`+note+`"}}}`)
	if strings.Contains(got, "aGV5") {
		t.Error(got)
	}
}

func TestNotesInNotes(t *testing.T) {
	text := `{"stringData":{"a":"aGV5"}}`
	for range maxNotes + 2 {
		text = `{"metadata":{"annotations":{"` + lastApplied + `":` + string(appendQuoted(nil, []byte(text))) + `}}}`
	}
	if got := masked(t, secrets(t), text); strings.Contains(got, "aGV5") || strings.Contains(got, "stringData") {
		t.Errorf("the innermost is read: %.200s", got)
	}
}

func TestCells(t *testing.T) {
	cfg := secrets(t)
	cfg.Cells = true
	cfg.Choose = func(o Object) []Choice { return slices.Repeat([]Choice{{Reveal: o.Name == "open"}}, 2) }
	got := masked(t, cfg, `{"kind":"Table","rows":[{"cells":["a","b",1,null,[2]],"object":{"metadata":{"name":"x"}}},{"cells":["open","b"],"object":{"metadata":{"name":"open"}}},`+
		`{"object":null,"cells":["open","b"]},{"cells":["open","b"],"metadata":{"name":"open"}}]}`)
	want := `{"kind":"Table","rows":[{"cells":["a","***","***",null,"***"],"object":{"metadata":{"name":"x"}}},{"cells":["open","b"],"object":{"metadata":{"name":"open"}}},` +
		`{"object":null,"cells":["open","***"]},{"cells":["open","***"],"metadata":{"name":"open"}}]}`
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestListsByName masks what looks like the list of a List but is a field.
func TestListsByName(t *testing.T) {
	cfg := Config{Group: "example.com", Resource: "boxes", Fields: paths(t, "items[*].code", "rows", "spec.x"), Choose: redactAll}
	got := masked(t, cfg, `{"spec":{"x":"a"},"items":[{"spec":{"x":"a"},"code":"a"}],"rows":["a"]}`)
	if want := `{"spec":{"x":""},"items":[{"spec":{"x":"***"},"code":""}],"rows":[]}`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestDetector(t *testing.T) {
	det := must(mask.New(mask.Config{}))
	cfg := secrets(t)
	cfg.Detector = det
	in := `{"kind":"a@b.cc","metadata":{"name":"a@b.cc","labels":{"a":"a@b.cc"},"annotations":{"a":"a@b.cc","b":"{\"x\":\"a@b.cc\"}"},"continue":"4111111111111111"},` +
		`"spec":["x a@b.cc\n","a\u0040b.cc",{"a@b.cc":"AKIAIOSFODNN7EXAMPLE"},4111111111111111],"data":{"a":"a@b.cc"},"items":["a@b.cc"]}`
	want := `{"kind":"a@b.cc","metadata":{"name":"a@b.cc","labels":{"a":"a@b.cc"},"annotations":{"a":"***","b":"{\"x\":\"***\"}"},"continue":"4111111111111111"},` +
		`"spec":["x ***\n","***",{"a@b.cc":"***"},4111111111111111],"data":{"a":""},"items":["***"]}`
	var out bytes.Buffer
	rep, err := testMasker(t, cfg).Answer(&out, strings.NewReader(in))
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant %s", err, out.String(), want)
	}
	if got := rep.Fields(); !slices.Equal(got, []string{"aws_key", "data.*", "email", "metadata.annotations"}) {
		t.Errorf("masked %v", rep.Masked)
	}
}

func TestDetectorStopsAtDepth(t *testing.T) {
	cfg := secrets(t)
	cfg.Detector = must(mask.New(mask.Config{}))
	deep := strings.Repeat(`{"a":[`, maxDepth/2+1) + strings.Repeat("]}", maxDepth/2+1)
	if _, err := testMasker(t, cfg).Answer(io.Discard, strings.NewReader(deep)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	m := must(New(secrets(t)))
	in := `{"kind":"SecretList","items":[{"data":{"a":"aGV5","b":"aGV5"}},{"stringData":{"a":"b"}},{}]}`
	var out bytes.Buffer
	rep, err := m.Answer(&out, strings.NewReader(in))
	if err != nil || !maps.Equal(rep.Masked, map[string]int{"data.*": 2, "stringData.*": 1}) || rep.Items != 3 || rep.Bytes != int64(out.Len()) {
		t.Errorf("%v, %+v of %d bytes", err, rep, out.Len())
	}
	if rep, err = m.Answer(io.Discard, strings.NewReader(`{"data":{}}`)); err != nil || rep.Items != 1 || len(rep.Masked) != 0 {
		t.Errorf("%v, %+v", err, rep)
	}
}
