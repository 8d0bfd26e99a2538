package api

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/login"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

type requestService struct {
	accessv1connect.UnimplementedRequestServiceHandler
	cfg Config
}

func (s requestService) CreateRequest(ctx context.Context, req *accessv1.CreateRequestRequest) (*accessv1.CreateRequestResponse, error) {
	r, g, err := s.cfg.Approvals.Create(ctx, approvals.Ask{
		Principal: caller(ctx).Principal, Resource: req.GetResource(), Actions: req.GetActions(),
		Duration: convert.FromDuration(req.GetDuration()), Reason: req.GetReason(), Ticket: req.GetTicket(),
		Extend: req.GetExtend(), ClientIP: clientIP(ctx), Intent: convert.FromIntent(req.GetIntent()),
		StartAt: convert.FromTime(req.GetStartAt()), BreakGlass: req.GetBreakGlass(),
	})
	if err != nil {
		return nil, err
	}
	resp := &accessv1.CreateRequestResponse{Request: convert.Request(r)}
	if g != nil {
		resp.Grant = convert.Grant(*g, s.cfg.Now())
	}
	return resp, nil
}

// clientIP is the address of the connection; what a header says about it is not believed.
func clientIP(ctx context.Context) netip.Addr {
	info, ok := connect.CallInfoForHandlerContext(ctx)
	if !ok {
		return netip.Addr{}
	}
	at, err := netip.ParseAddrPort(info.Peer().Addr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

func (s requestService) WithdrawRequest(ctx context.Context, req *accessv1.WithdrawRequestRequest) (*accessv1.WithdrawRequestResponse, error) {
	r, err := s.cfg.Approvals.Request(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if !owns(caller(ctx), r.Principal) {
		return nil, guard.ErrNotYours
	}
	if r, err = s.cfg.Approvals.Withdraw(ctx, req.GetId()); err != nil {
		return nil, err
	}
	return &accessv1.WithdrawRequestResponse{Request: convert.Request(r)}, nil
}

// Times that WaitRequest waits for.
const (
	defaultWait = 30 * time.Second
	maxWait     = 60 * time.Second
)

func (s requestService) WaitRequest(ctx context.Context, req *accessv1.WaitRequestRequest) (*accessv1.WaitRequestResponse, error) {
	r, err := s.cfg.Approvals.Request(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if c := caller(ctx); !seesAll(c) && !(approvals.Subject{Request: &r}).Concerns(c.Principal) {
		return nil, guard.ErrNotYours
	}
	wait := convert.FromDuration(req.GetMaxWait())
	if wait <= 0 {
		wait = defaultWait
	}
	waiting, cancel := context.WithTimeout(ctx, min(wait, maxWait))
	defer cancel()
	waited, err := s.cfg.Approvals.Wait(waiting, req.GetId())
	switch {
	case err == nil:
		r = waited
	case ctx.Err() == nil && waiting.Err() != nil: // the time was over before it was read again
	default:
		return nil, err
	}
	resp := &accessv1.WaitRequestResponse{Request: convert.Request(r)}
	if r.State == approvals.Granted {
		g, err := s.cfg.Approvals.Grant(ctx, r.Grant)
		if err != nil {
			return nil, err
		}
		resp.Grant = convert.Grant(g, s.cfg.Now())
	}
	return resp, nil
}

// ListRequests lists the caller's own requests; who sees all may ask for everybody's.
func (s requestService) ListRequests(ctx context.Context, req *accessv1.ListRequestsRequest) (*accessv1.ListRequestsResponse, error) {
	state, ok := convert.FromRequestState(req.GetState())
	if !ok {
		return nil, fmt.Errorf("%w: state: %d is not a state of a request", approvals.ErrInvalid, req.GetState())
	}
	after, err := openPage(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	filter := approvals.Filter{State: state, Resource: req.GetResource(), Size: int(req.GetPageSize()), After: after}
	if filter.Principal, err = whose(caller(ctx), req.GetAll(), req.GetPrincipal()); err != nil {
		return nil, err
	}
	found, next, err := s.cfg.Approvals.ListRequests(ctx, filter)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListRequestsResponse{NextPageToken: sealPage(next)}
	for _, r := range found {
		resp.Requests = append(resp.Requests, convert.Request(r))
	}
	return resp, nil
}

// whose is the principal whose things are listed, empty for everybody's.
func whose(c login.Caller, all bool, principal string) (string, error) {
	switch {
	case (all || principal != "" && principal != c.Principal.ID) && !seesAll(c):
		return "", guard.ErrNotYours
	case all || principal != "":
		return principal, nil
	}
	return c.Principal.ID, nil
}
