package clitest

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/merklelog"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// ApplyResources implements access.v1.
func (c *ControlPlane) ApplyResources(_ context.Context, r *accessv1.ApplyResourcesRequest) (*accessv1.ApplyResourcesResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := new(accessv1.ApplyResourcesResponse)
	for _, res := range r.GetResources() {
		change := "created"
		if c.resources[res.GetName()] != nil {
			change = "updated"
		}
		resp.Results = append(resp.Results, &accessv1.ApplyResourcesResponse_Result{Name: res.GetName(), Change: change})
		if !r.GetDryRun() {
			c.resources[res.GetName()] = clone(res)
		}
	}
	return resp, nil
}

// GetResource implements access.v1. Unlike the real one it gives passwords back, to show that writ does not print them.
func (c *ControlPlane) GetResource(_ context.Context, r *accessv1.GetResourceRequest) (*accessv1.GetResourceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if res := c.resources[r.GetName()]; res != nil {
		return &accessv1.GetResourceResponse{Resource: clone(res)}, nil
	}
	return nil, missing("resource " + r.GetName())
}

// ListResources implements access.v1.
func (c *ControlPlane) ListResources(context.Context, *accessv1.ListResourcesRequest) (*accessv1.ListResourcesResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := new(accessv1.ListResourcesResponse)
	for _, name := range slices.Sorted(maps.Keys(c.resources)) {
		resp.Resources = append(resp.Resources, clone(c.resources[name]))
	}
	return resp, nil
}

// DeleteResource implements access.v1.
func (c *ControlPlane) DeleteResource(_ context.Context, r *accessv1.DeleteResourceRequest) (*accessv1.DeleteResourceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resources[r.GetName()] == nil {
		return nil, missing("resource " + r.GetName())
	}
	delete(c.resources, r.GetName())
	return &accessv1.DeleteResourceResponse{}, nil
}

// CreateLock implements access.v1.
func (c *ControlPlane) CreateLock(ctx context.Context, r *accessv1.CreateLockRequest) (*accessv1.CreateLockResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &accessv1.Lock{
		Id: c.newID("lock"), Target: r.GetTarget(), Name: r.GetName(), Reason: r.GetReason(),
		CreatedBy: callerOf(ctx).principal.GetName(), CreatedAt: timestamppb.Now(),
	}
	if r.GetTtl() != nil {
		l.ExpiresAt = in(r.GetTtl().AsDuration())
	}
	c.locks = append(c.locks, l)
	return &accessv1.CreateLockResponse{Lock: clone(l), SessionsEnded: 2}, nil
}

// ListLocks implements access.v1.
func (c *ControlPlane) ListLocks(context.Context, *accessv1.ListLocksRequest) (*accessv1.ListLocksResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clone(&accessv1.ListLocksResponse{Locks: c.locks}), nil
}

// RemoveLock implements access.v1.
func (c *ControlPlane) RemoveLock(_ context.Context, r *accessv1.RemoveLockRequest) (*accessv1.RemoveLockResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(c.locks), func(l *accessv1.Lock) bool { return l.GetId() == r.GetId() })
	if len(left) == len(c.locks) {
		return nil, missing(r.GetId())
	}
	c.locks = left
	return &accessv1.RemoveLockResponse{}, nil
}

// CreateJoinToken implements access.v1.
func (c *ControlPlane) CreateJoinToken(_ context.Context, r *accessv1.CreateJoinTokenRequest) (*accessv1.CreateJoinTokenResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ttl := time.Hour
	if r.GetTtl() != nil {
		ttl = r.GetTtl().AsDuration()
	}
	c.edges = append(c.edges, &accessv1.Edge{Name: r.GetEdge(), Names: r.GetNames(), Endpoints: c.endpoints})
	return &accessv1.CreateJoinTokenResponse{Token: c.newID("join"), ExpiresAt: in(ttl), Pin: c.Pin, Address: "writ.example:8444"}, nil
}

// ListEdges implements access.v1.
func (c *ControlPlane) ListEdges(context.Context, *accessv1.ListEdgesRequest) (*accessv1.ListEdgesResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clone(&accessv1.ListEdgesResponse{Edges: c.edges}), nil
}

// RemoveEdge implements access.v1.
func (c *ControlPlane) RemoveEdge(_ context.Context, r *accessv1.RemoveEdgeRequest) (*accessv1.RemoveEdgeResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := find(c.edges, func(e *accessv1.Edge) bool { return e.GetName() == r.GetName() })
	if e == nil {
		return nil, missing("edge " + r.GetName())
	}
	e.Removed = true
	return &accessv1.RemoveEdgeResponse{}, nil
}

// ListSessions implements access.v1.
func (c *ControlPlane) ListSessions(_ context.Context, r *accessv1.ListSessionsRequest) (*accessv1.ListSessionsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := new(accessv1.ListSessionsResponse)
	var found []*accessv1.Session
	for _, s := range c.sessions {
		if (s.GetLive() || r.GetAll()) && (r.GetResource() == "" || r.GetResource() == s.GetResource()) {
			found = append(found, clone(s))
		}
	}
	resp.Sessions, resp.NextPageToken = page(found, r.GetPageToken(), int(r.GetLimit()))
	return resp, nil
}

// GetSession implements access.v1.
func (c *ControlPlane) GetSession(_ context.Context, r *accessv1.GetSessionRequest) (*accessv1.GetSessionResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.findSession(r.GetId()); s != nil {
		return &accessv1.GetSessionResponse{Session: clone(s)}, nil
	}
	return nil, missing(r.GetId())
}

// ReplaySession implements access.v1; with follow it ends when the session is killed.
func (c *ControlPlane) ReplaySession(ctx context.Context, r *accessv1.ReplaySessionRequest, out *connect.ServerStream[accessv1.ReplaySessionResponse]) error {
	for sent := 0; ; {
		c.mu.Lock()
		s, records, changed := c.findSession(r.GetId()), c.records[r.GetId()], c.changed
		live := s.GetLive()
		c.mu.Unlock()
		if s == nil {
			return missing(r.GetId())
		}
		for _, rec := range records[sent:] {
			if err := out.Send(&accessv1.ReplaySessionResponse{Record: rec}); err != nil {
				return err
			}
		}
		sent = len(records)
		if !r.GetFollow() || !live {
			return nil
		}
		c.waits()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// KillSession implements access.v1.
func (c *ControlPlane) KillSession(_ context.Context, r *accessv1.KillSessionRequest) (*accessv1.KillSessionResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.findSession(r.GetId())
	if s == nil {
		return nil, missing(r.GetId())
	}
	s.Live, s.EndReason, s.EndedAt = false, r.GetReason(), timestamppb.Now()
	c.touch()
	return &accessv1.KillSessionResponse{}, nil
}

func (c *ControlPlane) findSession(id string) *accessv1.Session {
	return find(c.sessions, func(s *accessv1.Session) bool { return s.GetId() == id })
}

// ListAdminRecords implements access.v1.
func (c *ControlPlane) ListAdminRecords(context.Context, *accessv1.ListAdminRecordsRequest) (*accessv1.ListAdminRecordsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return clone(&accessv1.ListAdminRecordsResponse{Records: c.admin}), nil
}

// GetCheckpoint implements access.v1, with the checkpoint of an empty log.
func (c *ControlPlane) GetCheckpoint(context.Context, *accessv1.GetCheckpointRequest) (*accessv1.GetCheckpointResponse, error) {
	const origin = "audit.example.com/log"
	signer, public, err := merklelog.NewSigner(origin, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return nil, err
	}
	var empty merklelog.Tree
	signed, err := merklelog.Checkpoint{Origin: origin, Root: empty.Root()}.Sign(signer)
	return &accessv1.GetCheckpointResponse{Checkpoint: string(signed), PublicKey: public}, err
}

// SearchRecords implements access.v1, as far as the control plane's own records go. It gives one record at a time, and
// every second page is empty.
func (c *ControlPlane) SearchRecords(_ context.Context, r *accessv1.SearchRecordsRequest) (*accessv1.SearchRecordsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, err := strconv.Atoi(cmp.Or(r.GetPageToken(), "0"))
	if err != nil || r.GetFrom() == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("invalid search"))
	}
	resp := &accessv1.SearchRecordsResponse{SearchedBackTo: r.GetFrom()}
	if from/2 >= len(c.admin) {
		return resp, nil
	}
	resp.NextPageToken = strconv.Itoa(from + 1)
	if rec := c.admin[from/2]; from%2 == 1 && strings.Contains(rec.GetJson(), r.GetText()) && strings.Contains(rec.GetJson(), r.GetDecision()) &&
		!(r.GetWithoutReads() && strings.Contains(rec.GetJson(), `"value":"List`)) {
		resp.Records = []*accessv1.Record{rec}
	}
	return clone(resp), nil
}
