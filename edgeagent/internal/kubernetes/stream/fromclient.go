package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

// fromClient handles what the client sends. It returns ErrGone when the client ends the connection.
func (f *forwarding) fromClient() error {
	held := borrow()
	defer giveBack(held)
	for {
		frame, err := f.client.in.Next()
		if err != nil {
			return whose(err, ErrClient, ErrGone)
		}
		f.idle.Reset(f.proxy.cfg.Idle)
		switch frame.Kind {
		case spdyframe.Open:
			err = f.pairUp(frame)
		case spdyframe.Data:
			err = f.fromStream(frame, held[:chunk])
		case spdyframe.Reset:
			err = f.resetByClient(frame)
		case spdyframe.Ping:
			err = f.ping(frame.Code)
		case spdyframe.GoAway:
			return ErrGone
		default:
			err = fmt.Errorf("%w: a frame that only servers send", ErrClient)
		}
		if err != nil {
			return err
		}
	}
}

// ping passes a ping or its answer on, so that both connections are kept; without a target it is answered here.
func (f *forwarding) ping(number uint32) error {
	f.mu.Lock()
	target := f.target
	f.mu.Unlock()
	if target == nil {
		return gone(f.client.ping(number))
	}
	if err := target.ping(number); err != nil {
		return fmt.Errorf("%w: %w", ErrTarget, err)
	}
	return nil
}

// pairUp takes a stream that the client opens. With the second one of a pair, the decision begins.
func (f *forwarding) pairUp(frame spdyframe.Frame) error {
	o, err := readOpening(frame.Header)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrClient, err)
	}
	p, refused, err := f.add(o, frame)
	if err != nil {
		return err
	}
	if refused {
		return gone(f.client.reset(frame.Stream, spdyframe.RefusedStream))
	}
	if err := f.client.reply(frame.Stream); err != nil {
		return gone(err)
	}
	ctx := f.complete(p)
	if ctx == nil {
		return nil
	}
	go func() {
		defer f.working.Done()
		if err := guarded(func() error { return f.decide(ctx, p) }); err != nil {
			f.stop(err)
		}
	}()
	return nil
}

// complete returns the context for the decision about a pair, when both its streams have come.
func (f *forwarding) complete(p *pair) context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || p.over || p.legs[errorLeg].client == 0 || p.legs[dataLeg].client == 0 {
		return nil
	}
	p.cancel() // no longer late
	ctx, cancel := context.WithCancel(f.ctx)
	p.cancel, p.complete = cancel, true
	f.working.Add(1)
	return ctx
}

// add puts a stream into its pair. refused is true when there are too many.
func (f *forwarding) add(o opening, frame spdyframe.Frame) (p *pair, refused bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if frame.Stream%2 == 0 || frame.Stream <= f.last {
		return nil, false, fmt.Errorf("%w: streams are not numbered upward", ErrClient)
	}
	f.last = frame.Stream
	p = f.pairs[o.request]
	switch {
	case f.closing:
		return nil, false, ErrGone
	case p == nil && len(f.pairs) >= maxPairs:
		return nil, true, nil
	case p == nil:
		p = &pair{request: o.request, port: o.port, decided: make(chan struct{}), ended: make(chan struct{})}
		f.pairs[o.request] = p
		late := time.AfterFunc(pairingLimit, func() { f.expire(p) })
		p.cancel = func() { late.Stop() }
	case p.port != o.port || p.legs[o.leg].client != 0:
		return nil, false, fmt.Errorf("%w: two streams of one request that do not fit together", ErrClient)
	}
	p.legs[o.leg] = leg{client: frame.Stream, clientDone: frame.Fin}
	if o.leg == errorLeg {
		p.legs[o.leg].clientDone = true // nothing is expected there
	} else {
		p.fin = frame.Fin
	}
	f.streams[frame.Stream] = p
	return p, false, nil
}

var errPairing = errors.New("the second stream of a connection did not come")

func (f *forwarding) expire(p *pair) {
	f.mu.Lock()
	complete := p.complete
	f.mu.Unlock()
	if complete {
		return
	}
	f.tell(p, errPairing)
	f.end(p, errPairing)
}

// find returns the pair and leg of one of the client's streams; nil for one that has ended.
func (f *forwarding) find(stream uint32) (*pair, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.streams[stream]
	if p == nil {
		if stream%2 == 0 || stream > f.last {
			return nil, 0, fmt.Errorf("%w: a frame on a stream that was not opened", ErrClient)
		}
		return nil, 0, nil
	}
	if p.legs[errorLeg].client == stream {
		return p, errorLeg, nil
	}
	return p, dataLeg, nil
}

// fromStream passes on a data frame of the client.
func (f *forwarding) fromStream(frame spdyframe.Frame, buf []byte) error {
	p, which, err := f.find(frame.Stream)
	if err != nil {
		return err
	}
	if p == nil || which == errorLeg {
		if p != nil && frame.Size > 0 {
			return fmt.Errorf("%w: the client sends on an error stream", ErrClient)
		}
		return nil
	}
	for left := frame.Size; left > 0; {
		n, err := fill(f.client.in, buf)
		if err != nil {
			return whose(err, ErrClient, ErrGone)
		}
		left -= n
		if err := f.submit(p, buf[:n], false); err != nil {
			return err
		}
	}
	if frame.Fin {
		return f.submit(p, nil, true)
	}
	return nil
}

// submit passes bytes of a pair on, or keeps them until it is decided about.
func (f *forwarding) submit(p *pair, b []byte, fin bool) error {
	f.mu.Lock()
	if p.legs[dataLeg].clientDone {
		f.mu.Unlock() // it had said that nothing more comes
		return nil
	}
	for !p.open && !p.over {
		if f.pending+len(b) <= maxPending {
			p.pending = append(p.pending, b...)
			f.pending += len(b)
			p.fin = p.fin || fin
			p.legs[dataLeg].clientDone = p.fin
			f.mu.Unlock()
			return nil
		}
		f.mu.Unlock()
		select {
		case <-p.decided:
		case <-p.ended:
		case <-f.ctx.Done():
			return context.Cause(f.ctx)
		}
		f.mu.Lock()
	}
	over, number := p.over, p.legs[dataLeg].target
	p.legs[dataLeg].clientDone = p.legs[dataLeg].clientDone || fin
	f.mu.Unlock()
	if over {
		return nil
	}
	return f.toTarget(p, number, b, fin)
}

// toTarget writes to the data stream of a pair.
func (f *forwarding) toTarget(p *pair, number uint32, b []byte, fin bool) error {
	f.mu.Lock()
	target := f.target
	f.traffic.Sent += int64(len(b))
	f.mu.Unlock()
	if len(b) > 0 {
		p.count(func(port Port) { port.Sent(len(b)) })
	}
	for part := range slices.Chunk(b, chunk) {
		if err := target.data(number, part, false); err != nil {
			return fmt.Errorf("%w: %w", ErrTarget, err)
		}
	}
	if !fin {
		return nil
	}
	if err := target.data(number, nil, true); err != nil {
		return fmt.Errorf("%w: %w", ErrTarget, err)
	}
	f.settle(p, nil)
	return nil
}

// resetByClient ends a stream; with its data stream, a connection ends. One that is not open at the target is over.
func (f *forwarding) resetByClient(frame spdyframe.Frame) error {
	p, which, err := f.find(frame.Stream)
	if p == nil || err != nil {
		return err
	}
	f.mu.Lock()
	p.legs[which].clientDone, p.legs[which].targetDone = true, true
	target, number, open := f.target, p.legs[which].target, p.open
	errors := p.legs[errorLeg]
	f.mu.Unlock()
	if !open {
		f.end(p, nil)
		if errors.client == 0 || errors.targetDone {
			return nil
		}
		return gone(f.client.data(errors.client, nil, true))
	}
	if err := target.reset(number, frame.Code); err != nil {
		return fmt.Errorf("%w: %w", ErrTarget, err)
	}
	f.settle(p, nil)
	return nil
}
