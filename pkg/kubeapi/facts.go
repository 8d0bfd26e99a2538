package kubeapi

import (
	"maps"
	"slices"
)

// Facts are what a body would bring into the cluster, from wherever it stands in the document, so that lists, templates and
// resources nobody knows hide nothing. Lists are sorted and have no repeats. What stands inside a text, such as a manifest
// in a ConfigMap, is not found, and the data of Secrets and ConfigMaps is not looked at.
type Facts struct {
	// Known is false when the result cannot be told from the body. Every boolean is true then, and the lists are those
	// that could be told.
	Known bool

	// Privileged is what Pod Security forbids at the level baseline, other than what has a field of its own; privilege
	// escalation that is asked for; a namespace in which Pod Security is turned off; and a patch that takes away, by name,
	// what confines a container: a security context or part of it, runAsNonRoot, hostUsers.
	Privileged bool
	// HostNamespaces is hostNetwork, hostPID, hostIPC or a port of the host.
	HostNamespaces bool
	// EphemeralContainers is a container that is put into a running pod.
	EphemeralContainers bool
	// Escalates is a role with one of the verbs *, bind, escalate and impersonate, one that gathers the rules of others,
	// or one whose rules others gather.
	Escalates bool

	Images          []string // of containers and of volumes
	HostPaths       []string
	ServiceAccounts []string // that pods run as
	Secrets         []string // names of those mounted or referred to
	ConfigMaps      []string // names of those mounted or referred to
	RoleRefs        []string // as Kind/name, such as ClusterRole/cluster-admin
	// Subjects are as Kind/name, service accounts as ServiceAccount/namespace/name; also of a certificate that is asked
	// for, whose common name is a User and whose organisations are Groups.
	Subjects    []string
	Verbs       []string // of the rules of roles
	SignerNames []string // of certificates that are asked for

	// Replicas is what spec.replicas is set to; nil when it is not. Set in two ways, nothing is known.
	Replicas *int64
}

// unknown returns the facts of what is not understood.
func unknown() Facts {
	return Facts{Privileged: true, HostNamespaces: true, EphemeralContainers: true, Escalates: true}
}

// names gathers the members of one of the lists.
type names map[string]struct{}

func (n names) list() []string { return slices.Sorted(maps.Keys(n)) }

// facts returns what the walk has found.
func (w *walk) facts() Facts {
	f := w.found
	opaque := w.opaque || len(w.replicas) > 1
	if opaque {
		f = unknown()
	}
	f.Known = !opaque
	f.Images, f.HostPaths, f.ServiceAccounts = w.images.list(), w.hostPaths.list(), w.serviceAccounts.list()
	f.Secrets, f.ConfigMaps = w.secrets.list(), w.configMaps.list()
	f.RoleRefs, f.Subjects, f.Verbs = w.roleRefs.list(), w.subjects.list(), w.verbs.list()
	f.SignerNames = w.signers.list()
	if len(w.replicas) == 1 {
		f.Replicas = &w.replicas[0]
	}
	return f
}
