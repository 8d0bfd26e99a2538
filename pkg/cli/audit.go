package cli

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/replay"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type auditCmd struct {
	Admin  auditAdminCmd  `cmd:"" help:"List the newest calls to the control plane."`
	Search auditSearchCmd `cmd:"" help:"Find records of sessions and of calls."`

	Checkpoint auditCheckpointCmd `cmd:"" help:"Print the newest checkpoint of the log over all records, to keep it elsewhere."`
	Verify     auditVerifyCmd     `cmd:"" help:"Hold a copy of the stored records to their log."`
	Prove      auditProveCmd      `cmd:"" help:"Prove from a copy that a record was logged."`
	CheckProof auditCheckProofCmd `cmd:"" help:"Check such a proof."`

	Export auditExportCmd `cmd:"" help:"Write the records of a copy as files for query engines and spreadsheets."`

	CloudTrail auditCloudTrailCmd `cmd:"" name:"cloudtrail" help:"Compare the records with what CloudTrail logged."`
}

type auditAdminCmd struct {
	Limit int32 `help:"At most so many."`
}

// Help is shown below the usage.
func (auditAdminCmd) Help() string {
	return examples("writ audit admin --limit 50", "writ audit admin -o json")
}

// Run lists admin records.
func (c *auditAdminCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Audit.ListAdminRecords(ctx, &accessv1.ListAdminRecordsRequest{Limit: c.Limit})
	if err != nil {
		return err
	}
	return a.show(resp, func() error {
		t := output.NewTable("TIME", "KIND", "WHO~", "RESOURCE~", "WHAT~")
		for _, r := range resp.GetRecords() {
			t.Add(output.Time(r.GetTime()), r.GetKind(), r.GetPrincipal(), r.GetResource(), replay.Summary([]byte(r.GetJson())))
		}
		return a.out.Table("", t, "no records")
	})
}

type auditSearchCmd struct {
	Principal string        `placeholder:"NAME" help:"Who acted, or for whom."`
	Resource  string        `placeholder:"NAME" help:"On what."`
	Session   string        `placeholder:"ID" help:"In which session."`
	Kind      string        `placeholder:"KIND" help:"Kind of record, such as command, refusal or outcome; admin is people's calls."`
	Decision  string        `enum:"any,allow,deny,hold" default:"any" help:"What was decided: allow, deny, hold or any."`
	Policy    string        `placeholder:"ID" help:"Which policy determined the decision."`
	Table     string        `placeholder:"NAME" help:"On which table, or what else a command is on; without its schema it is of any."`
	Action    string        `placeholder:"ACTION" help:"Which action, such as sql:delete, or delete of anything."`
	NoReads   bool          `help:"Leave out people's calls that change nothing, unless they were refused or failed."`
	Text      string        `placeholder:"TEXT" help:"Text in a statement, or in the name of a call, in any case."`
	Since     time.Duration `placeholder:"24h" help:"How far back to search. Default: 24h."`
	Until     time.Duration `placeholder:"0s" help:"How long ago the search begins. Default: now."`
	Limit     int           `default:"50" help:"How many to list, the newest first."`
	All       bool          `help:"Every one, whatever --limit says, with --format jsonl or csv."`
	Format    string        `enum:"table,jsonl,csv" default:"table" help:"Form of the output: ${enum}. The last two have one row for each record."`
	File      string        `placeholder:"FILE" help:"With --format jsonl or csv, write to a new file instead of standard output."`
}

// Help is shown below the usage.
func (auditSearchCmd) Help() string {
	return "For auditors and admins. A part of the records that cannot be read is listed as damage.\n\n" +
		examples("writ audit search --decision deny --since 2h",
			"writ audit search --principal agent-7 --resource orders-db --text 'delete from'",
			"writ audit search --table users --action delete --since 720h",
			"writ audit search --kind admin --no-reads",
			"writ audit search --session ses-01K... --kind outcome -o json",
			"writ audit search --since 24h --all --format csv --file day.csv")
}

// Run finds records.
func (c *auditSearchCmd) Run(ctx context.Context, a *app) error {
	req, err := c.request(a.env.Now())
	if err != nil {
		return err
	}
	if err := c.checkForm(a); err != nil {
		return err
	}
	clients, err := a.control()
	if err != nil {
		return err
	}
	if c.Format != "table" {
		return c.export(ctx, a, clients, req)
	}
	resp, err := searchRecords(ctx, clients, req, c.Limit)
	if err != nil {
		return err
	}
	if resp.GetNextPageToken() != "" {
		a.note("these are the newest %d, back to %s; more with --limit, or further back with --until",
			len(resp.GetRecords()), output.Time(resp.GetSearchedBackTo()))
	}
	return a.show(resp, func() error {
		t := output.NewTable("TIME", "KIND", "WHO~", "RESOURCE~", "SESSION", "WHAT~")
		for _, r := range resp.GetRecords() {
			t.Add(output.Time(r.GetTime()), r.GetKind(), r.GetPrincipal(), r.GetResource(), r.GetSession(), replay.Line([]byte(r.GetJson())))
		}
		return a.out.Table("", t, "no records")
	})
}

func (c *auditSearchCmd) request(now time.Time) (*accessv1.SearchRecordsRequest, error) {
	since := c.Since
	if since == 0 {
		since = 24 * time.Hour
	}
	if c.Until < 0 || since <= c.Until {
		return nil, misused("both count back from now, as in --since 4h --until 2h", "--since must be further back than --until")
	}
	req := &accessv1.SearchRecordsRequest{
		Principal: c.Principal, Resource: c.Resource, Session: c.Session, Kind: c.Kind, PolicyId: c.Policy, Text: c.Text,
		Table: c.Table, Action: c.Action,
		From: timestamppb.New(now.Add(-since)), WithoutReads: c.NoReads,
	}
	if c.Decision != "any" {
		req.Decision = c.Decision
	}
	if c.Until > 0 {
		req.Until = timestamppb.New(now.Add(-c.Until))
	}
	return req, nil
}

// maxFound is the most records on one page.
const maxFound = 200

// searchRecords returns up to limit records.
func searchRecords(ctx context.Context, clients *client.Clients, req *accessv1.SearchRecordsRequest, limit int) (*accessv1.SearchRecordsResponse, error) {
	all := new(accessv1.SearchRecordsResponse)
	var err error
	all.Records, all.NextPageToken, err = readPages(limit, maxFound, func(size int32, token string) ([]*accessv1.Record, string, error) {
		req.PageSize, req.PageToken = size, token
		page, err := clients.Audit.SearchRecords(ctx, req)
		all.SearchedBackTo = page.GetSearchedBackTo()
		return page.GetRecords(), page.GetNextPageToken(), err
	})
	return all, err
}
