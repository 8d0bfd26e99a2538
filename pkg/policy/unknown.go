package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// unknowns says what is not known when a question is asked. A list shows objects whose names nobody knows yet, a patch may
// leave open what comes of it, and a port-forward names its ports later. A forbid that may apply to what a question stands for
// applies, so that it cannot be evaded by asking for many at once; a permit allows only what it covers whole.
type unknowns uint8

const (
	unknownNamespace unknowns = 1 << iota
	unknownName
	unknownLabels
	unknownBody
	unknownPorts

	unknownObject = unknownNamespace | unknownName // which object it is
)

// wildcard stands in the id of an Object for a namespace or a name that is unknown.
const wildcard = "*"

// unknownAttrs are attributes of an Object or an AWSResource that may be missing from it. Every one of them has them.
var unknownAttrs = map[types.String]unknowns{"namespace": unknownNamespace, "name": unknownName, "labels": unknownLabels,
	"arn": unknownName, "type": unknownName, "tags": unknownLabels}

// unknownFacts are the facts of a request that may be unknown. Those that say so themselves are in told.
var unknownFacts, told = func() (facts, told map[types.String]unknowns) {
	facts, told = map[types.String]unknowns{}, map[types.String]unknowns{
		attrNames[attrBodyKnown]: unknownBody, attrNames[attrPortsKnown]: unknownPorts,
	}
	for a := attrImages; a <= attrReplicas; a++ {
		facts[attrNames[a]] = unknownBody
	}
	facts[attrNames[attrPorts]] = unknownPorts
	return facts, told
}()

// unknowable is what may be unknown when a is asked about. Only a port-forward has ports.
func (a Action) unknowable() unknowns {
	switch {
	case a == K8sPortForward:
		return unknownObject | unknownLabels | unknownBody | unknownPorts
	case a.family() == familyAPI:
		return unknownObject | unknownLabels | unknownBody
	case a.family() == familyCall:
		return unknownName | unknownLabels
	}
	return 0
}

// depends says what to find out before asking again.
func (u unknowns) depends() (d Depends) {
	if u&unknownLabels != 0 {
		d |= DependsLabels
	}
	if u&unknownBody != 0 {
		d |= DependsBody
	}
	if u&unknownPorts != 0 {
		d |= DependsPorts
	}
	return d
}

// hint is added to the reason of a refusal that rests on which object it is.
func (u unknowns) hint() string {
	if u&unknownObject == 0 {
		return ""
	}
	return "; it may be otherwise for one namespace or one object, so name it"
}

// unknownsOf says which unknowns it takes to evaluate a node, and of which it only asks whether they are known.
func unknownsOf(n internalast.IsNode) (values, flags unknowns) {
	internalast.Inspect(internalast.NewNode(n), func(n internalast.IsNode) bool {
		switch t := n.(type) {
		case internalast.NodeTypeAccess:
			switch variable(t.Arg) {
			case "resource":
				values |= unknownAttrs[t.Value]
				return false
			case "context":
				values |= unknownFacts[t.Value]
				flags |= told[t.Value]
				return false
			}
		case internalast.NodeTypeHas:
			switch variable(t.Arg) {
			case "resource":
				values |= unknownAttrs[t.Value]
				return false
			case "context":
				return false // every fact has a value
			}
		case internalast.NodeTypeIs:
			return variable(t.Left) != "resource"
		case internalast.NodeTypeVariable:
			switch t.Name {
			case "resource":
				values |= unknownObject
			case "context":
				values |= unknownBody | unknownPorts
			}
		}
		if eq, ok := n.(internalast.NodeTypeEquals); ok && variable(eq.Left) == "resource" {
			if v, ok := eq.Right.(internalast.NodeValue); ok && !isSingle(v.Value) {
				return false // it is known what type the resource is of, and only the id of a single thing may be unknown
			}
		}
		if _, among, ok := membership(n); ok {
			for _, uid := range among {
				values |= unknownIn(uid)
			}
			return false
		}
		return true
	})
	return values, flags
}

// isSingle reports entities in which nothing else is, and whose id may be unknown.
func isSingle(v types.Value) bool {
	uid, ok := v.(types.EntityUID)
	return ok && (uid.Type == "Object" || uid.Type == awsResource)
}

// variable names the variable that a node is, "" for any other node.
func variable(n internalast.IsNode) types.String {
	if v, ok := n.(internalast.NodeTypeVariable); ok {
		return v.Name
	}
	return ""
}

// membership takes apart `resource == E`, `resource in E`, `resource in [E, ...]` and `resource is T in E`: ways to tell objects
// apart that are answered as far as the ids go.
func membership(n internalast.IsNode) (kind types.EntityType, among []types.EntityUID, ok bool) {
	switch t := n.(type) {
	case internalast.NodeTypeEquals:
		left, right := t.Left, t.Right
		if variable(right) == "resource" {
			left, right = right, left
		}
		if among, ok = literals(right); ok && len(among) == 1 && isSingle(among[0]) {
			return "", among, variable(left) == "resource"
		}
	case internalast.NodeTypeIn:
		among, ok = literals(t.Right)
		return "", among, ok && variable(t.Left) == "resource"
	case internalast.NodeTypeIsIn:
		among, ok = literals(t.Entity)
		return t.EntityType, among, ok && variable(t.Left) == "resource"
	}
	return "", nil, false
}

// literals are the entities that a node names.
func literals(n internalast.IsNode) (all []types.EntityUID, ok bool) {
	switch t := n.(type) {
	case internalast.NodeValue:
		return entitiesIn(t.Value)
	case internalast.NodeTypeSet:
		for _, item := range t.Elements {
			some, ok := literals(item)
			if !ok {
				return nil, false
			}
			all = append(all, some...)
		}
		return all, true
	}
	return nil, false
}

func entitiesIn(v types.Value) (all []types.EntityUID, ok bool) {
	switch v := v.(type) {
	case types.EntityUID:
		return []types.EntityUID{v}, true
	case types.Set:
		for item := range v.All() {
			uid, ok := item.(types.EntityUID)
			if !ok {
				return nil, false
			}
			all = append(all, uid)
		}
		return all, true
	}
	return nil, false
}

// isAlwaysKnown reports entities of which it is always known whether an object is in them.
func isAlwaysKnown(uid types.EntityUID) bool { return unknownIn(uid) == 0 }

// unknownIn says what it takes to know whether an object is in an entity.
func unknownIn(uid types.EntityUID) unknowns {
	switch uid.Type {
	case "Namespace":
		return unknownNamespace
	case "Object":
		return unknownObject
	case awsResource:
		return unknownName
	}
	return 0
}

// isInside reports whether the id of a Namespace, an Object or an AWSResource is of the resource.
func isInside(uid types.EntityUID, resource types.String) bool {
	return len(uid.ID) > len(resource) && uid.ID[:len(resource)] == resource && uid.ID[len(resource)] == '/'
}

// mayBeIn compares what is known of e with the id of a Namespace, an Object or an AWSResource.
func (e *Entity) mayBeIn(uid types.EntityUID) bool {
	if !isInside(uid, types.String(e.resource)) {
		return false
	}
	if kind := e.cedar.UID.Type; kind == awsResource || uid.Type == awsResource {
		return kind == uid.Type && e.mayBeCalled(string(uid.ID))
	}
	own, other := string(e.cedar.UID.ID[len(e.resource)+1:]), string(uid.ID[len(e.resource)+1:])
	for more := uid.Type == "Object"; more; {
		var mine, theirs string
		var too bool
		mine, own, more = strings.Cut(own, "/")
		theirs, other, too = strings.Cut(other, "/")
		if mine != wildcard && mine != theirs || more != too {
			return false
		}
	}
	return true
}
