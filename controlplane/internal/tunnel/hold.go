package tunnel

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// Hold implements edge.v1. Who asks, for what and why comes from the session,
// never from the edge. When the call ends before there is a decision, the held
// command is withdrawn.
func (s *Server) Hold(req *edgev1.HoldRequest, stream grpc.ServerStreamingServer[edgev1.HoldResponse]) error {
	ctx := stream.Context()
	session, err := s.cfg.Sessions.AtEdge(ctx, req.GetSession(), caller(ctx).peer.Name)
	if err != nil {
		return err
	}
	h, err := s.cfg.Approvals.File(ctx, approvals.Hold{
		Principal: session.Principal, Resource: session.Resource, Edge: session.Edge, Session: session.ID, Grant: session.Grant,
		Statement: req.GetStatement(), Params: req.GetParams(), Actions: req.GetActions(), Tables: req.GetTables(),
		Reason: req.GetReason(), PolicyIDs: req.GetPolicyIds(), Revision: req.GetRevision(),
		Requirements: convert.FromRequirements(req.GetRequirements()), Command: req.GetDigest(), Timeout: req.GetTimeout().AsDuration(),
		Preview: convert.FromPreview(req.GetPreview()),
	})
	if err != nil {
		return s.about(audit.Record{
			Principal: session.Principal.ID, Resource: session.Resource, Grant: session.Grant, PolicyIDs: req.GetPolicyIds(),
			Revision: req.GetRevision(), Attrs: []audit.Attr{{Name: "session", Value: session.ID}},
		}, err)
	}
	settled := false
	defer func() {
		if !settled {
			s.withdraw(ctx, h.ID)
		}
	}()
	for now, err := range s.cfg.Approvals.Watch(ctx, h.ID) {
		if err != nil {
			return err
		}
		if err := stream.Send(wireHold(now)); err != nil {
			return err
		}
		settled = now.State != approvals.Pending
	}
	return nil
}

func (s *Server) withdraw(ctx context.Context, hold string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	_, err := s.cfg.Approvals.WithdrawHold(ctx, hold)
	if err != nil && !errors.Is(err, approvals.ErrNotPending) && !errors.Is(err, approvals.ErrSpent) {
		s.cfg.Logger.Warn("withdraw held command", "hold", hold, "error", err)
	}
}

// SpendApproval implements edge.v1.
func (s *Server) SpendApproval(ctx context.Context, req *edgev1.SpendApprovalRequest) (*edgev1.SpendApprovalResponse, error) {
	edge := caller(ctx).peer.Name
	session, err := s.cfg.Sessions.AtEdge(ctx, req.GetSession(), edge)
	if err != nil {
		return nil, err
	}
	by, err := s.cfg.Approvals.Spend(ctx, approvals.Spending{
		Hold: req.GetHold(), Session: session.ID, Edge: edge, Digest: req.GetDigest(), Revision: req.GetRevision(),
	})
	if err != nil {
		return nil, s.about(audit.Record{
			Principal: session.Principal.ID, Resource: session.Resource, Grant: session.Grant, HoldID: clip(req.GetHold()),
			Revision: req.GetRevision(), Attrs: []audit.Attr{{Name: "session", Value: session.ID}},
		}, err)
	}
	return &edgev1.SpendApprovalResponse{Approvers: by}, nil
}
