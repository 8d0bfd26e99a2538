package kubeapi

import (
	"net/http"
	"net/url"
)

// Limits, in bytes. A path or query over its limit is refused.
const (
	MaxPath  = 4096
	MaxQuery = 128 << 10 // the commands of exec stand in the query
	MaxName  = 253
)

// Request is what a request asks for. The zero value is no request.
type Request struct {
	// Verb is get, list, watch, create, update, patch, delete or deletecollection; for a path that is no resource's it
	// is get or head, as RBAC calls them.
	Verb string
	// Method is the HTTP method.
	Method string
	// IsResource tells a resource's path from one such as /version.
	IsResource bool

	Group, Version string // Group is "" for the core group
	Resource       string // the plural, such as pods
	Subresource    string // such as log; "" is the object itself
	Namespace      string // for the resource namespaces, the namespace's own name
	Name           string // from the path, or from the selector metadata.name=NAME of a list or watch

	// Path is canonical and escaped, fit to be sent upstream. For a proxy subresource it ends with ProxyPath.
	Path string
	// ProxyPath is what follows the subresource proxy, escaped: "" or with a leading slash.
	ProxyPath string
	// Query has the parameters, each known and checked, without repeats except where repeats have a meaning.
	Query url.Values

	// Collection is true when no single object is named by the path.
	Collection bool
	// AllNamespaces is true for a collection outside any namespace, unless the resource is known to have none.
	AllNamespaces bool
	// DryRun says that the query asks for dryRun=All. A delete may ask for it in its body instead.
	DryRun bool
	// FieldSelector and LabelSelector are those of a list, watch or deletecollection, as written.
	FieldSelector, LabelSelector string

	// Upgrade is the protocol that the connection is to become. A request that upgrades is never a read.
	Upgrade Upgrade
	// Exec is what pods/exec and pods/attach ask for, else nil. Command is empty for attach.
	Exec *Exec
	// Ports are those of pods/portforward, when the query names them.
	Ports []uint16
}

// Upgrade is the protocol that a connection is to become.
type Upgrade int

// The protocols of the API server's streams.
const (
	NoUpgrade Upgrade = iota
	SPDY
	WebSocket
)

func (u Upgrade) String() string {
	switch u {
	case NoUpgrade:
		return "none"
	case SPDY:
		return "SPDY"
	case WebSocket:
		return "WebSocket"
	}
	return "unknown"
}

// Exec is what a process in a container is started or joined with.
type Exec struct {
	Command                    []string
	Container                  string
	Stdin, Stdout, Stderr, TTY bool
}

// URI returns path and query as they are to be sent.
func (r Request) URI() string {
	if len(r.Query) == 0 {
		return r.Path
	}
	return r.Path + "?" + r.Query.Encode()
}

// Streams reports requests that become a stream of bytes in both directions: exec, attach and port-forward.
func (r Request) Streams() bool {
	return r.IsResource && r.Group == "" && r.Resource == "pods" &&
		(r.Subresource == "exec" || r.Subresource == "attach" || r.Subresource == "portforward")
}

// Proxies reports requests that the API server passes on to a pod, service or node.
func (r Request) Proxies() bool {
	return r.IsResource && r.Group == "" && r.Subresource == "proxy" &&
		(r.Resource == "pods" || r.Resource == "services" || r.Resource == "nodes")
}

// Writes reports requests that are to change something, and so may have a body: all but get, list, watch and head.
// A request that [Request.Streams] or [Request.Proxies] is more than its verb says.
func (r Request) Writes() bool {
	switch r.Verb {
	case "get", "list", "watch", "head":
		return false
	}
	return true
}

// Parse reads a request line, and the headers that steer its meaning; it calls [CheckHeader]. The path is in its escaped form, as it was sent.
// An error is an [Error].
func Parse(method, escapedPath, rawQuery string, h http.Header) (Request, error) {
	r := Request{Method: method}
	if err := checkMethod(method); err != nil {
		return Request{}, err
	}
	if err := CheckHeader(h); err != nil {
		return Request{}, err
	}
	if err := r.readPath(escapedPath); err != nil {
		return Request{}, err
	}
	if err := r.readQuery(rawQuery); err != nil {
		return Request{}, err
	}
	if err := r.readUpgrade(h); err != nil {
		return Request{}, err
	}
	if err := r.readStream(); err != nil {
		return Request{}, err
	}
	return r, nil
}

func checkMethod(method string) error {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return nil
	}
	return refuse(ErrMethod, "method", "not one of the API's", "use GET, HEAD, POST, PUT, PATCH or DELETE")
}
