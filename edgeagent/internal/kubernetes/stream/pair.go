package stream

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

// Streams of one forwarded connection.
const (
	errorLeg = iota
	dataLeg
	legs
)

// leg is one stream of a pair, on both sides.
type leg struct {
	client, target         uint32 // numbers; 0: not open there
	clientDone, targetDone bool   // nothing more comes from there
}

func (l *leg) done() bool { return l.clientDone && l.targetDone }

// pair is one forwarded connection: a stream for its bytes, and one for the error it ends with.
type pair struct {
	request string
	port    uint16
	decided chan struct{} // closed when pending is no longer added to
	ended   chan struct{} // closed when over

	// Under forwarding.mu:
	cancel   context.CancelFunc // of what is going on for the pair: the wait for the second stream, or the decision
	legs     [legs]leg
	complete bool   // both streams are there
	pending  []byte // from the client, before the decision
	fin      bool   // the client's end came before the decision
	open     bool   // at the target
	over     bool
	text     []byte // what the target told on the error stream

	calls  sync.Mutex
	told   Port // nil: not decided, or closed
	closed bool
}

// opening is what the headers of a stream say.
type opening struct {
	leg     int
	port    uint16
	request string
}

// readOpening reads the headers with which a client opens a stream (k8s.io/api/core/v1, StreamType and the like).
func readOpening(h http.Header) (opening, error) {
	kind, port, request := h[streamType], h["Port"], h["Requestid"]
	if len(h) != 3 || len(kind) != 1 || len(port) != 1 || len(request) != 1 || request[0] == "" {
		return opening{}, fmt.Errorf("%w: a stream needs the headers streamType, port and requestID, once each, and no other", spdyframe.ErrProtocol)
	}
	number, err := strconv.ParseUint(port[0], 10, 16)
	if err != nil || number == 0 {
		return opening{}, fmt.Errorf("%w: a port that is no number from 1 to 65535", spdyframe.ErrProtocol)
	}
	o := opening{port: uint16(number), request: request[0]}
	switch kind[0] {
	case "error":
		o.leg = errorLeg
	case "data":
		o.leg = dataLeg
	default:
		return opening{}, fmt.Errorf("%w: a stream of an unknown type", spdyframe.ErrProtocol)
	}
	return o, nil
}

// begin sets who is told about the pair. It reports false when the pair has been closed.
func (p *pair) begin(port Port) bool {
	p.calls.Lock()
	defer p.calls.Unlock()
	if p.closed {
		return false
	}
	p.told = port
	return true
}

// count tells about bytes that are about to be passed on.
func (p *pair) count(tell func(Port)) {
	p.calls.Lock()
	defer p.calls.Unlock()
	if p.told != nil && !p.closed {
		tell(p.told)
	}
}

func (p *pair) close(err error) {
	p.calls.Lock()
	defer p.calls.Unlock()
	if p.told != nil && !p.closed {
		p.told.Close(err)
	}
	p.closed = true
}
