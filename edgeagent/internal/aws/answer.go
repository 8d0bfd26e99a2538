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
)

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
		h[spelled(name)] = values
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

// spelled is a header's name as clients expect it: boto3 takes the names of an object's metadata as they are written, and S3 writes
// them in lower case.
func spelled(name string) string {
	if strings.HasPrefix(name, "X-Amz-Meta-") {
		return strings.ToLower(name)
	}
	return name
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
