package tunnel

import (
	"context"
	"crypto/tls"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/pkg/identity"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// rule says who may call a method.
type rule uint8

const (
	_          rule = iota // a method without a rule is refused
	forAnybody             // the call carries its own proof
	forEdges               // an edge that is enrolled now
)

// rules has a row for every method of edge.v1.
var rules = map[string]rule{
	edgev1.EnrolmentService_Enrol_FullMethodName:          forAnybody,
	edgev1.TunnelService_Renew_FullMethodName:             forEdges,
	edgev1.TunnelService_Link_FullMethodName:              forEdges,
	edgev1.TunnelService_OpenSession_FullMethodName:       forEdges,
	edgev1.TunnelService_RenewSession_FullMethodName:      forEdges,
	edgev1.TunnelService_RefreshCredential_FullMethodName: forEdges,
	edgev1.TunnelService_CloseSession_FullMethodName:      forEdges,
	edgev1.TunnelService_ServiceCredential_FullMethodName: forEdges,
	edgev1.TunnelService_SettleLease_FullMethodName:       forEdges,
	edgev1.TunnelService_Hold_FullMethodName:              forEdges,
	edgev1.TunnelService_SpendApproval_FullMethodName:     forEdges,
	edgev1.TunnelService_Ship_FullMethodName:              forEdges,
}

// call is who calls what.
type call struct {
	method string
	addr   string
	peer   identity.Edge // zero for strangers
	edge   edges.Edge
}

type callKey struct{}

// caller returns the call that ctx belongs to; the interceptors put it there.
func caller(ctx context.Context) call {
	c, _ := ctx.Value(callKey{}).(call)
	return c
}

// identify applies the table of rules.
func (s *Server) identify(ctx context.Context, method string) (call, error) {
	c := call{method: method}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return c, refuse(codes.Unauthenticated, "who is calling is not known")
	}
	c.addr = p.Addr.String()
	switch rules[method] {
	case forAnybody:
		return c, nil
	case forEdges:
	default:
		return c, refuse(codes.Unimplemented, "no such method")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || info.State.Version < tls.VersionTLS13 {
		return c, identity.ErrNotEdge
	}
	who, err := identity.PeerEdge(info.State)
	if err != nil {
		return c, err
	}
	c.peer = who
	c.edge, err = s.cfg.Edges.Authenticate(ctx, who)
	return c, err
}

// authenticate checks once more, in a call that lasts, that the caller is
// still enrolled. It is a linearizable read: without a quorum it fails.
func (s *Server) authenticate(ctx context.Context) error {
	_, err := s.cfg.Edges.Authenticate(ctx, caller(ctx).peer)
	return err
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c, err := s.identify(ctx, info.FullMethod)
	var resp any
	if err == nil {
		resp, err = handler(context.WithValue(ctx, callKey{}, c), req)
	}
	if err == nil {
		return resp, nil
	}
	err = s.answer(info.FullMethod, err)
	s.recordRefusal(ctx, c, err)
	return nil, err
}

func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx := ss.Context()
	c, err := s.identify(ctx, info.FullMethod)
	if err == nil {
		err = handler(srv, &identified{ServerStream: ss, ctx: context.WithValue(ctx, callKey{}, c)})
	}
	if err == nil {
		return nil
	}
	err = s.answer(info.FullMethod, err)
	s.recordRefusal(ctx, c, err)
	return err
}

// identified is a stream whose context knows the caller.
type identified struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *identified) Context() context.Context { return s.ctx }
