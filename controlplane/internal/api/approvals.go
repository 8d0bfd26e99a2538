package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/store"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type approvalService struct {
	cfg     Config
	watches *streamCount
}

// sees reports whether the caller may see the subject.
func sees(c login.Caller, subject approvals.Subject) bool {
	return seesAll(c) || subject.Concerns(c.Principal)
}

// approval is the message of a subject for the caller.
func approval(c login.Caller, subject approvals.Subject, now time.Time) *accessv1.Approval {
	out := convert.Approval(subject)
	if err := subject.Standing(c.Principal, now); err != nil {
		out.CannotVoteBecause = err.Error()
	} else {
		out.CanVote = true
	}
	return out
}

const (
	defaultApprovals = 100
	maxApprovals     = 500
)

func (s approvalService) ListApprovals(ctx context.Context, req *accessv1.ListApprovalsRequest) (*accessv1.ListApprovalsResponse, error) {
	after, err := openPage(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Approvals.Subjects(ctx, req.GetAll())
	if err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	if size <= 0 {
		size = defaultApprovals
	}
	size = min(size, maxApprovals)
	c, now := caller(ctx), s.cfg.Now()
	resp := &accessv1.ListApprovalsResponse{}
	for _, subject := range all {
		switch {
		case !follows(subject.ID(), after) || !sees(c, subject):
			continue
		case len(resp.Approvals) == size:
			resp.NextPageToken = sealPage(after)
			return resp, nil
		}
		resp.Approvals, after = append(resp.Approvals, approval(c, subject, now)), subject.ID()
	}
	return resp, nil
}

// follows tells whether a subject comes after another in the order of approvals.Subjects: held commands first, and of
// each kind the newest, which have the greatest ids, first.
func follows(id, after string) bool {
	kind, afterKind := id[:strings.IndexByte(id, '-')+1], after[:strings.IndexByte(after, '-')+1]
	if after == "" || kind == afterKind {
		return after == "" || id < after
	}
	return kind > afterKind // "req-" after "hold-"
}

func (s approvalService) GetApproval(ctx context.Context, req *accessv1.GetApprovalRequest) (*accessv1.GetApprovalResponse, error) {
	subject, err := s.cfg.Approvals.Subject(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	c := caller(ctx)
	if !sees(c, subject) {
		return nil, guard.ErrNotYours
	}
	out := approval(c, subject, s.cfg.Now())
	if err := s.fillRole(ctx, out.GetRequest().GetRole()); err != nil {
		return nil, err
	}
	return &accessv1.GetApprovalResponse{Approval: out}, nil
}

// fillRole adds to what is known of a role the statements that say it. They are found by the digest that people agree to.
func (s approvalService) fillRole(ctx context.Context, role *accessv1.RoleAnalysis) error {
	if role.GetDigest() == "" {
		return nil
	}
	a, err := s.cfg.Roles.Analysis(ctx, role.GetDigest())
	if errors.Is(err, store.ErrNotFound) {
		role.Problem = "what its policies said is no longer kept"
		return nil
	}
	if err == nil {
		convert.FillRole(role, a)
	}
	return err
}

func (s approvalService) Approve(ctx context.Context, req *accessv1.ApproveRequest) (*accessv1.ApproveResponse, error) {
	subject, err := s.cfg.Approvals.Vote(ctx, approvals.Ballot{
		ID: req.GetId(), Digest: req.GetDigest(), Approve: true, Comment: req.GetComment(), Voter: caller(ctx).Principal,
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.ApproveResponse{Approval: approval(caller(ctx), subject, s.cfg.Now())}, nil
}

func (s approvalService) Deny(ctx context.Context, req *accessv1.DenyRequest) (*accessv1.DenyResponse, error) {
	subject, err := s.cfg.Approvals.Vote(ctx, approvals.Ballot{
		ID: req.GetId(), Digest: req.GetDigest(), Comment: req.GetComment(), Voter: caller(ctx).Principal,
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.DenyResponse{Approval: approval(caller(ctx), subject, s.cfg.Now())}, nil
}
