package clitest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// ListSignInMethods implements access.v1.
func (c *ControlPlane) ListSignInMethods(context.Context, *accessv1.ListSignInMethodsRequest) (*accessv1.ListSignInMethodsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := &accessv1.ListSignInMethodsResponse{}
	for _, p := range c.providers {
		resp.Methods = append(resp.Methods, &accessv1.SignInMethod{Method: &accessv1.SignInMethod_Openid{Openid: p}})
	}
	return resp, nil
}

// Login implements access.v1.
func (c *ControlPlane) Login(_ context.Context, r *accessv1.LoginRequest) (*accessv1.LoginResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.proofs[r.GetOidcToken()+r.GetAdminToken()]
	if p == nil {
		return nil, refused(connect.CodeUnauthenticated, "the identity proof is not valid")
	}
	token := c.newID("login")
	c.people[token] = p
	return &accessv1.LoginResponse{Token: token, Principal: p, ExpiresAt: in(time.Hour)}, nil
}

// Logout implements access.v1.
func (c *ControlPlane) Logout(ctx context.Context, _ *accessv1.LogoutRequest) (*accessv1.LogoutResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.people, callerOf(ctx).token)
	return &accessv1.LogoutResponse{}, nil
}

// WhoAmI implements access.v1.
func (c *ControlPlane) WhoAmI(ctx context.Context, _ *accessv1.WhoAmIRequest) (*accessv1.WhoAmIResponse, error) {
	return &accessv1.WhoAmIResponse{Principal: callerOf(ctx).principal, Roles: []string{"member"}, ExpiresAt: in(time.Hour)}, nil
}

// CreateRequest implements access.v1.
func (c *ControlPlane) CreateRequest(ctx context.Context, r *accessv1.CreateRequestRequest) (*accessv1.CreateRequestResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	res := c.resources[r.GetResource()]
	if res == nil {
		return nil, missing("resource " + r.GetResource())
	}
	if err := narrowed(res, r); err != nil {
		return nil, err
	}
	req := &accessv1.AccessRequest{
		Intent: r.GetIntent(), StartAt: r.GetStartAt(), BreakGlass: r.GetBreakGlass(),
		Id: c.newID("req"), Principal: callerOf(ctx).principal, Resource: r.GetResource(), Actions: r.GetActions(),
		Duration: r.GetDuration(), Reason: r.GetReason(), Ticket: r.GetTicket(), Extends: r.GetExtend(),
		State: accessv1.RequestState_REQUEST_STATE_PENDING, CreatedAt: timestamppb.Now(), ExpiresAt: in(time.Hour),
		PolicyIds: []string{"fake"}, Revision: 7,
	}
	req.Digest = digest(req)
	c.requests = append(c.requests, req)
	resp := &accessv1.CreateRequestResponse{Request: req}
	switch group := res.GetLabels()["approval"]; {
	case res.GetLabels()["closed"] != "":
		req.State, req.Denial = accessv1.RequestState_REQUEST_STATE_DENIED, "the resource is closed"
	case group != "" && !r.GetBreakGlass():
		req.Requirements = []*accessv1.Requirement{{Count: 1, Group: group}}
	default:
		resp.Grant = c.grant(req)
	}
	return clone(resp), nil
}

// grant turns a request into a grant, or lengthens the one it names. The caller holds mu.
func (c *ControlPlane) grant(req *accessv1.AccessRequest) *accessv1.Grant {
	req.State, req.DecidedAt = accessv1.RequestState_REQUEST_STATE_GRANTED, timestamppb.Now()
	until := in(req.GetDuration().AsDuration())
	if g := c.findGrant(req.GetExtends()); g != nil {
		g.ExpiresAt, req.Grant = until, g.GetId()
		return g
	}
	g := &accessv1.Grant{
		Id: c.newID("grant"), Principal: req.GetPrincipal(), Resource: req.GetResource(), Actions: req.GetActions(),
		Reason: req.GetReason(), Ticket: req.GetTicket(), Request: req.GetId(), StartsAt: timestamppb.Now(),
		ExpiresAt: until, Active: true, Intent: req.GetIntent(), BreakGlass: req.GetBreakGlass(),
	}
	if start := req.GetStartAt(); start.AsTime().After(time.Now()) {
		g.StartsAt, g.Active = start, false
		g.ExpiresAt = timestamppb.New(start.AsTime().Add(req.GetDuration().AsDuration()))
	}
	req.Grant = g.GetId()
	c.grants = append(c.grants, g)
	return g
}

// WithdrawRequest implements access.v1.
func (c *ControlPlane) WithdrawRequest(ctx context.Context, r *accessv1.WithdrawRequestRequest) (*accessv1.WithdrawRequestResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	req := c.findRequest(r.GetId())
	if req == nil || req.GetPrincipal().GetName() != callerOf(ctx).principal.GetName() {
		return nil, missing(r.GetId())
	}
	req.State = accessv1.RequestState_REQUEST_STATE_WITHDRAWN
	c.touch()
	return &accessv1.WithdrawRequestResponse{Request: clone(req)}, nil
}

// WaitRequest implements access.v1.
func (c *ControlPlane) WaitRequest(ctx context.Context, r *accessv1.WaitRequestRequest) (*accessv1.WaitRequestResponse, error) {
	deadline := time.After(r.GetMaxWait().AsDuration())
	for {
		c.mu.Lock()
		req, changed := c.findRequest(r.GetId()), c.changed
		if req == nil {
			c.mu.Unlock()
			return nil, missing(r.GetId())
		}
		resp := clone(&accessv1.WaitRequestResponse{Request: req, Grant: c.findGrant(req.GetGrant())})
		c.mu.Unlock()
		if resp.GetRequest().GetState() != accessv1.RequestState_REQUEST_STATE_PENDING {
			return resp, nil
		}
		c.waits()
		select {
		case <-changed:
		case <-deadline:
			return resp, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// GetGrant implements access.v1.
func (c *ControlPlane) GetGrant(_ context.Context, r *accessv1.GetGrantRequest) (*accessv1.GetGrantResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.findGrant(r.GetId()); g != nil {
		return &accessv1.GetGrantResponse{Grant: clone(g)}, nil
	}
	return nil, missing(r.GetId())
}

// ListGrants implements access.v1.
func (c *ControlPlane) ListGrants(ctx context.Context, r *accessv1.ListGrantsRequest) (*accessv1.ListGrantsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := new(accessv1.ListGrantsResponse)
	var found []*accessv1.Grant
	for _, g := range slices.Backward(c.grants) {
		mine := g.GetPrincipal().GetName() == callerOf(ctx).principal.GetName()
		if (mine || r.GetAll()) && (g.GetRevokedAt() == nil || r.GetIncludeEnded()) &&
			(r.GetResource() == "" || r.GetResource() == g.GetResource()) && (!r.GetNeedsReview() || g.GetBreakGlass() && g.GetReview() == nil) {
			found = append(found, clone(g))
		}
	}
	resp.Grants, resp.NextPageToken = page(found, r.GetPageToken(), int(r.GetPageSize()))
	return resp, nil
}

// ListRequests implements access.v1.
func (c *ControlPlane) ListRequests(ctx context.Context, r *accessv1.ListRequestsRequest) (*accessv1.ListRequestsResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := new(accessv1.ListRequestsResponse)
	var found []*accessv1.AccessRequest
	for _, req := range slices.Backward(c.requests) {
		mine := req.GetPrincipal().GetName() == callerOf(ctx).principal.GetName()
		if (mine || r.GetAll()) && (r.GetState() == 0 || r.GetState() == req.GetState()) &&
			(r.GetResource() == "" || r.GetResource() == req.GetResource()) {
			found = append(found, clone(req))
		}
	}
	resp.Requests, resp.NextPageToken = page(found, r.GetPageToken(), int(r.GetPageSize()))
	return resp, nil
}

// page cuts a page of at most two, so that a list has several.
func page[T any](all []T, token string, size int) ([]T, string) {
	from, _ := strconv.Atoi(token)
	to := min(from+min(max(size, 1), 2), len(all))
	if to == len(all) {
		return all[from:], ""
	}
	return all[from:to], strconv.Itoa(to)
}

// ReviewGrant implements access.v1.
func (c *ControlPlane) ReviewGrant(ctx context.Context, r *accessv1.ReviewGrantRequest) (*accessv1.ReviewGrantResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.findGrant(r.GetId())
	switch who := callerOf(ctx).principal.GetName(); {
	case g == nil:
		return nil, missing(r.GetId())
	case g.GetPrincipal().GetName() == who:
		return nil, refused(connect.CodePermissionDenied, "nobody reviews their own grant")
	default:
		g.Review = &accessv1.Review{Reviewer: who, Justified: r.GetJustified(), Comment: r.GetComment(), At: timestamppb.Now()}
	}
	return &accessv1.ReviewGrantResponse{Grant: clone(g)}, nil
}

// narrowed refuses what a resource labelled only=ACTION is asked for besides, and says so to programs.
func narrowed(res *accessv1.Resource, r *accessv1.CreateRequestRequest) error {
	only := res.GetLabels()["only"]
	dropped := slices.DeleteFunc(slices.Clone(r.GetActions()), func(a string) bool { return a == only })
	if only == "" || len(dropped) == 0 {
		return nil
	}
	err := connect.NewError(connect.CodePermissionDenied, fmt.Errorf("access to %q is denied: too much", res.GetName()))
	detail, failed := connect.NewErrorDetail(&accessv1.Refusal{
		Resource: res.GetName(), Reason: "too much", PolicyIds: []string{"fake"}, Revision: 7,
		Repair: &accessv1.Repair{
			Resource: res.GetName(), Actions: []string{only}, Duration: r.GetDuration(), Dropped: dropped, TicketRequired: r.GetTicket() == "",
			Requirements: []*accessv1.Requirement{{Count: 2, Group: "dba", Hours: "Mon-Fri 08:00-18:00 Europe/Berlin"}},
		},
	})
	if failed == nil {
		err.AddDetail(detail)
	}
	return err
}

// IssueToken implements access.v1. Each token is another one and lasts as long as the grant.
func (c *ControlPlane) IssueToken(ctx context.Context, r *accessv1.IssueTokenRequest) (*accessv1.IssueTokenResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.findGrant(r.GetGrant())
	switch {
	case g == nil || g.GetPrincipal().GetName() != callerOf(ctx).principal.GetName():
		return nil, missing(r.GetGrant())
	case !g.GetActive():
		return nil, refused(connect.CodeFailedPrecondition, g.GetId()+" has ended")
	}
	token := c.newID("access")
	c.tokens[token] = g.GetId()
	if c.resources[g.GetResource()].GetAws() != nil {
		return c.accountToken(token, g), nil
	}
	return &accessv1.IssueTokenResponse{
		Token: token, ExpiresAt: g.GetExpiresAt(), Resource: g.GetResource(), User: g.GetPrincipal().GetName(),
		Database:  c.resources[g.GetResource()].GetPostgres().GetDatabase(),
		Endpoints: slices.Clone(c.endpoints), CaPem: string(c.CAPEM),
	}, nil
}

// Valid says whether an access token is one of an active grant.
func (c *ControlPlane) Valid(token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.findGrant(c.tokens[token]).GetActive()
}

// RevokeGrant implements access.v1.
func (c *ControlPlane) RevokeGrant(ctx context.Context, r *accessv1.RevokeGrantRequest) (*accessv1.RevokeGrantResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.findGrant(r.GetId())
	if g == nil {
		return nil, missing(r.GetId())
	}
	g.Active, g.RevokeReason, g.RevokedBy, g.RevokedAt = false, r.GetReason(), callerOf(ctx).principal.GetName(), timestamppb.Now()
	return &accessv1.RevokeGrantResponse{Grant: clone(g), SessionsEnded: 1}, nil
}

func (c *ControlPlane) findRequest(id string) *accessv1.AccessRequest {
	return find(c.requests, func(r *accessv1.AccessRequest) bool { return r.GetId() == id })
}

func (c *ControlPlane) findGrant(id string) *accessv1.Grant {
	return find(c.grants, func(g *accessv1.Grant) bool { return g.GetId() == id })
}

func (c *ControlPlane) findHold(id string) *accessv1.HeldCommand {
	return find(c.holds, func(h *accessv1.HeldCommand) bool { return h.GetId() == id })
}

func find[T any](list []*T, match func(*T) bool) *T {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return list[i]
	}
	return nil
}

func in(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(time.Now().Add(d)) }

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }

func digest(r *accessv1.AccessRequest) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q%q%q%q", r.GetId(), r.GetResource(), r.GetReason(), r.GetActions()))
	return hex.EncodeToString(sum[:])
}
