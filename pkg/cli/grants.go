package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type grantsCmd struct {
	List grantsListCmd `cmd:"" help:"List your grants."`
	Show grantsShowCmd `cmd:"" help:"Show one grant."`
}

type grantsListCmd struct {
	All         bool   `help:"Everybody's; for admins and auditors."`
	Ended       bool   `help:"Also those that ended."`
	Principal   string `placeholder:"NAME" help:"Only this principal's; for admins and auditors."`
	Resource    string `placeholder:"NAME" help:"Only those for this resource."`
	NeedsReview bool   `help:"Only break-glass grants that nobody has reviewed."`
	Limit       int    `default:"100" help:"How many to list, the newest first."`
}

// Help is shown below the usage.
func (grantsListCmd) Help() string {
	return examples("writ grants list", "writ grants list --all --ended --resource orders-db -o json", "writ grants list --all --needs-review")
}

// Run lists grants.
func (c *grantsListCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := listGrants(ctx, clients, &accessv1.ListGrantsRequest{
		All: c.All, IncludeEnded: c.Ended, Principal: c.Principal, Resource: c.Resource, NeedsReview: c.NeedsReview,
	}, c.Limit)
	if err != nil {
		return err
	}
	a.noteMore(len(resp.GetGrants()), resp.GetNextPageToken())
	return a.show(resp, func() error {
		t := output.NewTable("ID", "WHO~", "RESOURCE", "ACTIONS~", "REASON~", "ACTIVE", "UNTIL")
		for _, g := range resp.GetGrants() {
			t.Add(g.GetId(), who(g.GetPrincipal()), g.GetResource(), actions(g.GetActions()), oneLine(g.GetReason()),
				yesNo(g.GetActive()), output.Relative(a.env.Now(), g.GetExpiresAt()))
		}
		return a.out.Table("", t, "no grants")
	})
}

// listGrants returns up to limit grants.
func listGrants(ctx context.Context, clients *client.Clients, req *accessv1.ListGrantsRequest, limit int) (*accessv1.ListGrantsResponse, error) {
	grants, next, err := readPages(limit, maxPageSize, func(size int32, token string) ([]*accessv1.Grant, string, error) {
		req.PageSize, req.PageToken = size, token
		page, err := clients.Grants.ListGrants(ctx, req)
		return page.GetGrants(), page.GetNextPageToken(), err
	})
	return &accessv1.ListGrantsResponse{Grants: grants, NextPageToken: next}, err
}

type grantsShowCmd struct {
	ID string `arg:"" help:"The grant's id."`
}

// Help is shown below the usage.
func (grantsShowCmd) Help() string { return examples("writ grants show grant-01K...") }

// Run shows one grant.
func (c *grantsShowCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Grants.GetGrant(ctx, &accessv1.GetGrantRequest{Id: c.ID})
	if err != nil {
		return err
	}
	return a.show(resp.GetGrant(), func() error { return a.out.Fields(a.grantFields(resp.GetGrant())...) })
}

func (a *app) grantFields(g *accessv1.Grant) []output.Field {
	now := a.env.Now()
	fields := append([]output.Field{{Name: "grant", Value: g.GetId()}}, principalFields(g.GetPrincipal())...)
	return append(append(fields, []output.Field{
		{Name: "resource", Value: g.GetResource()},
		{Name: "actions", Value: actions(g.GetActions())},
		{Name: "reason", Value: g.GetReason()},
		{Name: "ticket", Value: g.GetTicket()},
	}...), slices.Concat(intentFields(g.GetIntent()), []output.Field{
		{Name: "break-glass", Value: yesOnly(g.GetBreakGlass())},
		{Name: "request", Value: g.GetRequest()},
		{Name: "active", Value: yesNo(g.GetActive())},
		{Name: "from", Value: output.Moment(now, g.GetStartsAt())},
		{Name: "until", Value: output.Moment(now, g.GetExpiresAt())},
		{Name: "revoked", Value: output.Moment(now, g.GetRevokedAt())},
		{Name: "revoked by", Value: g.GetRevokedBy()},
		{Name: "revoked because", Value: g.GetRevokeReason()},
		{Name: "reviewed", Value: reviewText(g)},
	})...)
}

// reviewText is what became of the review of a break-glass grant.
func reviewText(g *accessv1.Grant) string {
	r := g.GetReview()
	switch {
	case !g.GetBreakGlass():
		return ""
	case r == nil:
		return "not yet"
	}
	text := "not justified"
	if r.GetJustified() {
		text = "justified"
	}
	text += ", says " + r.GetReviewer() + " at " + output.Time(r.GetAt())
	if r.GetComment() != "" {
		text += ": " + r.GetComment()
	}
	return text
}

type reviewCmd struct {
	Grant     string `arg:"" help:"The break-glass grant's id."`
	Justified *bool  `required:"" negatable:"" help:"Whether breaking the glass was right."`
	Comment   string `help:"Why you think so."`
}

// Help is shown below the usage.
func (reviewCmd) Help() string {
	return "A break-glass grant is reviewed once, after it ended, by an auditor or admin who is not its principal.\n\n" +
		examples("writ grants list --all --needs-review", `writ review grant-01K... --justified --comment "orders were failing"`,
			`writ review grant-01K... --no-justified --comment "a dba was there"`)
}

// Run notes the verdict.
func (c *reviewCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Grants.ReviewGrant(ctx, &accessv1.ReviewGrantRequest{Id: c.Grant, Justified: *c.Justified, Comment: c.Comment})
	if err != nil {
		return err
	}
	return a.say(resp, "reviewed %s: %s", resp.GetGrant().GetId(), reviewText(resp.GetGrant()))
}

type tokenCmd struct {
	Name string `arg:"" name:"resource|grant" help:"A resource you hold a grant for, or a grant."`
}

// Help is shown below the usage.
func (tokenCmd) Help() string {
	return "Prints the token and nothing else. With -o json also who signs in where, and the CA to verify the edge with.\n\n" +
		examples("PGPASSWORD=$(writ token orders-db) psql -h edge-a.vpc.example -U kim@example.com orders")
}

// Run prints an access token.
func (c *tokenCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	grant, err := activeGrant(ctx, clients, c.Name)
	if err != nil {
		return err
	}
	resp, err := clients.Grants.IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: grant.GetId()})
	if err != nil {
		return err
	}
	return a.say(resp, "%s", resp.GetToken())
}

type revokeCmd struct {
	Grant  string `arg:"" help:"The grant's id."`
	Reason string `required:"" help:"Why; it is recorded."`
}

// Help is shown below the usage.
func (revokeCmd) Help() string { return examples(`writ revoke grant-01K... --reason "job is done"`) }

// Run ends a grant.
func (c *revokeCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Grants.RevokeGrant(ctx, &accessv1.RevokeGrantRequest{Id: c.Grant, Reason: c.Reason})
	if err != nil {
		return err
	}
	return a.say(resp, "revoked %s; %s ended", resp.GetGrant().GetId(), count(int(resp.GetSessionsEnded()), "session"))
}

// count is "1 session", "2 sessions".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
