package policy

import (
	"slices"

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

// mayFail reports whether a valid policy may still fail when it is evaluated: integers and
// dates overflow, and entities that are named in a policy have no attributes here.
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
