package stream

import (
	"context"
	"net/http"

	"github.com/writhq/writ/pkg/kubeapi"
)

// execProtocols are what exec and attach may speak: those that report how a command ended.
var execProtocols = []string{protocolV5, protocolV4}

// Exec carries one exec or attach between the client of r and the API server, until it ends or ctx does. The client's
// upgrade is granted only when the API server has granted the same one; what the API server refuses, the client gets as
// it was written. w has been answered in every case.
//
// When ctx ends, both sides are closed within a second and the client is told the cause, in the form in which the failure
// of a command is reported. want is what the request asks for.
//
// The error is nil for a command that ended, however it ended. Otherwise it is the cause of ctx, the error of tap, a
// [Refused], or one of this package's errors.
func (p *Proxy) Exec(ctx context.Context, w http.ResponseWriter, r *http.Request, up Upstream, want kubeapi.Exec, tap Tap) (Result, error) {
	o, err := readOffer(r, execProtocols, execProtocols)
	if err != nil {
		return Result{}, refuse(w, err)
	}
	target, protocol, err := p.dial(ctx, up, o)
	if err != nil {
		return Result{}, refuse(w, err)
	}
	defer target.cut()
	client, err := accept(w, o, protocol)
	if err != nil {
		return Result{}, err
	}
	defer client.cut()
	x := &execution{cfg: p.cfg, tap: tap, want: want, clientLink: client, targetLink: target}
	if err := x.speak(o, protocol); err != nil {
		return Result{}, err
	}
	return x.run(ctx)
}

// speak makes the two sides.
func (x *execution) speak(o offer, protocol string) error {
	if o.socket {
		x.client, x.target = newSocketSide(x.clientLink, protocol, true), newSocketSide(x.targetLink, protocol, false)
		return nil
	}
	client, err := newSpdySide(x.clientLink, expected(x.want), true)
	if err != nil {
		return err
	}
	target, err := newSpdySide(x.targetLink, expected(x.want), false)
	if err != nil {
		return err
	}
	x.client, x.target = client, target
	return nil
}

// expected returns the channels that a request needs. A terminal has no stderr of its own.
func expected(want kubeapi.Exec) [channels]bool {
	return [channels]bool{
		stdin: want.Stdin, stdout: want.Stdout, stderr: want.Stderr && !want.TTY, report: true, resize: want.TTY,
	}
}
