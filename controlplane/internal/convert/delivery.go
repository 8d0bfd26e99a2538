package convert

import (
	"github.com/writhq/writ/controlplane/internal/notify"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

var deliveryStates = map[notify.State]accessv1.DeliveryState{
	notify.Pending:   accessv1.DeliveryState_DELIVERY_STATE_PENDING,
	notify.Delivered: accessv1.DeliveryState_DELIVERY_STATE_DELIVERED,
	notify.Dead:      accessv1.DeliveryState_DELIVERY_STATE_DEAD,
}

// Delivery is the message of a delivery.
func Delivery(d notify.Delivery) *accessv1.Delivery {
	return &accessv1.Delivery{
		Id: d.ID, Receiver: d.Receiver, Event: d.Event.Type, Subject: d.Event.Subject.ID, State: deliveryStates[d.State],
		Attempts: int32(d.Attempts), Error: d.Error, CreatedAt: Time(d.CreatedAt), NextAttemptAt: Time(d.NextAt),
		DeliveredAt: Time(d.DeliveredAt),
	}
}

// FromDeliveryState is empty, which is every state, for the unspecified one.
func FromDeliveryState(s accessv1.DeliveryState) notify.State {
	for state, message := range deliveryStates {
		if message == s {
			return state
		}
	}
	return ""
}
