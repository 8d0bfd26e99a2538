package controlplane_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"connectrpc.com/connect"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// bearing sends a token with every call, also those that stream.
type bearing string

func (b bearing) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		req.Header().Set("Authorization", "Bearer "+string(b))
		return next(ctx, req)
	}
}

func (b bearing) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", "Bearer "+string(b))
		return conn
	}
}

func (b bearing) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

func (r *running) approvals(token string, opts ...connect.ClientOption) accessv1connect.ApprovalServiceClient {
	return accessv1connect.NewApprovalServiceClient(r.client, r.url(), append(opts, connect.WithInterceptors(bearing(token)))...)
}

// stock gives the control plane two resources and the test's policies.
func (r *running) stock(t *testing.T) {
	t.Helper()
	admin := as(r.admin(t))
	if _, err := accessv1connect.NewResourceServiceClient(r.client, r.url(), admin).ApplyResources(t.Context(),
		&accessv1.ApplyResourcesRequest{Resources: []*accessv1.Resource{resource("prod"), resource("dev")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := accessv1connect.NewPolicyServiceClient(r.client, r.url(), admin).PushPolicy(t.Context(),
		&accessv1.PushPolicyRequest{Bundle: &accessv1.Bundle{Files: map[string][]byte{"a.cedar": []byte(policies)}}}); err != nil {
		t.Fatal(err)
	}
}

func (r *running) ask(t *testing.T, who, reason string) *accessv1.AccessRequest {
	t.Helper()
	asked, err := accessv1connect.NewRequestServiceClient(r.client, r.url(), as(r.idToken(t, who, "agent", "agents"))).
		CreateRequest(t.Context(), &accessv1.CreateRequestRequest{Resource: "prod", Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	return asked.GetRequest()
}

type approvalStream = connect.ServerStreamForClient[accessv1.WatchApprovalsResponse]

// next returns the next approval that is not a heartbeat.
func next(t *testing.T, s *approvalStream) *accessv1.Approval {
	t.Helper()
	for s.Receive() {
		if all := s.Msg().GetApprovals(); len(all) == 1 {
			return all[0]
		}
	}
	t.Fatalf("the stream ended: %v", s.Err())
	return nil
}

// complete returns all that waits at the start.
func complete(t *testing.T, s *approvalStream) []*accessv1.Approval {
	t.Helper()
	var all []*accessv1.Approval
	for s.Receive() {
		all = append(all, s.Msg().GetApprovals()...)
		if s.Msg().GetComplete() {
			return all
		}
	}
	t.Fatalf("the stream ended: %v", s.Err())
	return nil
}

func TestWatchApprovals(t *testing.T) {
	r := start(t)
	r.stock(t)
	first := r.ask(t, "bot", "fix orders")
	for name, protocol := range map[string][]connect.ClientOption{
		"connect": nil, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()},
	} {
		t.Run(name, func(t *testing.T) {
			open := func(who, kind string, groups ...string) *approvalStream {
				s, err := r.approvals(r.idToken(t, who, kind, groups...), protocol...).WatchApprovals(t.Context(), &accessv1.WatchApprovalsRequest{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			bob, bot, eve := open("bob", "person", "dba"), open("bot", "agent", "agents"), open("eve", "person", "interns")
			if all := complete(t, bob); len(all) != 1 || !all[0].GetCanVote() || all[0].GetRequest().GetId() != first.GetId() {
				t.Fatalf("the approver is shown %v", all)
			}
			if all := complete(t, bot); len(all) != 1 || all[0].GetCanVote() || all[0].GetCannotVoteBecause() == "" {
				t.Fatalf("the asker is shown %v", all)
			}
			if all := complete(t, eve); len(all) != 0 {
				t.Fatalf("a stranger is shown %v", all)
			}
			asked := r.ask(t, "bot", "again, over "+name)
			if got := next(t, bob); got.GetRequest().GetId() != asked.GetId() || !got.GetCanVote() {
				t.Fatalf("got %v", got)
			}
			votes := r.approvals(r.idToken(t, "bob", "person", "dba"))
			if _, err := votes.Approve(t.Context(), &accessv1.ApproveRequest{Id: asked.GetId(), Digest: asked.GetDigest()}); err != nil {
				t.Fatal(err)
			}
			got := next(t, bob)
			if got.GetRequest().GetState() != accessv1.RequestState_REQUEST_STATE_GRANTED || got.GetCanVote() ||
				!strings.Contains(got.GetCannotVoteBecause(), "granted") {
				t.Fatalf("got %v", got)
			}
		})
	}
}

func TestWatchesAreBounded(t *testing.T) {
	r := start(t)
	bob := r.approvals(r.idToken(t, "bob", "person", "dba"))
	var open []*approvalStream
	for range 20 {
		s, err := bob.WatchApprovals(t.Context(), &accessv1.WatchApprovalsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		complete(t, s)
		open = append(open, s)
	}
	refused, err := bob.WatchApprovals(t.Context(), &accessv1.WatchApprovalsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	if refused.Receive() || connect.CodeOf(refused.Err()) != connect.CodeResourceExhausted {
		t.Fatalf("got %v", refused.Err())
	}
	others, err := r.approvals(r.idToken(t, "dora", "person", "dba")).WatchApprovals(t.Context(), &accessv1.WatchApprovalsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer others.Close()
	complete(t, others)
	_ = open[0].Close()
	for { // the place is free once the server has noticed
		s, err := bob.WatchApprovals(t.Context(), &accessv1.WatchApprovalsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		again := s.Receive()
		_ = s.Close()
		if again {
			return
		}
	}
}

// A stream does not hold up the end of the control plane, and says why it ends.
func TestWatchEndsWithTheControlPlane(t *testing.T) {
	r := start(t)
	s, err := r.approvals(r.idToken(t, "bob", "person", "dba")).WatchApprovals(t.Context(), &accessv1.WatchApprovalsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	complete(t, s)
	r.stop()
	for s.Receive() {
	}
	if err := s.Err(); connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "stopping") {
		t.Fatalf("ended with %v", err)
	}
}

func TestApprovalsComeInPages(t *testing.T) {
	r := start(t)
	r.stock(t)
	want := map[string]bool{}
	for _, reason := range []string{"a", "b", "c", "d", "e"} {
		want[r.ask(t, "bot", reason).GetId()] = true
	}
	for _, all := range []bool{false, true} {
		seen, pages, req := map[string]bool{}, 0, &accessv1.ListApprovalsRequest{PageSize: 2, All: all}
		for {
			resp, err := r.approvals(r.idToken(t, "bob", "person", "dba")).ListApprovals(t.Context(), req)
			if err != nil || len(resp.GetApprovals()) > 2 {
				t.Fatal(resp, err)
			}
			for _, a := range resp.GetApprovals() {
				seen[a.GetRequest().GetId()] = true
			}
			pages++
			if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
				break
			}
		}
		if !maps.Equal(seen, want) || pages != 3 {
			t.Fatalf("%v on %d pages", seen, pages)
		}
	}
	_, err := r.approvals(r.idToken(t, "bob", "person", "dba")).ListApprovals(t.Context(), &accessv1.ListApprovalsRequest{PageToken: "%"})
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Fatalf("got %v", err)
	}
}
