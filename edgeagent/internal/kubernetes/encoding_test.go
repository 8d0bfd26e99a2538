package kubernetes

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := io.WriteString(z, text)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// An answer is read as what the API server says it is, and only where that was asked for.
func TestEncodedAnswers(t *testing.T) {
	packedText := zipped(t, "text")
	for _, c := range []struct {
		name     string
		encoding encoding
		status   int
		header   []string
		body     []byte
		want     string // empty: refused
	}{
		{"as it is", plain, 200, nil, []byte("text"), "text"},
		{"small, so not compressed", unpacked, 200, nil, []byte("text"), "text"},
		{"identity", unpacked, 200, []string{"identity"}, []byte("text"), "text"},
		{"unpacked", unpacked, 200, []string{"gzip"}, packedText, "text"},
		{"passes as it came", packed, 200, []string{"gzip"}, packedText, string(packedText)},
		{"an error is read here", packed, 404, []string{"gzip"}, packedText, "text"},
		{"nothing new", unpacked, 304, []string{"gzip"}, []byte(""), ""},
		{"not asked for", plain, 200, []string{"gzip"}, packedText, ""},
		{"another", packed, 200, []string{"br"}, packedText, ""},
		{"twice", unpacked, 200, []string{"gzip", "gzip"}, packedText, ""},
		{"listed twice", unpacked, 200, []string{"gzip, gzip"}, packedText, ""},
		{"not gzip at all", unpacked, 200, []string{"gzip"}, []byte("text"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(c.body))}
			if c.header != nil {
				resp.Header["Content-Encoding"] = c.header
			}
			r, err := c.encoding.open(resp)
			if c.want == "" && c.status == 200 {
				if !errors.Is(err, errEncoded) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A compressed answer that ends early does not pass for a whole one.
func TestCutOffEncoding(t *testing.T) {
	whole := zipped(t, strings.Repeat("text", 100_000))
	resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(bytes.NewReader(whole[:len(whole)/2]))}
	r, err := unpacked.open(resp)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	if _, err := fill(r, buf); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestAcceptsGzip(t *testing.T) {
	for value, want := range map[string]bool{
		"gzip": true, "deflate, gzip": true, "GZIP": true, "": false, "identity": false, "gzip;q=0": false, "gzip;q=1": false, "x-gzip": false, "*": false,
	} {
		if acceptsGzip(http.Header{"Accept-Encoding": {value}}) != want {
			t.Errorf("%q: want %v", value, want)
		}
	}
}

// What is large enough for the API server to compress comes compressed to who asks for it, whole to who does not, and masked to
// everyone whose answers are masked.
func TestLargeAnswers(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "large")
	large := strings.Repeat("some text ", 20_000)
	for i, kind := range []string{"ConfigMap", "Secret"} {
		field := []string{"data", "stringData"}[i]
		b.lab.Apply(t, "apiVersion: v1\nkind: "+kind+"\nmetadata: {name: large, namespace: "+ns+"}\n"+field+": {a: \""+large+"\"}\n")
	}
	get := func(path string, headers ...string) (http.Header, string) {
		t.Helper()
		resp := b.send(http.MethodGet, path, "", headers...)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v", path, resp.Status, err)
		}
		return resp.Header, string(text)
	}
	maps := "/api/v1/namespaces/" + ns + "/configmaps/large"
	header, whole := get(maps)
	if header.Get("Content-Encoding") != "" || !strings.Contains(whole, large) {
		t.Errorf("%v: %.100s", header, whole)
	}
	header, packed := get(maps, "Accept-Encoding: gzip")
	if header.Get("Content-Encoding") != "gzip" || len(packed) > len(whole)/4 {
		t.Errorf("%v: %d bytes of %d", header, len(packed), len(whole))
	}
	if z, err := gzip.NewReader(strings.NewReader(packed)); err != nil {
		t.Error(err)
	} else if got, err := io.ReadAll(z); err != nil || string(got) != whole {
		t.Errorf("%.100s, %v", got, err)
	}
	hidden := base64.StdEncoding.EncodeToString([]byte(large))[:100]
	for _, headers := range [][]string{nil, {"Accept-Encoding: gzip"}} {
		header, text := get("/api/v1/namespaces/"+ns+"/secrets/large", headers...)
		if header.Get("Content-Encoding") != "" || strings.Contains(text, hidden) || !strings.HasPrefix(text, `{"kind":"Secret"`) {
			t.Errorf("%q: %v: %.200s", headers, header, text)
		}
	}
}
