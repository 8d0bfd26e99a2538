package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/kubemask"
)

var errNotAcceptable = errors.New("no answer that can be masked is acceptable")

// forward sends a decided request to the API server and its answer to the client.
func (x *exchange) forward() {
	ctx, cancel := context.WithCancelCause(x.req.Context())
	defer cancel(nil)
	session := x.client.session
	defer context.AfterFunc(session.Context(), func() { cancel(session.Err()) })()

	masker := x.client.cluster.masking(session, x.flight.Reveal, x.r)
	header := kubeapi.ForwardHeader(x.req.Header)
	if masker != nil {
		if header = acceptJSON(header); header == nil {
			x.fail(&enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the answer is masked for you, and can only be sent as JSON", Next: "accept application/json"}, errNotAcceptable)
			return
		}
	}
	resp, err := x.roundTrip(ctx, header)
	if err != nil {
		if ended := session.Err(); ended != nil {
			err = &enforce.Denied{Cause: enforce.CauseEnded, Reason: "the session is over: " + ended.Error()}
		}
		x.fail(asRefusal(err), err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.StatusCode != http.StatusNotModified {
		x.fail(&enforce.Denied{Cause: enforce.CauseControl, Reason: "the API server sends elsewhere, which is not followed"}, nil)
		return
	}
	if x.flight.Held() != "" {
		x.w.Header().Add("Warning", warning(x.flight.Held()+" was approved"))
	}
	if x.client.cluster.hidesReleases(x.flight.Reveal, x.r) {
		x.w.Header().Add("Warning", warning(helmWarning))
	}
	a := &answer{x: x, ctx: ctx, cancel: cancel, resp: resp, masker: masker}
	a.send()
}

// roundTrip signs in and sends the request. A credential that the cluster does not take is replaced once.
func (x *exchange) roundTrip(ctx context.Context, header http.Header) (*http.Response, error) {
	for try := 0; ; try++ {
		signed, err := x.client.out.signIn(ctx)
		if err != nil {
			return nil, err
		}
		req, err := x.upstream(ctx, header, signed)
		if err != nil {
			return nil, err
		}
		if x.flight != nil {
			if err := x.flight.Ready(); err != nil {
				return nil, err
			}
		}
		resp, err := x.client.out.transport.RoundTrip(req)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUnreachable, err)
		}
		if resp.StatusCode != http.StatusUnauthorized {
			return resp, nil
		}
		resp.Body.Close()
		x.client.out.refused()
		if try > 0 {
			return nil, errCredential
		}
	}
}

var errUnreachable = errors.New("the API server cannot be reached")

// upstream makes the request that is sent: what was decided, and nothing else of the client's.
func (x *exchange) upstream(ctx context.Context, header, signed http.Header) (*http.Request, error) {
	host := x.client.cluster.res.Endpoint
	u, err := url.ParseRequestURI(x.r.URI())
	if err != nil || u.RequestURI() != x.r.URI() {
		return nil, &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the path cannot be sent as it was read"}
	}
	u.Scheme, u.Host = "https", host
	var body io.Reader
	if len(x.b.JSON) > 0 {
		body = bytes.NewReader(x.b.JSON)
	}
	req, err := http.NewRequestWithContext(ctx, x.r.Method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header = header.Clone()
	req.Header.Del("Content-Type")
	if x.b.ContentType != "" {
		req.Header.Set("Content-Type", x.b.ContentType)
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header["User-Agent"] = []string{"writ-edge"}
	}
	for name, values := range signed {
		req.Header[name] = values
	}
	return req, nil
}

func asRefusal(err error) *enforce.Denied {
	var d *enforce.Denied
	switch {
	case errors.As(err, &d):
		return d
	case errors.Is(err, errCredential):
		return &enforce.Denied{Cause: enforce.CauseControl, Reason: "the cluster does not accept the edge's credential", Next: "ask whoever keeps the resource"}
	case errors.Is(err, errUnreachable):
		return &enforce.Denied{Cause: enforce.CauseControl, Reason: "the API server cannot be reached", Next: "try again"}
	}
	return &enforce.Denied{Cause: enforce.CauseControl, Reason: "the request cannot be forwarded now", Next: "try again"}
}

// fail ends a flight that got no answer. cause stays in the log.
func (x *exchange) fail(d *enforce.Denied, cause error) {
	if cause != nil && x.req.Context().Err() == nil {
		x.server.log.Warn("forward request", "session", x.client.session.ID(), "error", cause)
	}
	x.flight.End(enforce.Outcome{Cut: d.Reason})
	var err error = d
	if cause != nil {
		err = &refusal{Denied: d, cause: cause}
	}
	x.refuse(err, &x.r)
}

// acceptJSON keeps of the Accept header what can be masked; nil means that nothing is left.
func acceptJSON(h http.Header) http.Header {
	var keep []string
	values := h["Accept"]
	if len(values) == 0 {
		values = []string{"*/*"}
	}
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			part = strings.TrimSpace(part)
			media, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "application/json":
				keep = append(keep, part)
			case "*/*", "application/*":
				keep = append(keep, "application/json")
			}
		}
	}
	if len(keep) == 0 {
		return nil
	}
	h = h.Clone()
	h["Accept"] = []string{strings.Join(keep, ",")}
	return h
}

func warning(message string) string {
	return `299 - "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace("writ: "+message) + `"`
}

// recheckPause is how often a running answer is decided again while nothing passes.
const recheckPause = time.Second

// answer is the API server's answer on its way to the client.
type answer struct {
	x      *exchange
	ctx    context.Context
	cancel context.CancelCauseFunc
	resp   *http.Response
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

func (a *answer) header() {
	h := a.x.w.Header()
	for _, name := range forwarded {
		for _, v := range a.resp.Header[name] {
			h.Add(name, v)
		}
	}
	if a.masker == nil && a.resp.ContentLength >= 0 && a.x.r.Method != http.MethodHead {
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
		a.report, err = a.masker.Events(a, a.resp.Body, a.flush)
		return err
	}
	a.report, err = a.masker.Answer(a, a.resp.Body)
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
		_, err := io.CopyBuffer(struct{ io.Writer }{a}, a.resp.Body, make([]byte, 64<<10))
		return err
	}
	a.flush()
	buf := make([]byte, 32<<10)
	for {
		n, err := a.resp.Body.Read(buf)
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
