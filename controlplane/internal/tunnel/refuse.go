package tunnel

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/authority"
	broker "github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
)

var (
	errShutdown   = status.Error(codes.Unavailable, "the control plane is shutting down")
	errSuperseded = status.Error(codes.Aborted, "a newer connection of this edge has taken over")
	errVoid       = status.Error(codes.PermissionDenied, "this edge was removed or enrolled anew")
	errNotReady   = status.Error(codes.Unavailable, "this replica is still reading its state")
	errNotLinked  = status.Error(codes.Unavailable, "the edge has no link to this replica")
)

// refusal is a call that is turned down: a code and a sentence for the edge,
// and what the record of it says.
type refusal struct {
	code     codes.Code
	sentence string
	cause    error
	record   audit.Record
}

func (r *refusal) Error() string { return r.sentence }

func (r *refusal) Unwrap() error { return r.cause }

// GRPCStatus is what goes over the wire.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.sentence) }

func refuse(code codes.Code, sentence string) *refusal {
	return &refusal{code: code, sentence: sentence}
}

// answers says how each error is answered. The first that matches counts. An
// empty sentence means the error's own text, which is made for people.
var answers = []struct {
	err      error
	code     codes.Code
	sentence string
}{
	{store.ErrUnavailable, codes.Unavailable, "the control plane's store is not reachable"},
	{auditlog.ErrStorage, codes.Unavailable, "the control plane cannot store records"},
	{identity.ErrNotEdge, codes.Unauthenticated, "an edge certificate is required"},
	{edges.ErrRefused, codes.PermissionDenied, "this edge was removed, enrolled anew, or its certificate expired"},
	{edges.ErrSuperseded, codes.Aborted, "a newer connection of this edge has taken over"},
	{edges.ErrJoinToken, codes.PermissionDenied, "the join token is unknown, used or expired; ask for a new one"},
	{authority.ErrRequest, codes.InvalidArgument, ""},
	{token.ErrExpired, codes.PermissionDenied, "the access token has expired; get a new one"},
	{token.ErrNotYet, codes.PermissionDenied, "the access token is not valid yet; check the clocks"},
	{token.ErrAudience, codes.PermissionDenied, "the access token is for another resource"},
	{token.ErrMalformed, codes.Unauthenticated, "the password is not an access token of Writ"},
	{token.ErrUnknownKey, codes.Unauthenticated, "the access token is not one of this control plane"},
	{token.ErrForged, codes.Unauthenticated, "the access token is not genuine"},
	{token.ErrIssuer, codes.Unauthenticated, "the access token is of another control plane"},
	{locks.ErrLocked, codes.PermissionDenied, ""},
	{approvals.ErrEnded, codes.PermissionDenied, ""},
	{approvals.ErrNotYet, codes.PermissionDenied, ""},
	{approvals.ErrSame, codes.AlreadyExists, ""},
	{approvals.ErrDeniedBefore, codes.PermissionDenied, ""},
	{approvals.ErrNotFound, codes.PermissionDenied, "no such grant for this principal, resource and edge"},
	{approvals.ErrPolicyChanged, codes.FailedPrecondition, "policy changed; decide the command again"},
	{approvals.ErrDigest, codes.PermissionDenied, "this is not the command that was approved"},
	{approvals.ErrSpent, codes.PermissionDenied, "the approval has been used"},
	{approvals.ErrNotApproved, codes.PermissionDenied, "the command is not approved"},
	{approvals.ErrNotPending, codes.FailedPrecondition, "the held command is no longer pending"},
	{approvals.ErrTooMany, codes.ResourceExhausted, ""},
	{approvals.ErrInvalid, codes.InvalidArgument, ""},
	{sessions.ErrForeign, codes.PermissionDenied, "the session is not at this edge"},
	{sessions.ErrNotFound, codes.NotFound, "no such session"},
	{sessions.ErrEnded, codes.FailedPrecondition, ""},
	{sessions.ErrExists, codes.AlreadyExists, "the session id is taken"},
	{sessions.ErrID, codes.InvalidArgument, "invalid session id"},
	{broker.ErrNotFound, codes.NotFound, "no such credential lease"},
	{broker.ErrInUse, codes.PermissionDenied, "the credential lease is of a live session at another edge"},
	{broker.ErrFixed, codes.FailedPrecondition, "the session's credential cannot be renewed; connect again"},
	{broker.ErrSource, codes.FailedPrecondition, "no credential can be had for this resource; its credential source fails"},
	{resources.ErrNotFound, codes.PermissionDenied, "the edge serves no such resource"},
	{auditlog.ErrForged, codes.PermissionDenied, "records of another edge or session"},
	{auditlog.ErrConflict, codes.PermissionDenied, "another block was shipped with this number"},
	{audit.ErrCorrupt, codes.InvalidArgument, "damaged block"},
	{audit.ErrTruncated, codes.InvalidArgument, "damaged block"},
	{audit.ErrMalformed, codes.InvalidArgument, "malformed record"},
	{audit.ErrInvalid, codes.InvalidArgument, "invalid record"},
	{audit.ErrTooLarge, codes.InvalidArgument, "block too large"},
	{context.Canceled, codes.Canceled, "canceled"},
	{context.DeadlineExceeded, codes.DeadlineExceeded, "took too long"},
}

// answer turns any error into what the edge gets. What is not foreseen stays
// in the log.
func (s *Server) answer(method string, err error) error {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			sentence := a.sentence
			if sentence == "" {
				sentence = err.Error()
			}
			return &refusal{code: a.code, sentence: sentence, cause: err}
		}
	}
	s.cfg.Logger.Error("call failed", "method", method, "error", err)
	return status.Error(codes.Internal, "internal error of the control plane")
}

// about gives a refusal what its record should say.
func (s *Server) about(rec audit.Record, err error) error {
	answer := s.answer("", err)
	var r *refusal
	if !errors.As(answer, &r) {
		return answer
	}
	with := *r
	with.record = rec
	return &with
}

// clip shortens what a caller sent for a record.
func clip(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "?")
}

// isRefusal tells whether an answer is a decision about the caller, which is
// recorded, rather than a fault or a hang-up.
func isRefusal(code codes.Code) bool {
	switch code {
	case codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition, codes.InvalidArgument,
		codes.NotFound, codes.AlreadyExists, codes.ResourceExhausted, codes.Unimplemented:
		return true
	}
	return false
}

// refusalMeter keeps callers without an identity from filling the log: beyond
// the limit refusals are counted and the count goes into the next record.
type refusalMeter struct {
	limit   *rate.Limiter
	skipped atomic.Int64
}

func (m *refusalMeter) admit() (skipped int64, ok bool) {
	if !m.limit.Allow() {
		m.skipped.Add(1)
		return 0, false
	}
	return m.skipped.Swap(0), true
}

// recordRefusal leaves the record of a call that was turned down. It stays
// turned down when that fails.
func (s *Server) recordRefusal(ctx context.Context, c call, err error) {
	code := status.Code(err)
	if !isRefusal(code) {
		return
	}
	var rec audit.Record
	var r *refusal
	if errors.As(err, &r) {
		rec = r.record
	}
	rec.Kind, rec.Decision, rec.Reason = audit.KindRefusal, audit.Deny, status.Convert(err).Message()
	rec.ErrorCode = code.String()
	rec.Attrs = append(rec.Attrs, audit.Attr{Name: "method", Value: c.method}, audit.Attr{Name: "edge", Value: c.peer.Name},
		audit.Attr{Name: "address", Value: c.addr})
	if c.peer.Name == "" {
		skipped, ok := s.strangers.admit()
		if !ok {
			return
		}
		if skipped > 0 {
			rec.Attrs = append(rec.Attrs, audit.Attr{Name: "unrecorded", Value: strconv.FormatInt(skipped, 10)})
		}
	}
	if err := s.cfg.Records.RecordAdmin(context.WithoutCancel(ctx), rec); err != nil {
		s.cfg.Logger.Error("refusal is not recorded", "method", c.method, "edge", c.peer.Name, "error", err)
	}
}
