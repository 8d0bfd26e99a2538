package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"math"

	"github.com/writhq/writ/pkg/auditexport"
	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// checkForm refuses flags that do not go together.
func (c *auditSearchCmd) checkForm(a *app) error {
	switch {
	case c.Format == "table" && (c.All || c.File != ""):
		return misused("add --format jsonl or --format csv", "--all and --file are for rows")
	case c.Format != "table" && a.json:
		return misused("leave -o json out", "--format %s is a form of its own", c.Format)
	case c.Format == "csv" && c.File == "" && a.env.Width > 0:
		return misused("name a file with --file", "csv does not go to a terminal, which would act on what is in it")
	case c.Limit < 1:
		return misused("leave it out for the usual one", "the limit must be at least 1")
	}
	return nil
}

// export writes what is found as rows, page by page as they come.
func (c *auditSearchCmd) export(ctx context.Context, a *app, clients *client.Clients, req *accessv1.SearchRecordsRequest) error {
	write := func(out *output.Printer) error {
		rows, err := c.rows(out)
		if err != nil {
			return err
		}
		err = c.stream(ctx, a, clients, req, rows)
		return cmp.Or(err, rows.Close())
	}
	if c.File == "" {
		return write(a.out)
	}
	return toNewFile(c.File, write)
}

func (c *auditSearchCmd) rows(out *output.Printer) (auditexport.Writer, error) {
	if c.Format == "csv" {
		return auditexport.NewCSV(out.Writer())
	}
	return &printedRows{out}, nil
}

// stream reads pages until there are no more, or enough.
func (c *auditSearchCmd) stream(ctx context.Context, a *app, clients *client.Clients, req *accessv1.SearchRecordsRequest, rows auditexport.Writer) error {
	left := c.Limit
	if c.All {
		left = math.MaxInt
	}
	for {
		req.PageSize = int32(min(left, maxFound))
		page, err := clients.Audit.SearchRecords(ctx, req)
		if err != nil {
			return err
		}
		for _, r := range page.GetRecords() {
			row, err := auditexport.FromJSON([]byte(r.GetJson()))
			if err != nil {
				return err
			}
			if err := rows.Write(row); err != nil {
				return err
			}
		}
		left -= len(page.GetRecords())
		req.PageToken = page.GetNextPageToken()
		switch {
		case req.PageToken == "":
			return nil
		case left <= 0:
			a.note("these are the newest %d, back to %s; more with --all", c.Limit, output.Time(page.GetSearchedBackTo()))
			return nil
		}
	}
}

// printedRows prints rows so that a terminal may show them.
type printedRows struct{ out *output.Printer }

func (p *printedRows) Write(row auditexport.Row) error {
	raw, err := json.Marshal(row)
	if err != nil {
		return err
	}
	return p.out.JSONLine(raw)
}

func (p *printedRows) Close() error { return nil }
