package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/sigv4"
)

var errUnreachable = errors.New("AWS cannot be reached")

// forward signs a decided call anew, sends it, and passes the answer on.
func (x *exchange) forward() {
	if err := x.prepare(); err != nil {
		x.fail(err)
		return
	}
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
		x.withhold(outcomeOf(resp), &enforce.Denied{Cause: enforce.CauseControl, Reason: "AWS sends elsewhere, which is not followed"})
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
	header := x.header
	x.part.widen(header)
	x.expectOwner(header)
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
	resp, err := x.client.out.way(req).RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return resp, nil
}

// body is what is sent on: what comes, held to its signature, or what was read already and is known to be what was signed. The
// transport sends a reader of bytes together with the headers.
func (x *exchange) body(signed *sigv4.Signed) (io.ReadCloser, error) {
	if !x.whole {
		r, err := sigv4.NewBody(x.req.Body, x.verified, signed, nil)
		return &stream{r}, err
	}
	mode := x.said.Payload.Mode
	if mode == sigv4.Absent || mode == sigv4.Hashed {
		return io.NopCloser(bytes.NewReader(x.held)), x.checkHeld()
	}
	r, err := sigv4.NewBody(bytes.NewReader(x.held), x.verified, signed, nil)
	if err != nil {
		return nil, err
	}
	if mode == sigv4.SignedChunks || mode == sigv4.SignedTrailer { // signed anew
		return &stream{r}, nil
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(x.held)), nil
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
func (x *exchange) fail(err error) { x.withhold(enforce.Outcome{}, err) }

// withhold ends a flight whose answer is not passed on.
func (x *exchange) withhold(o enforce.Outcome, err error) {
	if !x.gone() {
		x.server.log.Warn("forward call", "session", x.client.session.ID(), "error", err)
	}
	d := deniedOf(err)
	o.Cut = d.Reason
	x.flight.End(o)
	x.refuse(err)
}
