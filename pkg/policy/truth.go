package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// truth is what a condition comes to where not everything that it reads is known.
type truth uint8

const (
	no truth = iota
	yes
	maybe // it holds for some of what is asked about, or for all, or for nothing
	fails // its evaluation fails, for some of it at least
)

// answer is a truth, and what must come to be known for another one. Nothing changes one that rests on nothing.
type answer struct {
	truth
	rests unknowns
}

func (a answer) settled() bool { return a.rests == 0 }

// not turns a around where flip holds.
func (a answer) not(flip bool) answer {
	switch {
	case flip && a.truth == yes:
		a.truth = no
	case flip && a.truth == no:
		a.truth = yes
	}
	return a
}

type operator uint8

const (
	opLeaf operator = iota
	opAnd
	opOr
	opNot
	opIf
	opHas    // resource has an attribute that may be unknown, but is there
	opMember // resource is one of, or in one of, the entities
)

// condition is a policy's scope and conditions, taken apart as far as and, or, not and if put them together, so that they can
// be weighed where something that they read is unknown.
type condition struct {
	op       operator
	parts    []condition
	node     internalast.IsNode
	reads    unknowns // what must be known to evaluate the node
	flags    unknowns // what the node asks whether it is known
	fallible bool     // evaluating a leaf may fail

	kind  types.EntityType  // of opMember, the type that the resource must have besides; empty is any
	among []types.EntityUID // of opMember, namespaces or objects
}

// conditionOf takes apart a node of a valid policy.
func conditionOf(n internalast.IsNode) condition {
	c := condition{node: n}
	c.reads, c.flags = unknownsOf(n)
	switch t := n.(type) {
	case internalast.NodeTypeAnd:
		c.op, c.parts = opAnd, conditionsOf(t.Left, t.Right)
	case internalast.NodeTypeOr:
		c.op, c.parts = opOr, conditionsOf(t.Left, t.Right)
	case internalast.NodeTypeNot:
		c.op, c.parts = opNot, conditionsOf(t.Arg)
	case internalast.NodeTypeNotEquals:
		c.op, c.parts = opNot, conditionsOf(internalast.NodeTypeEquals(t))
	case internalast.NodeTypeIfThenElse:
		c.op, c.parts = opIf, conditionsOf(t.If, t.Then, t.Else)
	case internalast.NodeTypeHas:
		if variable(t.Arg) == "resource" {
			c.op = opHas
		}
	default:
		if kind, among, ok := membership(n); ok && !slices.ContainsFunc(among, isAlwaysKnown) {
			c.op, c.kind, c.among = opMember, kind, among
		}
		c.fallible = nodeMayFail(n)
	}
	return c
}

func conditionsOf(nodes ...internalast.IsNode) []condition {
	parts := make([]condition, len(nodes))
	for i, n := range nodes {
		parts[i] = conditionOf(n)
	}
	return parts
}

// weighing is what a condition is weighed for.
type weighing struct {
	asked   *Entity
	unknown unknowns
	env     eval.Env
}

func (w *weighing) weigh(c *condition) answer {
	open := (c.reads | c.flags) & w.unknown
	if open == 0 {
		return answer{truth: w.evaluate(c.node)}
	}
	switch c.op {
	case opAnd:
		return w.both(c.parts, false)
	case opOr:
		return w.both(c.parts, true).not(true)
	case opNot:
		return w.weigh(&c.parts[0]).not(true)
	case opIf:
		return w.choose(c.parts)
	case opHas:
		return answer{truth: yes}
	case opMember:
		return w.member(c)
	}
	switch {
	case c.reads&w.unknown == 0:
		return answer{w.evaluate(c.node), open}
	case c.fallible:
		return answer{fails, open}
	}
	return answer{maybe, open}
}

// evaluate is for a node that reads nothing unknown.
func (w *weighing) evaluate(n internalast.IsNode) truth {
	v, err := eval.Eval(n, w.env)
	switch {
	case err != nil:
		return fails
	case v == types.True:
		return yes
	case v == types.False:
		return no
	}
	return fails
}

// both is and; with each part and the outcome turned around it is or.
func (w *weighing) both(parts []condition, flip bool) answer {
	left := w.weigh(&parts[0]).not(flip)
	if left.truth == fails || left.truth == no && left.settled() {
		return left
	}
	right := w.weigh(&parts[1]).not(flip)
	out := answer{maybe, left.rests | right.rests}
	switch {
	case right.truth == no && right.settled():
		return right
	case left.truth == no:
		out.truth = no
	case right.truth == fails, right.truth == no, left.truth == yes:
		out.truth = right.truth
	}
	return out
}

// choose is if then else.
func (w *weighing) choose(parts []condition) answer {
	when := w.weigh(&parts[0])
	switch {
	case when.truth == fails:
		return when
	case when.settled() && when.truth == yes:
		return w.weigh(&parts[1])
	case when.settled() && when.truth == no:
		return w.weigh(&parts[2])
	}
	then, otherwise := w.weigh(&parts[1]), w.weigh(&parts[2])
	if then == otherwise && then.settled() {
		return then
	}
	out := answer{maybe, when.rests | then.rests | otherwise.rests}
	switch {
	case when.truth == yes:
		out.truth = then.truth
	case when.truth == no:
		out.truth = otherwise.truth
	case then.truth == fails || otherwise.truth == fails:
		out.truth = fails
	case then.truth == otherwise.truth:
		out.truth = then.truth
	}
	return out
}

// member says whether what is asked about may be one of the entities, or in one.
func (w *weighing) member(c *condition) answer {
	if c.kind != "" && c.kind != w.asked.cedar.UID.Type {
		return answer{}
	}
	out := answer{}
	for _, uid := range c.among {
		if w.asked.mayBeIn(uid) {
			out = answer{maybe, out.rests | unknownIn(uid)&w.unknown}
		}
	}
	return out
}
