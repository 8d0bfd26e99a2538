package kubernetes

import (
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/policy"
)

const (
	rbacGroup  = "rbac.authorization.k8s.io"
	certsGroup = "certificates.k8s.io"
)

// subjectOf says what a request does, in the words of policy.
func subjectOf(name policy.ResourceName, r kubeapi.Request, b kubeapi.Body) *enforce.Subject {
	return subjectWith(name, r, b, nil)
}

// subjectWith is subjectOf for an object whose labels were found; nil are not known.
func subjectWith(name policy.ResourceName, r kubeapi.Request, b kubeapi.Body, labels []string) *enforce.Subject {
	facts := factsOf(r, b)
	sub := &enforce.Subject{Once: r.Writes() || r.Streams() || labels != nil}
	var questions []policy.Question
	if !r.IsResource {
		questions = []policy.Question{nonResource(name, r.Path)}
	} else {
		info := objectOf(r, b)
		if labels != nil {
			info.Labels, info.LabelsKnown = labels, true
		}
		objects := []policy.Entity{name.Object(info)}
		if after, changed := relabelled(info, r, b); changed {
			objects = append(objects, name.Object(after))
		}
		for _, a := range actionsOf(r, b) {
			if a == policy.K8sDiscover {
				objects = []policy.Entity{name.Itself()}
			}
			for _, o := range objects {
				questions = append(questions, policy.Question{Action: a, Entity: o})
			}
		}
		sub.Tables = []string{objectText(r, b)}
	}
	sub.Asks = []enforce.Ask{{Facts: facts.Facts(), Questions: questions}}
	for _, q := range questions {
		sub.Actions = append(sub.Actions, string(q.Action))
		sub.Durable = sub.Durable || !q.Action.In(policy.K8sRead)
	}
	return sub
}

// relabelled is an object with the labels that a change adds, where its labels are known: what may not be made with a label
// may not be given it either. Where the outcome cannot be told, nor can they.
func relabelled(o policy.ObjectInfo, r kubeapi.Request, b kubeapi.Body) (after policy.ObjectInfo, changed bool) {
	if !o.LabelsKnown || r.Verb != "update" && r.Verb != "patch" {
		return o, false
	}
	before := o.Labels
	if o.LabelsKnown = b.Facts.Known; !o.LabelsKnown {
		return o, true
	}
	o.Labels = slices.Compact(slices.Sorted(slices.Values(slices.Concat(before, labelList(b.Labels)))))
	return o, len(o.Labels) > len(before)
}

// discovery are the paths that every client asks, and those that tell health and version.
var discovery = []string{"/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz"}

func nonResource(name policy.ResourceName, path string) policy.Question {
	for _, d := range discovery {
		if path == d || strings.HasPrefix(path, d+"/") {
			return policy.Question{Action: policy.K8sDiscover, Entity: name.Itself()}
		}
	}
	return policy.Question{Action: policy.K8sNonResource, Entity: name.NonResource(path)}
}

func objectOf(r kubeapi.Request, b kubeapi.Body) policy.ObjectInfo {
	o := policy.ObjectInfo{
		Group: r.Group, Version: r.Version, Resource: r.Resource, Subresource: r.Subresource, Namespace: r.Namespace,
		AllNamespaces: r.AllNamespaces, Name: r.Name, NameKnown: r.Name != "",
	}
	if r.Verb == "create" && r.Name == "" && b.Name != "" {
		o.Name, o.NameKnown = b.Name, true
	}
	if r.Verb == "create" && r.Subresource == "" {
		o.Labels, o.LabelsKnown = labelList(b.Labels), true
	}
	return o
}

// actionsOf returns the actions that a request to a resource needs, all of them.
func actionsOf(r kubeapi.Request, b kubeapi.Body) []policy.Action {
	if a := special(r); a != "" {
		return []policy.Action{a}
	}
	verb := map[string]policy.Action{
		"get": policy.K8sGet, "head": policy.K8sGet, "list": policy.K8sList, "watch": policy.K8sWatch, "create": policy.K8sCreate, "update": policy.K8sUpdate,
		"patch": policy.K8sPatch, "delete": policy.K8sDelete, "deletecollection": policy.K8sDeleteCollection,
	}[r.Verb]
	switch {
	case verb == "":
		return nil // nothing asked is refused
	case !r.Writes():
		return []policy.Action{verb}
	case b.DryRun:
		return []policy.Action{policy.K8sDryRun}
	}
	actions := []policy.Action{verb}
	if b.Patch == kubeapi.ApplyPatch || verb == policy.K8sUpdate && r.Subresource == "" && b.ResourceVersion == "" {
		actions = append(actions, policy.K8sCreate) // it makes what is not there
	}
	if r.Group == rbacGroup && verb != policy.K8sDelete && verb != policy.K8sDeleteCollection {
		switch r.Resource {
		case "roles", "clusterroles":
			actions = append(actions, policy.K8sEscalate)
		case "rolebindings", "clusterrolebindings":
			actions = append(actions, policy.K8sBind)
		}
	}
	return actions
}

// special returns the action of a request that is more, or less, than its verb says.
func special(r kubeapi.Request) policy.Action {
	core := r.Group == ""
	at := r.Resource + "/" + r.Subresource
	switch {
	case r.Proxies():
		return policy.K8sProxy
	case r.Streams():
		return streamAction(r)
	case core && at == "pods/log":
		return policy.K8sLogs
	case core && at == "pods/ephemeralcontainers" && r.Writes():
		return policy.K8sDebug
	case core && at == "pods/eviction" && r.Writes():
		return policy.K8sDelete
	case core && at == "serviceaccounts/token":
		return policy.K8sToken
	case r.Group == certsGroup && r.Resource == "certificatesigningrequests" && r.Subresource != "" && r.Writes():
		return policy.K8sApprove
	case r.Verb == "create" && r.Subresource == "" && asksAboutOneself(r):
		return policy.K8sDiscover
	}
	return ""
}

// asksAboutOneself reports what kubectl auth can-i and whoami send.
func asksAboutOneself(r kubeapi.Request) bool {
	return r.Group == "authorization.k8s.io" && (r.Resource == "selfsubjectaccessreviews" || r.Resource == "selfsubjectrulesreviews") ||
		r.Group == "authentication.k8s.io" && r.Resource == "selfsubjectreviews"
}

func streamAction(r kubeapi.Request) policy.Action {
	switch r.Subresource {
	case "attach":
		return policy.K8sAttach
	case "portforward":
		return policy.K8sPortForward
	}
	switch {
	case copiesOut(r.Exec):
		return policy.K8sCopyOut
	case copiesIn(r.Exec):
		return policy.K8sCopyIn
	}
	return policy.K8sExec
}

// copiesOut reports the command that kubectl cp reads with (k8s.io/kubectl/pkg/cmd/cp): tar alone can run programs, so
// nothing but exactly this counts.
func copiesOut(e *kubeapi.Exec) bool {
	return e != nil && !e.TTY && !e.Stdin && len(e.Command) == 4 && slices.Equal(e.Command[:3], []string{"tar", "cf", "-"}) && plainPath(e.Command[3])
}

// copiesIn reports the commands that kubectl cp writes with.
func copiesIn(e *kubeapi.Exec) bool {
	if e == nil || e.TTY || !e.Stdin {
		return false
	}
	words := slices.DeleteFunc(slices.Clone(e.Command), func(w string) bool {
		return w == "--no-same-permissions" || w == "--no-same-owner"
	})
	return slices.Equal(words, []string{"tar", "-xmf", "-"}) ||
		len(words) == 5 && slices.Equal(words[:4], []string{"tar", "-xmf", "-", "-C"}) && plainPath(words[4])
}

func plainPath(s string) bool { return s != "" && s[0] != '-' }

func factsOf(r kubeapi.Request, b kubeapi.Body) policy.APIRequest {
	f := b.Facts
	out := policy.APIRequest{
		Verb: r.Verb, Subresource: r.Subresource, Collection: r.Collection, DryRun: b.DryRun || r.DryRun,
		BodyKnown: f.Known, Images: f.Images, Privileged: f.Privileged, HostNamespaces: f.HostNamespaces, HostPaths: f.HostPaths,
		ServiceAccounts: f.ServiceAccounts, Secrets: f.Secrets, ConfigMaps: f.ConfigMaps, Roles: f.RoleRefs, Subjects: f.Subjects,
		Replicas: f.Replicas,
	}
	if !r.Writes() || r.Streams() {
		out.BodyKnown, out.Privileged, out.HostNamespaces = true, false, false // there is no body
	}
	if r.Exec != nil {
		out.Command, out.Container, out.Stdin, out.TTY = strings.Join(r.Exec.Command, " "), r.Exec.Container, r.Exec.Stdin, r.Exec.TTY
	}
	for _, p := range r.Ports {
		out.Ports = append(out.Ports, int64(p))
	}
	return out
}

// objectText names what a request is about, for records and approvers: "apps/deployments/scale shop/web".
func objectText(r kubeapi.Request, b kubeapi.Body) string {
	name := r.Resource
	if r.Group != "" {
		name = r.Group + "/" + name
	}
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	object := r.Name
	if object == "" {
		object = b.Name
	}
	switch {
	case r.Namespace != "" && r.Resource != "namespaces":
		return name + " " + r.Namespace + "/" + object
	case object != "":
		return name + " " + object
	}
	return name
}
