package stream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
)

var errExpired = errors.New("the grant has expired; ask for another")

// failed checks that status is a failure with a message, as kubectl prints it after "error: ".
func failed(t *testing.T, status, message string) {
	t.Helper()
	var s struct{ Status, Message, Reason string }
	if err := json.Unmarshal([]byte(status), &s); err != nil || s.Status != "Failure" || s.Message != message || s.Reason == "NonZeroExitCode" {
		t.Errorf("status %q, want a failure with %q (%v)", status, message, err)
	}
}

// waiting is a command that runs until its connection is closed.
func waiting(begun chan<- struct{}, ended chan<- struct{}) func(*process) {
	return func(p *process) {
		fmt.Fprint(p.stdout, "ready")
		if p.stdin != nil {
			go func() { _, _ = io.Copy(io.Discard, p.stdin) }()
		}
		begun <- struct{}{}
		<-p.closed
		ended <- struct{}{}
	}
}

// A cut tells the client why, ends the process, and takes no longer than a second.
func TestCut(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		for _, streaming := range []bool{false, true} {
			t.Run(fmt.Sprintf("input %v", streaming), func(t *testing.T) {
				begun, ended := make(chan struct{}, 1), make(chan struct{}, 1)
				g := newGateway(t, newCluster(t, waiting(begun, ended)), &tap{}, stream.Config{})
				k := g.connect(t, protocol, "stdin", "stdout")
				within(t, "begin", begun)
				if _, err := io.ReadFull(k.stdout, make([]byte, len("ready"))); err != nil {
					t.Fatal(err)
				}
				if streaming {
					go func() {
						for p := make([]byte, 32<<10); ; {
							if _, err := k.stdin.Write(p); err != nil {
								return
							}
						}
					}()
				}
				statuses := make(chan string, 1)
				go func() { statuses <- readAll(t, "status", k.status) }()
				at := time.Now()
				g.cut(errExpired)
				within(t, "end of the process", ended)
				if got := readAll(t, "stdout", k.stdout); got != "" {
					t.Errorf("stdout %q", got)
				}
				failed(t, within(t, "status", statuses), errExpired.Error())
				k.close()
				if o := within(t, "end", g.ended); !errors.Is(o.err, errExpired) || o.result.Reported {
					t.Errorf("%+v", o)
				}
				t.Logf("took %v", time.Since(at))
			})
		}
	})
}

// A client that reads nothing, or a target that takes nothing, does not hold a cut up.
func TestCutOfTheStuck(t *testing.T) {
	for _, secure := range []bool{false, true} {
		everyProtocol(t, func(t *testing.T, protocol string) {
			t.Run(fmt.Sprintf("client, TLS %v", secure), func(t *testing.T) {
				begun, ended := make(chan struct{}, 1), make(chan struct{}, 1)
				c := newCluster(t, func(p *process) {
					begun <- struct{}{}
					for b := make([]byte, 32<<10); ; {
						if _, err := p.stdout.Write(b); err != nil {
							break
						}
					}
					ended <- struct{}{}
				})
				tap := &tap{}
				tap.onOutput = func(_ string, p []byte) ([]byte, error) { tap.output.Reset(); return p, nil }
				g := startGateway(t, c, tap, stream.Config{}, secure)
				_ = g.connect(t, protocol, "stdout") // and never reads
				within(t, "begin", begun)
				time.Sleep(50 * time.Millisecond) // for buffers to fill
				g.cut(errExpired)
				within(t, "end of the process", ended)
				if o := within(t, "end", g.ended); !errors.Is(o.err, errExpired) {
					t.Errorf("%+v", o)
				}
			})
			t.Run(fmt.Sprintf("target, TLS %v", secure), func(t *testing.T) {
				begun, ended := make(chan struct{}, 1), make(chan struct{})
				c := newCluster(t, func(p *process) {
					begun <- struct{}{}
					<-ended // and never reads
				})
				g := startGateway(t, c, &tap{}, stream.Config{}, secure)
				k := g.connect(t, protocol, "stdin")
				within(t, "begin", begun)
				go func() {
					for p := make([]byte, 32<<10); ; {
						if _, err := k.stdin.Write(p); err != nil {
							return
						}
					}
				}()
				time.Sleep(50 * time.Millisecond)
				g.cut(errExpired)
				failed(t, readAll(t, "status", k.status), errExpired.Error())
				if o := within(t, "end", g.ended); !errors.Is(o.err, errExpired) {
					t.Errorf("%+v", o)
				}
				close(ended)
			})
		})
	}
}

// What the tap refuses is not passed on, and ends the process.
func TestTapRefuses(t *testing.T) {
	errNoRecord := errors.New("nothing can be recorded")
	everyProtocol(t, func(t *testing.T, protocol string) {
		t.Run("input", func(t *testing.T) {
			got := make(chan string, 1)
			c := newCluster(t, func(p *process) {
				b, _ := io.ReadAll(p.stdin)
				got <- string(b)
			})
			tap := &tap{onInput: func(p []byte) error {
				if string(p) == "rm -rf /\n" {
					return errNoRecord
				}
				return nil
			}}
			g := newGateway(t, c, tap, stream.Config{})
			k := g.connect(t, protocol, "stdin", "stdout")
			go func() { _, _ = io.Copy(io.Discard, k.stdout) }()
			for _, line := range []string{"ls\n", "rm -rf /\n", "pwd\n"} {
				_, _ = io.WriteString(k.stdin, line)
			}
			failed(t, readAll(t, "status", k.status), errNoRecord.Error())
			if o := within(t, "end", g.ended); !errors.Is(o.err, errNoRecord) || o.result.Stdin != 3 {
				t.Errorf("%+v", o)
			}
			if b := within(t, "input", got); b != "ls\n" {
				t.Errorf("the process got %q", b)
			}
		})
		t.Run("output", func(t *testing.T) {
			c := newCluster(t, func(p *process) {
				fmt.Fprint(p.stdout, "SECRET")
				<-p.closed
			})
			tap := &tap{onOutput: func(string, []byte) ([]byte, error) { return []byte("half"), errNoRecord }}
			g := newGateway(t, c, tap, stream.Config{})
			k := g.connect(t, protocol, "stdout")
			statuses := make(chan string, 1)
			go func() { statuses <- readAll(t, "status", k.status) }()
			if got := readAll(t, "stdout", k.stdout); got != "" {
				t.Errorf("shown %q", got)
			}
			failed(t, within(t, "status", statuses), errNoRecord.Error())
		})
	})
}

// A tap that panics closes both sides and shows nothing raw.
func TestTapPanics(t *testing.T) {
	panics := map[string]*tap{
		"input":  {onInput: func(p []byte) error { panic("SECRET " + string(p)) }},
		"output": {onOutput: func(_ string, p []byte) ([]byte, error) { panic("SECRET " + string(p)) }},
		"index":  {onOutput: func(_ string, p []byte) ([]byte, error) { return p[:len(p)+1<<20], nil }},
		"resize": {onResize: func() { panic("SECRET") }},
		"flush": {
			onOutput: func(string, []byte) ([]byte, error) { return nil, nil },
			onFlush:  func(string) []byte { panic("SECRET") },
		},
	}
	everyProtocol(t, func(t *testing.T, protocol string) {
		for name, tap := range panics {
			t.Run(name, func(t *testing.T) {
				ended := make(chan struct{}, 1)
				c := newCluster(t, func(p *process) {
					if name != "input" && name != "resize" {
						fmt.Fprint(p.stdout, "SECRET")
					}
					go func() { _, _ = io.Copy(io.Discard, p.stdin) }()
					go func() { _, _ = io.Copy(io.Discard, p.resize) }()
					<-p.closed
					ended <- struct{}{}
				})
				g := newGateway(t, c, tap, stream.Config{Settle: time.Millisecond})
				k := g.connect(t, protocol, "stdin", "stdout", "tty")
				statuses := make(chan string, 1)
				go func() { statuses <- readAll(t, "status", k.status) }()
				if name == "input" {
					_, _ = io.WriteString(k.stdin, "hello")
				}
				if name == "resize" {
					_, _ = io.WriteString(k.resize, `{"Width":80,"Height":24}`)
				}
				if got := readAll(t, "stdout", k.stdout); got != "" {
					t.Errorf("shown %q", got)
				}
				failed(t, within(t, "status", statuses), stream.ErrInternal.Error())
				within(t, "end of the process", ended)
				if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrInternal) {
					t.Errorf("%+v", o)
				}
			})
		}
	})
}

// A client that goes away ends the process.
func TestClientGoesAway(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		for name, leave := range map[string]func(*client){
			"closes": func(k *client) { k.close() },
			"dies":   func(k *client) { _ = k.conn.Close() },
		} {
			t.Run(name, func(t *testing.T) {
				begun, ended := make(chan struct{}, 1), make(chan struct{}, 1)
				g := newGateway(t, newCluster(t, waiting(begun, ended)), &tap{}, stream.Config{})
				k := g.connect(t, protocol, "stdin", "stdout")
				go func() { _, _ = io.Copy(io.Discard, k.status) }()
				go func() { _, _ = io.Copy(io.Discard, k.stdout) }()
				within(t, "begin", begun)
				leave(k)
				within(t, "end of the process", ended)
				if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrGone) {
					t.Errorf("%+v", o)
				}
			})
		}
	})
}

// A client is told when the API server breaks off: it must not take that for success.
func TestAPIServerBreaksOff(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		c := newCluster(t, func(p *process) { fmt.Fprint(p.stdout, "half") })
		g := newGateway(t, c, &tap{}, stream.Config{})
		k := g.connect(t, protocol, "stdout")
		statuses := make(chan string, 1)
		go func() { statuses <- readAll(t, "status", k.status) }()
		if got := readAll(t, "stdout", k.stdout); got != "half" {
			t.Errorf("stdout %q", got)
		}
		failed(t, within(t, "status", statuses), stream.ErrTarget.Error())
		if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrTarget) || o.result.Reported {
			t.Errorf("%+v", o)
		}
	})
}

// The process may end while the client is still sending.
func TestProcessEndsFirst(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		c := newCluster(t, func(p *process) {
			first := make([]byte, 10)
			_, _ = io.ReadFull(p.stdin, first)
			go func() { _, _ = io.Copy(io.Discard, p.stdin) }()
			fmt.Fprint(p.stdout, "enough")
			fmt.Fprint(p.status, exitCode("1"))
		})
		g := newGateway(t, c, &tap{}, stream.Config{})
		k := g.connect(t, protocol, "stdin", "stdout")
		go func() {
			for p := make([]byte, 32<<10); ; {
				if _, err := k.stdin.Write(p); err != nil {
					return
				}
			}
		}()
		statuses := make(chan string, 1)
		go func() { statuses <- readAll(t, "status", k.status) }()
		if got := readAll(t, "stdout", k.stdout); got != "enough" {
			t.Errorf("stdout %q", got)
		}
		if got := within(t, "status", statuses); got != exitCode("1") {
			t.Errorf("status %q", got)
		}
		k.close()
		if o := within(t, "end", g.ended); o.err != nil || o.result.ExitCode != 1 {
			t.Errorf("%+v", o)
		}
	})
}

func TestIdle(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		begun, ended := make(chan struct{}, 1), make(chan struct{}, 1)
		g := newGateway(t, newCluster(t, waiting(begun, ended)), &tap{}, stream.Config{Idle: 100 * time.Millisecond})
		k := g.connect(t, protocol, "stdin", "stdout")
		go func() { _, _ = io.Copy(io.Discard, k.stdout) }()
		failed(t, readAll(t, "status", k.status), stream.ErrIdle.Error())
		within(t, "end of the process", ended)
	})
}

// Pings go all the way in both directions, so that each peer learns about the other.
func TestPing(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		pinged, stop := make(chan error, 1), make(chan struct{})
		c := newCluster(t, func(p *process) {
			err := p.ping()
			if p.pong != nil && err == nil {
				<-p.pong
			}
			pinged <- err
			<-stop
			fmt.Fprint(p.status, success)
		})
		g := newGateway(t, c, &tap{}, stream.Config{})
		k := g.connect(t, protocol, "stdout")
		go func() { _, _ = io.Copy(io.Discard, k.status) }()
		if err := within(t, "ping of the target", pinged); err != nil {
			t.Error(err)
		}
		if err := k.ping(); err != nil {
			t.Error(err)
		}
		if k.pong != nil {
			within(t, "pong to the client", k.pong)
		}
		close(stop)
		if o := within(t, "end", g.ended); o.err != nil {
			t.Errorf("%+v", o)
		}
	})
}
