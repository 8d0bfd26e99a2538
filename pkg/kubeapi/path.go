package kubeapi

import (
	"fmt"
	"net/http"
	"strings"
)

// readPath fills in what the path says.
func (r *Request) readPath(escaped string) error {
	rest, slash := escaped, false
	if escaped != "/" {
		rest, slash = strings.CutSuffix(escaped, "/")
	}
	segments, err := splitPath(rest)
	if err != nil {
		return err
	}
	read := r.readResource
	if !underAPI(segments) {
		read = r.readPlain
	}
	if err := read(segments); err != nil {
		return err
	}
	if !slash {
		return nil
	}
	if !r.Proxies() {
		return refuse(ErrPath, "path", "ends with a slash", "leave it out")
	}
	r.Path, r.ProxyPath = r.Path+"/", r.ProxyPath+"/" // it is the pod's or service's to read
	return nil
}

// underAPI reports paths of resources: /api/VERSION/... and /apis/GROUP/VERSION/... with something behind.
func underAPI(segments []segment) bool {
	switch {
	case len(segments) == 0:
		return false
	case segments[0].text == "api":
		return len(segments) >= 3
	case segments[0].text == "apis":
		return len(segments) >= 4
	}
	return false
}

// readPlain reads a path that is no resource's, such as /version or /apis/apps/v1.
func (r *Request) readPlain(segments []segment) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return refuse(ErrMethod, "method", r.Method+" is not for paths outside the API's resources", "use GET")
	}
	r.Verb = strings.ToLower(r.Method)
	for _, s := range segments {
		if !isPlainSegment(s.text) {
			return s.refuse("not lower-case letters, digits and -._~", "")
		}
	}
	if len(segments) > 1 && (segments[0].text == "api" || segments[0].text == "apis") {
		if err := checkDiscovery(segments); err != nil {
			return err
		}
	}
	r.Path = joinPath(segments)
	return nil
}

func checkDiscovery(segments []segment) error {
	if segments[0].text == "apis" {
		if !isSubdomain(segments[1].text) {
			return segments[1].refuse("no name of an API group", "")
		}
		segments = segments[1:]
	}
	if len(segments) > 1 && !isLabel(segments[1].text) {
		return segments[1].refuse("no name of an API version", "")
	}
	return nil
}

func (r *Request) readResource(segments []segment) error {
	r.IsResource = true
	all := segments
	if segments[0].text == "apis" {
		if !isSubdomain(segments[1].text) {
			return segments[1].refuse("no name of an API group", "")
		}
		r.Group = segments[1].text
		segments = segments[1:]
	}
	if !isLabel(segments[1].text) {
		return segments[1].refuse("no name of an API version", "")
	}
	r.Version = segments[1].text
	segments, prefixed, err := r.readPrefix(segments[2:])
	if err != nil {
		return err
	}
	if segments, err = r.readNamespace(segments); err != nil {
		return err
	}
	if segments, err = r.readObject(segments); err != nil {
		return err
	}
	r.Path = joinPath(all)
	if len(segments) > 0 {
		if !r.Proxies() {
			return segments[0].refuse("nothing may follow a subresource other than proxy", "")
		}
		r.ProxyPath = joinPath(segments)
	}
	return r.readVerb(prefixed)
}

// readPrefix takes off the deprecated /watch/ before a resource, and refuses /proxy/, which servers no longer have.
func (r *Request) readPrefix(segments []segment) ([]segment, bool, error) {
	switch segments[0].text {
	case "proxy":
		return nil, false, segments[0].refuse("the proxy prefix is no longer served", "put /proxy after the object's name")
	case "watch":
		if len(segments) < 2 {
			return nil, false, segments[0].refuse("no resource follows", "use the resource's path with watch=true")
		}
		return segments[1:], true, nil
	}
	return segments, false, nil
}

// readNamespace takes off namespaces/NAME, unless the namespace itself is what is asked for.
func (r *Request) readNamespace(segments []segment) ([]segment, error) {
	if segments[0].text != "namespaces" || len(segments) < 2 {
		return segments, nil
	}
	if !isLabel(segments[1].text) {
		return nil, segments[1].refuse("no name of a namespace", "names of namespaces are lower-case DNS labels")
	}
	r.Namespace = segments[1].text
	if len(segments) > 2 && segments[2].text != "status" && segments[2].text != "finalize" {
		return segments[2:], nil
	}
	return segments, nil
}

// readObject reads resource, name and subresource, and returns what follows.
func (r *Request) readObject(segments []segment) ([]segment, error) {
	if !isLabel(segments[0].text) {
		return nil, segments[0].refuse("no name of a resource", "names of resources are lower-case plurals")
	}
	r.Resource = segments[0].text
	if len(segments) > 1 {
		r.Name = segments[1].text
		if err := segments[1].checkName(); err != nil {
			return nil, err
		}
	}
	if len(segments) > 2 {
		if !isLabel(segments[2].text) {
			return nil, segments[2].refuse("no name of a subresource", "")
		}
		r.Subresource = segments[2].text
	}
	return segments[min(3, len(segments)):], nil
}

// readVerb says what the method means for this path. Whether a GET of a collection lists or watches, the query tells.
func (r *Request) readVerb(prefixed bool) error {
	r.Collection = r.Name == ""
	r.AllNamespaces = r.Collection && r.Namespace == "" && !clusterScoped(r.Group, r.Resource)
	if prefixed {
		if r.Method != http.MethodGet || r.Subresource != "" {
			return refuse(ErrMethod, "method", "the watch prefix takes GET on resources only", "use the resource's path with watch=true")
		}
		r.Verb = "watch"
		return nil
	}
	switch r.Method {
	case http.MethodPost:
		r.Verb = "create"
	case http.MethodPut:
		r.Verb = "update"
	case http.MethodPatch:
		r.Verb = "patch"
	case http.MethodDelete:
		r.Verb = "delete"
	default:
		r.Verb = "get"
	}
	return r.checkVerb()
}

func (r *Request) checkVerb() error {
	switch {
	case r.Verb == "create" && !r.Collection && r.Subresource == "":
		return refuse(ErrMethod, "method", "POST is not for a named object", "POST to the collection, or PUT to the object")
	case (r.Verb == "update" || r.Verb == "patch") && r.Collection:
		return refuse(ErrMethod, "method", fmt.Sprintf("%s needs an object", r.Method), "put the object's name behind the resource")
	case r.Verb == "get" && r.Collection:
		r.Verb = "list"
	case r.Verb == "delete" && r.Collection:
		r.Verb = "deletecollection"
	}
	return nil
}
