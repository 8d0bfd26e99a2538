package kubernetes

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/policy"
)

// portForward carries a port-forward, each connection to a port of which is a command of its own. What would be refused
// for every port is refused before the connection is upgraded.
func (x *exchange) portForward() {
	session := x.client.session
	c := x.portCommand(nil)
	if d, depends := session.Would(c); d != nil && depends&policy.DependsPorts == 0 {
		_, err := session.Begin(x.req.Context(), c) // which records it
		x.refuse(err, &x.r)
		return
	}
	ctx, cancel := x.live()
	defer cancel(nil)
	up, err := x.upgrade(ctx)
	if err != nil {
		x.refuse(asRefusal(err), &x.r)
		return
	}
	f := &forwarder{x: x, open: map[*port]struct{}{}}
	stop := every(recheckPause, func() bool {
		err := f.recheck()
		if err != nil {
			cancel(err)
		}
		return err == nil
	})
	defer stop()
	if _, err := x.server.streams.PortForward(ctx, x.w, x.req, up, f); err != nil {
		x.server.log.Debug("port-forward ended", "session", session.ID(), "error", err)
	}
}

// portCommand is the command that opens a connection to a port; nil is the port-forward itself, whose ports are not known.
func (x *exchange) portCommand(port *uint16) *enforce.Command {
	c := x.client.cluster
	r := x.r
	facts := factsOf(r, kubeapi.Body{})
	line := fmt.Sprintf("portforward %s/%s", r.Namespace, r.Name)
	facts.Ports, facts.PortsKnown = nil, port != nil
	if port != nil {
		facts.Ports = []int64{int64(*port)}
		line += " " + strconv.Itoa(int(*port))
		r.Ports = []uint16{*port}
		r.Query = cloned(r.Query)
		r.Query.Set("ports", strconv.Itoa(int(*port)))
	}
	sub := subjectOf(c.res.Policy.Name, r, kubeapi.Body{})
	sub.Asks[0].Facts = facts.Facts()
	return &enforce.Command{
		Subject: sub, Digest: digestOf(c.res.Name(), r, kubeapi.Body{}), Patience: x.server.cfg.Patience, Text: lineText(line),
	}
}

// lineText is a command that its line says all of.
type lineText string

// Recorded implements enforce.Text.
func (t lineText) Recorded(bool) (string, []audit.Param) { return string(t), nil }

// Shown implements enforce.Text.
func (t lineText) Shown() (string, []string) { return string(t), nil }

// forwarder decides about the ports of one port-forward.
type forwarder struct {
	x    *exchange
	mu   sync.Mutex
	open map[*port]struct{}
}

// Open implements stream.Forwarder.
func (f *forwarder) Open(ctx context.Context, number uint16) (stream.Port, error) {
	flight, err := f.x.client.session.Begin(ctx, f.x.portCommand(&number))
	if err != nil {
		return nil, refusedPort(err)
	}
	p := &port{f: f, flight: flight}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[p] = struct{}{}
	return p, nil
}

// refusedPort words a refusal for the one line that kubectl shows.
func refusedPort(err error) error {
	return fmt.Errorf("%s", statusOf(err, nil).Message)
}

// recheck decides every open connection again.
func (f *forwarder) recheck() error {
	f.mu.Lock()
	all := make([]*port, 0, len(f.open))
	for p := range f.open {
		all = append(all, p)
	}
	f.mu.Unlock()
	for _, p := range all {
		if err := p.flight.Recheck(); err != nil {
			return err
		}
	}
	return nil
}

// port counts what passes through one connection.
type port struct {
	f              *forwarder
	flight         *enforce.Flight
	sent, received atomic.Int64
}

// Sent implements stream.Port.
func (p *port) Sent(n int) { p.sent.Add(int64(n)) }

// Received implements stream.Port.
func (p *port) Received(n int) { p.received.Add(int64(n)) }

// Close implements stream.Port.
func (p *port) Close(err error) {
	p.f.mu.Lock()
	delete(p.f.open, p)
	p.f.mu.Unlock()
	o := enforce.Outcome{Tag: "closed", Bytes: p.received.Load(), Attrs: []audit.Attr{
		{Name: "sent_bytes", Value: strconv.FormatInt(p.sent.Load(), 10)}, {Name: "received_bytes", Value: strconv.FormatInt(p.received.Load(), 10)},
	}}
	if err != nil {
		o.Tag, o.Cut = "cut", err.Error()
	}
	p.flight.End(o)
}
