package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// actionsShown is how many actions of a class are shown of a statement; -o json has all of them.
const actionsShown = 8

// roleText says in a line how privileged a role is.
func roleText(r *accessv1.RoleAnalysis) string {
	switch {
	case r == nil:
		return ""
	case !r.GetKnown():
		return "counts as privileged: " + r.GetProblem()
	case !r.GetPrivileged():
		return "not privileged"
	}
	return fmt.Sprintf("privileged: %d actions", r.GetActionCount())
}

func roleFields(r *accessv1.RoleAnalysis) []output.Field {
	fields := []output.Field{{Name: "role is", Value: roleText(r)}}
	if !r.GetKnown() || len(r.GetPolicies()) == 0 { // those of a list are not told
		return fields
	}
	var read []string
	for _, p := range r.GetPolicies() {
		read = append(read, strings.Join(nonEmpty(p.GetUse(), cmp.Or(p.GetArn(), p.GetName()), p.GetVersion()), " "))
	}
	return append(fields, output.Field{Name: "policies read", Value: strings.Join(read, "\n")}, output.Field{Name: "boundary", Value: cmp.Or(r.GetBoundary(), "none")})
}

// showRole prints the statements that make a role privileged, each as it stands in its document.
func showRole(p *output.Printer, r *accessv1.RoleAnalysis) error {
	if len(r.GetStatements()) == 0 {
		return nil
	}
	if err := p.Printf("%s is privileged by:", r.GetRoleArn()); err != nil {
		return err
	}
	for _, s := range r.GetStatements() {
		if err := p.Printf("  %s", statementTitle(s)); err != nil {
			return err
		}
		longest := 0
		for _, a := range s.GetActions() {
			longest = max(longest, len(a.GetClass()))
		}
		for _, a := range s.GetActions() {
			if err := p.Printf("    %s %s", fmt.Sprintf("%-*s", longest, output.Line(a.GetClass())), someActions(a.GetActions())); err != nil {
				return err
			}
		}
		if err := p.Text("    | ", s.GetText()); err != nil {
			return err
		}
	}
	return nil
}

// statementTitle is "attached AmazonRDSFullAccess v14, statement 0 (Sid), under conditions, on all resources".
func statementTitle(s *accessv1.RoleStatement) string {
	where := fmt.Sprintf("statement %d", s.GetIndex())
	if s.GetSid() != "" {
		where += " (" + s.GetSid() + ")"
	}
	when, on := "", "on some resources"
	if s.GetConditional() {
		when = "under conditions"
	}
	if s.GetAllResources() {
		on = "on all resources"
	}
	document := strings.Join(nonEmpty(s.GetUse(), cmp.Or(s.GetPolicyArn(), s.GetPolicy()), s.GetVersion()), " ")
	return strings.Join(nonEmpty(document, where, when, on), ", ")
}

func someActions(actions []string) string {
	if len(actions) <= actionsShown {
		return strings.Join(actions, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(actions[:actionsShown], ", "), len(actions)-actionsShown)
}
