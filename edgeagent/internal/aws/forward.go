package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/sigv4"
)

var errUnreachable = errors.New("AWS cannot be reached")

// forward signs a decided call anew, sends it, and passes the answer on.
func (x *exchange) forward() {
	ctx, cancel := context.WithCancelCause(x.req.Context())
	defer cancel(nil)
	session := x.client.session
	defer context.AfterFunc(session.Context(), func() { cancel(session.Err()) })()

	resp, err := x.send(ctx)
	if err != nil {
		if ended := session.Err(); ended != nil {
			err = &enforce.Denied{Cause: enforce.CauseEnded, Reason: "the session is over: " + ended.Error()}
		}
		x.fail(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.StatusCode != http.StatusNotModified && x.call.Service != "s3" {
		x.fail(&enforce.Denied{Cause: enforce.CauseControl, Reason: "AWS sends elsewhere, which is not followed"})
		return
	}
	x.answer(ctx, resp)
}

// send signs and sends the call.
func (x *exchange) send(ctx context.Context) (*http.Response, error) {
	keys, err := x.client.out.keys(ctx)
	if err != nil {
		return nil, err
	}
	host, path, err := x.target()
	if err != nil {
		return nil, err
	}
	header := x.verified.Forward()
	for name, values := range x.said.Hoisted {
		header[name] = values
	}
	up := &sigv4.Request{Method: x.signed.Method, Host: host, Path: path, RawQuery: x.said.Query, Header: header, Length: x.signed.Length}
	payload := x.verified.PayloadHash()
	signed, err := x.server.signer.Sign(up, keys, sigv4.Target{Service: x.said.Scope.Service, Region: x.said.Scope.Region}, payload, x.server.cfg.Clock())
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	signed.Set(header)
	body, err := x.body(signed)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: up.Method, URL: up.URL(x.client.account.scheme()), Host: host, Header: header, Body: body, ContentLength: x.req.ContentLength,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if req.ContentLength == 0 {
		req.Body = http.NoBody
	}
	if header.Get("User-Agent") == "" {
		header["User-Agent"] = []string{"writ-edge"}
	}
	if err := x.flight.Ready(); err != nil {
		return nil, err
	}
	resp, err := x.client.out.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return resp, nil
}

// body is what is sent on: what was read already, or what comes, held to its signature.
func (x *exchange) body(signed *sigv4.Signed) (io.ReadCloser, error) {
	var src io.Reader = x.req.Body
	if x.whole {
		src = bytes.NewReader(x.held)
	}
	r, err := sigv4.NewBody(src, x.verified, signed, nil)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(r), nil
}

// target is the host and path that the client asked for, or those that serve the operation.
func (x *exchange) target() (host, path string, err error) {
	if endpoint := x.client.account.Endpoint; endpoint != "" {
		return endpoint, x.call.Path, nil // which has the bucket in it, since the host has not
	}
	if x.host != "" {
		return x.host, x.signed.Path, nil
	}
	host, path, err = x.server.cfg.Model.Endpoint(x.call, x.params, x.said.Scope.Region)
	if err != nil {
		err = &enforce.Denied{
			Cause: enforce.CauseUnreadable, Reason: "no host is known for " + x.call.Service + " in " + x.said.Scope.Region, Next: "use the edge as an HTTPS proxy",
		}
	}
	return host, path, err
}

// fail ends a flight that got no answer. What went wrong stays in the log.
func (x *exchange) fail(err error) {
	if !x.gone() {
		x.server.log.Warn("forward call", "session", x.client.session.ID(), "error", err)
	}
	d := deniedOf(err)
	x.flight.End(enforce.Outcome{Cut: d.Reason})
	x.refuse(err)
}

// hopByHop are headers of an answer that are for one hop, or would tell of the way here.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Trailer", "Transfer-Encoding", "Upgrade", "Alt-Svc", "Content-Length"}

// answer passes the answer on and ends the flight.
func (x *exchange) answer(ctx context.Context, resp *http.Response) {
	o := enforce.Outcome{Tag: resp.Status}
	if id := requestID(resp.Header); id != "" {
		o.Attrs = append(o.Attrs, audit.Attr{Name: "request_id", Value: id})
	}
	hidden, masked, err := x.hide(resp)
	if err != nil {
		x.fail(err)
		return
	}
	o.MaskedColumns = masked
	h := x.w.Header()
	for name, values := range resp.Header {
		h[name] = values
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
	var src io.Reader = resp.Body
	if hidden != nil {
		src = bytes.NewReader(hidden)
		h.Set("Content-Length", fmt.Sprint(len(hidden)))
		h.Del("X-Amz-Crc32") // of what was there before
	} else if resp.ContentLength >= 0 {
		h.Set("Content-Length", fmt.Sprint(resp.ContentLength))
	}
	x.w.WriteHeader(resp.StatusCode)
	if x.req.Method != http.MethodHead {
		o.Bytes, err = x.copy(src)
	}
	if cut := context.Cause(ctx); err != nil && cut != nil && !x.gone() {
		o.Cut = cut.Error()
	} else if err != nil {
		o.Cut = "the answer could not be passed on whole"
	}
	if resp.StatusCode >= 400 {
		o.ErrorCode = resp.Header.Get("X-Amzn-Errortype")
	}
	x.flight.End(o)
	if err != nil {
		panic(http.ErrAbortHandler) // what was sent is not whole, and the client must not take it for whole
	}
}

// copy passes the body on as it comes, to nobody after the session has ended.
func (x *exchange) copy(src io.Reader) (n int64, err error) {
	buf := make([]byte, 64<<10)
	flush := http.NewResponseController(x.w)
	for {
		k, err := src.Read(buf)
		if k > 0 {
			if x.call.OutputEvents {
				if err := x.flight.Recheck(); err != nil {
					return n, err
				}
			}
			if _, err := x.w.Write(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
			if x.call.OutputEvents {
				_ = flush.Flush()
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
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

// hide masks what the answer would show of secrets. It returns nil where the body passes as it comes.
func (x *exchange) hide(resp *http.Response) (body []byte, masked []string, err error) {
	if resp.StatusCode >= 300 {
		return nil, nil, nil
	}
	var inBody []field
	for _, f := range x.hidden() {
		name, ok := strings.CutPrefix(f.path, inHeader)
		switch {
		case !ok:
			inBody = append(inBody, f)
		case len(resp.Header.Values(name)) > 0:
			resp.Header.Del(name)
			masked = append(masked, f.path)
		}
	}
	if len(inBody) == 0 {
		return nil, masked, nil
	}
	if x.call.Protocol != awsmodel.JSON && x.call.Protocol != awsmodel.RESTJSON || x.call.OutputEvents || x.call.OutputBlob || resp.Header.Get("Content-Encoding") != "" {
		return nil, nil, &enforce.Denied{
			Cause: enforce.CauseMasked, Reason: "the answer holds " + inBody[0].path + ", which is masked for you, and cannot be masked in this protocol", Next: "ask for a policy that lets you reveal it",
		}
	}
	whole, err := io.ReadAll(io.LimitReader(resp.Body, x.server.cfg.MaxBuffer+1))
	if err != nil || int64(len(whole)) > x.server.cfg.MaxBuffer {
		return nil, nil, errors.Join(errUnreachable, err)
	}
	body, found, err := maskJSON(whole, inBody)
	return body, append(masked, found...), err
}
