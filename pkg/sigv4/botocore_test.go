package sigv4

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/textproto"
	"os/exec"
	"strings"
	"testing"
)

type captured struct {
	Name, Method, URL string
	Headers           [][2]string
	Body              []byte
}

func (c captured) request(t *testing.T) *Request {
	t.Helper()
	_, rest, _ := strings.Cut(c.URL, "://")
	host, rest, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut("/"+rest, "?")
	r := &Request{Method: c.Method, Host: host, Path: path, RawQuery: query, Header: http.Header{}, Length: int64(len(c.Body)), BodyHash: hashOf(string(c.Body))}
	for _, h := range c.Headers {
		name := textproto.CanonicalMIMEHeaderKey(h[0])
		r.Header[name] = append(r.Header[name], h[1])
	}
	return r
}

// What botocore signs is verified, and its bodies are read.
func TestBotocore(t *testing.T) {
	cmd := exec.Command("python3", "testdata/sign_with_botocore.py", testSecret)
	if exec.Command("python3", "-c", "import botocore").Run() != nil {
		t.Skip("there is no botocore for python3")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var all []captured
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	modes := map[Mode]int{}
	for _, c := range all {
		v, err := verify(t, c.request(t))
		if err != nil {
			t.Errorf("%s: %v\n%s %s\n%v", c.Name, err, c.Method, c.URL, c.Headers)
			continue
		}
		modes[v.Payload.Mode]++
		p, err := NewPayload(bytes.NewReader(c.Body), v)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, p)
		if err != nil || v.Payload.Mode.Chunked() && n != v.Payload.Decoded {
			t.Errorf("%s: %d bytes, %v", c.Name, n, err)
		}
		for _, name := range v.NotSigned {
			switch strings.ToLower(name) {
			case "user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "expect", "transfer-encoding", "content-length":
			default:
				t.Errorf("%s leaves %s unsigned", c.Name, name)
			}
		}
	}
	if len(all) < 400 || len(modes) != 4 {
		t.Errorf("%d requests, with bodies %v", len(all), modes)
	}
}
