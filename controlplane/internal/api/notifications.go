package api

import (
	"context"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/notify"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type notificationService struct{ cfg Config }

func (s notificationService) ListDeliveries(ctx context.Context, req *accessv1.ListDeliveriesRequest) (*accessv1.ListDeliveriesResponse, error) {
	after, err := openPage(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	page, err := s.cfg.Notify.List(ctx, notify.Query{
		State: convert.FromDeliveryState(req.GetState()), Size: int(req.GetPageSize()), After: after,
	})
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListDeliveriesResponse{NextPageToken: sealPage(page.Next), Receivers: s.cfg.Notify.Receivers()}
	for _, d := range page.Deliveries {
		resp.Deliveries = append(resp.Deliveries, convert.Delivery(d))
	}
	return resp, nil
}

func (s notificationService) RetryDelivery(ctx context.Context, req *accessv1.RetryDeliveryRequest) (*accessv1.RetryDeliveryResponse, error) {
	d, err := s.cfg.Notify.Retry(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	return &accessv1.RetryDeliveryResponse{Delivery: convert.Delivery(d)}, nil
}

func (s notificationService) SendTest(ctx context.Context, req *accessv1.SendTestRequest) (*accessv1.SendTestResponse, error) {
	d, err := s.cfg.Notify.SendTest(ctx, req.GetReceiver(), caller(ctx).Principal.ID)
	if err != nil {
		return nil, err
	}
	return &accessv1.SendTestResponse{Delivery: convert.Delivery(d)}, nil
}
