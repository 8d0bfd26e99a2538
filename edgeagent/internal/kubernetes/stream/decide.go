package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

// decide asks whether a pair may open, and opens it at the target.
func (f *forwarding) decide(ctx context.Context, p *pair) error {
	defer close(p.decided)
	port, err := f.forwarder.Open(ctx, p.port)
	switch {
	case err == nil && port == nil:
		err = ErrInternal
	case err == nil && !p.begin(port):
		port.Close(nil) // the client took it back
		return nil
	case err == nil:
		err = f.openAt(p)
	}
	if err == nil {
		return f.release(p)
	}
	if !f.isOver(p) {
		f.tell(p, err)
		f.end(p, err)
	}
	return nil
}

func (f *forwarding) isOver(p *pair) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return p.over
}

// openAt opens the streams of a pair at the target, which is reached for the first.
func (f *forwarding) openAt(p *pair) error {
	f.dialling.Lock()
	defer f.dialling.Unlock()
	target, err := f.reach()
	if err != nil {
		return err
	}
	f.number += 2 * legs
	numbers := [legs]uint32{errorLeg: f.number - 3, dataLeg: f.number - 1}
	f.mu.Lock()
	over := p.over
	if !over {
		for i, n := range numbers {
			p.legs[i].target = n
			f.at[n] = p
		}
	}
	f.mu.Unlock()
	if over {
		return nil
	}
	err = target.write(func(w *spdyframe.Writer) error {
		return errors.Join(w.Open(numbers[errorLeg], p.headers("error", f.number)...), w.Data(nil, numbers[errorLeg], nil, true),
			w.Open(numbers[dataLeg], p.headers("data", f.number)...))
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTarget, err)
	}
	return nil
}

// headers opens a stream at the target, under a request number of our own.
func (p *pair) headers(kind string, request uint32) []spdyframe.Header {
	return []spdyframe.Header{
		{Name: "streamtype", Value: kind}, {Name: "port", Value: fmt.Sprint(p.port)}, {Name: "requestid", Value: fmt.Sprint(request)},
	}
}

// reach returns the target, and dials it when that has not been done.
func (f *forwarding) reach() (*peer, error) {
	f.mu.Lock()
	target := f.target
	f.mu.Unlock()
	if target != nil {
		return target, nil
	}
	l, _, err := f.proxy.dial(f.ctx, f.up, f.offer)
	if err != nil {
		return nil, err
	}
	target, err = newPeer(l, f.offer, false)
	if err != nil {
		l.cut()
		return nil, err
	}
	f.mu.Lock()
	f.target = target
	f.mu.Unlock()
	if f.ctx.Err() != nil {
		l.cut() // it may have ended before the target was there to be cut
	}
	f.working.Add(1)
	go func() {
		defer f.working.Done()
		defer l.cut()
		f.stop(guarded(f.fromTarget))
	}()
	return target, nil
}

// release passes on what the client sent before the decision, and lets the rest through.
func (f *forwarding) release(p *pair) error {
	for {
		f.mu.Lock()
		b, fin, number := p.pending, p.fin, p.legs[dataLeg].target
		p.pending = nil
		f.pending -= len(b)
		p.open = len(b) == 0 && !p.over
		over := p.over
		f.mu.Unlock()
		if over {
			return f.takeBack(p)
		}
		if len(b) == 0 {
			if fin {
				return f.toTarget(p, number, nil, true)
			}
			return nil
		}
		if err := f.toTarget(p, number, b, false); err != nil {
			return err
		}
	}
}

// takeBack resets a pair at the target that the client gave up meanwhile.
func (f *forwarding) takeBack(p *pair) error {
	for _, l := range p.legs {
		if l.target == 0 {
			continue
		}
		if err := f.target.reset(l.target, spdyframe.Cancel); err != nil {
			return fmt.Errorf("%w: %w", ErrTarget, err)
		}
	}
	return nil
}
