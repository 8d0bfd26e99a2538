package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"
)

// ObjectInfo says what a request to a Kubernetes API server is about: one object, or a collection of them. What is not known
// beforehand, such as the names in a list, is unknown to policy: a forbid that may apply to some of it applies, and a permit
// counts only if it covers all of it.
//
// A namespace is in itself: its Namespace is its Name, whatever the field holds. A change that may change labels is asked
// about twice, with the labels before and with those after.
type ObjectInfo struct {
	Group       string // of the API; empty is the core group
	Version     string
	Resource    string // plural and in lower case, such as "deployments"
	Subresource string // such as "scale"
	Namespace   string // empty for what has none, and for all namespaces together

	// AllNamespaces says that the collection spans namespaces, or that nobody knows whether it does, so that its Namespace is
	// unknown.
	AllNamespaces bool

	Name      string
	NameKnown bool
	// Labels are "key=value".
	Labels      []string
	LabelsKnown bool
}

// APIResource is one sort of Kubernetes object with its subresources, `APIResource::"prod/apps/deployments"`; the core
// group is empty: `APIResource::"prod//pods"`.
func (r ResourceName) APIResource(group, resource string) Entity {
	return Entity{resource: r, parents: []types.EntityUID{r.uid()}, cedar: types.Entity{
		UID: r.apiResource(group, resource), Parents: types.NewEntityUIDSet(r.uid()),
		Attributes: types.NewRecord(types.RecordMap{"group": types.String(group), "resource": types.String(resource)}),
	}}
}

// Object is one Kubernetes object or a collection, `Object::"prod/apps/deployments/shop/web"`. The namespace of what has none is
// empty there; an asterisk stands for a namespace and for a name that is unknown. Names with a slash are refused.
func (r ResourceName) Object(o ObjectInfo) Entity {
	attrs, parents, unknown := r.placed(o)
	attrs["version"], attrs["subresource"] = types.String(o.Version), types.String(o.Subresource)
	if o.LabelsKnown {
		attrs["labels"] = stringSet(o.Labels)
	} else {
		unknown |= unknownLabels
	}
	namespace, name := o.Namespace, o.Name
	switch {
	case o.isNamespace():
		namespace = ""
	case unknown&unknownNamespace != 0:
		namespace = wildcard
	}
	if unknown&unknownName != 0 {
		name = wildcard
	}
	id := string(r) + "/" + o.Group + "/" + o.Resource + "/" + namespace + "/" + name
	if strings.Count(id, "/") != objectSlashes {
		return Entity{}
	}
	return Entity{resource: r, parents: parents, unknown: unknown, cedar: types.Entity{
		UID: types.NewEntityUID("Object", types.String(id)), Parents: types.NewEntityUIDSet(parents...), Attributes: types.NewRecord(attrs),
	}}
}

// objectSlashes is how many slashes the id of an Object has.
const objectSlashes = 4

// NonResource is a path of an API server that is no object, `Path::"prod/metrics"`.
func (r ResourceName) NonResource(path string) Entity {
	parents := []types.EntityUID{r.uid()}
	return Entity{resource: r, parents: parents, cedar: types.Entity{
		UID:        types.NewEntityUID("Path", types.String(string(r)+path)),
		Parents:    types.NewEntityUIDSet(parents...),
		Attributes: types.NewRecord(types.RecordMap{"path": types.String(path)}),
	}}
}

// Field is one classified field of a Kubernetes object, with its data classes, `Field::"prod//secrets:data.*"`. Its attributes
// name the object, and are unknown as those of an Object are.
func (r ResourceName) Field(o ObjectInfo, path string, classes ...string) Entity {
	attrs, parents, unknown := r.placed(o)
	attrs["path"] = types.String(path)
	for _, c := range classes {
		parents = append(parents, types.NewEntityUID("DataClass", types.String(c)))
	}
	return Entity{resource: r, parents: parents, unknown: unknown, cedar: types.Entity{
		UID:     types.NewEntityUID("Field", types.String(string(r)+"/"+o.Group+"/"+o.Resource+":"+path)),
		Parents: types.NewEntityUIDSet(parents...), Attributes: types.NewRecord(attrs),
	}}
}

// placed says where an object is, as far as that is known.
func (r ResourceName) placed(o ObjectInfo) (attrs types.RecordMap, parents []types.EntityUID, unknown unknowns) {
	attrs = types.RecordMap{"group": types.String(o.Group), "resource": types.String(o.Resource)}
	parents = []types.EntityUID{r.apiResource(o.Group, o.Resource), r.uid()}
	if o.NameKnown {
		attrs["name"] = types.String(o.Name)
	} else {
		unknown |= unknownName
	}
	namespace, known := o.Namespace, !o.AllNamespaces
	if o.isNamespace() {
		namespace, known = o.Name, o.NameKnown
	}
	if !known {
		return attrs, parents, unknown | unknownNamespace
	}
	attrs["namespace"] = types.String(namespace)
	if namespace != "" {
		parents = append(parents, r.namespace(namespace))
	}
	return attrs, parents, unknown
}

func (o ObjectInfo) isNamespace() bool { return o.Group == "" && o.Resource == "namespaces" }

func (r ResourceName) apiResource(group, resource string) types.EntityUID {
	return types.NewEntityUID("APIResource", types.String(string(r)+"/"+group+"/"+resource))
}

func (r ResourceName) namespace(name string) types.EntityUID {
	return types.NewEntityUID("Namespace", types.String(string(r)+"/"+name))
}
