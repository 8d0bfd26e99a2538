package policy

import (
	"iter"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// index finds for every action the rules that can apply to it.
func (s *Set) index() {
	s.byAction = make(map[Action][]*rule, len(groups))
	for a := range groups {
		ent := actionEntity(a)
		for _, r := range s.rules {
			if actionInScope(ent, r.ast.Action) {
				s.byAction[a] = append(s.byAction[a], r)
			}
		}
	}
}

// actionEntities holds every action with all its groups as direct parents.
var actionEntities = func() map[Action]types.Entity {
	m := make(map[Action]types.Entity, len(groups))
	for a, in := range groups {
		parents := make([]types.EntityUID, len(in))
		for i, g := range in {
			parents[i] = actionUID(g)
		}
		m[a] = types.Entity{UID: actionUID(a), Parents: types.NewEntityUIDSet(parents...)}
	}
	return m
}()

func actionEntity(a Action) types.Entity { return actionEntities[a] }

func actionInScope(a types.Entity, scope internalast.IsActionScopeNode) bool {
	in := func(e types.EntityUID) bool { return a.UID == e || a.Parents.Contains(e) }
	switch s := scope.(type) {
	case internalast.ScopeTypeAll:
		return true
	case internalast.ScopeTypeEq:
		return a.UID == s.Entity
	case internalast.ScopeTypeIn:
		return in(s.Entity)
	case internalast.ScopeTypeInSet:
		return slices.ContainsFunc(s.Entities, in)
	}
	return true // not known: left to the evaluation
}

// live is a rule as it remains for one principal, one action and one resource.
type live struct {
	id     types.PolicyID
	policy *cedar.Policy
	scope  unknowns   // what it takes to know whether its resource scope holds
	open   unknowns   // what it reads that may be unknown, in its scope and conditions
	whole  *condition // its scope and conditions, where open is not empty
}

// plan holds what is left of a Set for one action: the rules that may apply to anything
// in the resource, and those bound to one entity in it.
type plan struct {
	general []live
	bound   map[types.EntityUID][]live
	objects []live // of bound, those bound to a namespace or an object of the resource
	reads   attrSet
	open    unknowns // what any of them reads that may be unknown
	role    bool     // one of them may read the role of an account
}

// specialise makes the rules of action a. Nothing is lost: a test compares it with the
// evaluation of all policies.
func (p *plans) specialise(a Action) *plan {
	out := &plan{bound: map[types.EntityUID][]live{}}
	env := eval.Env{
		Principal: p.principal.UID,
		Action:    actionUID(a),
		Resource:  eval.Variable("resource"),
		Context:   eval.Variable("context"),
		Entities:  &view{principal: p.principal, resource: p.resource, action: actionEntity(a)},
	}
	for _, r := range p.set.byAction[a] {
		scope, key, keep := p.narrow(r.ast.Resource)
		if !keep {
			continue
		}
		narrowed := *r.ast
		narrowed.Resource = scope
		if r.fallible {
			narrowed.Conditions = conjunction(narrowed.Conditions)
		}
		rest, keep := eval.PartialPolicy(env, &narrowed)
		if !keep {
			continue
		}
		reads, _, _ := contextReads(rest)
		out.reads |= reads
		out.role = out.role || readsRole(rest)
		out.add(p.resource.UID, key, liveOf(r, rest, key, a.unknowable()))
	}
	return out
}

// liveOf is r as rest remains of it, where no more than unknown may be unknown.
func liveOf(r *rule, rest *internalast.Policy, key types.EntityUID, unknown unknowns) live {
	l := live{id: types.PolicyID(r.id), policy: cedar.NewPolicyFromAST((*ast.Policy)(rest))}
	if unknown == 0 {
		return l
	}
	node := eval.PolicyToNode(rest).AsIsNode()
	values, flags := unknownsOf(node)
	if l.open = (values | flags) & unknown; l.open != 0 {
		whole := conditionOf(node)
		l.scope, l.whole = unknownIn(key), &whole
	}
	return l
}

// add keeps a rule of a resource that is bound to key, or to nothing.
func (p *plan) add(resource, key types.EntityUID, l live) {
	p.open |= l.open
	if key.IsZero() {
		p.general = append(p.general, l)
		return
	}
	p.bound[key] = append(p.bound[key], l)
	if l.scope != 0 && isInside(key, resource.ID) {
		p.objects = append(p.objects, l)
	}
}

// narrow settles a resource scope as far as the session's resource allows: a label or a
// resource is either always or never matched; what is inside the resource becomes a key.
func (p *plans) narrow(scope internalast.IsResourceScopeNode) (out internalast.IsResourceScopeNode, key types.EntityUID, keep bool) {
	switch s := scope.(type) {
	case internalast.ScopeTypeEq:
		return s, s.Entity, true
	case internalast.ScopeTypeIn:
		if always, never := p.root(s.Entity); never {
			return nil, key, false
		} else if always {
			return internalast.ScopeTypeAll{}, key, true
		}
		return s, s.Entity, true
	case internalast.ScopeTypeIsIn:
		if always, never := p.root(s.Entity); never {
			return nil, key, false
		} else if always {
			return internalast.ScopeTypeIs{Type: s.Type}, key, true
		}
		return s, s.Entity, true
	}
	return scope, key, true
}

// root says whether everything that can be asked about is in uid, or nothing is.
func (p *plans) root(uid types.EntityUID) (always, never bool) {
	switch uid.Type {
	case "Label":
		always = p.resource.Parents.Contains(uid)
		return always, !always
	case "Resource":
		always = p.resource.UID == uid
		return always, !always
	}
	return false, false
}

// conjunction makes one condition of several. Conditions are evaluated in order and the
// first false one ends it; kept apart, one that is known to be false would hide the failure
// of an earlier one.
func conjunction(in []internalast.ConditionType) []internalast.ConditionType {
	if len(in) < 2 {
		return in
	}
	var body internalast.Node
	for i := len(in) - 1; i >= 0; i-- {
		n := internalast.NewNode(in[i].Body)
		if in[i].Condition == internalast.ConditionUnless {
			n = internalast.Not(n)
		}
		if i == len(in)-1 {
			body = n
		} else {
			body = n.And(body)
		}
	}
	return []internalast.ConditionType{{Condition: internalast.ConditionWhen, Body: body.AsIsNode()}}
}

// relevant yields the rules of p that may apply to ent.
func (p *plan) relevant(ent *Entity) iter.Seq[*live] {
	return func(yield func(*live) bool) {
		if !yieldAll(p.general, yield) || len(p.bound) == 0 || !yieldAll(p.bound[ent.cedar.UID], yield) {
			return
		}
		for _, parent := range ent.parents {
			if !yieldAll(p.bound[parent], yield) {
				return
			}
		}
	}
}

func yieldAll(rules []live, yield func(*live) bool) bool {
	for i := range rules {
		if !yield(&rules[i]) {
			return false
		}
	}
	return true
}

// selection is a plan seen from one entity, as Cedar wants it: without what reads something unknown.
type selection struct {
	plan    *plan
	ent     *Entity
	unknown unknowns
	permits bool // and without the forbids
}

// All yields the policies.
func (s selection) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for l := range s.plan.relevant(s.ent) {
			if l.open&s.unknown != 0 || s.permits && l.policy.Effect() == cedar.Forbid {
				continue
			}
			if !yield(l.id, l.policy) {
				return
			}
		}
	}
}

// view is the entity store of one question.
type view struct {
	principal, resource, action types.Entity
	asked                       *Entity
	made                        *types.Entity // asked, once it was read
}

// Get finds one entity. What is not in the view has neither attributes nor parents.
func (v *view) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case v.resource.UID:
		return v.resource, true
	case v.principal.UID:
		return v.principal, true
	case v.action.UID:
		return v.action, true
	}
	if v.asked != nil && v.asked.cedar.UID == uid {
		if v.made == nil {
			whole := v.asked.whole()
			v.made = &whole
		}
		return *v.made, true
	}
	return types.Entity{}, false
}
