package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/kubemask"
)

// recheckPause is how often a running answer is decided again while nothing passes.
const recheckPause = time.Second

// answer is the API server's answer on its way to the client.
type answer struct {
	x      *exchange
	ctx    context.Context
	cancel context.CancelCauseFunc
	resp   *http.Response
	body   io.Reader // as it is read here, which is not encoded unless it passes as it came
	masker *kubemask.Masker

	report  kubemask.Report
	bytes   int64
	head    []byte // the beginning of an error
	chunked int64  // recorded of the body
}

// maxErrorText bounds what is recorded of an error, in bytes.
const maxErrorText = 4 << 10

// maxRecorded bounds what is recorded of one body where results are recorded, in bytes.
const maxRecorded = 1 << 20

// send passes the answer on and ends the flight.
func (a *answer) send() {
	defer a.cancel(nil)
	a.header()
	stop := a.watch()
	err := a.pass()
	stop()
	cut := a.cutBy(err)
	if cut != nil {
		a.sayWhy(cut)
	}
	a.end(cut, err)
	if err != nil || cut != nil && !a.tells() {
		panic(http.ErrAbortHandler) // what was sent is not whole, and the client must not take it for whole
	}
}

// forwarded are the headers of an answer that a client gets to see.
var forwarded = []string{
	"Content-Type", "Audit-Id", "Warning", "Cache-Control", "Etag", "Last-Modified", "Vary", "Retry-After",
	"X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid", "X-Varied-Accept", "Date",
}

// verbatim reports whether the body passes as it came.
func (a *answer) verbatim() bool { return a.body == io.Reader(a.resp.Body) }

func (a *answer) header() {
	h := a.x.w.Header()
	for _, name := range forwarded {
		for _, v := range a.resp.Header[name] {
			h.Add(name, v)
		}
	}
	if a.verbatim() {
		h["Content-Encoding"] = a.resp.Header["Content-Encoding"]
	}
	if a.masker == nil && a.verbatim() && a.resp.ContentLength >= 0 && a.x.r.Method != http.MethodHead {
		h.Set("Content-Length", fmt.Sprint(a.resp.ContentLength))
	}
	if a.masker != nil {
		h.Del("Etag") // of what was there before masking
	}
	a.x.w.WriteHeader(a.resp.StatusCode)
}

// streams reports answers that go on for as long as the client wants.
func (a *answer) streams() bool {
	return a.x.r.Verb == "watch" || a.x.r.Subresource == "log" && a.x.r.Query.Get("follow") != "" || a.x.r.Proxies()
}

// watch decides a running answer again, about once a second, so that what changes stops it though nothing passes.
func (a *answer) watch() (stop func()) {
	if !a.streams() {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(recheckPause)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-a.ctx.Done():
				return
			case <-tick.C:
				if err := a.x.flight.Recheck(); err != nil {
					a.cancel(err)
					return
				}
			}
		}
	}()
	return func() { close(done) }
}

// Write implements io.Writer for what the client is to see. It decides again before more of a stream passes.
func (a *answer) Write(p []byte) (int, error) {
	if a.streams() {
		if err := a.x.flight.Recheck(); err != nil {
			a.cancel(err)
			return 0, err
		}
	}
	if a.resp.StatusCode >= 400 {
		a.head = append(a.head, p[:min(len(p), maxErrorText-len(a.head))]...)
	}
	if a.x.flight.RecordRows() && a.chunked < maxRecorded {
		a.x.flight.Chunk("body", p[:min(int64(len(p)), maxRecorded-a.chunked)])
		a.chunked += int64(len(p))
	}
	n, err := a.x.w.Write(p)
	a.bytes += int64(n)
	return n, err
}

func (a *answer) flush() { _ = http.NewResponseController(a.x.w).Flush() }

// pass copies the body, masked.
func (a *answer) pass() error {
	if a.x.r.Method == http.MethodHead {
		return nil
	}
	if a.masker == nil {
		return a.copy()
	}
	if media, _, _ := strings.Cut(a.resp.Header.Get("Content-Type"), ";"); media != "application/json" {
		return errUnmaskable
	}
	var err error
	if a.x.r.Verb == "watch" && a.resp.StatusCode == http.StatusOK {
		a.flush()
		a.report, err = a.masker.Events(a, a.body, a.flush)
		return err
	}
	a.report, err = a.masker.Answer(a, a.body)
	return err
}

var errUnmaskable = errors.New("the answer is not of a kind that can be masked")

// copy passes the body as it is, but for what a detector finds in logs.
func (a *answer) copy() error {
	if det := a.x.client.cluster.detector; det != nil && a.x.r.Subresource == "log" && a.resp.StatusCode == http.StatusOK {
		term, err := kubemask.NewTerminal(det)
		if err != nil {
			return err
		}
		return a.copyText(term)
	}
	if !a.streams() {
		return a.copyWhole()
	}
	a.flush()
	buf := make([]byte, 32<<10)
	for {
		n, err := a.body.Read(buf)
		if n > 0 {
			if _, err := a.Write(buf[:n]); err != nil {
				return err
			}
			a.flush()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pieces are what large answers pass in. The API server writes them in pieces of a few KB, each of which would cost a
// handful of system calls.
var pieces = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// copyWhole passes an answer that the client wants as a whole.
func (a *answer) copyWhole() error {
	piece := pieces.Get().(*[128 << 10]byte)
	defer pieces.Put(piece)
	for {
		n, err := fill(a.body, piece[:])
		if n > 0 {
			if _, err := a.Write(piece[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until p is full or there is an error, which is returned as it came: an answer that was cut off is told from one
// that ended.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}

// cutBy returns why the gateway stopped the answer, nil when it did not.
func (a *answer) cutBy(err error) error {
	cause := context.Cause(a.ctx)
	var d *enforce.Denied
	var ended *enforce.Ended
	switch {
	case errors.As(err, &d):
		return d
	case errors.As(cause, &d):
		return d
	case errors.As(cause, &ended):
		return ended
	}
	return nil
}

// end records what became of the request.
func (a *answer) end(cut, err error) {
	o := enforce.Outcome{
		Tag: a.resp.Status, Rows: a.report.Items, Bytes: a.bytes, MaskedColumns: a.report.Fields(),
	}
	if id := a.resp.Header.Get("Audit-Id"); id != "" {
		o.Attrs = []audit.Attr{{Name: "audit_id", Value: id[:min(len(id), 64)]}}
	}
	if a.resp.StatusCode >= 400 {
		o.ErrorCode, o.ErrorMessage = statusText(a.head)
	}
	switch {
	case cut != nil:
		o.Cut = cut.Error()
	case err != nil && a.x.req.Context().Err() != nil:
		o.Cut = "the client went away"
	case err != nil:
		o.Cut = "the answer could not be passed on whole"
		a.x.server.log.Warn("pass answer", "session", a.x.client.session.ID(), "error", err)
	}
	a.x.flight.End(o)
}
