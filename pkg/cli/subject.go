package cli

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// subject is what an approval is about, an access request or a held command, in one form.
type subject struct {
	id, state, digest string
	principal         *accessv1.Principal
	resource          string
	what, why         string
	statement         string
	params            []string
	numbered          bool // params are the values for $1, $2 and so on
	diff              string
	role              *accessv1.RoleAnalysis
	flags             []*accessv1.TextFlag
	requirements      []*accessv1.Requirement
	votes             []*accessv1.Vote
	expires           *timestamppb.Timestamp
	fields            func(now time.Time) []output.Field
}

func subjectOf(a *accessv1.Approval) subject {
	switch {
	case a.GetRequest() != nil:
		return requestSubject(a.GetRequest())
	case a.GetCommand() != nil:
		return commandSubject(a.GetCommand())
	}
	return subject{fields: func(time.Time) []output.Field { return nil }}
}

func requestSubject(r *accessv1.AccessRequest) subject {
	s := subject{
		id: r.GetId(), state: stateName(r.GetState()), digest: r.GetDigest(), principal: r.GetPrincipal(),
		resource: r.GetResource(), why: r.GetReason(), requirements: r.GetRequirements(), votes: r.GetVotes(),
		what: actions(r.GetActions()) + " for " + output.Duration(r.GetDuration()), expires: r.GetExpiresAt(),
		role: r.GetRole(),
	}
	s.fields = func(now time.Time) []output.Field {
		fields := []output.Field{{Name: "access request", Value: r.GetId()}, {Name: "state", Value: s.state}}
		fields = append(fields, principalFields(r.GetPrincipal())...)
		fields = append(fields, []output.Field{
			{Name: "resource", Value: r.GetResource()},
			{Name: "role", Value: r.GetRole().GetRoleArn()},
		}...)
		fields = append(fields, roleFields(r.GetRole())...)
		fields = append(fields, []output.Field{
			{Name: "actions", Value: actions(r.GetActions())},
			{Name: "for", Value: output.Duration(r.GetDuration())},
			{Name: "reason", Value: r.GetReason()},
			{Name: "ticket", Value: r.GetTicket()},
		}...)
		fields = append(fields, intentFields(r.GetIntent())...)
		fields = append(fields, []output.Field{
			{Name: "begins", Value: output.Moment(now, r.GetStartAt())},
			{Name: "break-glass", Value: yesOnly(r.GetBreakGlass())},
			{Name: "extends", Value: r.GetExtends()},
			{Name: "policy", Value: policies(r.GetPolicyIds(), r.GetRevision())},
			{Name: "needs", Value: requirements(r.GetRequirements(), r.GetVotes())},
		}...)
		fields = append(fields, voteFields(r.GetVotes())...)
		return append(fields, []output.Field{
			{Name: "denied because", Value: r.GetDenial()},
			{Name: "grant", Value: r.GetGrant()},
			{Name: "filed", Value: output.Moment(now, r.GetCreatedAt())},
			{Name: "decided", Value: output.Moment(now, r.GetDecidedAt())},
			{Name: "expires", Value: output.Moment(now, r.GetExpiresAt())},
		}...)
	}
	return s
}

func commandSubject(c *accessv1.HeldCommand) subject {
	s := subject{
		id: c.GetId(), state: stateName(c.GetState()), digest: c.GetDigest(), principal: c.GetPrincipal(),
		resource: c.GetResource(), what: c.GetStatement(), why: c.GetRequestReason(), statement: c.GetStatement(), params: c.GetParams(),
		numbered: slices.ContainsFunc(c.GetActions(), func(a string) bool { return strings.HasPrefix(a, "sql:") }),
		diff:     c.GetPreview().GetDiff(), flags: c.GetFlags(),
		requirements: c.GetRequirements(), votes: c.GetVotes(), expires: c.GetExpiresAt(),
	}
	s.fields = func(now time.Time) []output.Field {
		fields := []output.Field{{Name: "held command", Value: c.GetId()}, {Name: "state", Value: s.state}}
		fields = append(fields, principalFields(c.GetPrincipal())...)
		fields = append(fields, []output.Field{
			{Name: "resource", Value: c.GetResource()},
			{Name: "edge", Value: c.GetEdge()},
			{Name: "session", Value: c.GetSession()},
			{Name: "grant", Value: c.GetGrant()},
			{Name: "request reason", Value: c.GetRequestReason()},
			{Name: "ticket", Value: c.GetTicket()},
		}...)
		fields = append(fields, intentFields(c.GetIntent())...)
		fields = append(fields, []output.Field{
			{Name: "actions", Value: strings.Join(c.GetActions(), ", ")},
			{Name: tablesName(c.GetTables()), Value: strings.Join(c.GetTables(), ", ")},
			{Name: "effect", Value: effect(c.GetPreview())},
			{Name: "plan", Value: c.GetPreview().GetPlan()},
			{Name: "diff", Value: c.GetPreview().GetDiff()},
			{Name: "held because", Value: c.GetReason()},
			{Name: "policy", Value: policies(c.GetPolicyIds(), c.GetRevision())},
			{Name: "needs", Value: requirements(c.GetRequirements(), c.GetVotes())},
		}...)
		fields = append(fields, voteFields(c.GetVotes())...)
		return append(fields, []output.Field{
			{Name: "held", Value: output.Moment(now, c.GetCreatedAt())},
			{Name: "decided", Value: output.Moment(now, c.GetDecidedAt())},
			{Name: "run", Value: output.Moment(now, c.GetSpentAt())},
			{Name: "expires", Value: output.Moment(now, c.GetExpiresAt())},
		}...)
	}
	return s
}

// tablesName says what a command is on: tables of a database, or what ARNs name.
func tablesName(tables []string) string {
	if len(tables) > 0 && strings.HasPrefix(tables[0], "arn:") {
		return "on"
	}
	return "tables"
}
