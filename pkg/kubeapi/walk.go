package kubeapi

import (
	"encoding/json"
	"slices"
	"strings"
)

// walk gathers facts from a document by the keys under which values stand. Keys are folded, and places in lists are left
// out: the image of the first container stands under spec, containers, image.
type walk struct {
	patch    Patch
	core     string // the resource, if it is of the core group
	csr      bool
	found    Facts
	opaque   bool // something was not understood
	replicas []int64

	images, hostPaths, serviceAccounts, secrets, configMaps, roleRefs, subjects, verbs, signers names
}

func newWalk(r Request, p Patch) *walk {
	w := &walk{
		patch: p, csr: r.Group == "certificates.k8s.io" && r.Resource == "certificatesigningrequests",
		images: names{}, hostPaths: names{}, serviceAccounts: names{}, secrets: names{}, configMaps: names{},
		roleRefs: names{}, subjects: names{}, verbs: names{}, signers: names{},
	}
	if r.Group == "" {
		w.core = r.Resource
	}
	return w
}

// add takes a name in. One that no such thing can have is not repeated anywhere.
func (w *walk) add(to names, name string) {
	switch {
	case name == "":
	case len(name) > 1024 || !printable(name):
		w.opaque = true
	default:
		to[name] = struct{}{}
	}
}

// value takes in what stands under keys, and everything within.
func (w *walk) value(keys []string, v any) {
	if w.private(keys) {
		return
	}
	if last(keys, 1) == "ephemeralcontainers" && v != nil {
		w.found.EphemeralContainers = true
	}
	switch v := v.(type) {
	case map[string]any:
		w.object(keys, v)
		for key, within := range v {
			if w.patch == StrategicMergePatch && strings.HasPrefix(key, "$setElementOrder/") {
				continue // puts in order what stands elsewhere
			}
			w.value(append(keys, fold(key)), within)
		}
	case []any:
		w.list(keys, v)
		for _, within := range v {
			w.value(keys, within)
		}
	case nil:
		w.remove(keys)
	case bool:
		w.boolean(last(keys, 1), v)
	case json.Number:
		w.number(keys, v)
	case string:
		w.text(keys, v)
	}
}

// last returns the key that stands n places from the end, or "".
func last(keys []string, n int) string {
	if len(keys) < n {
		return ""
	}
	return keys[len(keys)-n]
}

// private reports values that are somebody's data, and may be secret.
func (w *walk) private(keys []string) bool {
	if len(keys) == 0 || w.core != "secrets" && w.core != "configmaps" {
		return false
	}
	return keys[0] == "data" || keys[0] == "stringdata" || keys[0] == "binarydata"
}

func (w *walk) object(keys []string, o map[string]any) {
	switch last(keys, 1) {
	case "roleref":
		w.roleRef(o)
	case "subjects":
		w.subject(o)
	case "image":
		w.image(o)
	case "aggregationrule":
		w.found.Escalates = true
	}
}

func (w *walk) boolean(key string, v bool) {
	switch key {
	case "privileged", "allowprivilegeescalation", "hostprocess":
		w.found.Privileged = w.found.Privileged || v
	case "hostnetwork", "hostpid", "hostipc":
		w.found.HostNamespaces = w.found.HostNamespaces || v
	case "hostusers":
		w.found.Privileged = w.found.Privileged || v && w.patch != NoPatch
	case "runasnonroot":
		w.found.Privileged = w.found.Privileged || !v && w.patch != NoPatch
	}
}

func (w *walk) number(keys []string, v json.Number) {
	switch {
	case last(keys, 1) == "hostport":
		if f, err := v.Float64(); err != nil || f != 0 {
			w.found.HostNamespaces = true
		}
	case slices.Equal(keys, []string{"spec", "replicas"}):
		n, err := v.Int64()
		if err != nil {
			w.opaque = true
		} else if !slices.Contains(w.replicas, n) {
			w.replicas = append(w.replicas, n)
		}
	}
}

func (w *walk) text(keys []string, s string) {
	key, under := last(keys, 1), last(keys, 2)
	if unconfined(key, under, s) {
		w.found.Privileged = true
	}
	if strings.HasSuffix(key, "image") {
		w.add(w.images, s)
	}
	switch key {
	case "reference":
		if under == "image" {
			w.add(w.images, s)
		}
	case "hostpath":
		w.add(w.hostPaths, s)
	case "path":
		if under == "hostpath" || slices.Equal(keys, []string{"spec", "local", "path"}) {
			w.add(w.hostPaths, s)
		}
	case "serviceaccountname", "serviceaccount":
		w.add(w.serviceAccounts, s)
	case "name":
		w.named(under, s)
	case "signername":
		w.add(w.signers, s)
	case "request":
		if w.csr && slices.Equal(keys, []string{"spec", "request"}) {
			w.certificate(s)
		}
	case "verbs":
		w.verb(s)
	}
	if strings.HasSuffix(key, "secretname") {
		w.add(w.secrets, s)
	}
	if under == "labels" && strings.HasPrefix(key, "rbac.authorization.k8s.io/aggregate-to-") && s == "true" {
		w.found.Escalates = true
	}
}

// named takes in a name that stands under a key that says what it is the name of.
func (w *walk) named(under, name string) {
	ends := func(suffixes ...string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(under, s) })
	}
	switch {
	case under == "secrets", ends("secret", "pullsecrets", "secretref", "secretkeyref", "secretkeyselector"):
		w.add(w.secrets, name)
	case ends("configmap", "configmapref", "configmapkeyref"):
		w.add(w.configMaps, name)
	case ends("serviceaccount", "serviceaccountref"):
		w.add(w.serviceAccounts, name)
	}
}

func (w *walk) verb(s string) {
	w.add(w.verbs, s)
	switch s {
	case "*", "bind", "escalate", "impersonate":
		w.found.Escalates = true
	}
}

// image takes in one that is written as an object, as many custom resources do.
func (w *walk) image(o map[string]any) {
	name, _ := o["repository"].(string)
	if name == "" {
		name, _ = o["name"].(string)
	}
	if name == "" {
		for _, part := range []string{"registry", "tag", "digest"} {
			_, has := o[part].(string)
			w.opaque = w.opaque || has // a part of an image that is not here as a whole
		}
		return
	}
	if registry, _ := o["registry"].(string); registry != "" {
		name = registry + "/" + name
	}
	if tag, _ := o["tag"].(string); tag != "" {
		name += ":" + tag
	}
	if digest, _ := o["digest"].(string); digest != "" {
		name += "@" + digest
	}
	w.add(w.images, name)
}
