package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// errDone ends the client loop in good order.
var errDone = errors.New("client said goodbye")

// clientLoop handles what the client sends until it leaves, and returns why it ended.
func (p *proxy) clientLoop() string {
	for {
		if !p.in.HasFrame() {
			if err := p.sout.flush(); err != nil {
				return "the target went away"
			}
		}
		typ, body, err := p.in.Next()
		if p.owesSync.CompareAndSwap(true, false) {
			p.client.SetReadDeadline(time.Time{})
			if err := p.endBatch(); err != nil {
				return "the target went away"
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
		}
		if err != nil {
			return p.clientFailed(err)
		}
		if err := p.message(typ, body); err != nil {
			if errors.Is(err, errDone) {
				return "closed by the client"
			}
			p.log.Debug("session stopped", "error", err)
			return "stopped: " + err.Error()
		}
	}
}

// message handles one message. In a batch that is being discarded only Sync and
// Terminate count, as at the target.
func (p *proxy) message(typ byte, body []byte) error {
	if p.discard && typ != pgwire.TypeSync && typ != pgwire.TypeTerminate {
		return nil
	}
	if p.due.inCopy() && !duringCopy[typ] {
		return p.fatal(pgwire.StateProtocolViolation, fmt.Sprintf("message type %q came while the target was taking COPY data", typ))
	}
	switch typ {
	case pgwire.TypeQuery:
		return p.query(body)
	case pgwire.TypeParse:
		return p.parse(body)
	case pgwire.TypeBind:
		return p.bind(body)
	case pgwire.TypeDescribe:
		return p.describe(body)
	case pgwire.TypeExecute:
		return p.execute(body)
	case pgwire.TypeClose:
		return p.closeName(body)
	case pgwire.TypeSync:
		return p.sync(body)
	case pgwire.TypeFlush:
		return p.flush(body)
	case pgwire.TypeCopyData:
		return p.copyData(body)
	case pgwire.TypeCopyDone, pgwire.TypeCopyFail:
		return p.copyEnd(typ, body)
	case pgwire.TypeFunctionCall:
		return p.functionCall()
	case pgwire.TypeTerminate:
		p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeTerminate))
		p.sout.flush()
		return errDone
	}
	return p.fatal(pgwire.StateProtocolViolation, fmt.Sprintf("message type %q is not served here", typ))
}

// duringCopy are the messages that may come while the target takes COPY data.
var duringCopy = map[byte]bool{
	pgwire.TypeCopyData: true, pgwire.TypeCopyDone: true, pgwire.TypeCopyFail: true,
	pgwire.TypeSync: true, pgwire.TypeFlush: true, pgwire.TypeTerminate: true,
}

// clientFailed words the end of the client's side and answers what can be answered.
func (p *proxy) clientFailed(err error) string {
	var size *pgwire.SizeError
	var unknown *pgwire.UnknownMessageError
	switch {
	case errors.As(err, &size):
		p.fatal(pgwire.StateProgramLimitExceeded, fmt.Sprintf("a message of %d bytes is over the gateway's limit of %d", size.Length, size.Limit))
		p.recordBroken("oversize message")
		return "oversize message"
	case errors.As(err, &unknown):
		p.fatal(pgwire.StateProtocolViolation, fmt.Sprintf("message type %q is not served here", unknown.Type))
		p.recordBroken("unknown message type")
		return "unknown message type"
	case errors.Is(err, pgwire.ErrFrame), errors.Is(err, pgwire.ErrMalformed):
		p.fatal(pgwire.StateProtocolViolation, "malformed message")
		p.recordBroken("malformed message")
		return "malformed message"
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return "the client went away"
	}
	return "the client's connection broke"
}

// recordBroken leaves a record of input that is no command.
func (p *proxy) recordBroken(what string) {
	p.refused(&enforce.Denied{Cause: enforce.CauseUnreadable, Reason: what})
}

// fatal answers and ends the session.
func (p *proxy) fatal(code pgwire.SQLState, message string) error {
	p.client.SetWriteDeadline(time.Now().Add(2 * time.Second))
	p.out.build(func(dst []byte) ([]byte, error) { return appendFatal(dst, code, message, "") })
	p.out.flush()
	return errors.New(message)
}

// malformed answers a message whose body is not what its type says.
func (p *proxy) malformed(err error) error {
	p.recordBroken("malformed message")
	return p.fatal(pgwire.StateProtocolViolation, "malformed message: "+err.Error())
}

// drain waits until everything sent was answered, so that the transaction status and the
// names are known. Within a batch the target is asked to answer first.
func (p *proxy) drain() (tx pgwire.TxStatus, skipping bool, err error) {
	if _, idle := p.due.status(); !idle {
		if p.midBatch {
			p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeFlush))
		}
		if err := p.sout.flush(); err != nil {
			return 0, false, fmt.Errorf("send to target: %w", err)
		}
	}
	tx, skipping, alive := p.due.drain()
	if !alive {
		return 0, false, errGone
	}
	if p.due.inCopy() {
		return 0, false, p.fatal(pgwire.StateProtocolViolation, "a message came while the target was taking COPY data")
	}
	p.settle()
	return tx, skipping, nil
}

// begin asks the pipeline. While a command is held, the client's cancel request and its
// disappearance withdraw it.
func (p *proxy) begin(c *enforce.Command) (*enforce.Flight, error) {
	c.OnHold, c.Preview = p.onHold, p.onPreview
	f, err := p.sess.Begin(context.Background(), c)
	if lost := p.lookedBack(); lost != nil {
		if err == nil {
			f.End(enforce.Outcome{Cut: "not forwarded: " + lost.Error()})
		}
		f, err = nil, lost
	}
	if guard := p.guard; guard != nil {
		p.guard = nil
		if gone := guard.stop(); gone && err == nil {
			f.End(enforce.Outcome{Cut: "the client went away before the command was forwarded"})
			return nil, &enforce.Denied{Cause: enforce.CauseWithdrawn, Reason: "the client went away"}
		}
	}
	return f, err
}

// held tells the client that its command waits, and watches for a client that gives up.
func (p *proxy) held(h enforce.Held) <-chan struct{} {
	var withdrawn chan struct{}
	if p.guard == nil {
		withdrawn = make(chan struct{})
		withdraw := sync.OnceFunc(func() { close(withdrawn) })
		p.holding.Store(&withdraw)
		if p.gaveUp.Load() {
			withdraw()
		}
		p.guard = p.watchClient(withdraw)
	}
	p.out.build(func(dst []byte) ([]byte, error) {
		return appendNotice(dst, "held by Writ: "+h.ID+" waits for "+approvalsText(h.Approvals),
			h.Reason, "approve with: writ approve "+h.ID+" (cancel to withdraw)")
	})
	p.out.flush()
	return withdrawn
}

// absence watches for a client that leaves while its command is held.
type absence struct {
	p    *proxy
	done chan bool
}

// maxAhead bounds what is read ahead of a held command, in bytes.
const maxAhead = 1 << 20

// watchClient reads what the client sent behind the held command; its goodbye or the end
// of its stream withdraws the hold.
func (p *proxy) watchClient(withdraw func()) *absence {
	a := &absence{p: p, done: make(chan bool, 1)}
	go func() {
		var err error
		for err == nil && !p.in.Holds(pgwire.TypeTerminate) {
			err = p.in.Ahead(maxAhead)
		}
		var timeout net.Error
		gone := !errors.Is(err, pgwire.ErrAhead) && !(errors.As(err, &timeout) && timeout.Timeout())
		if gone {
			withdraw()
		}
		a.done <- gone
	}()
	return a
}

// stop ends the watch and reports whether the client is gone.
func (a *absence) stop() bool {
	a.p.client.SetReadDeadline(time.Unix(1, 0))
	gone := <-a.done
	a.p.client.SetReadDeadline(time.Time{})
	return gone
}
