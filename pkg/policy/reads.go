package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// contextReads says which attributes of the context p's conditions read, and whether p uses
// the context as a whole; then set holds all attributes and named only those that are named.
func contextReads(p *internalast.Policy) (set attrSet, whole bool, named attrSet) {
	for _, c := range p.Conditions {
		internalast.Inspect(internalast.NewNode(c.Body), func(n internalast.IsNode) bool {
			var op internalast.StrOpNode
			switch t := n.(type) {
			case internalast.NodeTypeAccess:
				op = t.StrOpNode
			case internalast.NodeTypeHas:
				op = t.StrOpNode
			case internalast.NodeTypeVariable:
				whole = whole || t.Name == "context"
				return true
			default:
				return true
			}
			if v, ok := op.Arg.(internalast.NodeTypeVariable); !ok || v.Name != "context" {
				return true
			}
			if i := slices.Index(attrNames[:], op.Value); i >= 0 {
				named |= 1 << i
			}
			return false
		})
	}
	if whole {
		return 1<<attrCount - 1, true, named
	}
	return named, false, named
}

// readsRole reports whether p may ask something for its role.
func readsRole(p *internalast.Policy) (found bool) {
	for _, c := range p.Conditions {
		internalast.Inspect(internalast.NewNode(c.Body), func(n internalast.IsNode) bool {
			switch t := n.(type) {
			case internalast.NodeTypeAccess:
				found = found || t.Value == attrRole
			case internalast.NodeTypeHas:
				found = found || t.Value == attrRole
			}
			return !found
		})
	}
	return found
}

// mayFail reports whether a valid policy may still fail when it is evaluated: integers and
// dates overflow.
func mayFail(p *internalast.Policy) bool {
	return slices.ContainsFunc(p.Conditions, func(c internalast.ConditionType) bool { return nodeMayFail(c.Body) })
}

func nodeMayFail(n internalast.IsNode) (found bool) {
	internalast.Inspect(internalast.NewNode(n), func(n internalast.IsNode) bool {
		switch t := n.(type) {
		case internalast.NodeTypeAdd, internalast.NodeTypeSub, internalast.NodeTypeMult, internalast.NodeTypeNegate,
			internalast.NodeTypeExtensionCall, internalast.NodeTypeGetTag:
			found = true
		case internalast.NodeTypeAccess:
			_, plain := t.Arg.(internalast.NodeTypeVariable)
			found = found || !plain
		}
		return !found
	})
	return found
}

// readsNamed finds an entity that p names and asks something of: an attribute, or what it is in. Only what a question is about is
// known; whether a named entity is that changes from one question to the next.
func readsNamed(p *internalast.Policy) (uid types.EntityUID, found bool) {
	for _, c := range p.Conditions {
		internalast.Inspect(internalast.NewNode(c.Body), func(n internalast.IsNode) bool {
			var read internalast.IsNode
			switch t := n.(type) {
			case internalast.NodeTypeAccess:
				read = t.Arg
			case internalast.NodeTypeHas:
				read = t.Arg
			case internalast.NodeTypeGetTag:
				read = t.Left
			case internalast.NodeTypeHasTag:
				read = t.Left
			case internalast.NodeTypeIn:
				read = t.Left
			case internalast.NodeTypeIsIn:
				read = t.Left
			}
			if !found && read != nil {
				uid, found = named(read)
			}
			return !found
		})
	}
	return uid, found
}

// named finds an entity that n may come to, and that is named in it.
func named(n internalast.IsNode) (types.EntityUID, bool) {
	switch t := n.(type) {
	case internalast.NodeValue:
		uid, ok := t.Value.(types.EntityUID)
		return uid, ok
	case internalast.NodeTypeIfThenElse:
		if uid, ok := named(t.Then); ok {
			return uid, true
		}
		return named(t.Else)
	case internalast.NodeTypeAccess:
		return named(t.Arg)
	case internalast.NodeTypeRecord:
		for _, e := range t.Elements {
			if uid, ok := named(e.Value); ok {
				return uid, true
			}
		}
	}
	return types.EntityUID{}, false
}
