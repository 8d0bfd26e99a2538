package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type listCmd struct {
	All   bool `help:"Also list what is decided."`
	Limit int  `default:"100" help:"How many to list: held commands first, and of each kind the newest."`
}

// Help is shown below the usage.
func (listCmd) Help() string { return examples("writ list", "writ list --all -o json") }

// Run lists what waits for people.
func (c *listCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := listApprovals(ctx, clients, &accessv1.ListApprovalsRequest{All: c.All}, c.Limit)
	if err != nil {
		return err
	}
	if resp.GetNextPageToken() != "" {
		a.note("these are %d, and there are more; see them with --limit", len(resp.GetApprovals()))
	}
	return a.show(resp, func() error {
		t := output.NewTable("ID", "STATE", "WHO~", "RESOURCE", "WHAT~", "WHY~", "NEEDS~", "EXPIRES")
		for _, ap := range resp.GetApprovals() {
			s := subjectOf(ap)
			t.Add(s.id, s.state, who(s.principal), s.resource, oneLine(s.what), oneLine(s.why),
				requirements(s.requirements, s.votes), output.Relative(a.env.Now(), s.expires))
		}
		return a.out.Table("", t, "nothing waits for approval")
	})
}

// listApprovals returns up to limit approvals.
func listApprovals(ctx context.Context, clients *client.Clients, req *accessv1.ListApprovalsRequest, limit int) (*accessv1.ListApprovalsResponse, error) {
	approvals, next, err := readPages(limit, maxPageSize, func(size int32, token string) ([]*accessv1.Approval, string, error) {
		req.PageSize, req.PageToken = size, token
		page, err := clients.Approvals.ListApprovals(ctx, req)
		return page.GetApprovals(), page.GetNextPageToken(), err
	})
	return &accessv1.ListApprovalsResponse{Approvals: approvals, NextPageToken: next}, err
}

// oneLine joins lines for a list; `writ show` has them as they are.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

type showCmd struct {
	ID string `arg:"" help:"Id of an access request (req-...) or a held command (hold-...)."`
}

// Help is shown below the usage.
func (showCmd) Help() string {
	return "Shows exactly what is judged. A character that is hidden, or looks like another, is written as \\u{hex}.\n\n" +
		examples("writ show hold-01K...", "writ show req-01K... -o json")
}

// Run shows one approval.
func (c *showCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	ap, err := getApproval(ctx, clients, c.ID)
	if err != nil {
		return err
	}
	return a.show(ap, func() error { return a.showSubject(a.out, subjectOf(ap)) })
}

func getApproval(ctx context.Context, clients *client.Clients, id string) (*accessv1.Approval, error) {
	resp, err := clients.Approvals.GetApproval(ctx, &accessv1.GetApprovalRequest{Id: id})
	if err != nil {
		return nil, err
	}
	if s := subjectOf(resp.GetApproval()); s.id != id {
		return nil, fmt.Errorf("the control plane answered with %q instead of %s", s.id, id)
	}
	return resp.GetApproval(), nil
}

// showSubject prints what is judged, the digest included.
func (a *app) showSubject(p *output.Printer, s subject) error {
	if err := p.Fields(s.fields(a.env.Now())...); err != nil {
		return err
	}
	if err := showRole(p, s.role); err != nil {
		return err
	}
	if s.statement != "" {
		if err := p.Printf("statement:"); err != nil {
			return err
		}
		if err := p.Text("  | ", s.statement); err != nil {
			return err
		}
	}
	if err := showParams(p, s); err != nil {
		return err
	}
	if err := showFlags(p, s.flags); err != nil {
		return err
	}
	for _, shown := range []struct{ name, text string }{{"statement", s.statement}, {"diff", s.diff}} {
		if !output.Altered(shown.text) {
			continue
		}
		if err := p.Printf(`warning: the %s has characters that are hidden or look like others, shown as \u{hex}`, shown.name); err != nil {
			return err
		}
	}
	return p.Fields(output.Field{Name: "digest", Value: s.digest})
}

// showParams prints the values of a statement by their numbers. Those of a request that is no SQL say themselves what they are.
func showParams(p *output.Printer, s subject) error {
	for i, param := range s.params {
		if s.numbered {
			if err := p.Printf("  $%d = %s", i+1, param); err != nil {
				return err
			}
			continue
		}
		if err := p.Param("  ", param); err != nil {
			return err
		}
	}
	return nil
}

type approveCmd struct {
	ID      string `arg:"" help:"Id of an access request (req-...) or a held command (hold-...)."`
	Comment string `help:"Why; others will read it."`
	Digest  string `placeholder:"HEX" xor:"consent" help:"Approve without a question if this is still the digest."`
	Yes     bool   `xor:"consent" help:"Approve without a question whatever is shown."`
}

// Help is shown below the usage.
func (approveCmd) Help() string {
	return "Shows what is judged, asks, and approves exactly that: what changed meanwhile is refused.\n\n" +
		examples("writ approve hold-01K...", `writ approve req-01K... --digest 3b1f... --comment "agreed with Kim"`)
}

// Run casts an approval for exactly what it showed.
func (c *approveCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	s, err := c.consent(ctx, a, clients)
	if err != nil {
		return err
	}
	resp, err := clients.Approvals.Approve(ctx, &accessv1.ApproveRequest{Id: c.ID, Digest: s.digest, Comment: c.Comment})
	if err != nil {
		return err
	}
	now := subjectOf(resp.GetApproval())
	return a.say(resp, "approved %s; it is %s", c.ID, strings.Join(nonEmpty(now.state, requirements(now.requirements, now.votes)), ", "))
}

// consent shows what is judged and returns it once the person, or the digest given for them, agrees.
func (c *approveCmd) consent(ctx context.Context, a *app, clients *client.Clients) (subject, error) {
	ap, err := getApproval(ctx, clients, c.ID)
	if err != nil {
		return subject{}, err
	}
	s := subjectOf(ap)
	if s.digest == "" {
		return subject{}, fmt.Errorf("%s carries no digest and cannot be approved", c.ID)
	}
	if err := a.showSubject(a.aside(), s); err != nil {
		return subject{}, err
	}
	switch {
	case c.Yes:
		return s, nil
	case c.Digest != "":
		if !strings.EqualFold(c.Digest, s.digest) {
			return subject{}, failed("look at it again with `writ show "+c.ID+"`", "the digest is another one: %s is not what you saw", c.ID)
		}
		return s, nil
	case !a.env.Interactive:
		return subject{}, misused("give --digest with the digest you saw, or --yes", "there is no terminal to ask on")
	}
	ok, err := a.confirm(ctx, "Approve this?")
	if err == nil && !ok {
		err = failed("", "not approved")
	}
	return s, err
}

// aside is where people see what goes on when standard output carries JSON, or when they look at standard error only
// and are to be asked there.
func (a *app) aside() *output.Printer {
	if a.json || a.env.Interactive && a.env.Width == 0 {
		return a.diag
	}
	return a.out
}

func nonEmpty(list ...string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

type denyCmd struct {
	ID      string `arg:"" help:"Id of an access request (req-...) or a held command (hold-...)."`
	Comment string `help:"Why; the requester will read it."`
}

// Help is shown below the usage.
func (denyCmd) Help() string {
	return examples(`writ deny hold-01K... --comment "use the archive job"`)
}

// Run shows what is judged and denies exactly that.
func (c *denyCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	ap, err := getApproval(ctx, clients, c.ID)
	if err != nil {
		return err
	}
	s := subjectOf(ap)
	if err := a.showSubject(a.aside(), s); err != nil {
		return err
	}
	resp, err := clients.Approvals.Deny(ctx, &accessv1.DenyRequest{Id: c.ID, Digest: s.digest, Comment: c.Comment})
	if err != nil {
		return err
	}
	return a.say(resp, "denied %s", c.ID)
}
