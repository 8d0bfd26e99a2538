package clitest

import (
	"context"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// ListApprovals implements access.v1.
func (c *ControlPlane) ListApprovals(_ context.Context, r *accessv1.ListApprovalsRequest) (*accessv1.ListApprovalsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := new(accessv1.ListApprovalsResponse)
	var found []*accessv1.Approval
	for _, req := range c.requests {
		if r.GetAll() || req.GetState() == accessv1.RequestState_REQUEST_STATE_PENDING {
			found = append(found, c.approval(req.GetId()))
		}
	}
	for _, h := range c.holds {
		if r.GetAll() || h.GetState() == accessv1.HoldState_HOLD_STATE_PENDING {
			found = append(found, c.approval(h.GetId()))
		}
	}
	resp.Approvals, resp.NextPageToken = page(found, r.GetPageToken(), int(r.GetPageSize()))
	return resp, nil
}

// GetApproval implements access.v1.
func (c *ControlPlane) GetApproval(_ context.Context, r *accessv1.GetApprovalRequest) (*accessv1.GetApprovalResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.approval(r.GetId()); a != nil {
		return &accessv1.GetApprovalResponse{Approval: a}, nil
	}
	return nil, missing(r.GetId())
}

// Approve implements access.v1.
func (c *ControlPlane) Approve(ctx context.Context, r *accessv1.ApproveRequest) (*accessv1.ApproveResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.vote(ctx, r.GetId(), r.GetDigest(), r.GetComment(), true)
	return &accessv1.ApproveResponse{Approval: a}, err
}

// Deny implements access.v1.
func (c *ControlPlane) Deny(ctx context.Context, r *accessv1.DenyRequest) (*accessv1.DenyResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.vote(ctx, r.GetId(), r.GetDigest(), r.GetComment(), false)
	return &accessv1.DenyResponse{Approval: a}, err
}

func (c *ControlPlane) vote(ctx context.Context, id, digest, comment string, approve bool) (*accessv1.Approval, error) {
	who := callerOf(ctx).principal
	vote := &accessv1.Vote{Voter: who.GetName(), Approve: approve, Comment: comment, At: timestamppb.Now(), Groups: who.GetGroups()}
	if req := c.findRequest(id); req != nil {
		if err := mayVote(who, req.GetPrincipal(), digest, req.GetDigest(), req.GetRequirements()); err != nil {
			return nil, err
		}
		req.Votes = append(req.Votes, vote)
		if approve {
			c.grant(req)
		} else {
			req.State, req.Denial = accessv1.RequestState_REQUEST_STATE_DENIED, comment
		}
	} else if h := c.findHold(id); h != nil {
		if err := mayVote(who, h.GetPrincipal(), digest, h.GetDigest(), h.GetRequirements()); err != nil {
			return nil, err
		}
		h.Votes = append(h.Votes, vote)
		h.State = accessv1.HoldState_HOLD_STATE_DENIED
		if approve {
			h.State = accessv1.HoldState_HOLD_STATE_APPROVED
		}
	} else {
		return nil, missing(id)
	}
	c.touch()
	return c.approval(id), nil
}

func mayVote(who, asker *accessv1.Principal, digest, want string, needs []*accessv1.Requirement) error {
	switch {
	case who.GetName() == asker.GetName():
		return refused(connect.CodePermissionDenied, "nobody approves their own request")
	case digest != want:
		return refused(connect.CodeFailedPrecondition, "the digest is not the one of what waits")
	case len(needs) > 0 && !slices.Contains(who.GetGroups(), needs[0].GetGroup()):
		return refused(connect.CodePermissionDenied, "only "+needs[0].GetGroup()+" may decide this")
	}
	return nil
}

func (c *ControlPlane) approval(id string) *accessv1.Approval {
	if req := c.findRequest(id); req != nil {
		return &accessv1.Approval{Subject: &accessv1.Approval_Request{Request: clone(req)}}
	}
	if h := c.findHold(id); h != nil {
		return &accessv1.Approval{Subject: &accessv1.Approval_Command{Command: clone(h)}}
	}
	return nil
}
