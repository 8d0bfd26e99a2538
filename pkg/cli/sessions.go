package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
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
