// Package convert is the one place where the control plane's own types and access.v1 messages become each other. A
// secret goes only inwards: nothing here writes one into a message.
package convert

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// Time is nil for the zero time.
func Time(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// FromTime is zero for nil.
func FromTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// Duration is nil for zero.
func Duration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// FromDuration is zero for nil.
func FromDuration(d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.AsDuration()
}

var kinds = map[string]accessv1.PrincipalKind{
	policy.KindPerson:  accessv1.PrincipalKind_PRINCIPAL_KIND_PERSON,
	policy.KindAgent:   accessv1.PrincipalKind_PRINCIPAL_KIND_AGENT,
	policy.KindJob:     accessv1.PrincipalKind_PRINCIPAL_KIND_JOB,
	policy.KindService: accessv1.PrincipalKind_PRINCIPAL_KIND_SERVICE,
}

// EmailAttribute is the attribute of a principal's message that carries its verified e-mail address.
const EmailAttribute = "email"

// Principal is the message of a principal, with its delegators. Its e-mail address, where known, is also the attribute
// "email", for clients that know no other.
func Principal(p policy.Principal) *accessv1.Principal {
	w := alone(p)
	for _, d := range p.Delegators {
		w.Delegators = append(w.Delegators, alone(d))
	}
	return w
}

// alone is the message of a principal without its delegators.
func alone(p policy.Principal) *accessv1.Principal {
	attrs := maps.Clone(p.Attrs)
	delete(attrs, EmailAttribute) // only a verified address may stand there
	if p.Email != "" {
		if attrs == nil {
			attrs = map[string]string{}
		}
		attrs[EmailAttribute] = p.Email
	}
	return &accessv1.Principal{
		Name: p.ID, Kind: kinds[p.Kind], Groups: p.Groups, Attributes: attrs, Issuer: p.Issuer, OnBehalfOf: p.OnBehalfOf,
		Email: p.Email,
	}
}

// Requirements is the message form of approvals.
func Requirements(wanted []policy.Approval) []*accessv1.Requirement {
	out := make([]*accessv1.Requirement, len(wanted))
	for i, w := range wanted {
		out[i] = &accessv1.Requirement{Count: int32(w.Count), Group: w.Group, Hours: w.Hours}
	}
	return out
}

// FromRequirements is the reverse of Requirements. A nil element becomes one that nothing satisfies.
func FromRequirements(in []*accessv1.Requirement) []policy.Approval {
	out := make([]policy.Approval, len(in))
	for i, r := range in {
		out[i] = policy.Approval{Count: int(r.GetCount()), Group: r.GetGroup(), Hours: r.GetHours()}
	}
	return out
}

// all converts a list.
func all[A, B any](in []A, one func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = one(a)
	}
	return out
}

func clone(in []string) []string { return slices.Clone(in) }
