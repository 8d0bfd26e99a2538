package tunnel

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

var _ enforce.Control = (*Client)(nil)

// denied turns an answer of the control plane into a refusal for the client.
// Only what the control plane decided is shown; faults stay in the log.
func (c *Client) denied(what string, refused enforce.Cause, err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unauthenticated:
		return &enforce.Denied{Cause: enforce.CauseIdentity, Reason: s.Message(), Next: "use a fresh access token as the password"}
	case codes.PermissionDenied, codes.NotFound, codes.FailedPrecondition, codes.InvalidArgument, codes.AlreadyExists, codes.ResourceExhausted:
		return &enforce.Denied{Cause: refused, Reason: s.Message()}
	}
	c.cfg.Logger.Warn(what, "error", err)
	return &enforce.Denied{Cause: enforce.CauseControl, Reason: "the control plane cannot be asked now", Next: "try again"}
}

// OpenSession implements enforce.Control.
func (c *Client) OpenSession(ctx context.Context, ask enforce.Admission) (enforce.Admitted, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.client().OpenSession(ctx, &edgev1.OpenSessionRequest{
		AccessToken: ask.Token, Protocol: ask.Protocol, ClientAddr: ask.ClientAddr.String(),
		Application: ask.Application, Session: ask.Session,
	})
	if err != nil {
		return enforce.Admitted{}, c.denied("open session", enforce.CauseIdentity, err)
	}
	admitted := enforce.Admitted{
		Principal: principalOf(resp.GetPrincipal()), Grant: resp.GetGrant(), ExpiresAt: resp.GetExpiresAt().AsTime(),
		RequestReason: resp.GetRequestReason(), Ticket: resp.GetTicket(),
		BreakGlass: resp.GetBreakGlass(), Credential: credentialOf(resp.GetCredential()), ClientSecret: resp.GetClientSecret(),
	}
	for _, a := range resp.GetActions() {
		admitted.Actions = append(admitted.Actions, policy.Action(a))
	}
	resource, ok := c.CurrentState().Resource(resp.GetResource())
	if !ok {
		admitted.Credential.Wipe()
		clear(admitted.ClientSecret)
		c.giveBack(ask.Session)
		return enforce.Admitted{}, &enforce.Denied{Cause: enforce.CauseControl, Reason: "this edge does not know the resource yet", Next: "try again"}
	}
	admitted.Resource = resource.Policy()
	return admitted, nil
}

// giveBack closes a session that was admitted and cannot be used.
func (c *Client) giveBack(session string) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := c.CloseSession(ctx, session, "the edge does not know the resource yet"); err != nil {
		c.cfg.Logger.Warn("give back session", "session", session, "error", err)
	}
}

func credentialOf(w *edgev1.Credential) enforce.Credential {
	cred := enforce.Credential{
		Lease: w.GetLease(), User: w.GetUser(), Password: w.GetPassword(), ExpiresAt: w.GetExpiresAt().AsTime(),
		ClientCertificate: w.GetClientCertificate(), TokenRequest: tokenRequestOf(w.GetTokenRequest()),
		AWS: awsKeysOf(w.GetAws()),
	}
	if r := w.GetRole(); r != nil {
		cred.Role = &enforce.Role{
			MemberOf: r.GetMemberOf(), ConnectionLimit: int(r.GetConnectionLimit()), ValidUntil: r.GetValidUntil().AsTime(),
		}
	}
	return cred
}

// RenewSession implements enforce.Control.
func (c *Client) RenewSession(ctx context.Context, session string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.client().RenewSession(ctx, &edgev1.RenewSessionRequest{Session: session})
	if err != nil {
		return time.Time{}, c.denied("renew session", enforce.CauseEnded, err)
	}
	return resp.GetExpiresAt().AsTime(), nil
}

// CloseSession implements enforce.Control.
func (c *Client) CloseSession(ctx context.Context, session, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := c.client().CloseSession(ctx, &edgev1.CloseSessionRequest{Session: session, Reason: reason}); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}

// ServiceCredential returns what the edge itself signs in with at a resource,
// for reading its catalog and managing its roles. The caller wipes it.
func (c *Client) ServiceCredential(ctx context.Context, resource string) (enforce.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.client().ServiceCredential(ctx, &edgev1.ServiceCredentialRequest{Resource: resource})
	if err != nil {
		return enforce.Credential{}, fmt.Errorf("service credential: %w", err)
	}
	return credentialOf(resp.GetCredential()), nil
}

// SettleLease tells that the leased role no longer exists at its target. A
// lease that nobody knows any more is no error.
func (c *Client) SettleLease(ctx context.Context, lease string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.client().SettleLease(ctx, &edgev1.SettleLeaseRequest{Lease: lease})
	if err != nil && status.Code(err) != codes.NotFound {
		return fmt.Errorf("settle lease: %w", err)
	}
	return nil
}

// Hold implements enforce.Control. The held command is withdrawn when ctx ends
// before it is decided.
func (c *Client) Hold(ctx context.Context, ask enforce.HoldRequest) (enforce.Held, error) {
	stream, err := c.client().Hold(ctx, &edgev1.HoldRequest{
		Session: ask.Session, Statement: ask.Statement, Params: ask.Params, Actions: ask.Actions, Tables: ask.Tables,
		Digest: ask.Digest[:], Requirements: requirementsOf(ask.Approvals), PolicyIds: ask.PolicyIDs, Revision: ask.Revision,
		Reason: ask.Reason, Timeout: durationpb.New(ask.Timeout), Preview: previewOf(ask.Preview),
	})
	if err != nil {
		return enforce.Held{}, c.denied("hold", enforce.CauseHold, err)
	}
	first, err := stream.Recv()
	if err != nil {
		return enforce.Held{}, c.denied("hold", enforce.CauseHold, err)
	}
	decided := make(chan enforce.Verdict, 1)
	go func() {
		defer close(decided)
		for answer := first; err == nil; answer, err = stream.Recv() {
			if v, final := verdictOf(answer); final {
				decided <- v
				drain(stream.Recv)
				return
			}
		}
	}()
	return enforce.Held{ID: first.GetId(), Approvals: ask.Approvals, Reason: ask.Reason, Decided: decided}, nil
}

// drain reads a stream to its end, which releases what gRPC keeps for it.
func drain[T any](recv func() (T, error)) {
	for {
		if _, err := recv(); err != nil {
			return
		}
	}
}

// verdictOf reads an answer; final is false while the hold is pending. A state
// that is not known is a denial.
func verdictOf(w *edgev1.HoldResponse) (v enforce.Verdict, final bool) {
	v = enforce.Verdict{State: enforce.HoldDenied, By: w.GetBy(), Comment: w.GetComment()}
	switch w.GetState() {
	case "pending":
		return enforce.Verdict{}, false
	case "approved":
		v.State = enforce.HoldApproved
	case "expired":
		v.State = enforce.HoldExpired
	}
	return v, true
}

func previewOf(p enforce.Preview) *accessv1.Preview {
	if p == (enforce.Preview{}) {
		return nil
	}
	return &accessv1.Preview{
		EstimatedRows: p.EstimatedRows, ExactRows: p.ExactRows, Detail: strings.ToValidUTF8(p.Detail, ""), Plan: strings.ToValidUTF8(p.Plan, ""),
		Diff: strings.ToValidUTF8(p.Diff, ""),
	}
}

func requirementsOf(wanted []policy.Approval) []*accessv1.Requirement {
	var wire []*accessv1.Requirement
	for _, a := range wanted {
		wire = append(wire, &accessv1.Requirement{Count: int32(min(a.Count, 1000)), Group: a.Group, Hours: a.Hours})
	}
	return wire
}

// Spend implements enforce.Control.
func (c *Client) Spend(ctx context.Context, hold, session string, digest [audit.HashSize]byte, revision uint64) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.client().SpendApproval(ctx, &edgev1.SpendApprovalRequest{
		Hold: hold, Session: session, Digest: digest[:], Revision: revision,
	})
	if err != nil {
		return nil, c.denied("spend approval", enforce.CauseHold, err)
	}
	return resp.GetApprovers(), nil
}
