package cli

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

const (
	// waitCall is how long one WaitRequest may hang; the service allows 60 s.
	waitCall = 30 * time.Second
	// waitSlack is what the answer may take on top.
	waitSlack = 15 * time.Second
	// waitRetry is the pause after a call that failed on the way.
	waitRetry = 2 * time.Second
)

type requestCmd struct {
	Resource string        `arg:"" help:"The resource's name."`
	For      time.Duration `required:"" placeholder:"30m" help:"How long; the time starts with the approval."`
	Reason   string        `required:"" help:"What it is for, as the approvers will read it."`
	Ticket   string        `help:"Ticket that asks for it."`
	Action   []string      `placeholder:"sql:read" help:"Action to ask for; repeat it for more. Default: whatever policy permits."`
	Extend   string        `placeholder:"GRANT" help:"Lengthen this active grant of yours without a gap."`
	Start    string        `placeholder:"TIME" help:"Begin later: a time such as 2026-11-24T22:00:00Z, or a duration such as 2h from now."`

	BreakGlass bool `help:"An emergency: without approvers, where policy permits that. It is short, others hear of it, and it is reviewed."`
	Wait       bool `negatable:"" default:"true" help:"Wait while it is pending."`

	intentFlags `embed:""`
}

// Help is shown below the usage.
func (requestCmd) Help() string {
	return "Exits with 0 when granted, 3 when denied and 4 while it is pending. When it is refused, the hint names the " +
		"closest request that would not be; with -o json it is printed as JSON too.\n\n" +
		examples(`writ request orders-db --for 30m --reason "fix order 4711" --ticket OPS-12`,
			`writ request orders-db --for 1h --reason "still at it" --extend grant-01K...`,
			`writ request orders-db --for 30m --reason "nightly report" --action sql:read --no-wait`,
			`writ request orders-db --for 1h --reason "migration" --start 2026-11-24T22:00:00Z --task "add an index" --command "CREATE INDEX ..."`,
			`writ request orders-db --for 15m --reason "orders fail, INC-7" --break-glass`)
}

// Run files the request and waits for what becomes of it.
func (c *requestCmd) Run(ctx context.Context, a *app) error {
	if c.For <= 0 {
		return misused("for example --for 30m", "the duration must be longer than nothing")
	}
	clients, err := a.control()
	if err != nil {
		return err
	}
	ask, err := c.ask(a)
	if err != nil {
		return err
	}
	created, err := clients.Requests.CreateRequest(ctx, ask)
	if err != nil {
		return err
	}
	state := &accessv1.WaitRequestResponse{Request: created.GetRequest(), Grant: created.GetGrant()}
	if c.Wait && isPending(state) {
		req := state.GetRequest()
		a.note("%s waits for %s; Ctrl-C leaves it pending", req.GetId(), requirements(req.GetRequirements(), req.GetVotes()))
		if state, err = a.await(ctx, clients, state); err != nil {
			return err
		}
	}
	return a.settle(ctx, clients, state)
}

func (c *requestCmd) ask(a *app) (*accessv1.CreateRequestRequest, error) {
	start, err := startTime(c.Start, a.env.Now())
	if err != nil {
		return nil, err
	}
	intent, err := c.intent(a)
	if err != nil {
		return nil, err
	}
	return &accessv1.CreateRequestRequest{
		Resource: c.Resource, Actions: c.Action, Duration: durationpb.New(c.For), Reason: c.Reason, Ticket: c.Ticket,
		Extend: c.Extend, Intent: intent, StartAt: start, BreakGlass: c.BreakGlass,
	}, nil
}

// startTime reads a time or how long it is until then; nil is at once.
func startTime(text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return timestamppb.New(now.Add(d)), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, misused("use a time such as 2026-11-24T22:00:00Z, or a duration such as 2h", "--start %q is not a time", text)
	}
	return timestamppb.New(at), nil
}

func isPending(s *accessv1.WaitRequestResponse) bool {
	return s.GetRequest().GetState() == accessv1.RequestState_REQUEST_STATE_PENDING
}

// await asks until the request is decided or ctx ends. It says when somebody voted, and outlasts a control plane that
// cannot be reached for a while: the request is kept there.
func (a *app) await(ctx context.Context, clients *client.Clients, state *accessv1.WaitRequestResponse) (*accessv1.WaitRequestResponse, error) {
	id, votes, lost := state.GetRequest().GetId(), len(state.GetRequest().GetVotes()), false
	for isPending(state) && ctx.Err() == nil {
		next, err := waitOnce(ctx, clients, id)
		switch {
		case ctx.Err() != nil:
			return state, nil
		case err != nil && !passing(err):
			return nil, err
		case err != nil:
			if !lost {
				a.note("the control plane cannot be reached; still waiting")
			}
			lost = true
			_ = a.env.Sleep(ctx, waitRetry)
			continue
		}
		state, lost = next, false
		if n := len(next.GetRequest().GetVotes()); n != votes && isPending(next) {
			votes = n
			a.note("%s", requirements(next.GetRequest().GetRequirements(), next.GetRequest().GetVotes()))
		}
	}
	return state, nil
}

func waitOnce(ctx context.Context, clients *client.Clients, id string) (*accessv1.WaitRequestResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, waitCall+waitSlack)
	defer cancel()
	return clients.Requests.WaitRequest(ctx, &accessv1.WaitRequestRequest{Id: id, MaxWait: durationpb.New(waitCall)})
}

// passing says whether an error may go away by itself.
func passing(err error) bool {
	code := connect.CodeOf(err)
	return code == connect.CodeUnavailable || code == connect.CodeDeadlineExceeded
}

// settle shows what became of a request and turns it into the exit code.
func (a *app) settle(ctx context.Context, clients *client.Clients, s *accessv1.WaitRequestResponse) error {
	req := s.GetRequest()
	if a.json {
		if err := a.out.JSON(s); err != nil {
			return err
		}
	}
	switch req.GetState() {
	case accessv1.RequestState_REQUEST_STATE_GRANTED:
		if a.json {
			return nil
		}
		return a.granted(ctx, clients, s)
	case accessv1.RequestState_REQUEST_STATE_PENDING:
		return pending("go on with `writ show "+req.GetId()+"`; take it back with `writ withdraw "+req.GetId()+"`",
			"%s is pending: it waits for %s", req.GetId(), requirements(req.GetRequirements(), req.GetVotes()))
	}
	why := req.GetDenial()
	if why == "" {
		why = stateName(req.GetState())
	}
	return denied(deniedHint(req), "%s is %s: %s", req.GetId(), stateName(req.GetState()), why)
}

func deniedHint(req *accessv1.AccessRequest) string {
	if p := policies(req.GetPolicyIds(), req.GetRevision()); p != "" {
		return "decided by " + p
	}
	return "see `writ show " + req.GetId() + "`"
}

func (a *app) granted(ctx context.Context, clients *client.Clients, s *accessv1.WaitRequestResponse) error {
	g := s.GetGrant()
	err := a.out.Fields(
		output.Field{Name: "grant", Value: g.GetId()},
		output.Field{Name: "resource", Value: g.GetResource()},
		output.Field{Name: "actions", Value: actions(g.GetActions())},
		output.Field{Name: "from", Value: a.later(g.GetStartsAt())},
		output.Field{Name: "until", Value: output.Moment(a.env.Now(), g.GetExpiresAt())},
	)
	if g.GetBreakGlass() {
		a.note("the glass is broken: others are told, and somebody reviews it afterwards")
	}
	if err == nil && g.GetActive() {
		a.note("hint: go on with %s", a.next(ctx, clients, g.GetResource()))
	}
	return err
}

// next is how to use a grant for the resource.
func (a *app) next(ctx context.Context, clients *client.Clients, name string) string {
	resp, err := clients.Resources.GetResource(ctx, &accessv1.GetResourceRequest{Name: name})
	if err == nil && resp.GetResource().GetKubernetes() != nil {
		return "`writ kube login " + name + "`"
	}
	if err == nil && resp.GetResource().GetAws() != nil {
		return "`writ aws exec " + name + " -- aws sts get-caller-identity`"
	}
	return "`writ psql " + name + "` or `writ connect " + name + "`"
}

// later is a moment that is still to come.
func (a *app) later(t *timestamppb.Timestamp) string {
	if !t.AsTime().After(a.env.Now()) {
		return ""
	}
	return output.Moment(a.env.Now(), t)
}

type withdrawCmd struct {
	ID string `arg:"" help:"The request's id."`
}

// Help is shown below the usage.
func (withdrawCmd) Help() string { return examples("writ withdraw req-01K...") }

// Run takes the request back.
func (c *withdrawCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Requests.WithdrawRequest(ctx, &accessv1.WithdrawRequestRequest{Id: c.ID})
	if err != nil {
		return err
	}
	return a.say(resp, "%s is withdrawn", resp.GetRequest().GetId())
}

// errNoGrant says that the caller holds no active grant of the kind asked for.
var errNoGrant = errors.New("no active grant")

// activeGrant finds one of the caller's active grants by id or by resource; of several the one that lasts longest.
func activeGrant(ctx context.Context, clients *client.Clients, name string) (*accessv1.Grant, error) {
	filter := &accessv1.ListGrantsRequest{}
	if !strings.HasPrefix(name, "grant-") {
		filter.Resource = name
	}
	resp, err := listGrants(ctx, clients, filter, math.MaxInt)
	if err != nil {
		return nil, err
	}
	var best *accessv1.Grant
	for _, g := range resp.GetGrants() {
		switch {
		case !g.GetActive():
		case g.GetId() == name:
			return g, nil
		case g.GetResource() == name && (best == nil || g.GetExpiresAt().AsTime().After(best.GetExpiresAt().AsTime())):
			best = g
		}
	}
	if best != nil {
		return best, nil
	}
	hint := "see `writ grants list`"
	if !strings.HasPrefix(name, "grant-") {
		hint = "ask for one: writ request " + name + ` --for 30m --reason "..."`
	}
	return nil, failed(hint, "%w for %s", errNoGrant, name)
}
