package clitest

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// ListDeliveries implements access.v1. The receivers are soc, which accepts, and oncall, which does not.
func (c *ControlPlane) ListDeliveries(_ context.Context, r *accessv1.ListDeliveriesRequest) (*accessv1.ListDeliveriesResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := &accessv1.ListDeliveriesResponse{Receivers: []string{"oncall", "soc"}}
	var found []*accessv1.Delivery
	for _, d := range c.deliveries {
		if r.GetState() == accessv1.DeliveryState_DELIVERY_STATE_UNSPECIFIED || d.GetState() == r.GetState() {
			found = append(found, d)
		}
	}
	resp.Deliveries, resp.NextPageToken = page(found, r.GetPageToken(), int(r.GetPageSize()))
	return clone(resp), nil
}

// RetryDelivery implements access.v1.
func (c *ControlPlane) RetryDelivery(_ context.Context, r *accessv1.RetryDeliveryRequest) (*accessv1.RetryDeliveryResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.deliveries {
		if d.GetId() == r.GetId() && d.GetState() == accessv1.DeliveryState_DELIVERY_STATE_DEAD {
			d.State = accessv1.DeliveryState_DELIVERY_STATE_PENDING
			return &accessv1.RetryDeliveryResponse{Delivery: clone(d)}, nil
		}
	}
	return nil, missing(r.GetId())
}

// SendTest implements access.v1.
func (c *ControlPlane) SendTest(_ context.Context, r *accessv1.SendTestRequest) (*accessv1.SendTestResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &accessv1.Delivery{
		Id: c.newID("dlv"), Receiver: r.GetReceiver(), Event: "test", Subject: r.GetReceiver(), Attempts: 1, CreatedAt: timestamppb.Now(),
	}
	switch r.GetReceiver() {
	case "soc":
		d.State = accessv1.DeliveryState_DELIVERY_STATE_DELIVERED
	case "oncall":
		d.State, d.Error = accessv1.DeliveryState_DELIVERY_STATE_DEAD, "answered 404 Not Found"
	default:
		return nil, missing(r.GetReceiver())
	}
	c.deliveries = append(c.deliveries, d)
	return &accessv1.SendTestResponse{Delivery: clone(d)}, nil
}
