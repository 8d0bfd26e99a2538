package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/wsframe"
	"github.com/writhq/writ/pkg/kubeapi"
)

// execution is one exec or attach whose both sides are upgraded.
type execution struct {
	cfg                    Config
	tap                    Tap
	want                   kubeapi.Exec
	clientLink, targetLink *link
	client, target         side

	stop context.CancelCauseFunc
	idle *time.Timer

	// Of the goroutine that reads the client:
	sizes sizes
	deaf  bool  // the target takes nothing more
	sent  int64 // to stdin

	// Of the goroutine that reads the target:
	output   *output
	reported []byte
	last     message // the target's end
	received [channels]int64
}

// run passes messages on until a side ends the connection, something fails, or ctx ends.
func (x *execution) run(ctx context.Context) (Result, error) {
	ctx, x.stop = context.WithCancelCause(ctx)
	defer x.stop(nil)
	x.idle = time.AfterFunc(x.cfg.Idle, func() { x.stop(ErrIdle) })
	defer x.idle.Stop()
	x.output = newOutput(x.tap, x.client, x.cfg.Settle, x.stop)
	x.last = message{kind: end, code: x.client.endCode()}

	fromClient, fromTarget := start(x.fromClient), start(x.fromTarget)
	var err error
	select {
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-fromClient.done:
		err = fromClient.err
	case <-fromTarget.done:
		err = fromTarget.err
	}
	return x.finish(err, fromClient, fromTarget)
}

// finish ends both sides: the target at once, and the client after it was sent what is left to say.
func (x *execution) finish(err error, fromClient, fromTarget *running) (Result, error) {
	_ = x.clientLink.SetWriteDeadline(time.Now().Add(farewell))
	x.targetLink.cut()
	<-fromTarget.done
	if flushed := guarded(x.output.end); err == nil {
		err = flushed
	}
	result := x.result()
	switch {
	case result.Reported && (errors.Is(err, ErrGone) || errors.Is(err, ErrTarget)):
		err = nil
	case !result.Reported && err == nil:
		err = ErrTarget
	}
	if err != nil && !errors.Is(err, ErrGone) {
		x.tell(err)
	}
	_ = x.client.send(x.last)
	x.clientLink.hangUp(fromClient.done)
	result.Stdin = x.sent
	return result, err
}

// tell reports to the client why the command did not end by itself.
func (x *execution) tell(err error) {
	x.last = message{kind: end, code: x.client.endCode()}
	for c := range channels {
		_ = x.client.send(message{kind: opened, channel: c})
	}
	if len(x.reported) == 0 {
		_ = x.client.send(message{kind: data, channel: report, data: failure(http.StatusForbidden, "Forbidden", explain(err))})
	}
	for c := range channels {
		_ = x.client.send(message{kind: finish, channel: c})
	}
}

func (x *execution) result() Result {
	r := Result{Stdout: x.received[stdout], Stderr: x.received[stderr]}
	r.read(x.reported)
	return r
}

// fromClient passes on what the client sends. It returns ErrGone when the client ends the connection.
func (x *execution) fromClient() error {
	for {
		m, err := x.client.next()
		if err != nil {
			return whose(err, ErrClient, ErrGone)
		}
		x.idle.Reset(x.cfg.Idle)
		switch {
		case m.kind == end:
			x.pass(m)
			return ErrGone
		case m.kind == data:
			err = x.input(m)
		default:
			x.pass(m)
		}
		if err != nil {
			return err
		}
	}
}

// pass sends m to the target. A target that takes nothing more may still have something to say, so that what the client
// goes on sending is dropped.
func (x *execution) pass(m message) {
	if !x.deaf {
		x.deaf = x.target.send(m) != nil
	}
}

func (x *execution) input(m message) error {
	switch {
	case m.channel == stdin && x.want.Stdin:
		if len(m.data) == 0 || x.deaf {
			return nil
		}
		if err := x.tap.Input(m.data); err != nil {
			return err
		}
		x.sent += int64(len(m.data))
		x.pass(m)
		return nil
	case m.channel == resize:
		if err := x.sizes.read(m.data, x.resize); err != nil {
			return fmt.Errorf("%w: %w", ErrClient, err)
		}
		return nil
	case len(m.data) == 0:
		return nil
	}
	return fmt.Errorf("%w: the client sends on %s", ErrClient, m.channel)
}

// resize passes a new size on, if there is a terminal: some clients send it regardless.
func (x *execution) resize(size terminalSize) {
	if x.want.TTY {
		x.tap.Resize(size.Width, size.Height)
		x.pass(message{kind: data, channel: resize, data: size.encode()})
	}
}

// fromTarget passes on what the target sends.
func (x *execution) fromTarget() error {
	for {
		m, err := x.target.next()
		if err != nil {
			return whose(err, ErrTarget, ErrTarget)
		}
		x.idle.Reset(x.cfg.Idle)
		switch {
		case m.kind == end:
			x.last = m
			x.last.data = append([]byte(nil), m.data...)
			return nil
		case m.kind == data && len(m.data) > 0:
			err = x.receive(m)
		default:
			err = x.signal(m)
		}
		if err != nil {
			return err
		}
	}
}

// receive passes on what comes on a channel: output through the tap, the report unchanged but after all output.
func (x *execution) receive(m message) error {
	x.received[m.channel] += int64(len(m.data))
	switch {
	case m.channel.output():
		return x.output.pass(m.channel, m.data)
	case m.channel != report:
		return fmt.Errorf("%w: data on %s", ErrTarget, m.channel)
	}
	if err := x.output.flushAll(); err != nil {
		return err
	}
	x.reported = append(x.reported, m.data[:min(len(m.data), maxReport-len(x.reported))]...)
	return gone(x.client.send(m))
}

// signal passes on what is no data. What the tap kept back of a channel comes before its end. A report that ends before
// it has begun is not passed on, since a client would take it for success.
func (x *execution) signal(m message) error {
	ends := m.kind == finish || m.kind == reset
	switch {
	case ends && m.channel.output():
		if err := x.output.flush(m.channel); err != nil {
			return err
		}
	case ends && m.channel == report && len(x.reported) == 0:
		return nil
	}
	return gone(x.client.send(m))
}

func gone(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return nil
}

// whose says who is to blame for an error of reading: broke when the protocol was broken, and left when the connection
// was.
func whose(err, broke, left error) error {
	switch {
	case errors.Is(err, wsframe.ErrProtocol), errors.Is(err, spdyframe.ErrProtocol):
		return fmt.Errorf("%w: %w", broke, err)
	case errors.Is(err, io.EOF):
		return left
	}
	return fmt.Errorf("%w: %w", left, err)
}

// running is a goroutine that has been started. err is set when done is closed.
type running struct {
	done chan struct{}
	err  error
}

func start(f func() error) *running {
	r := &running{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = guarded(f)
	}()
	return r
}

// guarded makes an error of a panic. What was panicked with is told only when it comes from the language, since anything
// else may hold what must not be seen.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = ErrInternal
			if e, ok := p.(runtime.Error); ok {
				err = fmt.Errorf("%w: %w", ErrInternal, e)
			}
		}
	}()
	return f()
}
