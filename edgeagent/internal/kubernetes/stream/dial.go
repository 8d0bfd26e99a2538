package stream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limits of the API server's answer to an upgrade, in bytes.
const (
	maxHead = 64 << 10
	maxBody = 1 << 20
)

// dial reaches the API server and upgrades the connection as o asks. It returns the protocol that the server chose. What
// the server refused is a [Refused].
func (p *Proxy) dial(ctx context.Context, up Upstream, o offer) (*link, string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.Handshake, fmt.Errorf("%w: no answer in time", ErrUnreachable))
	defer cancel()
	conn, err := up.Dial(ctx)
	if err != nil {
		return nil, "", ended(ctx, fmt.Errorf("%w: %w", ErrUnreachable, err))
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	l, protocol, err := upgrade(conn, up, o)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, "", ended(ctx, err)
	}
	return l, protocol, nil
}

// ended prefers why ctx has ended to the error that it led to.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func upgrade(conn net.Conn, up Upstream, o offer) (*link, string, error) {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	o.key = base64.StdEncoding.EncodeToString(key[:])
	req, err := up.request(o)
	if err != nil {
		return nil, "", err
	}
	if err := req.Write(conn); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	limit := &io.LimitedReader{R: conn, N: maxHead}
	r := bufio.NewReader(limit)
	resp, err := readResponse(r, req)
	if err != nil {
		return nil, "", err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		limit.N = maxBody + maxHead
		return nil, "", refusedBy(resp)
	}
	protocol, err := o.granted(resp.Header)
	if err != nil {
		return nil, "", err
	}
	limit.N = math.MaxInt64
	return &link{Conn: conn, r: r}, protocol, nil
}

// request returns the request for an upgrade.
func (up Upstream) request(o offer) (*http.Request, error) {
	if !strings.HasPrefix(up.URI, "/") || strings.HasPrefix(up.URI, "//") || strings.ContainsAny(up.URI, " #\r\n\t") {
		return nil, fmt.Errorf("%w: a URI that is no path", ErrInternal)
	}
	header := up.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for name, values := range o.headers(o.protocols...) {
		header[name] = values
	}
	if o.socket {
		header["Sec-Websocket-Key"], header["Sec-Websocket-Version"] = []string{o.key}, []string{"13"}
	}
	if len(header["User-Agent"]) == 0 {
		header["User-Agent"] = []string{""} // none, rather than this language's
	}
	return &http.Request{Method: up.Method, Host: up.Host, URL: &url.URL{Opaque: up.URI}, Header: header}, nil
}

// readResponse passes over a few informational answers.
func readResponse(r *bufio.Reader, req *http.Request) (*http.Response, error) {
	for range 5 {
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			return nil, fmt.Errorf("%w: read the answer to an upgrade: %w", ErrUnreachable, err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
	return nil, fmt.Errorf("%w: no final answer to an upgrade", ErrTarget)
}

// granted checks that the server upgraded to what was asked for.
func (o offer) granted(h http.Header) (string, error) {
	name, want := protocolHeader, "SPDY/3.1"
	if o.socket {
		name, want = socketProtocols, "websocket"
		if h.Get("Sec-Websocket-Accept") != acceptKey(o.key) || len(h.Values("Sec-Websocket-Extensions")) > 0 {
			return "", fmt.Errorf("%w: another WebSocket than was asked for", ErrTarget)
		}
	}
	chosen := list(h.Values(name))
	if !strings.EqualFold(h.Get("Upgrade"), want) || len(chosen) != 1 || !slices.Contains(o.protocols, chosen[0]) {
		return "", fmt.Errorf("%w: another protocol than was asked for", ErrTarget)
	}
	return chosen[0], nil
}

// passed are the headers of a refusal that reach the client.
var passed = []string{"Content-Type", "Audit-Id", "Retry-After", "X-Content-Type-Options", "Warning"}

// refusedBy reads a refusal. Only errors are passed on: an answer with content would have been looked at by nobody, and
// a redirect leads elsewhere.
func refusedBy(resp *http.Response) error {
	if resp.StatusCode < 400 {
		return fmt.Errorf("%w: status %d to a request for an upgrade", ErrTarget, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return fmt.Errorf("%w: a refusal that is too long or broken off: %w", ErrTarget, errors.Join(err, resp.Body.Close()))
	}
	r := &Refused{Code: resp.StatusCode, answer: answer{code: resp.StatusCode, header: http.Header{}, body: body}}
	for _, name := range passed {
		if v := resp.Header.Values(name); len(v) > 0 {
			r.answer.header[name] = v
		}
	}
	var s status
	if json.Unmarshal(bytes.TrimSpace(body), &s) == nil {
		r.Message = s.Message
	}
	return r
}
