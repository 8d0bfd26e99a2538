package cli

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/pkg/cli/internal/client"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type waitCmd struct {
	ID    string        `arg:"" help:"The request's id."`
	Limit time.Duration `placeholder:"30m" help:"Wait no longer than this. Default: until it is decided."`
}

// Help is shown below the usage.
func (waitCmd) Help() string {
	return "Waits for one of your own requests, and exits as `writ request` does: with 0 when it is granted, 3 when denied and 4 while it is pending.\n\n" +
		examples("writ wait req-01K...", "writ wait req-01K... --limit 30m -o json")
}

// Run waits until the request is decided or the limit is over.
func (c *waitCmd) Run(ctx context.Context, a *app) error {
	if c.Limit < 0 {
		return misused("for example --limit 30m", "the limit must not be negative")
	}
	clients, err := a.control()
	if err != nil {
		return err
	}
	waiting := ctx
	if c.Limit > 0 {
		limited, cancel := context.WithTimeout(ctx, c.Limit)
		defer cancel()
		waiting = limited
	}
	state, unread := currentState(ctx, clients, c.ID)
	if unread != nil {
		if !passing(unread) {
			return unread
		}
		state = &accessv1.WaitRequestResponse{Request: &accessv1.AccessRequest{Id: c.ID, State: accessv1.RequestState_REQUEST_STATE_PENDING}}
	}
	if state, err = a.await(waiting, clients, state); err != nil {
		return err
	}
	if unread != nil && state.GetRequest().GetCreatedAt() == nil {
		return unread
	}
	return a.settle(ctx, clients, state)
}

// currentWait is for the answer, not for people.
const currentWait = time.Second

// currentState is what a request has come to.
func currentState(ctx context.Context, clients *client.Clients, id string) (*accessv1.WaitRequestResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, waitSlack)
	defer cancel()
	return clients.Requests.WaitRequest(ctx, &accessv1.WaitRequestRequest{Id: id, MaxWait: durationpb.New(currentWait)})
}
