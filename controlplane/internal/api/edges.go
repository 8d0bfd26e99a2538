package api

import (
	"context"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/locks"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type edgeService struct{ cfg Config }

func (s edgeService) CreateJoinToken(ctx context.Context, req *accessv1.CreateJoinTokenRequest) (*accessv1.CreateJoinTokenResponse, error) {
	t, err := s.cfg.Edges.CreateJoinToken(ctx, req.GetEdge(), req.GetNames(), convert.FromDuration(req.GetTtl()), caller(ctx).Principal.ID)
	if err != nil {
		return nil, err
	}
	return &accessv1.CreateJoinTokenResponse{
		Token: t.Secret.Reveal(), ExpiresAt: convert.Time(t.ExpiresAt), Pin: s.cfg.Pin, Address: s.cfg.EdgeAddress,
	}, nil
}

func (s edgeService) ListEdges(ctx context.Context, _ *accessv1.ListEdgesRequest) (*accessv1.ListEdgesResponse, error) {
	all, err := s.cfg.Edges.List(ctx)
	if err != nil {
		return nil, err
	}
	_, newest, err := s.cfg.Policies.Current(ctx)
	if err != nil {
		return nil, err
	}
	live := s.cfg.Live()
	resp := &accessv1.ListEdgesResponse{}
	for _, e := range all {
		resp.Edges = append(resp.Edges, &accessv1.Edge{
			Name: e.Name, Names: e.Names, Connected: e.Connected, Revision: e.Presence.Revision, Version: e.Presence.Version,
			EnrolledAt: convert.Time(e.EnrolledAt), SeenAt: convert.Time(e.SeenAt), Endpoints: e.Presence.Endpoints,
			Removed: e.Removed, LiveSessions: int32(live[e.Name]), RecordLag: convert.Duration(e.RecordLag),
			NewestRevision: newest, PolicyError: e.Presence.Error, KubernetesEndpoints: e.Presence.Kubernetes, AwsEndpoints: e.Presence.AWS,
		})
	}
	return resp, nil
}

func (s edgeService) RemoveEdge(ctx context.Context, req *accessv1.RemoveEdgeRequest) (*accessv1.RemoveEdgeResponse, error) {
	by := caller(ctx).Principal.ID
	if err := s.cfg.Edges.Remove(ctx, req.GetName(), by); err != nil {
		return nil, err
	}
	if _, err := s.cfg.Sessions.EndSessions(ctx, locks.Edge, req.GetName(), "edge removed", by); err != nil {
		return nil, err
	}
	return &accessv1.RemoveEdgeResponse{}, nil
}

type lockService struct{ cfg Config }

func (s lockService) CreateLock(ctx context.Context, req *accessv1.CreateLockRequest) (*accessv1.CreateLockResponse, error) {
	lock, ended, err := s.cfg.Locks.Create(ctx, locks.Order{
		Target: convert.FromLockTarget(req.GetTarget()), Name: req.GetName(), Reason: req.GetReason(),
		By: caller(ctx).Principal.ID, TTL: convert.FromDuration(req.GetTtl()),
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.CreateLockResponse{Lock: convert.Lock(lock), SessionsEnded: int32(ended)}, nil
}

func (s lockService) ListLocks(ctx context.Context, _ *accessv1.ListLocksRequest) (*accessv1.ListLocksResponse, error) {
	all, err := s.cfg.Locks.List(ctx)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListLocksResponse{}
	for _, l := range all {
		resp.Locks = append(resp.Locks, convert.Lock(l))
	}
	return resp, nil
}

func (s lockService) RemoveLock(ctx context.Context, req *accessv1.RemoveLockRequest) (*accessv1.RemoveLockResponse, error) {
	if err := s.cfg.Locks.Remove(ctx, req.GetId(), caller(ctx).Principal.ID); err != nil {
		return nil, err
	}
	return &accessv1.RemoveLockResponse{}, nil
}
