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

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/kubeapi"
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
	encode := encodingOf(x, masker)
	if masker != nil {
		if header = acceptJSON(header); header == nil {
			x.fail(&enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the answer is masked for you, and can only be sent as JSON", Next: "accept application/json"}, errNotAcceptable)
			return
		}
	}
	encode.ask(header)
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
	if a.body, err = encode.open(resp); err != nil {
		x.fail(&enforce.Denied{Cause: enforce.CauseControl, Reason: "the API server's answer is encoded in a way that was not asked for"}, err)
		return
	}
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
