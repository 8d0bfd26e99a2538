package api

import (
	"context"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/guard"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

type approvalService struct {
	accessv1connect.UnimplementedApprovalServiceHandler
	cfg Config
}

func (s approvalService) ListApprovals(ctx context.Context, req *accessv1.ListApprovalsRequest) (*accessv1.ListApprovalsResponse, error) {
	all, err := s.cfg.Approvals.Subjects(ctx, req.GetAll())
	if err != nil {
		return nil, err
	}
	c := caller(ctx)
	resp := &accessv1.ListApprovalsResponse{}
	for _, subject := range all {
		if seesAll(c) || subject.Concerns(c.Principal) {
			resp.Approvals = append(resp.Approvals, convert.Approval(subject))
		}
	}
	return resp, nil
}

func (s approvalService) GetApproval(ctx context.Context, req *accessv1.GetApprovalRequest) (*accessv1.GetApprovalResponse, error) {
	subject, err := s.cfg.Approvals.Subject(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if c := caller(ctx); !seesAll(c) && !subject.Concerns(c.Principal) {
		return nil, guard.ErrNotYours
	}
	return &accessv1.GetApprovalResponse{Approval: convert.Approval(subject)}, nil
}

func (s approvalService) Approve(ctx context.Context, req *accessv1.ApproveRequest) (*accessv1.ApproveResponse, error) {
	subject, err := s.cfg.Approvals.Vote(ctx, approvals.Ballot{
		ID: req.GetId(), Digest: req.GetDigest(), Approve: true, Comment: req.GetComment(), Voter: caller(ctx).Principal,
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.ApproveResponse{Approval: convert.Approval(subject)}, nil
}

func (s approvalService) Deny(ctx context.Context, req *accessv1.DenyRequest) (*accessv1.DenyResponse, error) {
	subject, err := s.cfg.Approvals.Vote(ctx, approvals.Ballot{
		ID: req.GetId(), Digest: req.GetDigest(), Comment: req.GetComment(), Voter: caller(ctx).Principal,
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.DenyResponse{Approval: convert.Approval(subject)}, nil
}
