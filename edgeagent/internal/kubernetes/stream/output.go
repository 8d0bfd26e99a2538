package stream

import (
	"context"
	"slices"
	"sync"
	"time"
)

// output passes what the target sends through the tap to the client. It is safe for concurrent use.
type output struct {
	tap    Tap
	client side
	settle time.Duration
	fail   context.CancelCauseFunc

	mu     sync.Mutex
	timers [channels]*time.Timer
	ended  bool
}

func newOutput(tap Tap, client side, settle time.Duration, fail context.CancelCauseFunc) *output {
	return &output{tap: tap, client: client, settle: settle, fail: fail}
}

// pass sends what the tap makes of p, which came on c.
func (o *output) pass(c channel, p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	shown, err := o.tap.Output(c.String(), p)
	if err != nil {
		return err
	}
	if o.timers[c] == nil {
		o.timers[c] = time.AfterFunc(o.settle, func() {
			if err := guarded(func() error { return o.flush(c) }); err != nil {
				o.fail(err)
			}
		})
	} else {
		o.timers[c].Reset(o.settle)
	}
	return o.send(c, shown)
}

func (o *output) send(c channel, p []byte) error {
	for part := range slices.Chunk(p, chunk) {
		if err := o.client.send(message{kind: data, channel: c, data: part}); err != nil {
			return gone(err)
		}
	}
	return nil
}

// flush sends what the tap kept back of c. It does nothing for a channel without output, and after the end.
func (o *output) flush(c channel) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.flushLocked(c)
}

func (o *output) flushLocked(c channel) error {
	if o.ended || o.timers[c] == nil {
		return nil
	}
	o.timers[c].Stop()
	return o.send(c, o.tap.Flush(c.String()))
}

func (o *output) flushAll() error {
	if err := o.flush(stdout); err != nil {
		return err
	}
	return o.flush(stderr)
}

// end flushes for the last time: the tap is not called any more.
func (o *output) end() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() {
		o.ended = true
		for _, t := range o.timers {
			if t != nil {
				t.Stop()
			}
		}
	}()
	if err := o.flushLocked(stdout); err != nil {
		return err
	}
	return o.flushLocked(stderr)
}
