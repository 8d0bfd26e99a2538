package kubemask

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/writhq/writ/pkg/mask"
)

// trickyConfig has all sorts of paths, rules and kinds.
func trickyConfig(t testing.TB) Config {
	key, err := mask.NewKey([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	rules := []mask.Rule{{Kind: mask.Redact}, {Kind: mask.Partial, Keep: 2}, {Kind: mask.Hash}, {}}
	return Config{
		Resource: "secrets",
		Fields: paths(t, "data.*", "stringData.*", "spec.list[*].value", "spec.tls.crt", "spec.*.deep", "spec.set[*]", "spec",
			"metadata.annotations.note", "data.b|base64", `["a.b"].c`, "message"),
		Others: []Kind{{Kind: "ConfigMap", Resource: "configmaps", Fields: paths(t, "data.*", "immutable")},
			{Group: "apps", Kind: "Deployment", Resource: "deployments", Fields: paths(t, "spec.list[*].value", "status")}},
		Choose: func(o Object) []Choice {
			list := make([]Choice, 9)
			for i := range list {
				at := len(o.Name) + i + len(o.Type) + len(o.Resource)
				list[i] = Choice{Reveal: at%3 == 0 || i == 6 && o.Name != "a", Rule: rules[at%len(rules)]}
			}
			return list
		},
		Cells: true, QuietErrors: true, Key: key,
	}
}

// random makes JSON out of what matters to the masker.
type random struct {
	*rand.Rand
	inNote int
}

func (r random) pick(list ...string) string { return list[r.Intn(len(list))] }

func (r random) space() string { return r.pick("", "", "", "", " ", "\n\t", "\r\n  ") }

// quote spells a string in one of the ways that JSON has.
func (r random) quote(s string) string {
	if r.Intn(8) > 0 {
		return string(must(json.Marshal(s)))
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		if c < 0x10000 && r.Intn(2) == 0 {
			fmt.Fprintf(&b, r.pick(`\u%04x`, `\u%04X`), c)
		} else {
			quoted := must(json.Marshal(string(c)))
			b.Write(quoted[1 : len(quoted)-1])
		}
	}
	return b.String() + `"`
}

func (r random) object(members ...string) string {
	r.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
	return "{" + r.space() + strings.Join(members, r.space()+","+r.space()) + r.space() + "}"
}

func (r random) list(n int, f func() string) string {
	var all []string
	for range n {
		all = append(all, f())
	}
	return "[" + r.space() + strings.Join(all, r.space()+","+r.space()) + r.space() + "]"
}

func (r random) member(name, value string) string {
	return r.quote(name) + r.space() + ":" + r.space() + value
}

func (r random) string() string {
	return r.quote(r.pick("", "a", "hunter2", "hunter2-☃-\U0001f600", `quo"te\`, "\x00\n\u2028", "{", `{"data":1}`, "aGVsbG8gd29ybGQ=", "a@b.cc",
		`x: Invalid value: "hunter2": no`, `.a[b="hunter\"2",c=1].d[="x"] [a] x[`, "k:{}", base64.StdEncoding.EncodeToString([]byte("hunter2"))))
}

func (r random) value(depth int) string {
	switch n := r.Intn(10); {
	case n < 5:
		return r.string()
	case n < 6:
		return r.pick("0", "-1.5e+10", "12345678901234567890", "true", "false", "null", "{}", "[]", "1E5", "0.0")
	case depth <= 0:
		return "null"
	case n < 8:
		return r.list(r.Intn(3), func() string { return r.value(depth - 1) })
	}
	var members []string
	for range r.Intn(4) {
		members = append(members, r.member(r.pick("a", "b", "c", "value", "deep", "tls", "crt", "tls.crt", "a.b", "list", "set", "data", "items", "kind", "metadata"), r.value(depth-1)))
	}
	return r.object(members...)
}

func (r random) fieldSet(depth int) string {
	var members []string
	for range r.Intn(4) {
		value := "{}"
		if depth > 0 {
			value = r.fieldSet(depth - 1)
		}
		members = append(members, r.member(r.pick("f:data", "f:a", "f:spec", "f:list", "f:set", "f:value", ".", `v:"hunter2"`, `k:{"value":"hunter2"}`, `k:{"name":"a"}`, "v:1", "i:0", "f:tls.crt", "other"), value))
	}
	return r.object(members...)
}

func (r random) metadata() string {
	var members []string
	if r.Intn(3) > 0 {
		members = append(members, r.member("name", r.quote(r.pick("", "a", "bb", "ccc"))))
	}
	if r.Intn(3) == 0 {
		members = append(members, r.member("namespace", r.pick(`"x"`, "1", "null")))
	}
	if r.Intn(4) == 0 {
		members = append(members, r.member("managedFields", r.list(r.Intn(3), func() string {
			return r.object(r.member("manager", r.string()), r.member("fieldsV1", r.fieldSet(4)))
		})))
	}
	if r.Intn(2) == 0 {
		var notes []string
		for range r.Intn(3) {
			value := r.string()
			if r.Intn(3) > 0 && r.inNote < 2 {
				value = r.quote(r.pick("", " ", "\n") + random{r.Rand, r.inNote + 1}.thing(2) + r.pick("", "\n", "", "x"))
			}
			notes = append(notes, r.member(r.pick(lastApplied, lastApplied, "note", "other"), value))
		}
		members = append(members, r.member("annotations", r.object(notes...)))
	}
	members = append(members, r.member(r.pick("labels", "uid", "note"), r.value(1)))
	return r.object(members...)
}

func (r random) thing(depth int) string {
	var members []string
	if r.Intn(2) == 0 {
		members = append(members, r.member("kind", r.quote(r.pick("Secret", "ConfigMap", "Deployment", "Status", "List", "ConfigMapList"))))
	}
	if r.Intn(2) == 0 {
		members = append(members, r.member("apiVersion", r.quote(r.pick("v1", "apps/v1", "v1"))))
	}
	if r.Intn(2) == 0 {
		members = append(members, r.member("metadata", r.metadata()))
	}
	for range r.Intn(5) {
		name := r.pick("data", "data", "stringData", "spec", "spec", "status", "a.b", "message", "immutable", "details", "other", "type")
		switch name {
		case "details":
			members = append(members, r.member("details", r.object(r.member("causes", r.list(2, func() string { return r.object(r.member(r.pick("message", "field"), r.string())) })))))
		default:
			members = append(members, r.member(name, r.value(3)))
		}
	}
	if depth > 0 && r.Intn(3) == 0 {
		members = append(members, r.member("items", r.list(r.Intn(4), func() string { return r.thing(depth - 1) })))
	}
	if depth > 0 && r.Intn(4) == 0 {
		members = append(members, r.member("rows", r.list(r.Intn(4), func() string {
			row := []string{r.member("cells", r.list(r.Intn(4), func() string { return r.value(0) }))}
			if r.Intn(3) > 0 {
				row = append(row, r.member("object", r.thing(0)))
			}
			return r.object(row...)
		})))
	}
	return r.object(members...)
}

// chunks gives a text in pieces of random sizes.
type chunks struct {
	r    *rand.Rand
	text []byte
}

func (c *chunks) Read(b []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.text[:min(len(c.text), 1+c.r.Intn(100))])
	c.text = c.text[n:]
	return n, nil
}

// difference shows where two texts part.
func difference(text, got, want []byte) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-200)
	return fmt.Sprintf("of  %.3000q\ngot  %.300q\nwant %.300q", text, got[min(from, len(got)):], want[min(from, len(want)):])
}

// compare masks a text by both, and returns how often they agreed on masking something.
func compare(t *testing.T, m *Masker, cfg Config, text []byte, src io.Reader) bool {
	t.Helper()
	want, refusal := newReference(cfg).answer(text, roleThing)
	var got bytes.Buffer
	_, err := m.Answer(&got, src)
	if (err != nil) != (refusal != nil) {
		t.Fatalf("%s\nmasker: %v, reference: %v", text, err, refusal)
	}
	if err == nil && !bytes.Equal(got.Bytes(), want) {
		t.Fatal(difference(text, got.Bytes(), want))
	}
	if errors.Is(err, ErrWithheld) {
		t.Fatalf("%s: panic", text)
	}
	return err == nil && !bytes.Equal(want, text)
}

func TestAgreesWithReference(t *testing.T) {
	cfg := trickyConfig(t)
	m := testMasker(t, cfg)
	masked := 0
	for seed := range int64(500) {
		r := random{Rand: rand.New(rand.NewSource(seed))}
		text := []byte(r.space() + r.thing(2) + r.space())
		if !json.Valid(text) {
			t.Fatalf("%s is no JSON", text)
		}
		if compare(t, m, cfg, text, &chunks{r.Rand, text}) {
			masked++
		}
		want, refusal := newReference(cfg).answer([]byte(`{"type":"ADDED","object":`+string(text)+"}\n"), roleEvent)
		var got bytes.Buffer
		_, err := m.Events(&got, &chunks{r.Rand, []byte(`{"type":"ADDED","object":` + string(text) + "}\n")}, nil)
		if (err != nil) != (refusal != nil) || err == nil && !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("event: %v, %v, %s", err, refusal, difference(text, got.Bytes(), want))
		}
	}
	if masked < 150 {
		t.Errorf("only %d had something to mask", masked)
	}
}

// TestCutOff ends answers early: what was written until then is what would have been written.
func TestCutOff(t *testing.T) {
	cfg := trickyConfig(t)
	m := testMasker(t, cfg)
	for seed := range int64(60) {
		r := random{Rand: rand.New(rand.NewSource(seed))}
		text := []byte(r.thing(2))
		want, refusal := newReference(cfg).answer(text, roleThing)
		for i := 0; i < len(text) && refusal == nil; i += 1 + r.Intn(5) {
			var got bytes.Buffer
			rep, err := m.Answer(&got, &chunks{r.Rand, text[:i]})
			if !errors.Is(err, ErrMalformed) || !bytes.HasPrefix(want, got.Bytes()) || rep.Bytes != int64(got.Len()) {
				t.Fatalf("cut off at %d: %v, %+v, %s", i, err, rep, difference(text, got.Bytes(), want))
			}
		}
	}
}

func TestCutAnywhere(t *testing.T) {
	cfg := trickyConfig(t)
	m := testMasker(t, cfg)
	text := []byte(`{"kind":"SecretList","apiVersion":"v1","metadata":{},"items":[{"data":{"a":"aHVudGVyMg==","b":1},"metadata":{"name":"x","annotations":{"kubectl.kubernetes.io/last-applied-configuration":` +
		`"{\"data\":{\"a\":\"aHVudGVyMg==\"}}"}}}, {"d\u0061ta":{"a":"aHVudGVyMg=="}}],"rows":[]}` + "\n")
	for i := range len(text) {
		compare(t, m, cfg, text, io.MultiReader(bytes.NewReader(text[:i]), iotest.OneByteReader(bytes.NewReader(text[i:]))))
	}
}

// testMasker writes each unit at once, so that what is written before an error can be seen.
func testMasker(t testing.TB, cfg Config) *Masker {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.gather = 1
	return m
}

// TestPlaceholdersAreFound masks objects and writes them back.
func TestPlaceholdersAreFound(t *testing.T) {
	cfg := trickyConfig(t)
	cfg.QuietErrors = false
	m := testMasker(t, cfg)
	found := 0
	for seed := range int64(600) {
		r := random{Rand: rand.New(rand.NewSource(seed))}
		text := []byte(r.thing(0))
		var masked bytes.Buffer
		_, err := m.Answer(&masked, bytes.NewReader(text))
		if err != nil || bytes.Equal(masked.Bytes(), text) || bytes.Contains(text, []byte("managedFields")) {
			continue
		}
		found++
		if !m.HasPlaceholder(masked.Bytes()) {
			t.Fatalf("of %s\n%s could be stored", text, masked.Bytes())
		}
	}
	if found < 100 {
		t.Errorf("only %d were masked", found)
	}
}
