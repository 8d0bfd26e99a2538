package policy

import (
	"github.com/cedar-policy/cedar-go/types"
)

// ObjectInfo says what a request to a Kubernetes API server is about: one object, or a collection of them. What is not known
// beforehand, such as the names in a list, is unknown to policy: a forbid that would read it applies, and a permit that
// would does not.
type ObjectInfo struct {
	Group       string // of the API; empty is the core group
	Version     string
	Resource    string // plural and in lower case, such as "deployments"
	Subresource string // such as "scale"
	Namespace   string // empty for what has none, and for all namespaces together

	// AllNamespaces says that the collection spans namespaces, so that its Namespace is unknown.
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

// Object is one Kubernetes object or a collection, `Object::"prod/apps/deployments/shop/web"`. An empty name stands for the
// collection, and an empty namespace for what has none or for all.
func (r ResourceName) Object(o ObjectInfo) Entity {
	attrs := types.RecordMap{
		"group": types.String(o.Group), "version": types.String(o.Version), "resource": types.String(o.Resource),
		"subresource": types.String(o.Subresource),
	}
	parents := []types.EntityUID{r.apiResource(o.Group, o.Resource), r.uid()}
	var unknown unknowns
	if o.AllNamespaces {
		unknown |= unknownNamespace
	} else {
		attrs["namespace"] = types.String(o.Namespace)
		if o.Namespace != "" {
			parents = append(parents, r.namespace(o.Namespace))
		}
	}
	name := ""
	if o.NameKnown {
		name, attrs["name"] = o.Name, types.String(o.Name)
	} else {
		unknown |= unknownName
	}
	if o.LabelsKnown {
		attrs["labels"] = stringSet(o.Labels)
	} else {
		unknown |= unknownLabels
	}
	if o.AllNamespaces {
		name = "" // a name in every namespace is no object's
	}
	uid := types.NewEntityUID("Object", types.String(string(r)+"/"+o.Group+"/"+o.Resource+"/"+o.Namespace+"/"+name))
	return Entity{resource: r, parents: parents, unknown: unknown, cedar: types.Entity{
		UID: uid, Parents: types.NewEntityUIDSet(parents...), Attributes: types.NewRecord(attrs),
	}}
}

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
// name the object.
func (r ResourceName) Field(o ObjectInfo, path string, classes ...string) Entity {
	parents := []types.EntityUID{r.apiResource(o.Group, o.Resource), r.uid()}
	if o.Namespace != "" {
		parents = append(parents, r.namespace(o.Namespace))
	}
	for _, c := range classes {
		parents = append(parents, types.NewEntityUID("DataClass", types.String(c)))
	}
	return Entity{resource: r, parents: parents, cedar: types.Entity{
		UID:     types.NewEntityUID("Field", types.String(string(r)+"/"+o.Group+"/"+o.Resource+":"+path)),
		Parents: types.NewEntityUIDSet(parents...),
		Attributes: types.NewRecord(types.RecordMap{
			"group": types.String(o.Group), "resource": types.String(o.Resource), "namespace": types.String(o.Namespace),
			"name": types.String(o.Name), "path": types.String(path),
		}),
	}}
}

func (r ResourceName) apiResource(group, resource string) types.EntityUID {
	return types.NewEntityUID("APIResource", types.String(string(r)+"/"+group+"/"+resource))
}

func (r ResourceName) namespace(name string) types.EntityUID {
	return types.NewEntityUID("Namespace", types.String(string(r)+"/"+name))
}
