package api

import (
	"context"
	"errors"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type policyService struct{ cfg Config }

// PushPolicy answers a bad bundle with its problems and the results of its tests and without a revision, so that the
// caller sees every line.
func (s policyService) PushPolicy(ctx context.Context, req *accessv1.PushPolicyRequest) (*accessv1.PushPolicyResponse, error) {
	files := req.GetBundle().GetFiles()
	rev, err := s.cfg.Policies.Push(ctx, policies.Push{
		Files: files, Author: caller(ctx).Principal.ID, Message: req.GetMessage(), Base: req.GetBase(),
	})
	problems, tests, err := judged(files, err)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.PushPolicyResponse{Problems: problems, Tests: tests}
	if len(problems) == 0 {
		resp.Revision = convert.Revision(rev)
	}
	return resp, nil
}

// judged turns a refusal of the bundle into its problems; other errors stay errors.
func judged(files map[string][]byte, err error) ([]*accessv1.Problem, []*accessv1.TestResult, error) {
	var refused *policy.BundleError
	if err != nil && !errors.As(err, &refused) {
		return nil, nil, err
	}
	results, testErr := policies.Test(files)
	if refused == nil {
		errors.As(testErr, &refused)
	}
	if refused == nil {
		return nil, convert.Results(results), nil
	}
	return convert.Problems(refused.Problems), convert.Results(results), nil
}

func (s policyService) TestPolicy(_ context.Context, req *accessv1.TestPolicyRequest) (*accessv1.TestPolicyResponse, error) {
	problems, tests, err := judged(req.GetBundle().GetFiles(), nil)
	return &accessv1.TestPolicyResponse{Problems: problems, Tests: tests}, err
}

func (s policyService) PullPolicy(ctx context.Context, req *accessv1.PullPolicyRequest) (*accessv1.PullPolicyResponse, error) {
	r, err := s.cfg.Policies.Get(ctx, req.GetRevision())
	if err != nil {
		return nil, err
	}
	return &accessv1.PullPolicyResponse{Revision: convert.Revision(r), Bundle: &accessv1.Bundle{Files: r.Files}}, nil
}

func (s policyService) ListRevisions(ctx context.Context, _ *accessv1.ListRevisionsRequest) (*accessv1.ListRevisionsResponse, error) {
	all, err := s.cfg.Policies.List(ctx)
	if err != nil {
		return nil, err
	}
	present, err := s.cfg.Edges.Present(ctx)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListRevisionsResponse{Enforced: map[string]uint64{}}
	for _, r := range all {
		resp.Revisions = append(resp.Revisions, convert.Revision(r))
	}
	for edge, p := range present {
		resp.Enforced[edge] = p.Revision
	}
	return resp, nil
}

func (s policyService) RollbackPolicy(ctx context.Context, req *accessv1.RollbackPolicyRequest) (*accessv1.RollbackPolicyResponse, error) {
	r, err := s.cfg.Policies.Rollback(ctx, req.GetRevision(), caller(ctx).Principal.ID, req.GetMessage())
	if err != nil {
		return nil, err
	}
	return &accessv1.RollbackPolicyResponse{Revision: convert.Revision(r)}, nil
}
