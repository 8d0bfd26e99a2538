package cli

import (
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// refusalOf is what the control plane says to programs about a refused request, nil for any other error.
func refusalOf(e *connect.Error) *accessv1.Refusal {
	for _, d := range e.Details() {
		if m, err := d.Value(); err == nil {
			if r, ok := m.(*accessv1.Refusal); ok {
				return r
			}
		}
	}
	return nil
}

// repairHint is the request that would not be refused, as one would type it.
func repairHint(r *accessv1.Repair) string {
	if r == nil {
		return ""
	}
	command := fmt.Sprintf("writ request %s --for %s", r.GetResource(), output.Duration(r.GetDuration()))
	for _, action := range r.GetActions() {
		command += " --action " + action
	}
	if r.GetTicketRequired() {
		command += ` --ticket "..."`
	}
	if r.GetBreakGlass() {
		command += " --break-glass"
	}
	hint := fmt.Sprintf("%s: %s --reason \"...\"", repairOutcome(r), command)
	if len(r.GetDropped()) > 0 {
		hint += " (without " + strings.Join(r.GetDropped(), ", ") + ")"
	}
	return hint
}

func repairOutcome(r *accessv1.Repair) string {
	switch {
	case len(r.GetRequirements()) > 0:
		parts := make([]string, len(r.GetRequirements()))
		for i, want := range r.GetRequirements() {
			parts[i] = requirement(want)
		}
		return "this would wait for " + strings.Join(parts, " and ")
	case r.GetBreakGlass():
		return "in an emergency this is permitted, short and reviewed afterwards"
	}
	return "this is permitted"
}
