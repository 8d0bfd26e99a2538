package kubemask

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// TestRefused has answers that are stopped at, with what may have been written.
func TestRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1)
	for name, in := range map[string]string{
		"nothing": "", "space": " \n", "a text": "ok", "a string": `"a"`, "no bracket": `["kind":"a"}`, "a list": `[{"data":{"a":"aGV5"}}]`, "a byte order mark": "\ufeff{}",
		"cut off": `{"data":{"a":"aGV5"}`, "cut off in a list": `{"items":[{"data":{"a":"aGV5"}},`, "text behind": `{"data":{"a":"aGV5"}}x`,
		"two objects": `{}{"data":{"a":"aGV5"}}`, "no colon": `{"data" {"a":"aGV5"}}`, "no comma": `{"data":{"a":"aGV5" "b":"aGV5"}}`,
		"a comma too many": `{"data":{"a":"aGV5",}}`, "a control character": "{\"data\":{\"a\":\"aG\nV5\"}}", "a line break for a quote": "{\"x\":\"abc\n,\"data\":{\"a\":\"aGV5\"}}", "an escape": `{"data":{"a":"\x"}}`,
		"half an escape": `{"data":{"a":"\u12g4"}}`, "no name": `{data:{"a":"aGV5"}}`, "brackets": `{"data":["aGV5"}}`, "a literal": `{"data":{"a":nul}}`,
		"a number": `{"data":{"a":01}}`, "another number": `{"data":{"a":1.}}`, "a plus": `{"data":{"a":+1}}`, "deep": deep, "deep classified": `{"data":` + deep + `}`,
		"deep lists": strings.Repeat(`{"items":[`, maxDepth) + strings.Repeat(`]}`, maxDepth), "deep list": `{"items":` + strings.Repeat(`[`, maxDepth+1) + strings.Repeat(`]`, maxDepth+1) + `}`,
		"two kinds": `{"kind":"Secret","kind":"Pod","data":{"a":"aGV5"}}`, "two names": `{"data":{"a":"aGV5"},"metadata":{"name":"a","n\u0061me":"b"}}`,
		"two metadata": `{"metadata":{"name":"a"},"data":{"a":"aGV5"},"metadata":{"name":"b"}}`, "two kinds around a list": `{"kind":"a","items":[],"kind":"b"}`,
		"two objects in a row": `{"rows":[{"object":{"metadata":{"name":"a"}},"object":{"data":{"a":"aGV5"}}}]}`,
		"a set of no JSON":     `{"metadata":{"managedFields":[{"fieldsV1":{"f:data":{"v:x":{}}}}]}}`,
	} {
		var out bytes.Buffer
		rep, err := testMasker(t, secrets(t)).Answer(&out, strings.NewReader(in))
		if !errors.Is(err, ErrMalformed) || strings.Contains(out.String(), "aGV5") || rep.Bytes != int64(out.Len()) {
			t.Errorf("%s: %v, %+v, %s", name, err, rep, out.String())
		}
		if !strings.Contains(in, "items") && !strings.Contains(in, "rows") && name != "text behind" && name != "two objects" && out.Len() > 0 {
			t.Errorf("%s: %s was written", name, out.String())
		}
		out.Reset()
		if name == "nothing" || name == "space" || name == "two objects" {
			continue
		}
		if _, err = testMasker(t, secrets(t)).Events(&out, strings.NewReader(in), nil); !errors.Is(err, ErrMalformed) && name != "two kinds around a list" || strings.Contains(out.String(), "aGV5") {
			t.Errorf("event of %s: %v, %s", name, err, out.String())
		}
	}
}

func TestTooLarge(t *testing.T) {
	cfg := secrets(t)
	cfg.MaxObject = 20000
	m := testMasker(t, cfg)
	object := func(n int) string {
		return `{"data":{"a":"` + strings.Repeat("A", n-len(`{"data":{"a":""}}`)) + `"}}`
	}
	for _, tc := range []struct {
		in   string
		fits bool
	}{
		{object(20000), true}, {object(20001), false}, {object(40000), false},
		{`{"items":[` + object(19000) + "," + object(19000) + "," + object(19000) + `]}`, true}, {`{"items":[{},` + object(20001) + `]}`, false},
		{`{"kind":"` + strings.Repeat("A", 20000) + `"}`, false}, {`{"items":[],"kind":"` + strings.Repeat("A", 20000) + `"}`, false},
	} {
		var out bytes.Buffer
		_, err := m.Answer(&out, strings.NewReader(tc.in))
		if tc.fits && err != nil || !tc.fits && !errors.Is(err, ErrTooLarge) || strings.Contains(out.String(), "AAA") {
			t.Errorf("%.20s of %d bytes: %v", tc.in, len(tc.in), err)
		}
		out.Reset()
		_, err = m.Events(&out, iotest.OneByteReader(strings.NewReader(tc.in)), nil)
		if fits := len(tc.in) <= cfg.MaxObject; fits && err != nil || !fits && !errors.Is(err, ErrTooLarge) || strings.Contains(out.String(), "AAA") {
			t.Errorf("event %.20s of %d bytes: %v", tc.in, len(tc.in), err)
		}
	}
}

// TestPanicWithholds lets the policy behind Choose fail.
func TestPanicWithholds(t *testing.T) {
	cfg := secrets(t)
	cfg.Choose = func(o Object) []Choice {
		if o.Name == "b" {
			panic("aGV5")
		}
		return redactAll(o)
	}
	m := testMasker(t, cfg)
	var out bytes.Buffer
	rep, err := m.Answer(&out, strings.NewReader(`{"items":[{"metadata":{"name":"a"},"data":{"a":"aGV5"}},{"metadata":{"name":"b"},"data":{"a":"aGV5"}}]}`))
	if !errors.Is(err, ErrWithheld) || strings.Contains(err.Error()+out.String(), "aGV5") || rep.Items != 1 {
		t.Errorf("%v, %+v, %s", err, rep, out.String())
	}
	out.Reset()
	if _, err = m.Events(&out, strings.NewReader(`{"object":{"metadata":{"name":"b"},"data":{"a":"aGV5"}}}`), nil); !errors.Is(err, ErrWithheld) || out.Len() > 0 {
		t.Errorf("event: %v, %s", err, out.String())
	}
	cfg.Choose = func(Object) []Choice { panic("x") }
	if !testMasker(t, cfg).HasPlaceholder([]byte(`{"data":{"a":"b"}}`)) {
		t.Error("a write passes after a panic")
	}
}

func TestReadAndWriteErrors(t *testing.T) {
	broken := errors.New("broken")
	m := testMasker(t, secrets(t))
	src := func() io.Reader {
		return io.MultiReader(strings.NewReader(`{"items":[{"data":{"a":"aGV5"}},{"data":{"a":"aG`), iotest.ErrReader(broken))
	}
	var out bytes.Buffer
	if _, err := m.Answer(&out, src()); !errors.Is(err, broken) || strings.Contains(out.String(), "aG") {
		t.Errorf("%v, %s", err, out.String())
	}
	if _, err := m.Events(&out, src(), nil); !errors.Is(err, broken) {
		t.Error(err)
	}
	if rep, err := m.Answer(brokenWriter{broken}, strings.NewReader(`{}`)); !errors.Is(err, broken) || rep.Bytes != 0 {
		t.Error(rep, err)
	}
	if _, err := m.Events(brokenWriter{broken}, strings.NewReader(`{}`), nil); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// endless gives a list of any length without holding it.
type endless struct {
	rest, each []byte
	left       int
	done       bool
}

func (e *endless) Read(b []byte) (int, error) {
	if len(e.rest) == 0 {
		switch {
		case e.left > 0:
			e.left--
			e.rest = e.each
		case e.done:
			return 0, io.EOF
		default:
			e.rest, e.done = []byte("{}]}"), true
		}
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestListsTakeBoundedMemory(t *testing.T) {
	m := must(New(secrets(t)))
	src := &endless{rest: []byte(`{"items":[`), each: []byte(`{"data":{"a":"` + strings.Repeat("aGV5", 2000) + `"}},`), left: 10000}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rep, err := m.Answer(io.Discard, src)
	runtime.ReadMemStats(&after)
	if err != nil || rep.Items != 10001 {
		t.Fatalf("%v, %+v", err, rep)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("80 MB took %d bytes of memory", n)
	}
}

func TestConfigRefusals(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no resource": {}, "negative size": {Resource: "a", MaxObject: -1}, "huge size": {Resource: "a", MaxObject: 1 << 31},
		"kind": {Resource: "a", Fields: paths(t, "kind")}, "any": {Resource: "a", Fields: paths(t, "*.a")}, "name": {Resource: "a", Fields: paths(t, "metadata.name")},
		"metadata": {Resource: "a", Fields: paths(t, "metadata")}, "any of metadata": {Resource: "a", Fields: paths(t, "metadata.*")},
		"no path": {Resource: "a", Fields: make([]Path, 1)}, "a kind without name": {Resource: "a", Others: []Kind{{Resource: "b"}}},
		"a kind without resource": {Resource: "a", Others: []Kind{{Kind: "B"}}}, "a kind's field": {Resource: "a", Others: []Kind{{Kind: "B", Resource: "b", Fields: paths(t, "apiVersion")}}},
		"version by dots": {Resource: "a", Fields: paths(t, `["metadata"].name`)},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	var many []string
	for i := range 30 {
		many = append(many, "a"+strings.Repeat(".*", i)+fmt.Sprintf(".b%s.c", strings.Repeat(".*", 29-i)))
	}
	if _, err := New(Config{Resource: "a", Fields: paths(t, many...)}); err == nil {
		t.Error("paths that multiply: no error")
	}
}
