package guard

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// meaning is what an error is to a caller. Without a text the error's own is shown, which then is written for people.
type meaning struct {
	is   error
	code connect.Code
	text string
}

// meanings is the one map from errors to codes. The first that matches counts, so internals come first: whatever is
// wrapped around them, their texts are not shown.
var meanings = []meaning{
	{store.ErrUnavailable, connect.CodeUnavailable, "the control plane cannot reach its store now; try again"},
	{store.ErrNotLeader, connect.CodeUnavailable, "this replica is catching up; try again"},
	{store.ErrConflict, connect.CodeAborted, "too many others changed the same at once; try again"},
	{store.ErrTooLarge, connect.CodeResourceExhausted, "too large to be kept; make it smaller, or split it"},
	{store.ErrPage, connect.CodeInvalidArgument, ""},
	{store.ErrRefused, connect.CodeInternal, ""},
	{store.ErrCorrupt, connect.CodeInternal, ""},
	{login.ErrIssuerUnavailable, connect.CodeUnavailable, "the identity provider cannot be reached now; try again"},
	{errNoRecord, connect.CodeUnavailable, errNoRecord.Error()},

	{login.ErrUnauthenticated, connect.CodeUnauthenticated, ""},
	{login.ErrProof, connect.CodeUnauthenticated, ""},
	{login.ErrUnknown, connect.CodeNotFound, ""},
	{login.ErrNoMethod, connect.CodeFailedPrecondition, ""},
	{errForbidden, connect.CodePermissionDenied, ""},
	{errNoRule, connect.CodePermissionDenied, ""},
	{errFlood, connect.CodeResourceExhausted, ""},
	{errRights, connect.CodeAborted, ""},
	{ErrNotYours, connect.CodePermissionDenied, ""},
	{ErrTooManyStreams, connect.CodeResourceExhausted, ""},

	{locks.ErrLocked, connect.CodePermissionDenied, ""},
	{approvals.ErrOwn, connect.CodePermissionDenied, ""},
	{approvals.ErrNotApprover, connect.CodePermissionDenied, ""},
	{approvals.ErrVoted, connect.CodeAlreadyExists, ""},
	{approvals.ErrDigest, connect.CodeFailedPrecondition, ""},
	{approvals.ErrNotPending, connect.CodeFailedPrecondition, ""},
	{approvals.ErrNotApproved, connect.CodeFailedPrecondition, ""},
	{approvals.ErrSpent, connect.CodeFailedPrecondition, ""},
	{approvals.ErrPolicyChanged, connect.CodeFailedPrecondition, ""},
	{approvals.ErrEnded, connect.CodeFailedPrecondition, ""},
	{approvals.ErrNotYet, connect.CodeFailedPrecondition, ""},
	{approvals.ErrHours, connect.CodeFailedPrecondition, ""},
	{approvals.ErrRate, connect.CodeResourceExhausted, ""},
	{approvals.ErrSame, connect.CodeAlreadyExists, ""},
	{approvals.ErrDeniedBefore, connect.CodePermissionDenied, ""},
	{approvals.ErrOwnReview, connect.CodePermissionDenied, ""},
	{approvals.ErrReviewed, connect.CodeAlreadyExists, ""},
	{approvals.ErrTooMany, connect.CodeResourceExhausted, ""},
	{approvals.ErrInvalid, connect.CodeInvalidArgument, ""},
	{approvals.ErrNotFound, connect.CodeNotFound, ""},

	{notify.ErrNotFound, connect.CodeNotFound, ""},
	{notify.ErrReceiver, connect.CodeNotFound, ""},
	{notify.ErrNotDead, connect.CodeFailedPrecondition, ""},

	{locks.ErrInvalid, connect.CodeInvalidArgument, ""},
	{locks.ErrNotFound, connect.CodeNotFound, ""},
	{resources.ErrNotFound, connect.CodeNotFound, ""},
	{resources.ErrInUse, connect.CodeFailedPrecondition, ""},
	{policies.ErrInvalid, connect.CodeInvalidArgument, ""},
	{policies.ErrBase, connect.CodeAborted, ""},
	{policies.ErrNotFound, connect.CodeNotFound, ""},
	{policies.ErrTampered, connect.CodeDataLoss, ""},
	{edges.ErrInvalid, connect.CodeInvalidArgument, ""},
	{edges.ErrNotFound, connect.CodeNotFound, ""},
	{sessions.ErrID, connect.CodeNotFound, ""},
	{sessions.ErrNotFound, connect.CodeNotFound, ""},
	{sessions.ErrEnded, connect.CodeFailedPrecondition, ""},
	{auditlog.ErrQuery, connect.CodeInvalidArgument, ""},
	{auditlog.ErrStorage, connect.CodeUnavailable, "the record storage cannot be reached now; try again"},
	{auditlog.ErrUnknownSession, connect.CodeNotFound, ""},

	{ErrStopping, connect.CodeUnavailable, ""},
	{context.Canceled, connect.CodeCanceled, "the call was cancelled"},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded, "the call took too long"},
}

// ErrNotYours is what a handler returns for what belongs to somebody else.
var ErrNotYours = errors.New("this belongs to somebody else, and your roles do not allow it")

// ErrTooManyStreams is what a handler returns to a caller that has as many streams open as one may have.
var ErrTooManyStreams = errors.New("too many open streams; close one first")

// ErrStopping is the cause for which the context of a call ends when the control plane stops.
var ErrStopping = errors.New("the control plane is stopping; call again")

const internalText = "something went wrong inside the control plane; its log says more"

// sentence is what the caller sees of an error.
func (g *Guard) sentence(err error) *connect.Error {
	var asConnect *connect.Error
	if errors.As(err, &asConnect) { // a bad message, refused before the handler
		return asConnect
	}
	var denied *approvals.Denied
	var bundle *policy.BundleError
	var invalid *resources.Invalid
	switch {
	case errors.As(err, &denied):
		return refusal(denied)
	case errors.As(err, &bundle):
		return connect.NewError(connect.CodeInvalidArgument, bundle)
	case errors.As(err, &invalid):
		return connect.NewError(connect.CodeInvalidArgument, invalid)
	}
	for _, m := range meanings {
		if !errors.Is(err, m.is) {
			continue
		}
		switch {
		case m.code == connect.CodeInternal:
			return connect.NewError(m.code, errors.New(internalText))
		case m.text != "":
			return connect.NewError(m.code, errors.New(m.text))
		}
		return connect.NewError(m.code, err)
	}
	return connect.NewError(connect.CodeInternal, errors.New(internalText))
}

// refusal carries what would be permitted instead, for programs.
func refusal(denied *approvals.Denied) *connect.Error {
	err := connect.NewError(connect.CodePermissionDenied, denied)
	if detail, failed := connect.NewErrorDetail(convert.Refusal(denied)); failed == nil {
		err.AddDetail(detail)
	}
	return err
}

// people is sentence, and logs what it hides.
func (g *Guard) people(err error) *connect.Error {
	seen := g.sentence(err)
	if !strings.HasSuffix(err.Error(), seen.Message()) {
		g.cfg.Logger.Error("call failed", "code", seen.Code(), "error", err)
	}
	return seen
}

// codeOf is the code that err has for its caller.
func codeOf(err error) connect.Code { return new(Guard).sentence(err).Code() }
