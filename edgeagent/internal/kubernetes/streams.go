package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
	"github.com/writhq/writ/edgeagent/internal/kubernetes/terminal"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/kubemask"
)

// exec carries a decided exec or attach.
func (x *exchange) exec() {
	ctx, cancel := x.live()
	defer cancel(nil)
	up, err := x.upgrade(ctx)
	if err != nil {
		x.fail(asRefusal(err), err)
		return
	}
	tap, err := newTap(x)
	if err != nil {
		x.fail(asRefusal(err), err)
		return
	}
	stop := every(recheckPause, func() bool {
		err := x.flight.Recheck()
		if err != nil {
			cancel(err)
		}
		return err == nil
	})
	result, err := x.server.streams.Exec(ctx, x.w, x.req, up, *x.r.Exec, tap)
	stop()
	tap.recorder.Close()
	x.flight.End(x.execOutcome(result, err))
}

// live is a context that ends with the client, and with the session for the session's reason.
func (x *exchange) live() (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(x.req.Context())
	session := x.client.session
	stop := context.AfterFunc(session.Context(), func() { cancel(session.Err()) })
	context.AfterFunc(ctx, func() { stop() })
	return ctx, cancel
}

// every calls check again and again until it returns false or stop is called.
func every(pause time.Duration, check func() bool) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if !check() {
					return
				}
			}
		}
	}()
	return func() { close(done) }
}

// upgrade is the way to the API server for a connection that is no longer HTTP.
func (x *exchange) upgrade(ctx context.Context) (stream.Upstream, error) {
	header, err := x.client.out.signIn(ctx)
	if err != nil {
		return stream.Upstream{}, err
	}
	header.Set("User-Agent", orDefault(x.req.UserAgent(), "writ-edge"))
	return stream.Upstream{
		Dial: func(ctx context.Context) (net.Conn, error) { return x.client.out.dial(ctx, "http/1.1") },
		Host: x.client.cluster.res.Endpoint, URI: x.r.URI(), Method: x.r.Method, Header: header,
	}, nil
}

func (x *exchange) execOutcome(r stream.Result, err error) enforce.Outcome {
	o := enforce.Outcome{Tag: "ended", Bytes: r.Stdout + r.Stderr}
	for name, n := range map[string]int64{"stdin_bytes": r.Stdin, "stdout_bytes": r.Stdout, "stderr_bytes": r.Stderr} {
		if n > 0 {
			o.Attrs = append(o.Attrs, audit.Attr{Name: name, Value: strconv.FormatInt(n, 10)})
		}
	}
	var refused *stream.Refused
	switch {
	case errors.As(err, &refused):
		o.Tag = fmt.Sprintf("%d %s", refused.Code, http.StatusText(refused.Code))
		o.ErrorCode, o.ErrorMessage = strconv.Itoa(refused.Code), refused.Message
		if refused.Code == http.StatusUnauthorized {
			x.client.out.refused()
		}
	case err != nil:
		o.Tag, o.Cut = "cut", err.Error()
	case r.Reported:
		o.Tag = "exit " + strconv.Itoa(r.ExitCode)
		o.ErrorMessage = r.Message
	}
	return o
}

// tap masks and records what an exec or attach shows.
type tap struct {
	flight   *enforce.Flight
	recorder *terminal.Recorder
	shown    map[string]*kubemask.Terminal // by stream; nil without a detector
	out      []byte
}

func newTap(x *exchange) (*tap, error) {
	det := x.client.cluster.detector
	config := terminal.Config{Sink: x.flight.Chunk, TTY: x.r.Exec.TTY}
	if !x.flight.RecordStreams() {
		config.Sink = func(string, []byte) {}
	}
	if det != nil {
		config.MaskInput = func(line []byte) []byte { return det.Redact(nil, line) }
	}
	recorder, err := terminal.New(config)
	if err != nil {
		return nil, err
	}
	t := &tap{flight: x.flight, recorder: recorder}
	if det == nil {
		return t, nil
	}
	t.shown = map[string]*kubemask.Terminal{}
	for _, name := range []string{"stdout", "stderr"} {
		if t.shown[name], err = kubemask.NewTerminal(det); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Input implements stream.Tap.
func (t *tap) Input(p []byte) error {
	if err := t.flight.Ready(); err != nil {
		return err
	}
	t.recorder.Input(p)
	return nil
}

// Output implements stream.Tap.
func (t *tap) Output(name string, p []byte) ([]byte, error) {
	if err := t.flight.Ready(); err != nil {
		return nil, err
	}
	out := p
	if term := t.shown[name]; term != nil {
		t.out = term.Write(t.out[:0], p)
		out = t.out
	}
	t.recorder.Output(name, out)
	return out, nil
}

// Flush implements stream.Tap.
func (t *tap) Flush(name string) []byte {
	term := t.shown[name]
	if term == nil {
		return nil
	}
	t.out = term.Flush(t.out[:0])
	t.recorder.Output(name, t.out)
	return t.out
}

// Resize implements stream.Tap.
func (t *tap) Resize(cols, rows uint16) { t.recorder.Resize(cols, rows) }
