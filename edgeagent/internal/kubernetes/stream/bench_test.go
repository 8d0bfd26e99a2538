package stream_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
)

// BenchmarkExecStdin sends 50 MB to a process that counts them: directly, through the standard library's reverse proxy,
// which looks at nothing, and through the gateway.
func BenchmarkExecStdin(b *testing.B) {
	const size = 50 << 20
	c := newCluster(b, func(p *process) {
		n, _ := io.Copy(io.Discard, p.stdin)
		fmt.Fprint(p.stdout, n)
		fmt.Fprint(p.status, success)
	})
	target, err := url.Parse(c.URL)
	if err != nil {
		b.Fatal(err)
	}
	blind := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	defer blind.Close()
	quiet := &counting{}
	ways := []struct {
		name string
		g    *gateway
	}{
		{"direct", &gateway{Server: c.Server}},
		{"reverse proxy", &gateway{Server: blind}},
		{"gateway", newGateway(b, c, quiet, stream.Config{})},
	}
	piece := make([]byte, 32<<10)
	for _, protocol := range []string{spdyV4, socketV5} {
		for _, way := range ways {
			b.Run(protocol+"/"+way.name, func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					k := way.g.connect(b, protocol, "stdin", "stdout")
					go func() { _, _ = io.Copy(io.Discard, k.status) }()
					for range size / len(piece) {
						if _, err := k.stdin.Write(piece); err != nil {
							b.Fatal(err)
						}
					}
					_ = k.stdin.Close()
					if got := readAll(b, "stdout", k.stdout); got != fmt.Sprint(size) {
						b.Fatalf("arrived: %s", got)
					}
					k.close()
				}
			})
		}
	}
}

// counting is a tap that only counts.
type counting struct{ n int }

func (c *counting) Input(p []byte) error                      { c.n += len(p); return nil }
func (c *counting) Output(_ string, p []byte) ([]byte, error) { c.n += len(p); return p, nil }
func (c *counting) Flush(string) []byte                       { return nil }
func (c *counting) Resize(uint16, uint16)                     {}
