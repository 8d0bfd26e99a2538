package policy

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// unknowns says what of an Object is not known before the request is answered. A list shows objects whose names nobody
// knows yet: a forbid that would look at them applies, so that it cannot be evaded by asking for many at once; a permit
// that would does not. Attributes that are unknown are missing from the entity, so that reading one fails.
type unknowns uint8

const (
	unknownNamespace unknowns = 1 << iota
	unknownName
	unknownLabels
)

var unknownAttrs = map[types.String]unknowns{"namespace": unknownNamespace, "name": unknownName, "labels": unknownLabels}

// open keeps a forbid that is bound to a namespace or an object for questions about more than that one.
func (p *plan) open(key types.EntityUID, id types.PolicyID, rest *internalast.Policy) {
	if rest.Effect != internalast.EffectForbid || key.Type != "Namespace" && key.Type != "Object" {
		return
	}
	opened := *rest
	opened.Resource = internalast.ScopeTypeAll{}
	p.anywhere[key] = append(p.anywhere[key], live{id: id, policy: cedar.NewPolicyFromAST((*ast.Policy)(&opened)), unseen: unseen(rest)})
}

// yieldAnywhere yields the forbids bound to what may be among the objects that e stands for.
func (p *plan) yieldAnywhere(e *Entity, yield func(live) bool) {
	for key, rules := range p.anywhere {
		if !e.mayHold(key) {
			continue
		}
		for _, l := range rules {
			if !yield(l) {
				return
			}
		}
	}
}

// mayHold reports whether what e stands for may be in, or be, the entity that is named.
func (e *Entity) mayHold(key types.EntityUID) bool {
	switch key.Type {
	case "Namespace":
		return e.unknown&unknownNamespace != 0 && strings.HasPrefix(string(key.ID), string(e.resource)+"/")
	case "Object":
		if e.unknown&(unknownNamespace|unknownName) == 0 {
			return false
		}
		collection := strings.TrimSuffix(string(e.cedar.UID.ID), "/")
		if e.unknown&unknownNamespace != 0 {
			collection = strings.TrimSuffix(collection, "/")
		}
		return strings.HasPrefix(string(key.ID), collection+"/")
	}
	return false
}

// unseen says of which unknowns a policy's conditions read without failing: with has, in and ==.
func unseen(p *internalast.Policy) (out unknowns) {
	for _, c := range p.Conditions {
		internalast.Inspect(internalast.NewNode(c.Body), func(n internalast.IsNode) bool {
			switch t := n.(type) {
			case internalast.NodeTypeHas:
				out |= unknownAttrs[t.Value]
			case internalast.NodeValue:
				out |= unknownIn(t.Value)
			}
			return true
		})
	}
	return out
}

// unknownIn says which unknowns it takes to compare the resource with a value.
func unknownIn(v types.Value) (out unknowns) {
	switch v := v.(type) {
	case types.EntityUID:
		switch v.Type {
		case "Namespace":
			return unknownNamespace
		case "Object":
			return unknownNamespace | unknownName
		}
	case types.Set:
		for item := range v.All() {
			out |= unknownIn(item)
		}
	}
	return out
}

// withUnknowns adds the forbids that may apply to what the entity asked about stands for, and drops the failures of permits.
func (p *plan) withUnknowns(v *view, request cedar.Request, ok bool, diag cedar.Diagnostic) (bool, cedar.Diagnostic) {
	open := map[types.PolicyID]bool{} // those whose evaluation says nothing
	for _, err := range diag.Errors {
		open[err.PolicyID] = true
	}
	var applies []cedar.DiagnosticReason
	for l := range p.relevant(v.asked) {
		said := !open[l.id] && l.unseen&v.asked.unknown == 0 ||
			!ok && slices.ContainsFunc(diag.Reasons, func(r cedar.DiagnosticReason) bool { return r.PolicyID == l.id })
		if !said && l.policy.Effect() == cedar.Forbid && mayApply(l.policy, v, request) {
			applies = append(applies, cedar.DiagnosticReason{PolicyID: l.id})
		}
	}
	out := cedar.Diagnostic{Reasons: diag.Reasons}
	if len(applies) == 0 {
		return ok, out
	}
	if ok {
		out.Reasons = nil // the permits
	}
	out.Reasons = append(out.Reasons, applies...)
	return false, out
}

// mayApply reports whether a policy can apply to anything at all, for this principal and in this context.
func mayApply(p *cedar.Policy, v *view, request cedar.Request) bool {
	_, keep := eval.PartialPolicy(eval.Env{
		Principal: request.Principal, Action: request.Action, Resource: eval.Variable("resource"), Context: request.Context,
		Entities: &view{principal: v.principal, resource: v.resource, action: v.action},
	}, (*internalast.Policy)(p.AST()))
	return keep
}
