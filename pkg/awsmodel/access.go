package awsmodel

import (
	"errors"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// ErrActions says that nothing is known of the IAM actions of an operation: it is to be denied.
var ErrActions = errors.New("IAM actions not known")

// Owner is whose resources are meant where the request names them without saying so.
type Owner struct {
	Partition, Region, Account string
}

// Access is one IAM action that a call needs, on resources. There is at least one resource.
type Access struct {
	Action    string // such as s3:GetObject
	Level     Level
	Resources []Resource
}

// ResourceKind tells what is known of a resource. The zero value is nothing.
type ResourceKind uint8

// The kinds of resources.
const (
	UnknownResource ResourceKind = iota // the request does not tell which one is meant
	AnyResource                         // the action is checked on "*"
	NamedResource                       // ARN
)

// Resource is what an action is checked on.
type Resource struct {
	Kind ResourceKind
	ARN  string // "*" for AnyResource, "" for UnknownResource
	Type string // such as bucket
	// Pathless says that the real ARN may have a path before the name, as IAM's users and roles have; names are unique
	// without it.
	Pathless bool
}

// maxResources bounds the resources of one action.
const maxResources = 1000

// Access says what a call needs. A resource is named only when the request's members spell its ARN out, or hold every
// variable of the one template of its type; else there is an UnknownResource among the resources.
func (m *Model) Access(c Call, p Params, o Owner) ([]Access, error) {
	if c.IsZero() || len(c.op.Actions) == 0 {
		return nil, refuse(ErrActions, "operation", "nothing is known of its IAM actions", "")
	}
	f := newFacts(c, p, o)
	var out []Access
	for _, a := range c.op.Actions {
		if !f.holds(a.When) {
			continue
		}
		resources := f.resources(a)
		if i := slices.IndexFunc(out, func(x Access) bool { return x.Action == a.Name }); i >= 0 {
			out[i].Resources = append(out[i].Resources, resources...)
			continue
		}
		out = append(out, Access{Action: a.Name, Level: a.Level, Resources: resources})
	}
	if len(out) == 0 {
		return nil, refuse(ErrActions, "operation", "nothing is known of its IAM actions with these members", "")
	}
	return out, nil
}

// Account is the account that a call says its resources are in, as it says it: it may be malformed. It is "" where the call says none, or where
// the member may mean another account.
func (m *Model) Account(c Call, p Params) string {
	if c.IsZero() || strings.HasPrefix(c.op.Account, "!") {
		return ""
	}
	return p.Get(c.op.Account).Text
}

// Role is a role, or an instance profile, that a call hands to a service.
type Role struct {
	Path  string // of the member
	Value string // an ARN or a name
}

// Roles are the roles that a call passes on, for which AWS checks iam:PassRole. It lists every member that seems to hold
// one, so that a few are not passed in truth.
func (m *Model) Roles(c Call, p Params) []Role {
	if c.IsZero() {
		return nil
	}
	var out []Role
	for _, path := range c.op.Roles {
		for _, v := range p.Strings(path) {
			out = append(out, Role{path, v})
		}
	}
	return out
}

// facts are what conditions and templates are filled from.
type facts struct {
	call    Call
	params  Params
	owner   Owner
	source  Value // of CopyObject and UploadPartCopy
	foreign bool  // the account that the request names is malformed
	queue   []string
}

func newFacts(c Call, p Params, o Owner) *facts {
	f := &facts{call: c, params: p, owner: o}
	if c.Service == "s3" {
		f.source = copySource(p.Get("CopySource").Text)
	}
	if v := p.Get("QueueUrl"); c.Service == "sqs" && v.Kind == Text {
		account, name, ok := queueURL(v.Text)
		f.owner.Account, f.queue, f.foreign = account, []string{name}, !ok
	}
	if name, unsure := strings.CutPrefix(c.op.Account, "!"); name != "" {
		if v := p.Get(name); v.Kind == Text {
			f.owner.Account = v.Text
			f.foreign = unsure || !isAccount(v.Text)
		}
	}
	return f
}

// queueURL reads the end of a queue's URL: its account and name.
func queueURL(s string) (account, name string, ok bool) {
	_, path, ok := strings.Cut(s, "://")
	parts := strings.Split(path, "/")
	if !ok || len(parts) != 3 {
		return "", "", false
	}
	return parts[1], parts[2], isAccount(parts[1]) && parts[2] != ""
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// apiPath is the path of a call to API Gateway as its ARNs have it: without the version. One that is encoded is not told.
func (f *facts) apiPath() []string {
	if strings.Contains(f.call.Path, "%") {
		return nil
	}
	if rest, ok := strings.CutPrefix(f.call.Path, "/v2/"); ok && f.call.Service == "apigatewayv2" {
		return []string{"/" + rest}
	}
	return []string{f.call.Path}
}

func (f *facts) values(path string) []string {
	if path == "@path" {
		return f.apiPath()
	}
	if rest, ok := strings.CutPrefix(path, "@CopySource."); ok {
		return f.source.Strings(rest)
	}
	if path == "@QueueUrl.Name" {
		return f.queue
	}
	values := f.params.Strings(strings.TrimPrefix(path, "~"))
	if path[0] == '~' {
		for i := range values {
			values[i] = strings.TrimPrefix(values[i], "/")
		}
	}
	return values
}

// holds evaluates a condition of an action.
func (f *facts) holds(when string) bool {
	if when == "" {
		return true
	}
	for _, c := range strings.Split(when, "|") {
		path, want, hasValue := strings.Cut(c, "=")
		path, absent := strings.CutPrefix(path, "!")
		present := f.present(path)
		switch {
		case hasValue && slices.Contains(f.values(path), want), !hasValue && present != absent:
			return true
		}
	}
	return false
}

func (f *facts) present(path string) bool {
	if strings.HasPrefix(path, "@") {
		return len(f.values(path)) > 0
	}
	return len(f.params.All(path)) > 0
}

func (f *facts) resources(a modelfile.Action) []Resource {
	if len(a.Resources) == 0 && !a.Unknown {
		return []Resource{{Kind: AnyResource, ARN: "*"}}
	}
	r := &resolution{facts: f, unknown: a.Unknown, missed: map[string]bool{}}
	for _, t := range a.Resources {
		r.add(t)
	}
	for _, missed := range r.missed {
		r.unknown = r.unknown || missed
	}
	if r.unknown || len(r.out) == 0 || len(r.out) > maxResources {
		r.out = append(r.out[:min(len(r.out), maxResources)], Resource{Kind: UnknownResource})
	}
	return r.out
}
