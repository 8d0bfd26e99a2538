package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type notificationsCmd struct {
	List  notificationsListCmd  `cmd:"" help:"List deliveries to receivers."`
	Retry notificationsRetryCmd `cmd:"" help:"Send a dead letter again."`
	Test  notificationsTestCmd  `cmd:"" help:"Send a test to a receiver and say what came of it."`
}

type notificationsListCmd struct {
	State string `enum:"all,pending,delivered,dead" default:"all" help:"Only those that are pending, delivered or dead."`
	Limit int    `default:"50" help:"How many to list, the newest first."`
}

// Help is shown below the usage.
func (notificationsListCmd) Help() string {
	return examples("writ notifications list", "writ notifications list --state dead")
}

var deliveryStates = map[string]accessv1.DeliveryState{
	"pending":   accessv1.DeliveryState_DELIVERY_STATE_PENDING,
	"delivered": accessv1.DeliveryState_DELIVERY_STATE_DELIVERED,
	"dead":      accessv1.DeliveryState_DELIVERY_STATE_DEAD,
}

// Run lists deliveries.
func (c *notificationsListCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	all := new(accessv1.ListDeliveriesResponse)
	req := &accessv1.ListDeliveriesRequest{State: deliveryStates[c.State]}
	all.Deliveries, all.NextPageToken, err = readPages(c.Limit, maxPageSize, func(size int32, token string) ([]*accessv1.Delivery, string, error) {
		req.PageSize, req.PageToken = size, token
		page, err := clients.Notifications.ListDeliveries(ctx, req)
		all.Receivers = page.GetReceivers()
		return page.GetDeliveries(), page.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	a.noteMore(len(all.GetDeliveries()), all.GetNextPageToken())
	return a.show(all, func() error { return a.showDeliveries(all) })
}

func (a *app) showDeliveries(all *accessv1.ListDeliveriesResponse) error {
	t := output.NewTable("ID", "RECEIVER", "EVENT", "SUBJECT~", "STATE", "ATTEMPTS", "CREATED", "NEXT", "ERROR~")
	for _, d := range all.GetDeliveries() {
		t.Add(d.GetId(), d.GetReceiver(), d.GetEvent(), d.GetSubject(), stateName(d.GetState()), strconv.Itoa(int(d.GetAttempts())),
			output.Relative(a.env.Now(), d.GetCreatedAt()), output.Relative(a.env.Now(), d.GetNextAttemptAt()), oneLine(d.GetError()))
	}
	none := "no deliveries; receivers: " + strings.Join(all.GetReceivers(), ", ")
	if len(all.GetReceivers()) == 0 {
		none = "no deliveries, for no receiver is configured"
	}
	return a.out.Table("", t, none)
}

type notificationsRetryCmd struct {
	ID string `arg:"" help:"The delivery's id."`
}

// Help is shown below the usage.
func (notificationsRetryCmd) Help() string { return examples("writ notifications retry dlv-01K...") }

// Run sends a dead letter again.
func (c *notificationsRetryCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Notifications.RetryDelivery(ctx, &accessv1.RetryDeliveryRequest{Id: c.ID})
	if err != nil {
		return err
	}
	return a.say(resp, "%s is sent to %s again", c.ID, resp.GetDelivery().GetReceiver())
}

type notificationsTestCmd struct {
	Receiver string `arg:"" help:"The receiver's name."`
}

// Help is shown below the usage.
func (notificationsTestCmd) Help() string { return examples("writ notifications test oncall") }

// Run sends a test. It fails unless the receiver accepted it.
func (c *notificationsTestCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Notifications.SendTest(ctx, &accessv1.SendTestRequest{Receiver: c.Receiver})
	if err != nil {
		return err
	}
	d := resp.GetDelivery()
	if d.GetState() == accessv1.DeliveryState_DELIVERY_STATE_DELIVERED {
		return a.say(resp, "%s accepted %s", c.Receiver, d.GetId())
	}
	if a.json {
		if err := a.out.JSON(resp); err != nil {
			return err
		}
	}
	if d.GetError() == "" {
		return failed("see `writ notifications list`", "%s has not answered yet", c.Receiver)
	}
	return failed("see `writ notifications list`", "%s did not accept %s: %s", c.Receiver, d.GetId(), oneLine(d.GetError()))
}
