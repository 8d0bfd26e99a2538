package awsmask_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/mask"
)

// object masks a part of an object, or all of it.
func object(t testing.TB, src io.Reader, w awsmask.Window) (string, []string) {
	t.Helper()
	m := looking(t, "s3", "GetObject")
	if m.Form() != awsmask.Object {
		t.Fatal("it is no object")
	}
	var out bytes.Buffer
	masked, n, err := m.Object(&out, src, w)
	if err != nil || n != int64(out.Len()) {
		t.Fatalf("%d of %d bytes: %v", n, out.Len(), err)
	}
	return out.String(), masked
}

// starred is what the detector finds in all of a text at once, as stars.
func starred(t testing.TB, text string) string {
	b := []byte(text)
	for _, h := range detector(t).Scan(nil, b) {
		copy(b[h.Start:h.End], strings.Repeat("*", h.End-h.Start))
	}
	return string(b)
}

var planted = []string{
	"ada@example.com", "4111 1111 1111 1111", "5555555555554444", "DE89 3704 0044 0532 0130 00", "078-05-1120", "(212) 555-0187",
	"AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + strings.Repeat("eyJzdWIiOiIxMjM0NTY3ODkw", 100) + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
	"-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n", 60) + "-----END PRIVATE KEY-----",
}

// document is a text of about size bytes with values to be found all over it.
func document(r *rand.Rand, size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(strings.Repeat("word, and another; ", r.IntN(40)))
		b.WriteString(planted[r.IntN(len(planted))])
		b.WriteString([]string{"\n", ", ", "; x\n"}[r.IntN(3)])
	}
	return b.String()
}

// A text passes as it does at once, however it is cut into pieces, and with its size.
func TestObject(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		text := document(r, 300_000)
		want := starred(t, text)
		for name, src := range map[string]io.Reader{"whole": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text))} {
			got, masked := object(t, src, awsmask.Window{})
			if got != want {
				t.Fatalf("%s: differs at %d: %q", name, differ(got, want), around(want, differ(got, want)))
			}
			if len(masked) < 3 {
				t.Errorf("%s: masked %q", name, masked)
			}
		}
	}
	small := document(r, 2000)
	if got, _ := object(t, iotest.OneByteReader(strings.NewReader(small)), awsmask.Window{}); got != starred(t, small) {
		t.Error("byte by byte it differs")
	}
}

func differ(a, b string) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}

func around(s string, i int) string { return s[max(i-40, 0):min(i+80, len(s))] }

// A part of an object is masked as it is in the whole, wherever it is cut, in texts and among binary blocks.
func TestParts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, name := range []string{"text", "mixed"} {
		body := []byte(document(r, 700_000))
		if name == "mixed" {
			for i := 1; i < len(body)/awsmask.BlockSize; i += 3 {
				body[i*awsmask.BlockSize+r.IntN(awsmask.BlockSize)] = 0
			}
		}
		whole, _ := object(t, bytes.NewReader(body), awsmask.Window{})
		for range 150 {
			from := r.IntN(len(body))
			to := from + 1 + r.IntN(min(len(body)-from, 1+r.IntN(200_000)))
			start := max(from/awsmask.BlockSize*awsmask.BlockSize-awsmask.Margin, 0)
			end := min((to-1)/awsmask.BlockSize*awsmask.BlockSize+awsmask.BlockSize+awsmask.Margin, len(body))
			got, _ := object(t, bytes.NewReader(body[start:end]), awsmask.Window{Start: int64(start), From: int64(from), To: int64(to)})
			if got != whole[from:to] {
				i := differ(got, whole[from:to])
				t.Fatalf("%s: bytes %d to %d differ at %d: %q, want %q", name, from, to, from+i, around(got, i), around(whole[from:to], i))
			}
		}
	}
}

// Binary blocks pass, and with them what looks like a value by chance; a value that reaches into a text is hidden whole.
func TestBinary(t *testing.T) {
	body := bytes.Repeat([]byte("ada@example.com\n"), 2*awsmask.BlockSize/16)
	body[5] = 0
	copy(body[awsmask.BlockSize-7:], "ada@example.com\n")
	got, masked := object(t, bytes.NewReader(body), awsmask.Window{})
	if !bytes.HasPrefix([]byte(got), body[:awsmask.BlockSize-100]) || strings.Contains(got[awsmask.BlockSize:], "ada") || got[awsmask.BlockSize-7:awsmask.BlockSize] != "*******" || len(masked) != 1 {
		t.Errorf("%q ... %q, %q", got[:64], got[awsmask.BlockSize-64:awsmask.BlockSize+64], masked)
	}
	got, masked = object(t, bytes.NewReader(append([]byte("x\x00"), "ada@example.com"...)), awsmask.Window{})
	if got != "x\x00ada@example.com" || len(masked) != 0 {
		t.Errorf("%q, %q", got, masked)
	}
}

// However long a word or key is, what is kept of it is bounded.
func TestLongWords(t *testing.T) {
	for name, text := range map[string]string{"word": strings.Repeat("a", 1<<20), "key": "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n", 30_000)} {
		got, _ := object(t, strings.NewReader(text+"\nada@example.com\n"), awsmask.Window{})
		if len(got) != len(text)+17 || strings.Contains(got, "ada@") {
			t.Errorf("%s: %d bytes, %q", name, len(got), got[len(got)-20:])
		}
		if name == "key" && !strings.HasPrefix(got, strings.Repeat("*", awsmask.BlockSize)) {
			t.Errorf("the key shows: %q", got[:100])
		}
	}
}

// patient is an endless text.
type patient struct{ line []byte }

func (p patient) Read(b []byte) (int, error) {
	for n := 0; n < len(b); n += len(p.line) {
		copy(b[n:], p.line)
	}
	return len(b), nil
}

// An object of any size takes the same memory.
func TestObjectMemory(t *testing.T) {
	m := looking(t, "s3", "GetObject")
	for line, size := range map[string]int64{"1,ada@example.com,4111 1111 1111 1111,some text\n": 64 << 20, "word": 4 << 20} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, n, err := m.Object(io.Discard, io.LimitReader(patient{[]byte(line)}, size), awsmask.Window{}); err != nil || n != size {
			t.Fatalf("%d bytes: %v", n, err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 3<<20 {
			t.Errorf("%d bytes of %q take %d bytes", size, line, used)
		}
	}
}

// A hidden object is a placeholder that reads as what it says it is.
func TestHiddenObject(t *testing.T) {
	c := call(t, "lambda", "Invoke")
	m, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Fields: []awsmask.Field{{Path: "Payload", Rule: mask.Rule{Kind: mask.Redact}}}})
	if err != nil {
		t.Fatal(err)
	}
	for json, want := range map[bool]string{true: `"***"`, false: "***"} {
		if got, name, ok := m.Hidden(json); !ok || string(got) != want || name != "Payload" {
			t.Errorf("%q, %q, %v", got, name, ok)
		}
	}
	if _, _, ok := looking(t, "lambda", "Invoke").Hidden(true); ok {
		t.Error("it is hidden though nothing says so")
	}
}

// An object that policy reveals is not looked at.
func TestClearObject(t *testing.T) {
	c := call(t, "s3", "GetObject")
	m, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Data: c.Data, Detector: detector(t), Fields: []awsmask.Field{{Path: "Body", Clear: true}}})
	if err != nil || m.Form() != awsmask.Nothing {
		t.Errorf("its form is %d, %v", m.Form(), err)
	}
}

func TestHeaders(t *testing.T) {
	h := map[string][]string{"X-Amz-Meta-Owner": {"ada"}, "X-Amz-Meta-Team": {"x"}, "Etag": {"e"}}
	if got := masker(t, "s3", "HeadObject", "Metadata.owner").Headers(h); fmt.Sprint(got, h) != "[Metadata.owner] map[Etag:[e] X-Amz-Meta-Team:[x]]" {
		t.Error(got, h)
	}
	if got := masker(t, "s3", "HeadObject", "Metadata.*", "header:etag").Headers(h); len(got) != 2 || len(h) != 0 {
		t.Error(got, h)
	}
	h = map[string][]string{"X-Amz-Log-Result": {"YWRhQGV4YW1wbGUuY29t"}, "X-Amz-Executed-Version": {"ada@example.com"}}
	if got := looking(t, "lambda", "Invoke").Headers(h); len(got) != 1 || h["X-Amz-Log-Result"][0] != "Kioq" || h["X-Amz-Executed-Version"][0] != "ada@example.com" {
		t.Error(got, h)
	}
}

// FuzzParts: a part is masked as it is in the whole.
func FuzzParts(f *testing.F) {
	f.Add([]byte("to ada@example.com and\x00 4111 1111 1111 1111"), uint16(5), uint16(9), uint32(65_530))
	f.Fuzz(func(t *testing.T, piece []byte, from, size uint16, lead uint32) {
		body := append(bytes.Repeat([]byte("lead, "), int(lead%200_000)/6), piece...)
		body = append(body, bytes.Repeat([]byte(" tail\n"), 30_000)...)
		first := min(int(lead%200_000)/6*6+int(from)%(len(piece)+1), len(body)-1)
		last := min(first+1+int(size), len(body))
		whole, _ := object(t, bytes.NewReader(body), awsmask.Window{})
		if len(whole) != len(body) {
			t.Fatalf("%d bytes become %d", len(body), len(whole))
		}
		start := max(first/awsmask.BlockSize*awsmask.BlockSize-awsmask.Margin, 0)
		got, _ := object(t, bytes.NewReader(body[start:]), awsmask.Window{Start: int64(start), From: int64(first), To: int64(last)})
		if got != whole[first:last] {
			t.Fatalf("bytes %d to %d of %q: %q, want %q", first, last, piece, got, whole[first:last])
		}
	})
}
