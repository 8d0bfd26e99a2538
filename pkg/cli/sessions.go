package cli

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/replay"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type sessionsCmd struct {
	List   sessionsListCmd   `cmd:"" help:"List live sessions."`
	Show   sessionsShowCmd   `cmd:"" help:"Show one session."`
	Watch  sessionsWatchCmd  `cmd:"" help:"Follow a live session."`
	Replay sessionsReplayCmd `cmd:"" help:"Replay a session's recording."`
	Kill   sessionsKillCmd   `cmd:"" help:"End a live session now."`
}

type sessionsListCmd struct {
	All       bool   `help:"Also those that ended."`
	Principal string `help:"Only this principal's."`
	Resource  string `help:"Only those on this resource."`
	Limit     int    `default:"100" help:"How many to list, the newest first."`
}

// Help is shown below the usage.
func (sessionsListCmd) Help() string {
	return examples("writ sessions list", "writ sessions list --all --resource orders-db -o json")
}

// Run lists sessions.
func (c *sessionsListCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := listSessions(ctx, clients, &accessv1.ListSessionsRequest{
		All: c.All, Principal: c.Principal, Resource: c.Resource,
	}, c.Limit)
	if err != nil {
		return err
	}
	a.noteMore(len(resp.GetSessions()), resp.GetNextPageToken())
	return a.show(resp, func() error {
		t := output.NewTable("ID", "WHO~", "RESOURCE", "EDGE", "CLIENT~", "STARTED", "COMMANDS", "STATE~")
		for _, s := range resp.GetSessions() {
			t.Add(s.GetId(), who(s.GetPrincipal()), s.GetResource(), s.GetEdge(), s.GetApplication(),
				output.Relative(a.env.Now(), s.GetStartedAt()), commandCount(s), sessionState(s))
		}
		return a.out.Table("", t, "no sessions")
	})
}

// listSessions returns up to limit sessions.
func listSessions(ctx context.Context, clients *client.Clients, req *accessv1.ListSessionsRequest, limit int) (*accessv1.ListSessionsResponse, error) {
	const most = 1000 // on one page
	sessions, next, err := readPages(limit, most, func(size int32, token string) ([]*accessv1.Session, string, error) {
		req.Limit, req.PageToken = size, token
		page, err := clients.Sessions.ListSessions(ctx, req)
		return page.GetSessions(), page.GetNextPageToken(), err
	})
	return &accessv1.ListSessionsResponse{Sessions: sessions, NextPageToken: next}, err
}

// commandCount is empty while nothing is known.
func commandCount(s *accessv1.Session) string {
	switch {
	case s.GetCommands() == 0:
		return ""
	case s.GetDenied() == 0:
		return strconv.FormatInt(s.GetCommands(), 10)
	}
	return fmt.Sprintf("%d, %d denied", s.GetCommands(), s.GetDenied())
}

func sessionState(s *accessv1.Session) string {
	switch {
	case s.GetLive():
		return "live"
	case s.GetEndReason() != "":
		return "ended: " + s.GetEndReason()
	}
	return "ended"
}

type sessionsShowCmd struct {
	ID string `arg:"" help:"The session's id."`
}

// Help is shown below the usage.
func (sessionsShowCmd) Help() string { return examples("writ sessions show ses-01K...") }

// Run shows one session.
func (c *sessionsShowCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Sessions.GetSession(ctx, &accessv1.GetSessionRequest{Id: c.ID})
	if err != nil {
		return err
	}
	return a.show(resp.GetSession(), func() error { return a.out.Fields(a.sessionFields(resp.GetSession())...) })
}

func (a *app) sessionFields(s *accessv1.Session) []output.Field {
	now := a.env.Now()
	fields := append([]output.Field{{Name: "session", Value: s.GetId()}}, principalFields(s.GetPrincipal())...)
	return append(fields, []output.Field{
		{Name: "resource", Value: s.GetResource()},
		{Name: "edge", Value: s.GetEdge()},
		{Name: "grant", Value: s.GetGrant()},
		{Name: "request reason", Value: s.GetRequestReason()},
		{Name: "protocol", Value: s.GetProtocol()},
		{Name: "client", Value: s.GetClientAddr()},
		{Name: "application", Value: s.GetApplication()},
		{Name: "commands", Value: commandCount(s)},
		{Name: "state", Value: sessionState(s)},
		{Name: "started", Value: output.Moment(now, s.GetStartedAt())},
		{Name: "ended", Value: output.Moment(now, s.GetEndedAt())},
	}...)
}

type sessionsWatchCmd struct {
	ID string `arg:"" help:"The session's id."`
}

// Help is shown below the usage.
func (sessionsWatchCmd) Help() string { return examples("writ sessions watch ses-01K...") }

// Run follows a session until it ends or the person has seen enough.
func (c *sessionsWatchCmd) Run(ctx context.Context, a *app) error {
	err := a.play(ctx, &accessv1.ReplaySessionRequest{Id: c.ID, Follow: true}, 0)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type sessionsReplayCmd struct {
	ID      string   `arg:"" help:"The session's id."`
	Speed   *float64 `placeholder:"1" xor:"pace" help:"How much faster than the session was."`
	NoDelay bool     `xor:"pace" help:"Do not wait between records."`
}

// Help is shown below the usage.
func (sessionsReplayCmd) Help() string {
	return "Shows each statement with its decision, its masked rows as far as they were recorded, and its outcome. " +
		"Pauses are at most 3 s. With -o json the records come one per line and without pauses.\n\n" +
		examples("writ sessions replay ses-01K... --speed 4", "writ sessions replay ses-01K... --no-delay")
}

// Run replays a session.
func (c *sessionsReplayCmd) Run(ctx context.Context, a *app) error {
	speed := 1.0
	switch {
	case c.NoDelay:
		speed = 0
	case c.Speed != nil:
		speed = *c.Speed
	}
	if speed < 0 || speed == 0 && !c.NoDelay || math.IsNaN(speed) {
		return misused("--no-delay does not wait at all", "the speed must be more than 0")
	}
	return a.play(ctx, &accessv1.ReplaySessionRequest{Id: c.ID}, speed)
}

// play shows the records of a session as they come.
func (a *app) play(ctx context.Context, req *accessv1.ReplaySessionRequest, speed float64) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	player, err := replay.NewPlayer(replay.Config{Printer: a.out, Speed: speed, Sleep: a.env.Sleep})
	if err != nil {
		return err
	}
	stream, err := clients.Sessions.ReplaySession(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		raw := []byte(stream.Msg().GetRecord().GetJson())
		if a.json {
			err = a.out.JSONLine(raw)
		} else {
			err = player.Play(ctx, raw)
		}
		if err != nil {
			return err
		}
	}
	return stream.Err()
}

type sessionsKillCmd struct {
	ID     string `arg:"" help:"The session's id."`
	Reason string `required:"" help:"Why; it is recorded."`
}

// Help is shown below the usage.
func (sessionsKillCmd) Help() string {
	return examples(`writ sessions kill ses-01K... --reason "wrong database"`)
}

// Run ends a session.
func (c *sessionsKillCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Sessions.KillSession(ctx, &accessv1.KillSessionRequest{Id: c.ID, Reason: c.Reason})
	if err != nil {
		return err
	}
	return a.say(resp, "ended %s", c.ID)
}
