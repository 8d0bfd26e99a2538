package stream

import (
	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

// fromTarget handles what the target sends. The connection cannot go on without it.
func (f *forwarding) fromTarget() error {
	held := borrow()
	defer giveBack(held)
	for {
		frame, err := f.target.in.Next()
		if err != nil {
			return whose(err, ErrTarget, ErrTarget)
		}
		f.idle.Reset(f.proxy.cfg.Idle)
		switch frame.Kind {
		case spdyframe.Data:
			err = f.toStream(frame, held[:chunk])
		case spdyframe.Reset:
			err = f.resetByTarget(frame)
		case spdyframe.Ping:
			err = gone(f.client.ping(frame.Code))
		case spdyframe.GoAway:
			return ErrTarget
		}
		if err != nil {
			return err
		}
	}
}

// findAt returns the pair and leg of a stream at the target; nil for one that has ended.
func (f *forwarding) findAt(stream uint32) (*pair, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.at[stream]
	if p != nil && p.legs[errorLeg].target == stream {
		return p, errorLeg
	}
	return p, dataLeg
}

// toStream passes a data frame of the target on.
func (f *forwarding) toStream(frame spdyframe.Frame, buf []byte) error {
	p, which := f.findAt(frame.Stream)
	if p == nil {
		return nil
	}
	number := p.legs[which].client // never changes
	for left := frame.Size; left > 0; {
		n, err := fill(f.target.in, buf)
		if err != nil {
			return whose(err, ErrTarget, ErrTarget)
		}
		left -= n
		f.note(p, which, buf[:n])
		if err := f.client.data(number, buf[:n], false); err != nil {
			return gone(err)
		}
	}
	if !frame.Fin {
		return nil
	}
	if err := f.client.data(number, nil, true); err != nil {
		return gone(err)
	}
	f.mu.Lock()
	p.legs[which].targetDone = true
	f.mu.Unlock()
	f.settle(p, nil)
	return nil
}

// note counts what the target sent, and keeps some of what it told as an error.
func (f *forwarding) note(p *pair, which int, b []byte) {
	f.mu.Lock()
	if which == errorLeg {
		p.text = append(p.text, b[:min(len(b), maxTold-len(p.text))]...)
	} else {
		f.traffic.Received += int64(len(b))
	}
	f.mu.Unlock()
	if which == dataLeg {
		p.count(func(port Port) { port.Received(len(b)) })
	}
}

func (f *forwarding) resetByTarget(frame spdyframe.Frame) error {
	p, which := f.findAt(frame.Stream)
	if p == nil {
		return nil
	}
	f.mu.Lock()
	p.legs[which].clientDone, p.legs[which].targetDone = true, true
	number := p.legs[which].client
	f.mu.Unlock()
	if err := f.client.reset(number, frame.Code); err != nil {
		return gone(err)
	}
	f.settle(p, nil)
	return nil
}
