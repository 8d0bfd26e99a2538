package policy

import (
	"math"

	"github.com/cedar-policy/cedar-go/types"
)

// APIRequest holds the facts of one request to a Kubernetes API server. What a body says is gathered over the whole of it,
// however deep; where the result cannot be told from the body, BodyKnown is false and the flags below it hold.
type APIRequest struct {
	Verb        string // as the API server sees it, such as "create" for an exec over SPDY and "get" for one over WebSocket
	Subresource string
	Collection  bool // it names no single object
	DryRun      bool

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
	Replicas        *int64   // nil is unknown, which a policy sees as the largest number there is

	Command   string // the words of an exec, joined with spaces
	Container string
	Stdin     bool
	TTY       bool
	Ports     []int64 // of a port-forward, as far as PortsKnown
	// PortsKnown is false while a port-forward is being opened: its ports come later, and are decided one by one.
	PortsKnown bool
}

// Facts builds the context of every k8s: question about r.
func (r APIRequest) Facts() *Facts {
	f := &Facts{family: familyAPI}
	replicas := types.Long(math.MaxInt64)
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
