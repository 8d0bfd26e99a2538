package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awsmask"
)

// hopByHop are headers of an answer that are for one hop, or would tell of the way here.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Trailer", "Transfer-Encoding", "Upgrade", "Alt-Svc", "Content-Length"}

// outcomeOf is what AWS says of the call, before its answer is passed on.
func outcomeOf(resp *http.Response) enforce.Outcome {
	o := enforce.Outcome{Tag: resp.Status}
	if id := requestID(resp.Header); id != "" {
		o.Attrs = append(o.Attrs, audit.Attr{Name: "request_id", Value: id})
	}
	return o
}

// answer passes the answer on and ends the flight.
func (x *exchange) answer(ctx context.Context, resp *http.Response) {
	o := outcomeOf(resp)
	b, err := x.mask(ctx, resp)
	if err != nil {
		x.withhold(o, err)
		return
	}
	h := x.w.Header()
	for name, values := range resp.Header {
		h[spelled(name)] = values
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
	if b.length >= 0 {
		h.Set("Content-Length", fmt.Sprint(b.length))
	}
	x.w.WriteHeader(resp.StatusCode)
	if x.req.Method != http.MethodHead {
		o.Bytes, err = b.pass()
	}
	o.MaskedColumns = b.names()
	if cut := context.Cause(ctx); err != nil && cut != nil && !x.gone() {
		o.Cut = cut.Error()
	} else if err != nil {
		o.Cut = "the answer could not be passed on whole"
		x.server.log.Warn("pass answer", "session", x.client.session.ID(), "error", err)
	}
	if resp.StatusCode >= 400 {
		o.ErrorCode = resp.Header.Get("X-Amzn-Errortype")
	}
	x.flight.End(o)
	if err != nil {
		panic(http.ErrAbortHandler) // what was sent is not whole, and the client must not take it for whole
	}
}

// body is that of an answer as the client is to get it.
type body struct {
	length int64 // -1 is not known
	masked []string
	pass   func() (n int64, err error) // once
}

func (b *body) names() []string {
	slices.Sort(b.masked)
	return slices.Compact(b.masked)
}

// mask takes what is masked out of the headers, and says how the body passes.
func (x *exchange) mask(ctx context.Context, resp *http.Response) (*body, error) {
	b := &body{length: resp.ContentLength}
	fault := resp.StatusCode >= 300
	if !fault {
		b.masked = x.masks.Headers(resp.Header)
	}
	empty := resp.ContentLength == 0 || x.req.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	form := awsmask.Document
	if !fault {
		form = x.masks.Form()
	}
	switch {
	case empty, form == awsmask.Nothing, fault && x.masks.Idle(fault):
		b.pass = func() (int64, error) { return x.copy(resp.Body) }
		return b, nil
	case form == awsmask.Object:
		return b, x.maskObject(resp, b)
	}
	changed(resp.Header)
	src, err := x.unpacked(resp)
	if err != nil {
		return nil, err
	}
	if form == awsmask.Events {
		b.length = -1
		b.pass = func() (int64, error) {
			out := &events{x: x}
			masked, err := x.masks.Events(out, src)
			b.masked = append(b.masked, masked...)
			return out.n, err
		}
		return b, nil
	}
	return b, x.maskDocument(ctx, src, fault, b)
}

// ofContent are headers that say what the body's bytes are, which masking changes.
var ofContent = []string{
	"X-Amz-Crc32", "Content-Md5", "X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256", "X-Amz-Checksum-Type",
	"Digest", "Content-Digest", "Repr-Digest",
}

func changed(h http.Header) {
	for _, name := range ofContent {
		h.Del(name)
	}
}

// maskDocument reads a document whole and masks it.
func (x *exchange) maskDocument(ctx context.Context, src io.Reader, fault bool, b *body) error {
	limit := x.server.cfg.MaxBuffer
	need := limit
	if b.length >= 0 {
		need = min(need, b.length)
	}
	if err := x.exchangeBuffer(ctx, need); err != nil {
		return err
	}
	whole, err := io.ReadAll(io.LimitReader(src, limit+1))
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	if spare := x.buffered - int64(len(whole)); spare > 0 {
		x.server.buffers.Release(spare)
		x.buffered -= spare
	}
	out, masked, err := x.masks.Document(whole, fault)
	if err != nil {
		return unmaskable(err)
	}
	b.masked = append(b.masked, masked...)
	b.length = int64(len(out))
	b.pass = func() (int64, error) { return x.copy(bytes.NewReader(out)) }
	return nil
}

// exchangeBuffer gives up what was taken for the request, which has been sent, and waits for room for the answer.
func (x *exchange) exchangeBuffer(ctx context.Context, need int64) error {
	x.server.buffers.Release(x.buffered)
	x.buffered, x.held = 0, nil
	need = min(need, x.server.cfg.MaxBuffers)
	if err := x.server.buffers.Acquire(ctx, need); err != nil {
		return err
	}
	x.buffered = need
	return nil
}

// unmaskable words an answer that cannot be read.
func unmaskable(err error) error {
	why := "it is not of its protocol"
	if errors.Is(err, awsmask.ErrTooLarge) {
		why = "it is too large"
	}
	return &enforce.Denied{
		Cause: enforce.CauseMasked, Reason: "AWS answered, and the answer is withheld: it may hold what is masked for you, and " + why, Next: "ask for less at a time, or for a policy that lets you reveal it",
	}
}

// events is where masked events go: to nobody after the session has ended.
type events struct {
	x *exchange
	n int64
}

// Write implements io.Writer.
func (e *events) Write(p []byte) (int, error) {
	if err := e.x.flight.Recheck(); err != nil {
		return 0, err
	}
	n, err := e.x.w.Write(p)
	e.n += int64(n)
	if err == nil {
		_ = http.NewResponseController(e.x.w).Flush()
	}
	return n, err
}

// spelled is a header's name as clients expect it: boto3 takes the names of an object's metadata as they are written, and S3 writes
// them in lower case.
func spelled(name string) string {
	if strings.HasPrefix(name, "X-Amz-Meta-") {
		return strings.ToLower(name)
	}
	return name
}

// requestID is the id that AWS gave the call, under one of its names.
func requestID(h http.Header) string {
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Requestid"} {
		if id := h.Get(name); id != "" {
			return strings.ToValidUTF8(id[:min(len(id), 128)], "?")
		}
	}
	return ""
}
