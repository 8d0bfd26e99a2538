package clitest

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// PushPolicy implements access.v1 with the real checks.
func (c *ControlPlane) PushPolicy(ctx context.Context, r *accessv1.PushPolicyRequest) (*accessv1.PushPolicyResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := uint64(len(c.revisions)); r.GetBase() != 0 && r.GetBase() != n {
		return nil, refused(connect.CodeAborted, fmt.Sprintf("revision %d is newer than the base %d", n, r.GetBase()))
	}
	resp := new(accessv1.PushPolicyResponse)
	resp.Problems = problems(r.GetBundle())
	if len(resp.Problems) == 0 {
		resp.Revision = c.revise(ctx, r.GetBundle(), r.GetMessage(), 0)
	}
	return resp, nil
}

func problems(b *accessv1.Bundle) []*accessv1.Problem {
	_, err := policy.TestBundle(policy.Bundle{Files: b.GetFiles()})
	refused, ok := errors.AsType[*policy.BundleError](err)
	if !ok {
		return nil
	}
	var out []*accessv1.Problem
	for _, p := range refused.Problems {
		out = append(out, &accessv1.Problem{File: p.File, Line: int32(p.Line), Column: int32(p.Column), Message: p.Message, Hint: p.Hint})
	}
	return out
}

// revise adds a revision. The caller holds mu.
func (c *ControlPlane) revise(ctx context.Context, b *accessv1.Bundle, message string, rollbackOf uint64) *accessv1.Revision {
	rev := &accessv1.Revision{
		Number: uint64(len(c.revisions)) + 1, Author: callerOf(ctx).principal.GetName(), Message: message,
		CreatedAt: timestamppb.Now(), Policies: int32(len(b.GetFiles())), RollbackOf: rollbackOf,
	}
	c.revisions = append(c.revisions, &accessv1.PullPolicyResponse{Revision: rev, Bundle: clone(b)})
	return clone(rev)
}

// PullPolicy implements access.v1.
func (c *ControlPlane) PullPolicy(_ context.Context, r *accessv1.PullPolicyRequest) (*accessv1.PullPolicyResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := r.GetRevision()
	if n == 0 {
		n = uint64(len(c.revisions))
	}
	if n == 0 || n > uint64(len(c.revisions)) {
		return nil, missing(fmt.Sprintf("revision %d", n))
	}
	return clone(c.revisions[n-1]), nil
}

// TestPolicy implements access.v1.
func (c *ControlPlane) TestPolicy(_ context.Context, r *accessv1.TestPolicyRequest) (*accessv1.TestPolicyResponse, error) {
	return &accessv1.TestPolicyResponse{Problems: problems(r.GetBundle())}, nil
}

// ListRevisions implements access.v1.
func (c *ControlPlane) ListRevisions(context.Context, *accessv1.ListRevisionsRequest) (*accessv1.ListRevisionsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := &accessv1.ListRevisionsResponse{Enforced: map[string]uint64{"edge-a": uint64(len(c.revisions))}}
	for _, r := range c.revisions {
		resp.Revisions = append([]*accessv1.Revision{clone(r.GetRevision())}, resp.Revisions...)
	}
	return resp, nil
}

// RollbackPolicy implements access.v1.
func (c *ControlPlane) RollbackPolicy(ctx context.Context, r *accessv1.RollbackPolicyRequest) (*accessv1.RollbackPolicyResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := r.GetRevision()
	if n == 0 || n > uint64(len(c.revisions)) {
		return nil, missing(fmt.Sprintf("revision %d", n))
	}
	return &accessv1.RollbackPolicyResponse{Revision: c.revise(ctx, c.revisions[n-1].GetBundle(), r.GetMessage(), n)}, nil
}
