package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/resources"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type resourceService struct{ cfg Config }

func (s resourceService) ApplyResources(ctx context.Context, req *accessv1.ApplyResourcesRequest) (*accessv1.ApplyResourcesResponse, error) {
	wanted := make([]resources.Resource, len(req.GetResources()))
	for i, r := range req.GetResources() {
		wanted[i] = convert.FromResource(r)
	}
	changes, err := s.cfg.Resources.Apply(ctx, wanted, req.GetDryRun())
	if err != nil {
		return nil, err
	}
	return &accessv1.ApplyResourcesResponse{Results: convert.Changes(changes)}, nil
}

func (s resourceService) GetResource(ctx context.Context, req *accessv1.GetResourceRequest) (*accessv1.GetResourceResponse, error) {
	r, err := s.cfg.Resources.Get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	out := forCaller(caller(ctx), r)
	if account := out.GetAws(); account != nil {
		if account.Role, err = s.role(ctx, r); err != nil {
			return nil, err
		}
	}
	return &accessv1.GetResourceResponse{Resource: out}, nil
}

// role is what is known of the role of an account. What its policies say is for those who see all.
func (s resourceService) role(ctx context.Context, r resources.Resource) (*accessv1.RoleAnalysis, error) {
	facts, err := s.cfg.Roles.Facts(ctx, r)
	if err != nil {
		return nil, err
	}
	out := convert.Role(facts)
	if !seesAll(caller(ctx)) {
		out.Actions, out.Statements, out.Policies, out.Boundary = nil, nil, nil, ""
	}
	return out, nil
}

func (s resourceService) ListResources(ctx context.Context, _ *accessv1.ListResourcesRequest) (*accessv1.ListResourcesResponse, error) {
	all, err := s.cfg.Resources.List(ctx)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListResourcesResponse{}
	for _, r := range all {
		resp.Resources = append(resp.Resources, forCaller(caller(ctx), r))
	}
	return resp, nil
}

// forCaller leaves out what a member does not need to ask for access: where the target is and how it is signed in to.
func forCaller(c login.Caller, r resources.Resource) *accessv1.Resource {
	out := convert.Resource(r)
	if seesAll(c) {
		return out
	}
	switch t := out.GetTarget().(type) {
	case *accessv1.Resource_Postgres:
		t.Postgres.Endpoint, t.Postgres.Tls, t.Postgres.Credential = "", nil, nil
	case *accessv1.Resource_Kubernetes:
		t.Kubernetes.Endpoint, t.Kubernetes.Tls, t.Kubernetes.Credential, t.Kubernetes.Groups = "", nil, nil, nil
	case *accessv1.Resource_Aws:
		t.Aws.Endpoint, t.Aws.Tls, t.Aws.Credential = "", nil, nil
	default:
		out.Target = nil
	}
	return out
}

// takeBack is how long DeleteResource waits for edges to take back what the resource's sessions left at its target.
const takeBack = 10 * time.Second

// DeleteResource ends the resource's sessions first, since what they leave at its target can only be taken back for as
// long as the resource is known. What opens a session meanwhile keeps the resource.
func (s resourceService) DeleteResource(ctx context.Context, req *accessv1.DeleteResourceRequest) (*accessv1.DeleteResourceResponse, error) {
	if _, err := s.cfg.Resources.Get(ctx, req.GetName()); err != nil {
		return nil, err
	}
	by := caller(ctx).Principal.ID
	if _, err := s.cfg.Sessions.EndSessions(ctx, locks.Resource, req.GetName(), "its resource is being removed", by); err != nil {
		return nil, err
	}
	err := s.deleteWithin(ctx, req.GetName(), takeBack)
	if errors.Is(err, resources.ErrInUse) {
		return nil, fmt.Errorf("%w; they are being dropped: try again in a minute, and lock the resource if new sessions keep coming", err)
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.cfg.Sessions.EndSessions(ctx, locks.Resource, req.GetName(), "resource deleted", by); err != nil {
		return nil, errors.Join(err, fmt.Errorf("resource %q is deleted, but ending its sessions failed", req.GetName()))
	}
	return &accessv1.DeleteResourceResponse{}, nil
}

// deleteWithin tries until nothing is left at the target or the time is over.
func (s resourceService) deleteWithin(ctx context.Context, name string, most time.Duration) error {
	retry, late := time.NewTicker(250*time.Millisecond), time.NewTimer(most)
	defer retry.Stop()
	defer late.Stop()
	for {
		err := s.cfg.Resources.Delete(ctx, name, s.cfg.Leases)
		if !errors.Is(err, resources.ErrInUse) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late.C:
			return err
		case <-retry.C:
		}
	}
}
