package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// stateName turns a state such as REQUEST_STATE_PENDING into "pending".
func stateName(e protoreflect.Enum) string {
	desc := e.Descriptor()
	value := desc.Values().ByNumber(e.Number())
	if value == nil {
		return fmt.Sprintf("unknown (%d)", e.Number())
	}
	name := string(value.Name())
	if zero := desc.Values().ByNumber(0); zero != nil {
		name = strings.TrimPrefix(name, strings.TrimSuffix(string(zero.Name()), "UNSPECIFIED"))
	}
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

func principalFields(p *accessv1.Principal) []output.Field {
	kind := ""
	if p.GetKind() != accessv1.PrincipalKind_PRINCIPAL_KIND_UNSPECIFIED {
		kind = stateName(p.GetKind())
	}
	return []output.Field{
		{Name: "principal", Value: p.GetName()},
		{Name: "kind", Value: kind},
		{Name: "on behalf of", Value: strings.Join(p.GetOnBehalfOf(), " for ")},
		{Name: "groups", Value: strings.Join(p.GetGroups(), ", ")},
		{Name: "attributes", Value: pairs(p.GetAttributes())},
		{Name: "issuer", Value: p.GetIssuer()},
	}
}

// who is a principal with whom it acts for.
func who(p *accessv1.Principal) string {
	return strings.Join(append([]string{p.GetName()}, p.GetOnBehalfOf()...), " for ")
}

func pairs(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ", ")
}

// requirements says who has to approve and how many did.
func requirements(reqs []*accessv1.Requirement, votes []*accessv1.Vote) string {
	parts := make([]string, 0, len(reqs))
	for _, r := range reqs {
		have := map[string]bool{}
		for _, v := range votes {
			if v.GetApprove() && slices.Contains(v.GetGroups(), r.GetGroup()) {
				have[v.GetVoter()] = true
			}
		}
		parts = append(parts, fmt.Sprintf("%s (%d so far)", requirement(r), len(have)))
	}
	return strings.Join(parts, " and ")
}

// requirement is "2 of dba", and in which hours.
func requirement(r *accessv1.Requirement) string {
	text := fmt.Sprintf("%d of %s", r.GetCount(), r.GetGroup())
	if r.GetHours() != "" {
		text += " in " + r.GetHours()
	}
	return text
}

func voteFields(votes []*accessv1.Vote) []output.Field {
	fields := make([]output.Field, 0, len(votes))
	for _, v := range votes {
		name := "denied by"
		if v.GetApprove() {
			name = "approved by"
		}
		value := v.GetVoter() + " at " + output.Time(v.GetAt())
		if v.GetComment() != "" {
			value += ": " + v.GetComment()
		}
		fields = append(fields, output.Field{Name: name, Value: value})
	}
	return fields
}

// actions is a list of actions; none stands for everything that policy permits.
func actions(list []string) string {
	if len(list) == 0 {
		return "whatever policy permits"
	}
	return strings.Join(list, ", ")
}

func policies(ids []string, revision uint64) string {
	if len(ids) == 0 && revision == 0 {
		return ""
	}
	return fmt.Sprintf("%s at revision %d", strings.Join(ids, ", "), revision)
}

// yesOnly is "yes", or nothing.
func yesOnly(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
