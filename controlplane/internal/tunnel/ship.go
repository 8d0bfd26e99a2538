package tunnel

import (
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// Ship implements edge.v1: each block is acknowledged when it is durable.
func (s *Server) Ship(stream grpc.BidiStreamingServer[edgev1.ShipRequest, edgev1.ShipResponse]) error {
	ctx := stream.Context()
	edge := caller(ctx).peer.Name
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.authenticate(ctx); err != nil {
			return err
		}
		block := auditlog.Block{Edge: edge, Boot: req.GetBoot(), Sequence: req.GetSequence(), Data: req.GetBlock()}
		if err := s.cfg.Records.Ship(ctx, block); err != nil {
			return err
		}
		if err := stream.Send(&edgev1.ShipResponse{Sequence: req.GetSequence()}); err != nil {
			return err
		}
	}
}
