package stream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

// PortForward carries one port-forward between the client of r and the API server, until a side ends it or ctx does. The
// client's upgrade is granted at once; the API server is reached when f lets the first port open, with the same upgrade.
// What f or the API server refuses is told on the error stream of the connection to that port. w has been answered in
// every case.
//
// When ctx ends, both sides are closed within a second, and the client is told the cause on every open error stream.
//
// The error is nil when the client ended the connection. Otherwise it is the cause of ctx or one of this package's errors.
func (p *Proxy) PortForward(ctx context.Context, w http.ResponseWriter, r *http.Request, up Upstream, f Forwarder) (Traffic, error) {
	o, err := readOffer(r, []string{protocolForward}, []string{tunnelled + protocolForward})
	if err != nil {
		return Traffic{}, refuse(w, err)
	}
	if err := ctx.Err(); err != nil {
		return Traffic{}, refuse(w, context.Cause(ctx))
	}
	l, err := accept(w, o, o.protocols[0])
	if err != nil {
		return Traffic{}, err
	}
	defer l.cut()
	client, err := newPeer(l, o, true)
	if err != nil {
		return Traffic{}, err
	}
	fw := &forwarding{proxy: p, up: up, offer: o, forwarder: f, client: client, pairs: map[string]*pair{}, streams: map[uint32]*pair{}, at: map[uint32]*pair{}}
	return fw.run(ctx)
}

// Limits of one port-forward.
const (
	maxPairs     = 256              // connections at a time
	maxPending   = 256 << 10        // bytes that wait for a decision
	maxTold      = 1 << 10          // bytes kept of what the target tells about a connection
	pairingLimit = 30 * time.Second // for the second stream of a pair, as the kubelet
)

// forwarding is one port-forward whose client is upgraded.
type forwarding struct {
	proxy     *Proxy
	up        Upstream
	offer     offer
	forwarder Forwarder
	client    *peer

	ctx     context.Context
	stop    context.CancelCauseFunc
	idle    *time.Timer
	working sync.WaitGroup // decisions and the target's reader

	dialling sync.Mutex // one at a time reaches the target and opens streams there
	number   uint32     // of the last stream at the target

	mu      sync.Mutex
	target  *peer // nil until a port was let open
	pairs   map[string]*pair
	streams map[uint32]*pair // by the client's number
	at      map[uint32]*pair // by the number at the target
	last    uint32           // highest number of the client's streams
	pending int              // bytes in all pairs
	closing bool             // nothing new begins
	traffic Traffic
}

func (f *forwarding) run(ctx context.Context) (Traffic, error) {
	f.ctx, f.stop = context.WithCancelCause(ctx)
	defer f.stop(nil)
	f.idle = time.AfterFunc(f.proxy.cfg.Idle, func() { f.stop(ErrIdle) })
	defer f.idle.Stop()
	reading := start(f.fromClient)
	var err error
	select {
	case <-f.ctx.Done():
		err = context.Cause(f.ctx)
	case <-reading.done:
		err = reading.err
	}
	f.stop(err)
	return f.finish(err, reading)
}

// finish ends both sides: the target at once, and the client after it was told why.
func (f *forwarding) finish(err error, reading *running) (Traffic, error) {
	_ = f.client.link.SetWriteDeadline(time.Now().Add(farewell))
	f.mu.Lock()
	f.closing = true
	target := f.target
	f.mu.Unlock()
	if target != nil {
		target.link.cut()
	}
	f.working.Wait()
	gone := errors.Is(err, ErrGone)
	for _, p := range f.all() {
		if !gone {
			f.tell(p, err)
		}
		f.end(p, err)
	}
	f.client.goodbye(f.highest(), spdyframe.GoAwayOK)
	f.client.link.hangUp(reading.done)
	f.mu.Lock()
	defer f.mu.Unlock()
	if gone {
		err = nil
	}
	return f.traffic, err
}

func (f *forwarding) all() []*pair {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*pair, 0, len(f.pairs))
	for _, p := range f.pairs {
		all = append(all, p)
	}
	return all
}

func (f *forwarding) highest() uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// tell ends a pair toward the client, with an error on its error stream.
func (f *forwarding) tell(p *pair, err error) {
	f.mu.Lock()
	errors, data := p.legs[errorLeg], p.legs[dataLeg]
	f.mu.Unlock()
	if errors.client != 0 && !errors.targetDone {
		_ = f.client.data(errors.client, []byte(explain(err)), true)
	}
	if data.client != 0 && !data.done() {
		_ = f.client.reset(data.client, spdyframe.Cancel)
	}
}

// end takes a pair out, and tells its Port.
func (f *forwarding) end(p *pair, err error) {
	f.mu.Lock()
	if !p.over {
		p.over = true
		close(p.ended)
		f.pending -= len(p.pending)
		p.pending = nil
		delete(f.pairs, p.request)
		for _, l := range p.legs {
			delete(f.streams, l.client)
			delete(f.at, l.target)
		}
	}
	cancel := p.cancel
	f.mu.Unlock()
	if errors.Is(err, ErrGone) {
		err = nil
	}
	p.close(err) // before a decision that comes too late
	cancel()
}

// settle ends a pair whose streams have ended.
func (f *forwarding) settle(p *pair, err error) {
	f.mu.Lock()
	done := p.legs[errorLeg].done() && p.legs[dataLeg].done()
	if err == nil && len(p.text) > 0 {
		err = errors.New(string(p.text))
	}
	f.mu.Unlock()
	if done {
		f.end(p, err)
	}
}
