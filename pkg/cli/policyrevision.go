package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/writhq/writ/pkg/cli/internal/bundledir"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type policyPullCmd struct {
	Dir      string `arg:"" help:"Folder to write into."`
	Revision uint64 `placeholder:"N" help:"Default: the newest."`
	Force    bool   `help:"Overwrite and remove policies that differ."`
}

// Help is shown below the usage.
func (policyPullCmd) Help() string {
	return examples("writ policy pull ./policy", "writ policy pull ./old --revision 12")
}

// Run writes a revision into a folder.
func (c *policyPullCmd) Run(ctx context.Context, a *app) error {
	resp, err := a.pull(ctx, c.Revision)
	if err != nil {
		return err
	}
	if err := bundledir.Write(c.Dir, resp.GetBundle().GetFiles(), c.Force); err != nil {
		return folderFailure(err, "see `writ policy diff`; --force loses those changes")
	}
	number := resp.GetRevision().GetNumber()
	if err := bundledir.SetBase(c.Dir, number); err != nil {
		return err
	}
	return a.say(resp.GetRevision(), "revision %d in %s", number, c.Dir)
}

func (a *app) pull(ctx context.Context, revision uint64) (*accessv1.PullPolicyResponse, error) {
	clients, err := a.control()
	if err != nil {
		return nil, err
	}
	return clients.Policies.PullPolicy(ctx, &accessv1.PullPolicyRequest{Revision: revision})
}

type policyDiffCmd struct {
	Dir      string `arg:"" help:"The bundle's folder."`
	Revision uint64 `placeholder:"N" help:"Revision to compare with. Default: the newest."`
	ExitCode bool   `help:"Exit with 1 where there is a difference."`
}

// Help is shown below the usage.
func (policyDiffCmd) Help() string {
	return examples("writ policy diff ./policy", "writ policy diff ./policy --revision 12 --exit-code")
}

// Run shows the difference.
func (c *policyDiffCmd) Run(ctx context.Context, a *app) error {
	files, err := bundledir.Read(c.Dir)
	if err != nil {
		return err
	}
	resp, err := a.pull(ctx, c.Revision)
	if err != nil {
		return err
	}
	number := strconv.FormatUint(resp.GetRevision().GetNumber(), 10)
	text := bundledir.Diff("revision-"+number, resp.GetBundle().GetFiles(), c.Dir, files)
	switch {
	case a.json:
		err = a.out.JSON(map[string]any{"revision": resp.GetRevision().GetNumber(), "diff": text})
	case text != "":
		err = a.out.Text("", text)
	}
	if err == nil && text != "" && c.ExitCode {
		return exitStatus(exitFailure)
	}
	return err
}

type policyHistoryCmd struct{}

// Help is shown below the usage.
func (policyHistoryCmd) Help() string { return examples("writ policy history") }

// Run lists revisions.
func (policyHistoryCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Policies.ListRevisions(ctx, &accessv1.ListRevisionsRequest{})
	if err != nil {
		return err
	}
	return a.show(resp, func() error {
		t := output.NewTable("REVISION", "WHEN", "AUTHOR~", "POLICIES", "ENFORCED BY~", "MESSAGE~")
		for _, r := range resp.GetRevisions() {
			t.Add(strconv.FormatUint(r.GetNumber(), 10), output.Time(r.GetCreatedAt()), r.GetAuthor(),
				strconv.Itoa(int(r.GetPolicies())), enforcers(resp.GetEnforced(), r.GetNumber()), revisionMessage(r))
		}
		return a.out.Table("", t, "no revisions")
	})
}

func enforcers(enforced map[string]uint64, revision uint64) string {
	text := ""
	for _, edge := range slices.Sorted(maps.Keys(enforced)) {
		if enforced[edge] == revision {
			if text != "" {
				text += ", "
			}
			text += edge
		}
	}
	return text
}

func revisionMessage(r *accessv1.Revision) string {
	if r.GetRollbackOf() != 0 {
		return fmt.Sprintf("back to %d: %s", r.GetRollbackOf(), oneLine(r.GetMessage()))
	}
	return oneLine(r.GetMessage())
}

type policyRollbackCmd struct {
	Revision uint64 `arg:"" help:"The revision to go back to."`
	Message  string `short:"m" required:"" help:"Why."`
}

// Help is shown below the usage.
func (policyRollbackCmd) Help() string {
	return examples(`writ policy rollback 12 -m "13 locks the night job out"`)
}

// Run rolls back.
func (c *policyRollbackCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Policies.RollbackPolicy(ctx, &accessv1.RollbackPolicyRequest{Revision: c.Revision, Message: c.Message})
	if err != nil {
		return err
	}
	r := resp.GetRevision()
	return a.say(resp, "revision %d is revision %d again", r.GetNumber(), r.GetRollbackOf())
}
