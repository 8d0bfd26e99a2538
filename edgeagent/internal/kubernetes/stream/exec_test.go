package stream_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/spdystream"
	"go.uber.org/goleak"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		// The library at the far ends waits for a second for somebody to ask how its shutdown went.
		if err := goleak.Find(goleak.IgnoreTopFunction("github.com/moby/spdystream.(*Connection).shutdown")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func TestExec(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		requests := make(chan *http.Request, 1)
		c := newCluster(t, func(p *process) {
			requests <- p.request
			line := make([]byte, 5)
			_, _ = io.ReadFull(p.stdin, line)
			fmt.Fprintf(p.stdout, "out:%s", line)
			fmt.Fprint(p.stderr, "warning")
			fmt.Fprint(p.status, exitCode("3"))
		})
		tap := &tap{}
		g := newGateway(t, c, tap, stream.Config{})
		k := g.connect(t, protocol, "stdin", "stdout", "stderr")
		if _, err := k.stdin.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		status := make(chan string, 1)
		go func() { status <- readAll(t, "status", k.status) }()
		errors := make(chan string, 1)
		go func() { errors <- readAll(t, "stderr", k.stderr) }()
		if got := readAll(t, "stdout", k.stdout); got != "out:hello" {
			t.Errorf("stdout %q", got)
		}
		if got := within(t, "stderr", errors); got != "warning" {
			t.Errorf("stderr %q", got)
		}
		if got := within(t, "status", status); got != exitCode("3") {
			t.Errorf("status %q", got)
		}
		k.close()
		o := within(t, "end", g.ended)
		if o.err != nil || !o.result.Reported || o.result.ExitCode != 3 || o.result.Stdin != 5 || o.result.Stdout != 9 || o.result.Stderr != 7 {
			t.Errorf("got %+v", o)
		}
		if tap.seen() != "hello" {
			t.Errorf("the tap saw %q", tap.seen())
		}
		r := within(t, "request", requests)
		if r.Host != "cluster.test" || r.Header.Get("Authorization") != "Bearer gateway" || r.Header.Get("Impersonate-User") != "writ:alice" || r.URL.RequestURI() != execPath+"&stdin=true&stdout=true&stderr=true" {
			t.Errorf("the API server got %v", r)
		}
		if len(r.Header.Values("User-Agent")) != 0 {
			t.Errorf("user agent %q", r.UserAgent())
		}
	})
}

// A command that reads to the end of its input ends when the client has no more.
func TestHalfClose(t *testing.T) {
	for _, protocol := range []string{spdyV4, socketV5} {
		t.Run(protocol, func(t *testing.T) {
			c := newCluster(t, func(p *process) {
				n, _ := io.Copy(io.Discard, p.stdin)
				fmt.Fprintf(p.stdout, "%d bytes", n)
				fmt.Fprint(p.status, success)
			})
			g := newGateway(t, c, &tap{}, stream.Config{})
			k := g.connect(t, protocol, "stdin", "stdout")
			go func() { _, _ = io.Copy(io.Discard, k.status) }()
			if _, err := k.stdin.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if err := k.stdin.Close(); err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, "stdout", k.stdout); got != "5 bytes" {
				t.Errorf("stdout %q", got)
			}
			if o := within(t, "end", g.ended); o.err != nil || o.result.ExitCode != 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// What the tap keeps back is shown in a pause, and before a channel ends or the command is reported as ended.
func TestMasking(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		shown := make(chan struct{})
		c := newCluster(t, func(p *process) {
			fmt.Fprint(p.stdout, "key=SECRET;ke")
			<-shown
			fmt.Fprint(p.stdout, "y=SECRET;ke")
			fmt.Fprint(p.status, success)
		})
		var kept []byte
		tap := &tap{
			onOutput: func(_ string, p []byte) ([]byte, error) {
				all := append(kept, p...)
				cut := len(all) - 2
				kept = append([]byte(nil), all[cut:]...)
				return bytes.ReplaceAll(all[:cut], []byte("SECRET"), []byte("***")), nil
			},
			onFlush: func(string) []byte { out := kept; kept = nil; return out },
		}
		g := newGateway(t, c, tap, stream.Config{Settle: time.Millisecond})
		k := g.connect(t, protocol, "stdout")
		statuses := make(chan string, 1)
		first := make([]byte, len("key=***;ke"))
		if _, err := io.ReadFull(k.stdout, first); err != nil || string(first) != "key=***;ke" {
			t.Fatalf("%q, %v", first, err)
		}
		close(shown)
		go func() { statuses <- readAll(t, "status", k.status) }()
		if rest := readAll(t, "stdout", k.stdout); rest != "y=***;ke" {
			t.Errorf("rest %q", rest)
		}
		if got := within(t, "status", statuses); got != success {
			t.Errorf("status %q", got)
		}
	})
}

// What the tap keeps back comes before the end of its channel, and before the report.
func TestKeptBackComesFirst(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		for _, ends := range []bool{false, true} {
			t.Run(fmt.Sprintf("channel ends %v", ends), func(t *testing.T) {
				shown := make(chan struct{})
				c := newCluster(t, func(p *process) {
					fmt.Fprint(p.stdout, "output")
					if stream, ok := p.stdout.(*spdystream.Stream); ok && ends {
						_ = stream.Close()
					} else {
						fmt.Fprint(p.status, success)
					}
					<-shown
				})
				var kept []byte
				tap := &tap{
					onOutput: func(_ string, p []byte) ([]byte, error) { kept = append(kept, p...); return nil, nil },
					onFlush:  func(string) []byte { out := kept; kept = nil; return out },
				}
				g := newGateway(t, c, tap, stream.Config{Settle: time.Hour})
				k := g.connect(t, protocol, "stdout")
				go func() { _, _ = io.Copy(io.Discard, k.status) }()
				got := make(chan string, 1)
				go func() {
					b := make([]byte, len("output"))
					_, _ = io.ReadFull(k.stdout, b)
					got <- string(b)
				}()
				if b := within(t, "output", got); b != "output" {
					t.Errorf("stdout %q", b)
				}
				close(shown)
			})
		}
	})
}

// What the API server refuses reaches the client as it was written, and no upgrade is granted.
func TestRefusedByAPIServer(t *testing.T) {
	body := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"web\" is forbidden","reason":"Forbidden","code":403}` + "\n"
	everyProtocol(t, func(t *testing.T, protocol string) {
		c := refusing(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json; x=y")
			w.Header().Set("Audit-Id", "7")
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("Keep-Alive", "timeout=5")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, body)
		})
		g := newGateway(t, c, &tap{}, stream.Config{})
		_, resp := g.upgrade(t, method(protocol), execPath+"&stdout=true", offering(protocol))
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 403 || string(got) != body || resp.Header.Get("Content-Type") != "application/json; x=y" || resp.Header.Get("Audit-Id") != "7" {
			t.Errorf("got %v %q %v", resp, got, err)
		}
		if resp.Header.Get("Set-Cookie")+resp.Header.Get("Keep-Alive") != "" {
			t.Errorf("headers %v", resp.Header)
		}
		o := within(t, "end", g.ended)
		var refused *stream.Refused
		if !errors.As(o.err, &refused) || refused.Code != 403 || refused.Message != `pods "web" is forbidden` {
			t.Errorf("error %v", o.err)
		}
	})
}

// Answers that are neither an upgrade nor an error are not passed on.
func TestOtherAnswersAreNotPassedOn(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"content": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "LEAK") },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://LEAK.test/", http.StatusFound)
		},
		"long refusal": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			_, _ = w.Write(bytes.Repeat([]byte("LEAK"), 300_000))
		},
		"other protocol": func(w http.ResponseWriter, r *http.Request) {
			conn, err := hijacked(w, "v1.LEAK")
			if err == nil {
				_ = conn.Close()
			}
		},
		"another WebSocket": func(w http.ResponseWriter, r *http.Request) {
			switchTo(w, http.Header{"Sec-Websocket-Accept": {"TEVBSw=="}, "Sec-Websocket-Protocol": r.Header["Sec-Websocket-Protocol"]})
		},
		"an extension": func(w http.ResponseWriter, r *http.Request) {
			sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
			switchTo(w, http.Header{
				"Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(sum[:])}, "Sec-Websocket-Protocol": r.Header["Sec-Websocket-Protocol"],
				"Sec-Websocket-Extensions": {"LEAK"},
			})
		},
		"hang up": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, h := range answers {
		t.Run(name, func(t *testing.T) {
			everyProtocol(t, func(t *testing.T, protocol string) {
				g := newGateway(t, refusing(t, h), &tap{}, stream.Config{})
				_, resp := g.upgrade(t, method(protocol), execPath+"&stdout=true", offering(protocol))
				got, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != 502 || !strings.Contains(string(got), `"kind":"Status"`) {
					t.Errorf("got %v %q %v", resp, got, err)
				}
				if all := fmt.Sprint(resp.Header, string(got)); strings.Contains(all, "LEAK") {
					t.Errorf("passed on: %.200s", all)
				}
			})
		})
	}
}

// switchTo upgrades to WebSocket with headers of the test's.
func switchTo(w http.ResponseWriter, h http.Header) {
	for name, values := range h {
		w.Header()[name] = values
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.WriteHeader(http.StatusSwitchingProtocols)
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func TestUnreachable(t *testing.T) {
	c := refusing(t, nil)
	c.Close()
	g := newGateway(t, c, &tap{}, stream.Config{})
	_, resp := g.upgrade(t, "POST", execPath+"&stdout=true", offering(spdyV4))
	if got, _ := io.ReadAll(resp.Body); resp.StatusCode != 502 || strings.Contains(string(got), "127.0.0.1") {
		t.Errorf("got %v %q", resp, got)
	}
	if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrUnreachable) {
		t.Errorf("error %v", o.err)
	}
}

// An API server that does not answer is not waited for forever, and the cut ends the wait.
func TestSilentAPIServer(t *testing.T) {
	release := make(chan struct{})
	c := refusing(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	t.Run("limit", func(t *testing.T) {
		g := newGateway(t, c, &tap{}, stream.Config{Handshake: 20 * time.Millisecond})
		if _, resp := g.upgrade(t, "POST", execPath+"&stdout=true", offering(spdyV4)); resp.StatusCode != 502 {
			t.Errorf("got %v", resp)
		}
	})
	t.Run("cut", func(t *testing.T) {
		g := newGateway(t, c, &tap{}, stream.Config{})
		time.AfterFunc(20*time.Millisecond, func() { g.cut(errors.New("the grant has expired")) })
		_, resp := g.upgrade(t, "POST", execPath+"&stdout=true", offering(spdyV4))
		got, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 403 || !strings.Contains(string(got), "the grant has expired") {
			t.Errorf("got %v %q", resp, got)
		}
	})
}

func method(protocol string) string {
	if protocol == spdyV4 {
		return "POST"
	}
	return "GET"
}

// offering returns the headers with which a client asks for an upgrade.
func offering(protocol string) http.Header {
	if protocol == spdyV4 {
		return http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}, "X-Stream-Protocol-Version": {"v4.channel.k8s.io"}}
	}
	name := "v5.channel.k8s.io"
	if protocol == socketV4 {
		name = "v4.channel.k8s.io"
	}
	return http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {name},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"},
	}
}

// More than all buffers together arrives whole, and the tap has seen it.
func TestBigInput(t *testing.T) {
	const size = 8 << 20
	big := make([]byte, size)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(big))
	for _, protocol := range []string{spdyV4, socketV5} {
		t.Run(protocol, func(t *testing.T) {
			c := newCluster(t, func(p *process) {
				h := sha256.New()
				_, _ = io.Copy(h, p.stdin)
				fmt.Fprintf(p.stdout, "%x", h.Sum(nil))
				fmt.Fprint(p.status, success)
			})
			seen := sha256.New()
			tap := &tap{}
			tap.onInput = func(p []byte) error { tap.input.Reset(); seen.Write(p); return nil }
			g := newGateway(t, c, tap, stream.Config{})
			k := g.connect(t, protocol, "stdin", "stdout")
			go func() { _, _ = io.Copy(io.Discard, k.status) }()
			go func() {
				_, _ = io.Copy(onlyWriter{k.stdin}, bytes.NewReader(big))
				_ = k.stdin.Close()
			}()
			if got := readAll(t, "stdout", k.stdout); got != want {
				t.Errorf("arrived as %s", got)
			}
			o := within(t, "end", g.ended)
			if o.err != nil || o.result.Stdin != size || fmt.Sprintf("%x", seen.Sum(nil)) != want {
				t.Errorf("%+v", o)
			}
		})
	}
}

// A process that does not read stops the client, and nothing piles up in between.
func TestBackPressure(t *testing.T) {
	const size, bound = 96 << 20, 48 << 20 // more, and fewer, bytes than the buffers of all sockets
	for _, protocol := range []string{spdyV4, socketV5} {
		t.Run(protocol, func(t *testing.T) {
			read := make(chan struct{})
			c := newCluster(t, func(p *process) {
				<-read
				n, _ := io.Copy(io.Discard, p.stdin)
				fmt.Fprint(p.stdout, n)
				fmt.Fprint(p.status, success)
			})
			var seen atomic.Int64
			tap := &tap{}
			tap.onInput = func(p []byte) error { tap.input.Reset(); seen.Add(int64(len(p))); return nil }
			g := newGateway(t, c, tap, stream.Config{})
			k := g.connect(t, protocol, "stdin", "stdout")
			go func() { _, _ = io.Copy(io.Discard, k.status) }()
			go func() {
				piece := make([]byte, 32<<10)
				for range size / len(piece) {
					if _, err := k.stdin.Write(piece); err != nil {
						return
					}
				}
				_ = k.stdin.Close()
			}()
			for before := int64(-1); seen.Load() > before; time.Sleep(200 * time.Millisecond) {
				before = seen.Load()
			}
			if n := seen.Load(); n > bound {
				t.Errorf("%d bytes went on before any was read", n)
			}
			close(read)
			if got := readAll(t, "stdout", k.stdout); got != fmt.Sprint(size) {
				t.Errorf("arrived: %s", got)
			}
		})
	}
}

// onlyWriter makes io.Copy write pieces of its own size.
type onlyWriter struct{ io.Writer }

func (w onlyWriter) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 {
		part := p[:min(len(p), 32<<10)]
		m, err := w.Writer.Write(part)
		if n += m; err != nil {
			return n, err
		}
		p = p[len(part):]
	}
	return n, nil
}
