package kubernetes

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/httpserve"
	"github.com/writhq/writ/pkg/kubeapi"
)

// exchange is one request with its answer.
type exchange struct {
	server *Server
	client *client
	w      http.ResponseWriter
	req    *http.Request
	r      kubeapi.Request
	b      kubeapi.Body
	flight *enforce.Flight
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x := &exchange{server: s, w: w, req: req}
	s.slots.Serve(w, s.log, x.serve, func() {
		newStatus(http.StatusTooManyRequests, "this edge serves as many requests as it may; try again").write(w)
	})
}

// serve takes the request through its steps; each of them may refuse it.
func (x *exchange) serve() {
	access, err := bearer(x.req.Header)
	if err != nil {
		x.refuse(err, nil)
		return
	}
	ask, err := httpserve.Admission(x.req, access, "kubernetes")
	if err != nil {
		x.refuse(err, nil)
		return
	}
	signedIn, release, err := x.server.clients.SignIn(x.req.Context(), access, ask)
	if err != nil {
		x.refuse(err, nil)
		return
	}
	defer release()
	x.client = signedIn.With
	if err := x.read(); err != nil {
		x.refuseUnread(err)
		return
	}
	if x.r.Subresource == "portforward" && x.r.Streams() {
		x.portForward()
		return
	}
	c := x.command()
	x.findLabels(c)
	c.Refuse = x.laundering(c)
	c.Still = func() bool { return x.laundering(c) == nil }
	c.Preview = x.previewer()
	x.flight, err = x.client.session.Begin(x.req.Context(), c)
	if err != nil {
		x.refuse(err, &x.r)
		return
	}
	defer x.flight.End(enforce.Outcome{Cut: "the edge failed inside"}) // ended already, but for a panic
	if x.r.Streams() {
		x.exec()
		return
	}
	x.forward()
}

// bearer takes the access token out of the request.
func bearer(h http.Header) (string, error) {
	values := h["Authorization"]
	if len(values) != 1 {
		return "", &enforce.Denied{Cause: enforce.CauseIdentity, Reason: "no access token", Next: "run: writ kube login CLUSTER"}
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", &enforce.Denied{Cause: enforce.CauseIdentity, Reason: "no bearer token", Next: "run: writ kube login CLUSTER"}
	}
	return strings.TrimSpace(token), nil
}

// read understands the request, or returns a *kubeapi.Error.
func (x *exchange) read() error {
	h := x.req.Header
	if err := kubeapi.CheckHeader(h); err != nil {
		return err
	}
	path, query, _ := strings.Cut(x.req.RequestURI, "?")
	var err error
	if x.r, err = kubeapi.Parse(x.req.Method, path, query, h); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.req.Body, int64(x.server.cfg.MaxBody)+1))
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		return &kubeapi.Error{Kind: kubeapi.ErrBody, Part: "body", Why: "cut off"}
	}
	x.b, err = kubeapi.ReadBody(x.r, h.Get("Content-Type"), body, x.server.cfg.MaxBody)
	return err
}

// refuseUnread records and answers what is not understood.
func (x *exchange) refuseUnread(err error) {
	d := &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: err.Error()}
	line := x.req.Method + " " + x.req.RequestURI
	c := &enforce.Command{Refuse: d, Digest: digestOf(x.client.cluster.res.Name(), kubeapi.Request{Method: x.req.Method, Path: x.req.RequestURI}, kubeapi.Body{})}
	c.Text = &unread{line: line[:min(len(line), maxLine)], detector: x.client.cluster.detector}
	_, begun := x.client.session.Begin(x.req.Context(), c)
	if !errors.As(begun, &d) {
		d = &enforce.Denied{Cause: enforce.CauseRecord, Reason: "the request cannot be recorded, so it is refused"}
	}
	x.refuse(&refusal{Denied: d, cause: err}, nil)
}

// refuse answers with a Status.
func (x *exchange) refuse(err error, r *kubeapi.Request) {
	if x.req.Context().Err() != nil && errors.Is(x.req.Context().Err(), context.Canceled) {
		panic(http.ErrAbortHandler) // nobody is there to hear it
	}
	statusOf(err, r).write(x.w)
}
