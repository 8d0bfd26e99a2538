package kubemask

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/mask"
)

// seeds are answers in the shapes that there are.
func seeds(f *testing.F) {
	for _, s := range []string{
		`{"kind":"Secret","apiVersion":"v1","metadata":{"name":"db","namespace":"x","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"a\":\"aGV5\"}}\n"}},"data":{"a":"aGV5"},"type":"Opaque"}`,
		`{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"data":{"a":"aGV5"}},{"d\u0061ta":{"a":1,"a":{}}}]}`,
		`{"kind":"Table","rows":[{"cells":["db",1,null],"object":{"kind":"PartialObjectMetadata","metadata":{"name":"db"}}}]}`,
		`{"kind":"Status","apiVersion":"v1","message":"x: Invalid value: \"hunter2\"","details":{"causes":[{"message":"Invalid value: 1"}]}}`,
		`{"spec":{"tls.crt":"a","list":[{"value":[]}],"set":["a"]},"metadata":{"managedFields":[{"fieldsV1":{"f:spec":{"f:set":{"v:\"a\"":{}},"f:list":{"k:{\"value\":1}":{}}}}}]}}`,
		`{"items":[],"items":[{"kind":"ConfigMap","data":{"a":"b"}}],"rows":[{}],"data":{"a":"b"}}`,
	} {
		f.Add([]byte(s), uint16(9), int64(1))
	}
}

// FuzzAnswer holds the masker against the reference, for whole answers and for answers that end early.
func FuzzAnswer(f *testing.F) {
	cfg := trickyConfig(f)
	m := testMasker(f, cfg)
	seeds(f)
	f.Fuzz(func(t *testing.T, text []byte, end uint16, seed int64) {
		rnd := rand.New(rand.NewSource(seed))
		var got bytes.Buffer
		_, err := m.Answer(&got, &chunks{rnd, text})
		if errors.Is(err, ErrWithheld) {
			t.Fatal("panic")
		}
		trimmed := bytes.TrimSpace(text)
		if !json.Valid(text) || trimmed[0] != '{' {
			if err == nil {
				t.Fatalf("%q is no JSON object and passes", text)
			}
			return
		}
		if !utf8.Valid(text) {
			return
		}
		want, refusal := newReference(cfg).answer(text, roleThing)
		if (err != nil) != (refusal != nil) || err == nil && !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("%v, reference: %v, %s", err, refusal, difference(text, got.Bytes(), want))
		}
		got.Reset()
		_, err = m.Answer(&got, &chunks{rnd, text[:int(end)%len(text)]})
		if refusal == nil && !bytes.HasPrefix(want, got.Bytes()) {
			t.Fatalf("cut off: %v, %s", err, difference(text, got.Bytes(), want))
		}
	})
}

// FuzzEvents is FuzzAnswer for a watch: text may be several events.
func FuzzEvents(f *testing.F) {
	cfg := trickyConfig(f)
	m := testMasker(f, cfg)
	seeds(f)
	f.Add([]byte(`{"type":"ADDED","object":{"data":{"a":"b"}}}`+"\n"+`{"type":"BOOKMARK","object":{"kind":"Secret","metadata":{"resourceVersion":"1"}}} {"type":"ERROR","object":{"kind":"Status"}}`), uint16(9), int64(1))
	f.Fuzz(func(t *testing.T, text []byte, end uint16, seed int64) {
		rnd := rand.New(rand.NewSource(seed))
		var got, want bytes.Buffer
		_, err := m.Events(&got, &chunks{rnd, text}, nil)
		if errors.Is(err, ErrWithheld) {
			t.Fatal("panic")
		}
		if !utf8.Valid(text) {
			return
		}
		var refusal error
		dec := json.NewDecoder(bytes.NewReader(text))
		at := 0
		for refusal == nil {
			var raw json.RawMessage
			if refusal = dec.Decode(&raw); errors.Is(refusal, io.EOF) {
				refusal = nil
				break
			} else if refusal != nil {
				break
			}
			var masked []byte
			if raw[0] != '{' {
				refusal = errReference
			} else {
				masked, refusal = newReference(cfg).answer(raw, roleEvent)
			}
			to := int(dec.InputOffset())
			want.Write(text[at : to-len(raw)])
			want.Write(masked)
			at = to
		}
		want.Write(text[at:])
		if refusal == nil && (err != nil || !bytes.Equal(got.Bytes(), want.Bytes())) {
			t.Fatalf("%v, %s", err, difference(text, got.Bytes(), want.Bytes()))
		}
		if refusal != nil && err == nil {
			t.Fatalf("%q passes, reference: %v", text, refusal)
		}
		if !bytes.HasPrefix(want.Bytes(), got.Bytes()) {
			t.Fatalf("%v, %s", err, difference(text, got.Bytes(), want.Bytes()))
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"data.*", "spec.containers[*].env[*].value", `data["tls.crt"]`, "a.b.c", "a|base64", `["\u0041"].*[*]`, "*", ""} {
		f.Add(s, "data", "tls.crt", "b")
	}
	f.Fuzz(func(t *testing.T, s, a, b, c string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		again, err := ParsePath(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q is %q, which reads as %q, %v", s, p, again, err)
		}
		fields := []field{{path: p}, {path: paths(t, "data.*.b")[0]}}
		root, err := compile(fields)
		if err != nil {
			t.Fatal(err)
		}
		keys := []string{a, b, c}
		n := root
		for i, key := range keys {
			if key == "" {
				return // no member is looked for by it
			}
			n = n.next([]byte(key))
			at := n != nil && len(n.fields) > 0
			if want := matches(p.steps, keys[:i+1]) || matches(fields[1].path.steps, keys[:i+1]); at != want {
				t.Fatalf("%q at %q: %v, want %v", p, keys[:i+1], at, want)
			}
		}
	})
}

func FuzzHasPlaceholder(f *testing.F) {
	m := testMasker(f, trickyConfig(f))
	for _, s := range []string{
		`{"data":{"a":"Kioq"}}`, `[{"op":"add","path":"/data/a","value":"***"}]`, `[{"op":"replace","path":"/spec/list/-","value":{"value":"***"}}]`,
		`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"a\":\"Kioq\"}}"}}}`, "[]", "{}",
	} {
		f.Add([]byte(s), "/data/a")
	}
	f.Fuzz(func(t *testing.T, body []byte, pointer string) {
		if !m.HasPlaceholder(body) && !json.Valid(body) {
			t.Fatalf("%q is not understood and has none", body)
		}
		m.ReadsMasked([]string{pointer}, Object{})
	})
}

// FuzzTerminal cuts a text anywhere, with control sequences in it: all is found that is found in the whole.
func FuzzTerminal(f *testing.F) {
	for i, s := range screens {
		f.Add(s, int64(i))
	}
	f.Fuzz(func(t *testing.T, text string, seed int64) {
		if strings.Contains(text, "\x1b") || len(text) > maxHeld {
			return
		}
		rnd := rand.New(rand.NewSource(seed))
		term, det := terminal(t, mask.Config{})
		var got []byte
		for i := range len(text) {
			chunk := text[i : i+1]
			if rnd.Intn(9) == 0 {
				chunk += "\x1b[1m"
			}
			got = term.Write(got, []byte(chunk))
		}
		got = bytes.ReplaceAll(term.Flush(got), []byte("\x1b[1m"), nil)
		if want := det.Redact(nil, []byte(text)); !bytes.Equal(got, want) {
			t.Fatalf("of %q\n%q, want\n%q", text, got, want)
		}
	})
}
