package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/writhq/writ/pkg/cli/internal/bundledir"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type policyCmd struct {
	Init     policyInitCmd     `cmd:"" help:"Write a small bundle to begin with."`
	Test     policyTestCmd     `cmd:"" help:"Check a bundle and run its tests, here."`
	Push     policyPushCmd     `cmd:"" help:"Make a bundle the next revision."`
	Pull     policyPullCmd     `cmd:"" help:"Write a revision's bundle into a folder."`
	Diff     policyDiffCmd     `cmd:"" help:"Show what a folder changes."`
	History  policyHistoryCmd  `cmd:"" help:"List revisions and which edge enforces which."`
	Rollback policyRollbackCmd `cmd:"" help:"Make an earlier revision's bundle the next revision."`
}

type policyInitCmd struct {
	Dir string `arg:"" help:"Folder to write into."`
}

// Help is shown below the usage.
func (policyInitCmd) Help() string { return examples("writ policy init ./policy") }

// Run writes the starter bundle.
func (c *policyInitCmd) Run(a *app) error {
	files := bundledir.Files(policy.Starter().Files)
	if err := bundledir.Write(c.Dir, files, false); err != nil {
		return folderFailure(err, "name a folder without policies")
	}
	names := slices.Sorted(maps.Keys(files))
	if a.json {
		return a.out.JSON(map[string][]string{"files": names})
	}
	for _, name := range names {
		if err := a.out.Printf("%s", name); err != nil {
			return err
		}
	}
	a.note("hint: go on with `writ policy test %s` and `writ policy push %s -m \"...\"`", c.Dir, c.Dir)
	return nil
}

func folderFailure(err error, hint string) error {
	if errors.Is(err, bundledir.ErrChanged) {
		return failed(hint, "%w", err)
	}
	return err
}

type policyTestCmd struct {
	Dir string `arg:"" help:"The bundle's folder."`
}

// Help is shown below the usage.
func (policyTestCmd) Help() string {
	return "Needs no control plane. Exits with 1 for a fault or a failed test.\n\n" + examples("writ policy test ./policy")
}

// Run checks the bundle and runs its tests.
func (c *policyTestCmd) Run(a *app) error {
	files, err := bundledir.Read(c.Dir)
	if err != nil {
		return err
	}
	results, err := policy.TestBundle(policy.Bundle{Files: files})
	refused, ok := errors.AsType[*policy.BundleError](err)
	if err != nil && !ok {
		return err
	}
	return a.showChecked(localOutcome(refused, results))
}

// localOutcome puts what the policy package found into the service's form, so that both read the same.
func localOutcome(refused *policy.BundleError, results []policy.Result) *accessv1.TestPolicyResponse {
	out := new(accessv1.TestPolicyResponse)
	if refused != nil {
		for _, p := range refused.Problems {
			out.Problems = append(out.Problems, &accessv1.Problem{
				File: p.File, Line: int32(p.Line), Column: int32(p.Column), Message: p.Message, Hint: p.Hint,
			})
		}
	}
	for _, r := range results {
		t := &accessv1.TestResult{File: r.File, Line: int32(r.Line), Name: r.Name, Passed: r.Passed}
		if !r.Passed {
			t.Detail = fmt.Sprintf("want %s, got %s", r.Want, r.Got)
			if r.Detail != "" {
				t.Detail += ": " + r.Detail
			}
		}
		out.Tests = append(out.Tests, t)
	}
	return out
}

// showChecked prints problems and tests; the error says whether there is anything wrong.
func (a *app) showChecked(r *accessv1.TestPolicyResponse) error {
	err := a.show(r, func() error { return a.printChecked(r.GetProblems(), r.GetTests()) })
	if err != nil {
		return err
	}
	return checked(r.GetProblems(), r.GetTests())
}

func (a *app) printChecked(problems []*accessv1.Problem, tests []*accessv1.TestResult) error {
	for _, p := range problems {
		found := policy.Problem{
			File: p.GetFile(), Line: int(p.GetLine()), Column: int(p.GetColumn()), Message: p.GetMessage(), Hint: p.GetHint(),
		}
		if err := a.out.Printf("%s", found.String()); err != nil {
			return err
		}
	}
	for _, t := range tests {
		verdict := "ok  "
		if !t.GetPassed() {
			verdict = "FAIL"
		}
		if err := a.out.Printf(verdict+" %s:%d: %s", t.GetFile(), t.GetLine(), t.GetName()); err != nil {
			return err
		}
		if t.GetDetail() != "" && !t.GetPassed() {
			if err := a.out.Text("       ", t.GetDetail()); err != nil {
				return err
			}
		}
	}
	return nil
}

func checked(problems []*accessv1.Problem, tests []*accessv1.TestResult) error {
	broken := 0
	for _, t := range tests {
		if !t.GetPassed() {
			broken++
		}
	}
	if len(problems)+broken == 0 {
		return nil
	}
	return failed("", "%s, %s of %d failed", count(len(problems), "problem"), count(broken, "test"), len(tests))
}

type policyPushCmd struct {
	Dir     string  `arg:"" help:"The bundle's folder."`
	Message string  `short:"m" required:"" help:"What changes, and why."`
	Base    *uint64 `placeholder:"N" help:"Refuse if the newest revision is another. Default: the one the folder was pulled from; 0 does not check."`
}

// Help is shown below the usage.
func (policyPushCmd) Help() string {
	return "The control plane checks and tests the bundle and takes it whole or not at all.\n\n" +
		examples(`writ policy push ./policy -m "let the night job write"`)
}

// Run pushes the bundle.
func (c *policyPushCmd) Run(ctx context.Context, a *app) error {
	files, err := bundledir.Read(c.Dir)
	if err != nil {
		return err
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Policies.PushPolicy(ctx, &accessv1.PushPolicyRequest{
		Bundle: &accessv1.Bundle{Files: files}, Message: c.Message, Base: base,
	})
	if err != nil {
		return err
	}
	if err := a.show(resp, func() error { return a.printChecked(resp.GetProblems(), resp.GetTests()) }); err != nil {
		return err
	}
	if err := checked(resp.GetProblems(), resp.GetTests()); err != nil {
		return err
	}
	number := resp.GetRevision().GetNumber()
	if number == 0 {
		return errors.New("the control plane made no revision of it and did not say why")
	}
	if err := bundledir.SetBase(c.Dir, number); err != nil {
		return err
	}
	if a.json {
		return nil
	}
	return a.out.Printf("revision %d, policies: %d", number, resp.GetRevision().GetPolicies())
}

func (c *policyPushCmd) base() (uint64, error) {
	if c.Base != nil {
		return *c.Base, nil
	}
	return bundledir.Base(c.Dir)
}
