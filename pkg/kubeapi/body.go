package kubeapi

// MaxBody is how large a body the API server reads, in bytes: MaxRequestBodyBytes in
// k8s.io/apiserver/pkg/server/config.go.
const MaxBody = 3 << 20

// Body is what a write carries.
type Body struct {
	// JSON is what to forward: the bytes that were sent where they are JSON, or YAML turned into JSON. It is the raw
	// body where the request is passed on to a pod, service or node.
	JSON []byte
	// ContentType is what to forward it as.
	ContentType string

	Kind, APIVersion, Namespace, Name, GenerateName string

	Labels map[string]string
	// DryRun says that this request changes nothing, as far as the API server itself is concerned: the query says
	// dryRun=All, or the options of a delete do.
	DryRun bool
	// Facts say what the body is about.
	Facts Facts
	// Reads are the JSON pointers of stored values that a JSON patch makes visible: of test, and the from of copy and move.
	Reads []string
}

// Facts are what a body would bring into the cluster, from wherever it stands in the document. Lists are sorted and
// without repeats.
type Facts struct {
	// Known is false when the result cannot be told from the body. Every boolean is true then.
	Known bool
	// Images are those of containers and volumes.
	Images []string
	// Privileged is what the Pod Security Standards forbid at the level baseline, apart from what has a field of its
	// own here; privilege escalation that is asked for; and a patch that takes such a guard away.
	Privileged bool
	// HostNamespaces is hostNetwork, hostPID, hostIPC or a port of the host.
	HostNamespaces bool
	// Escalates is a role that may do anything, or bind, escalate or impersonate.
	Escalates bool
	// EphemeralContainers is a container that is added to a running pod.
	EphemeralContainers bool

	HostPaths       []string
	ServiceAccounts []string
	Secrets         []string // names that are mounted or referred to
	ConfigMaps      []string // names that are mounted or referred to
	RoleRefs        []string // such as ClusterRole/cluster-admin
	Subjects        []string // such as User/alice or ServiceAccount/namespace/name
	Verbs           []string // of a role's rules
	SignerNames     []string // of certificate signing requests
	// Replicas is the number that spec.replicas sets, or nil.
	Replicas *int64
}

// ReadBody reads the body of a request that [Request.Writes]. An error is an [Error]: [ErrMediaType] for media types
// that are not read, [ErrTooLarge] for more than limit bytes, [ErrBody] for all else.
func ReadBody(r Request, contentType string, body []byte, limit int) (Body, error) {
	return Body{}, refuse(ErrMediaType, "body", "not read yet", "")
}
