package cli

import (
	"context"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type requestsCmd struct {
	All       bool   `help:"Everybody's; for admins and auditors."`
	State     string `enum:"any,pending,granted,denied,withdrawn,expired" default:"any" help:"Only those in this state: pending, granted, denied, withdrawn, expired or any."`
	Principal string `placeholder:"NAME" help:"Only this principal's; for admins and auditors."`
	Resource  string `placeholder:"NAME" help:"Only those for this resource."`
	Limit     int    `default:"100" help:"How many to list, the newest first."`
}

// Help is shown below the usage.
func (requestsCmd) Help() string {
	return examples("writ requests", "writ requests --all --state denied --resource orders-db", "writ requests -o json")
}

// Run lists access requests.
func (c *requestsCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	req := &accessv1.ListRequestsRequest{All: c.All, Principal: c.Principal, Resource: c.Resource}
	if c.State != "any" {
		req.State = accessv1.RequestState(accessv1.RequestState_value["REQUEST_STATE_"+strings.ToUpper(c.State)])
	}
	resp, err := listRequests(ctx, clients, req, c.Limit)
	if err != nil {
		return err
	}
	a.noteMore(len(resp.GetRequests()), resp.GetNextPageToken())
	return a.show(resp, func() error {
		t := output.NewTable("ID", "STATE", "WHO~", "RESOURCE", "WHAT~", "WHY~", "FILED")
		for _, r := range resp.GetRequests() {
			s := requestSubject(r)
			t.Add(s.id, s.state, who(s.principal), s.resource, oneLine(s.what), oneLine(s.why),
				output.Relative(a.env.Now(), r.GetCreatedAt()))
		}
		return a.out.Table("", t, "no access requests")
	})
}

// listRequests returns up to limit requests.
func listRequests(ctx context.Context, clients *client.Clients, req *accessv1.ListRequestsRequest, limit int) (*accessv1.ListRequestsResponse, error) {
	requests, next, err := readPages(limit, maxPageSize, func(size int32, token string) ([]*accessv1.AccessRequest, string, error) {
		req.PageSize, req.PageToken = size, token
		page, err := clients.Requests.ListRequests(ctx, req)
		return page.GetRequests(), page.GetNextPageToken(), err
	})
	return &accessv1.ListRequestsResponse{Requests: requests, NextPageToken: next}, err
}
