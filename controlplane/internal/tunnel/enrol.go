package tunnel

import (
	"context"

	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// Enrol implements edge.v1.
func (s *Server) Enrol(ctx context.Context, req *edgev1.EnrolRequest) (*edgev1.EnrolResponse, error) {
	edge, certs, err := s.cfg.Edges.Enrol(ctx, req.GetJoinToken(), req.GetClientCsr(), req.GetServingCsr())
	if err != nil {
		return nil, err
	}
	if err := s.recordEdge(ctx, edge.Name, "enrolled"); err != nil {
		return nil, err
	}
	s.cfg.Logger.Info("edge enrolled", "edge", edge.Name, "address", caller(ctx).addr)
	return &edgev1.EnrolResponse{Edge: edge.Name, Certificates: wireCertificates(certs), Names: edge.Names}, nil
}

// Renew implements edge.v1.
func (s *Server) Renew(ctx context.Context, req *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	certs, err := s.cfg.Edges.Renew(ctx, caller(ctx).peer, req.GetClientCsr(), req.GetServingCsr())
	if err != nil {
		return nil, err
	}
	return &edgev1.RenewResponse{Certificates: wireCertificates(certs)}, nil
}

func wireCertificates(c edges.Certificates) *edgev1.Certificates {
	return &edgev1.Certificates{ClientChain: c.Client, ServingChain: c.Serving, Ca: c.CA}
}

// recordEdge stores an event of an edge before it takes effect for the edge.
func (s *Server) recordEdge(ctx context.Context, edge, event string) error {
	return s.cfg.Records.RecordAdmin(ctx, audit.Record{
		Kind: audit.KindEdge, ClientAddr: caller(ctx).addr,
		Attrs: []audit.Attr{{Name: "edge", Value: edge}, {Name: "event", Value: event}},
	})
}
