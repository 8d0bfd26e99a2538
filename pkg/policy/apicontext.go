package policy

import (
	"github.com/cedar-policy/cedar-go/types"
)

// APIRequest holds the facts of one request to a Kubernetes API server. What a body says is gathered over the whole of it,
// however deep.
type APIRequest struct {
	Verb        string // as the API server sees it, such as "create" for an exec over SPDY and "get" for one over WebSocket
	Subresource string
	Collection  bool // it names no single object
	DryRun      bool

	// BodyKnown says that the facts from Images to Replicas are what comes of the request. It is true where there is no body.
	// Where it is false they are unknown: a forbid that may apply to what comes of it applies, and a permit that may not
	// cover it does not count, whatever they hold.
	BodyKnown       bool
	Images          []string
	Privileged      bool // more rights than Pod Security's baseline allows
	HostNamespaces  bool // the host's network, processes or IPC
	HostPaths       []string
	ServiceAccounts []string
	Secrets         []string // names of those that are mounted or referenced
	ConfigMaps      []string
	Roles           []string // that a binding names, as "ClusterRole/admin"
	Subjects        []string // that a binding names, as "User/ann" or "ServiceAccount/ns/name"
	Replicas        *int64   // nil where the body sets none, which a policy sees as -1

	Command   string // the words of an exec, joined with spaces
	Container string
	Stdin     bool
	TTY       bool
	Ports     []int64 // of a port-forward
	// PortsKnown is false while a port-forward is being opened, whose ports come later and are decided one by one: until then
	// they are unknown. A denial then that DependsPorts may be otherwise for a port.
	PortsKnown bool
}

// Facts builds the context of every k8s: question about r.
func (r APIRequest) Facts() *Facts {
	f := newFacts(familyAPI)
	if !r.BodyKnown {
		f.unknown |= unknownBody
	}
	if !r.PortsKnown {
		f.unknown |= unknownPorts
	}
	replicas := types.Long(-1)
	if r.Replicas != nil {
		replicas = types.Long(*r.Replicas)
	}
	ports := make([]types.Value, len(r.Ports))
	for i, p := range r.Ports {
		ports[i] = types.Long(p)
	}
	for a, v := range map[attr]types.Value{
		attrVerb: types.String(r.Verb), attrSubresource: types.String(r.Subresource),
		attrCollection: types.Boolean(r.Collection), attrDryRun: types.Boolean(r.DryRun),
		attrBodyKnown: types.Boolean(r.BodyKnown), attrImages: stringSet(r.Images),
		attrPrivileged: types.Boolean(r.Privileged), attrHostNamespaces: types.Boolean(r.HostNamespaces),
		attrHostPaths: stringSet(r.HostPaths), attrServiceAccounts: stringSet(r.ServiceAccounts),
		attrSecrets: stringSet(r.Secrets), attrConfigMaps: stringSet(r.ConfigMaps),
		attrRoles: stringSet(r.Roles), attrSubjects: stringSet(r.Subjects), attrReplicas: replicas,
		attrCommand: types.String(r.Command), attrContainer: types.String(r.Container),
		attrStdin: types.Boolean(r.Stdin), attrTTY: types.Boolean(r.TTY),
		attrPorts: types.NewSet(ports...), attrPortsKnown: types.Boolean(r.PortsKnown),
	} {
		f.values[a] = v
	}
	return f
}
