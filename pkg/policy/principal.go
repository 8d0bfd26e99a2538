package policy

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
)

var (
	// ErrPrincipal is returned for a principal without an id or of an unknown kind.
	ErrPrincipal = errors.New("invalid principal")
	// ErrDelegation is returned for more than MaxDelegators delegators, or one who is the principal.
	ErrDelegation = errors.New("invalid delegation")
	// ErrResource is returned for a resource without a usable name.
	ErrResource = errors.New("invalid resource")
)

// Kinds of principal.
const (
	KindPerson  = "person"
	KindAgent   = "agent"
	KindJob     = "job"
	KindService = "service"
)

var principalTypes = map[string]types.EntityType{
	KindPerson: "Person", KindAgent: "Agent", KindJob: "Job", KindService: "Service",
}

// Principal is who acts, as a verified identity gives it. Groups and Attrs come from
// claims; a policy reads Attrs as tags. OnBehalfOf names for whom it acts, nearest first.
// Delegators are those of them who proved who they are, in the same order: an Evaluator
// decides for the principal and for each of them. Their own Delegators do not count.
type Principal struct {
	Kind       string // KindPerson, KindAgent, KindJob or KindService
	ID         string
	Name       string
	Email      string
	Issuer     string
	Groups     []string
	Attrs      map[string]string
	OnBehalfOf []string
	Delegators []Principal `json:",omitempty"`
}

// alone is a delegator as the principal of its own deeds.
func (p Principal) alone() Principal {
	p.OnBehalfOf, p.Delegators = nil, nil
	return p
}

// MaxDelegators is how many proven identities may stand behind one principal.
const MaxDelegators = 4

// Resource is one database, cluster or account. Each label "k": "v" puts it, and all that
// is in it, in Label::"k=v".
type Resource struct {
	Name   ResourceName
	Kind   string
	Labels map[string]string
	// Role is what sessions act in, of an AWS account.
	Role *Role
}

// Role is an IAM role, as its analysis found it.
type Role struct {
	ARN string
	// Privileges are the privileged IAM actions that its policies allow; nil is not known, which policies see as "*".
	Privileges []string
}

func (r *Role) privileges() []string {
	if r.Privileges == nil {
		return []string{"*"}
	}
	return r.Privileges
}

func (r *Role) record() types.Record {
	return types.NewRecord(types.RecordMap{
		"arn": types.String(r.ARN), "privileged": types.Boolean(len(r.privileges()) > 0), "privileges": stringSet(r.privileges()),
	})
}

// Origin is what stays the same for a whole session or access request. The zero value
// means nothing is known: an absent ClientIP is 0.0.0.0, which is in no ordinary range.
type Origin struct {
	Application string
	ClientIP    netip.Addr
	Reason      string // the stated intent
	Ticket      string
	BreakGlass  bool // asked for without approvers, or under a grant that was
}

func (p Principal) entity() (types.Entity, error) {
	kind, ok := principalTypes[p.Kind]
	if !ok {
		return types.Entity{}, fmt.Errorf("%w: unknown kind %q", ErrPrincipal, p.Kind)
	}
	if p.ID == "" {
		return types.Entity{}, fmt.Errorf("%w: no id", ErrPrincipal)
	}
	groups := make([]types.EntityUID, 0, len(p.Groups))
	for _, g := range p.Groups {
		groups = append(groups, types.NewEntityUID("Group", types.String(g)))
	}
	tags := make(types.RecordMap, len(p.Attrs))
	for k, v := range p.Attrs {
		tags[types.String(k)] = types.String(v)
	}
	return types.Entity{
		UID:     types.NewEntityUID(kind, types.String(p.ID)),
		Parents: types.NewEntityUIDSet(groups...),
		Attributes: types.NewRecord(types.RecordMap{
			"name":   types.String(p.Name),
			"email":  types.String(p.Email),
			"issuer": types.String(p.Issuer),
		}),
		Tags: types.NewRecord(tags),
	}, nil
}

func (r Resource) entity() (types.Entity, error) {
	if r.Name == "" || strings.Contains(string(r.Name), "/") {
		return types.Entity{}, fmt.Errorf("%w: name %q", ErrResource, r.Name)
	}
	labels := make([]types.EntityUID, 0, len(r.Labels))
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		if k == "" || strings.Contains(k, "=") {
			return types.Entity{}, fmt.Errorf("%w: label key %q", ErrResource, k)
		}
		labels = append(labels, types.NewEntityUID("Label", types.String(k+"="+r.Labels[k])))
	}
	attrs := types.RecordMap{"name": types.String(r.Name), "kind": types.String(r.Kind)}
	if r.Role != nil {
		attrs[attrRole] = r.Role.record()
	}
	return types.Entity{UID: r.Name.uid(), Parents: types.NewEntityUIDSet(labels...), Attributes: types.NewRecord(attrs)}, nil
}
