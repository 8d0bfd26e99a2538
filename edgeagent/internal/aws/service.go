package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/httpserve"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/sigv4"
)

// service takes requests to one host of AWS, or to the endpoint itself, where host is empty.
type service struct {
	s    *Server
	host string
}

// exchange is one request with its answer.
type exchange struct {
	server *Server
	client *client
	w      http.ResponseWriter
	req    *http.Request
	host   string

	signed   *sigv4.Request
	said     *sigv4.Authorization
	verified *sigv4.Verified
	header   http.Header // what is signed of the request's headers, in headers or in the query; send takes it over
	held     []byte      // the body, where it was read whole
	whole    bool
	checked  bool  // held is what was signed
	buffered int64 // taken of the server's buffers
	call     awsmodel.Call
	params   awsmodel.Params
	access   []awsmodel.Access
	text     reading  // what the text inside the call says
	told     []string // texts that say it
	values   []value  // single values of params
	passed   []string // ARNs of roles that the call passes on
	flight   *enforce.Flight
	masks    *awsmask.Masker // of the answer
	part     part            // that is asked for of an object that is searched
}

// ServeHTTP implements http.Handler.
func (h *service) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x := &exchange{server: h.s, w: w, req: req, host: h.host}
	h.s.slots.Serve(w, h.s.log, x.serve, func() {
		x.answerError("ThrottlingException", http.StatusTooManyRequests, "this edge serves as many requests as it may; try again")
	})
}

// serve takes the request through its steps; each of them may refuse it.
func (x *exchange) serve() {
	defer func() { x.server.buffers.Release(x.buffered) }()
	release, err := x.identify()
	if err != nil {
		x.refuse(err)
		return
	}
	defer release()
	if err := x.understand(); err != nil {
		x.refuseUnread(err)
		return
	}
	c := x.command()
	x.flight, err = x.client.session.Begin(x.req.Context(), c)
	if err != nil {
		x.refuse(err)
		return
	}
	defer x.flight.End(enforce.Outcome{Cut: "the edge failed inside"}) // ended already, but for a panic
	x.forward()
}

// identify finds the session whose token the request carries, and holds the request to its signature.
func (x *exchange) identify() (release func(), err error) {
	if x.signed, err = sigv4.FromHTTP(x.req); err != nil {
		return nil, err
	}
	if x.said, err = sigv4.Parse(x.signed); err != nil {
		return nil, err
	}
	if x.host != "" && !strings.EqualFold(strings.TrimSuffix(x.signed.Host, ":443"), x.host) {
		return nil, &sigv4.Error{Kind: sigv4.ErrRequest, Part: "header Host", Why: "not the host that the tunnel was opened to", Fix: "open a tunnel to each host"}
	}
	ask, err := httpserve.Admission(x.req, x.said.SessionToken, "aws")
	if err != nil {
		return nil, err
	}
	cl, release, err := x.server.clients.SignIn(x.req.Context(), x.said.SessionToken, ask)
	if err != nil {
		return nil, err
	}
	x.client = cl.With
	if err := x.verify(); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// verify holds the request to its signature by the key that goes with its token.
func (x *exchange) verify() error {
	if subtle.ConstantTimeCompare([]byte(x.said.KeyID), []byte(awskey.KeyID(x.said.SessionToken))) != 1 {
		return &sigv4.Error{Kind: sigv4.ErrKey, Part: "access key id", Why: "not that of the session token", Fix: "run: writ aws login"}
	}
	if x.said.Payload.Mode == sigv4.Absent {
		if err := x.readBody(); err != nil {
			return err
		}
		sum := sha256.Sum256(x.held)
		x.signed.BodyHash = hex.EncodeToString(sum[:])
	}
	var err error
	x.verified, err = x.server.verifier.Verify(x.signed, x.said, string(x.client.session.ClientSecret()))
	return err
}

// readBody reads the body as it is on the wire into held.
func (x *exchange) readBody() error {
	if x.whole {
		return nil
	}
	limit := x.server.cfg.MaxBuffer
	need := limit
	if length := x.req.ContentLength; length >= 0 {
		need = min(need, length)
	}
	if !x.server.buffers.TryAcquire(need) {
		return &enforce.Denied{Cause: enforce.CauseControl, Reason: "this edge holds as much of requests as it may", Next: "try again"}
	}
	x.buffered += need
	body, err := x.readAtMost(limit + 1)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errBody, err)
	case int64(len(body)) > limit:
		return &awsmodel.Error{Kind: awsmodel.ErrTooLarge, Part: "body", Why: fmt.Sprintf("over %d bytes", limit), Fix: "send less at a time"}
	}
	x.held, x.whole = body, true
	return nil
}

// readAtMost reads the body up to a number of bytes; a small one that says its length, into as many.
func (x *exchange) readAtMost(limit int64) ([]byte, error) {
	if length := x.req.ContentLength; length >= 0 && length < min(limit, smallBody) {
		body := make([]byte, length)
		_, err := io.ReadFull(x.req.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(x.req.Body, limit))
}

var errBody = errors.New("the body was cut off")

// payload returns the body as the operation reads it, verified.
func (x *exchange) payload() ([]byte, error) {
	switch mode := x.said.Payload.Mode; {
	case x.said.Scope.Service == "s3":
	case mode == sigv4.Unsigned:
		return nil, &sigv4.Error{Kind: sigv4.ErrPayload, Part: "X-Amz-Content-Sha256", Why: "the body is not signed, and what it says is decided on", Fix: "sign the body"}
	case mode.Chunked():
		return nil, &sigv4.Error{Kind: sigv4.ErrPayload, Part: "X-Amz-Content-Sha256", Why: "only S3 takes chunks apart, so that the service would read another body", Fix: "send the body whole"}
	}
	if err := x.readBody(); err != nil {
		return nil, err
	}
	if mode := x.said.Payload.Mode; mode == sigv4.Absent || mode == sigv4.Hashed {
		return x.held, x.checkHeld()
	}
	r, err := sigv4.NewPayload(bytes.NewReader(x.held), x.verified)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// checkHeld holds a body that was read whole to its hash, once. Absent, that is what the signature was verified with.
func (x *exchange) checkHeld() error {
	if x.checked || x.said.Payload.Mode == sigv4.Absent {
		return nil
	}
	if err := x.verified.CheckBody(x.held); err != nil {
		return err
	}
	x.checked = true
	return nil
}

// understand works out what is asked for.
func (x *exchange) understand() error {
	x.header = x.verified.Forward()
	for name, values := range x.said.Hoisted {
		x.header[name] = values
	}
	scope, account := x.said.Scope, x.client.account
	if x.said.Algorithm != sigv4.HMAC {
		return &sigv4.Error{Kind: sigv4.ErrScheme, Part: "signature", Why: "Version 4A names no single region", Fix: "use a regional endpoint"}
	}
	if len(account.Regions) > 0 && !slices.Contains(account.Regions, scope.Region) {
		return &enforce.Denied{Cause: enforce.CausePolicy, Reason: "calls do not go to region " + scope.Region, Next: "use one of " + strings.Join(account.Regions, ", ")}
	}
	var err error
	x.call, err = x.server.cfg.Model.Identify(awsmodel.Request{
		Method: x.signed.Method, Path: x.signed.Path, Query: x.said.Query, Header: x.header, Host: x.host,
		Service: scope.Service, Region: scope.Region, Body: x.payload,
	})
	if err != nil {
		return err
	}
	if x.params, err = x.server.cfg.Model.Members(x.call, x.payload); err != nil {
		return err
	}
	if len(x.params.Unknown) > 0 {
		return &awsmodel.Error{Kind: awsmodel.ErrBody, Part: "member " + x.params.Unknown[0], Why: "not in the model of " + x.call.Operation, Fix: "leave it out"}
	}
	if err := x.writesBack(); err != nil {
		return err
	}
	x.access, err = x.server.cfg.Model.Access(x.call, x.params, awsmodel.Owner{Partition: account.Partition, Region: scope.Region, Account: account.Account})
	if errors.Is(err, awsmodel.ErrActions) {
		x.access, err = nil, nil // asked as such
	}
	if err != nil {
		return err
	}
	if err := x.read(); err != nil {
		return err
	}
	if x.values, err = valuesOf(x.params.Value, x.told); err != nil {
		return err
	}
	if x.call.Mutates && !x.said.Presigned {
		if err := x.client.replays.Use(x.verified); err != nil {
			return err
		}
	}
	if err := x.ownBuckets(); err != nil {
		return err
	}
	return x.ownAccount()
}

func foreign(arn string) error {
	return &enforce.Denied{Cause: enforce.CausePolicy, Reason: "it is in another account: " + arn, Next: "ask for access to that account"}
}

// accountOf returns the account that an ARN names, "" where it names none.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// gone reports a client that has left.
func (x *exchange) gone() bool {
	return errors.Is(x.req.Context().Err(), context.Canceled)
}
