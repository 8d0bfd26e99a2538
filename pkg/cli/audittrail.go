package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/cloudtrail"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type auditCloudTrailCmd struct {
	Path        []string `arg:"" type:"path" help:"Log files of CloudTrail, plain or .gz, or folders with them."`
	Undelivered bool     `help:"Also list the records without an event."`
	Limit       int      `default:"100" help:"How many lines of each kind to list; with -o json all are."`
}

// Help is shown below the usage.
func (auditCloudTrailCmd) Help() string {
	return "Compares what AWS logged in the roles of Writ's AWS accounts with Writ's own records, call by call: by AWS's request id and the session. " +
		"Findings are events without a record, where credentials of a session were used past the edge; events of sessions without a source identity, " +
		"which somebody else assumed the role for; and records that cannot be read. Records without an event are none: CloudTrail delivers late, " +
		"and logs data events only where it is told to. Calls that services of AWS make on a session's behalf are counted apart.\n\n" +
		"For auditors and admins. Exits with 0 without findings and 1 with any, or where it could not compare.\n\n" +
		examples("aws s3 sync s3://example-trail/AWSLogs/123456789012/CloudTrail/eu-west-1/2026/11/23/ trail/", "writ audit cloudtrail trail/",
			"writ audit cloudtrail trail/ -o json | jq '.unrecorded[]'")
}

const (
	// recordedBefore is by how much a record may be older than its event, which have different clocks.
	recordedBefore = 5 * time.Minute
	// recordedAfter is how much later than the event an answer may end and be recorded: a session's keys last no longer.
	recordedAfter = 12 * time.Hour
)

// Run compares.
func (c *auditCloudTrailCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	accounts, err := awsAccounts(ctx, clients)
	if err != nil {
		return err
	}
	comparison, err := cloudtrail.New(accounts.roles)
	if err != nil {
		return failed("see `writ resources list`", "there is no AWS account whose roles could be compared")
	}
	if err := c.read(comparison); err != nil {
		return err
	}
	if from, until, ok := comparison.Span(); ok {
		for _, name := range accounts.names {
			if err := addRecords(ctx, clients, comparison, name, from, until); err != nil {
				return err
			}
		}
	}
	report := comparison.Report()
	if err := c.show(a, report); err != nil {
		return err
	}
	if report.Findings() > 0 {
		return exitStatus(exitFailure)
	}
	return nil
}

// inventory are the AWS accounts that there are.
type inventory struct {
	names []string
	roles []cloudtrail.Role
}

func awsAccounts(ctx context.Context, clients *client.Clients) (inventory, error) {
	var all inventory
	resp, err := clients.Resources.ListResources(ctx, &accessv1.ListResourcesRequest{})
	if err != nil {
		return all, err
	}
	for _, r := range resp.GetResources() {
		role, ok := cloudtrail.ParseRole(r.GetAws().GetRoleArn())
		if !ok {
			continue
		}
		all.names = append(all.names, r.GetName())
		if !slices.Contains(all.roles, role) {
			all.roles = append(all.roles, role)
		}
	}
	return all, nil
}

func (c *auditCloudTrailCmd) read(comparison *cloudtrail.Comparison) error {
	files, err := cloudtrail.Files(c.Path)
	switch {
	case err != nil:
		return fmt.Errorf("find log files: %w", err)
	case len(files) == 0:
		return misused("folders are searched for files named .json and .json.gz", "there is no log file")
	}
	for _, name := range files {
		if err := readTrail(name, comparison); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func readTrail(name string, comparison *cloudtrail.Comparison) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	events, err := cloudtrail.Read(f, comparison.AddEvent)
	comparison.AddFile(events)
	return err
}

// addRecords takes what was recorded of an account around the time of the events.
func addRecords(ctx context.Context, clients *client.Clients, comparison *cloudtrail.Comparison, resource string, from, until time.Time) error {
	req := &accessv1.SearchRecordsRequest{
		Resource: resource, Kind: "outcome", PageSize: maxFound,
		From: timestamppb.New(from.Add(-recordedBefore)), Until: timestamppb.New(until.Add(recordedAfter)),
	}
	for {
		page, err := clients.Audit.SearchRecords(ctx, req)
		if err != nil {
			return err
		}
		for _, r := range page.GetRecords() {
			if err := addRecord(comparison, resource, r); err != nil {
				return err
			}
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return nil
		}
	}
}

// addRecord takes the record of an answer. One that has no request id cannot be compared.
func addRecord(comparison *cloudtrail.Comparison, resource string, r *accessv1.Record) error {
	var said struct {
		Command, Reason string
		Attrs           []struct{ Name, Value string }
	}
	if err := json.Unmarshal([]byte(r.GetJson()), &said); err != nil {
		return fmt.Errorf("record %s: %w", r.GetId(), err)
	}
	if r.GetKind() == "damage" {
		comparison.AddDamage(said.Reason)
		return nil
	}
	for _, attr := range said.Attrs {
		if attr.Name == "request_id" && attr.Value != "" {
			return comparison.AddCall(cloudtrail.Call{
				Session: r.GetSession(), Command: said.Command, Resource: resource, RequestID: attr.Value, Time: r.GetTime().AsTime(),
			})
		}
	}
	return nil
}

func (c *auditCloudTrailCmd) show(a *app, r cloudtrail.Report) error {
	if a.json {
		return a.out.JSON(r)
	}
	t := output.NewTable("FINDING", "TIME", "ROLE~", "SESSION~", "SOURCE IDENTITY~", "CALL~", "FROM~", "EVENT")
	for _, kind := range []struct {
		finding string
		events  []cloudtrail.Event
	}{{"no record", r.Unrecorded}, {"no source identity", r.Unidentified}} {
		for _, e := range kind.events[:min(len(kind.events), c.Limit)] {
			t.Add(kind.finding, e.Time.Format(time.DateTime)+"Z", e.Role.Account+"/"+e.Role.Name, e.Session, e.SourceIdentity, e.Service+":"+e.Name, e.Address, e.ID)
		}
	}
	for _, reason := range r.Damaged[:min(len(r.Damaged), c.Limit)] {
		t.Add("damaged record", "", "", "", "", reason, "", "")
	}
	if c.Undelivered {
		for _, call := range r.Undelivered[:min(len(r.Undelivered), c.Limit)] {
			t.Add("no event", call.Time.Format(time.DateTime)+"Z", call.Resource, call.Session, "", call.Command, "", call.RequestID)
		}
	}
	if err := a.out.Table("", t, "no findings"); err != nil {
		return err
	}
	return a.out.Fields(counts(r)...)
}

func counts(r cloudtrail.Report) []output.Field {
	return []output.Field{
		{Name: "files", Value: strconv.Itoa(r.Files)},
		{Name: "events", Value: fmt.Sprintf("%d, %d of them in Writ's roles", r.Events, r.InRoles)},
		{Name: "with a record", Value: strconv.Itoa(r.Recorded)},
		{Name: "by services of AWS", Value: strconv.Itoa(r.ByServices)},
		{Name: "by the control plane", Value: strconv.Itoa(r.ByWrit)},
		{Name: "without a record", Value: strconv.Itoa(len(r.Unrecorded))},
		{Name: "without a source identity", Value: strconv.Itoa(len(r.Unidentified))},
		{Name: "records without an event", Value: strconv.Itoa(len(r.Undelivered))},
		{Name: "damaged records", Value: strconv.Itoa(len(r.Damaged))},
	}
}
