package sqlclass

import (
	pg "github.com/sqlc-dev/oliphant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// walk calls visit for a message of the parse tree and for all messages below it; visit returns false to
// keep out of a message.
func (a *analysis) walk(m protoreflect.Message, visit func(proto.Message) bool) {
	a.step()
	if !visit(m.Interface()) {
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil {
			return true
		}
		if fd.IsList() {
			for i := range v.List().Len() {
				a.walk(v.List().Get(i).Message(), visit)
			}
			return true
		}
		a.walk(v.Message(), visit)
		return true
	})
}

// tablesIn returns the unqualified table names anywhere in a statement.
func (a *analysis) tablesIn(n *pg.Node) []string {
	var names []string
	if n == nil {
		return nil
	}
	a.walk(n.ProtoReflect(), func(m proto.Message) bool {
		if rv, ok := m.(*pg.RangeVar); ok && rv.Schemaname == "" {
			names = append(names, rv.Relname)
		}
		return true
	})
	return names
}

// embedded analyses every query, write, function call and column in a message of a kind that has no
// analysis of its own (a CHECK, a policy, an index expression), and returns what they derive from.
// rels are the names its columns may use.
func (a *analysis) embedded(m proto.Message, s *scope) value {
	var v value
	a.walk(m.ProtoReflect(), func(m proto.Message) bool {
		var n *pg.Node
		switch x := m.(type) {
		case *pg.SelectStmt:
			cols, cond := a.query(x, s)
			v = v.with(allOf(cols)).with(cond)
			return false
		case *pg.Node:
			n = x
		}
		switch n.GetNode().(type) {
		case *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt:
			v = v.with(allOf(a.subStatement(n, s)))
			return false
		case *pg.Node_FuncCall, *pg.Node_AExpr, *pg.Node_SubLink:
			v = v.with(a.expr(n, s))
			return false
		case *pg.Node_ColumnRef:
			v = v.with(a.expr(n, s))
			return false
		}
		return true
	})
	return v
}

// unknownNode analyses what it can of a node it does not know; the result may derive from anything.
func (a *analysis) unknownNode(n *pg.Node, s *scope) value {
	v := value{opaque: true}
	a.f.Opaque = true
	if n.GetNode() == nil {
		return v
	}
	a.walk(n.ProtoReflect(), func(m proto.Message) bool {
		switch x := m.(type) {
		case *pg.SelectStmt:
			cols, cond := a.query(x, s)
			v = v.with(allOf(cols)).with(cond)
			return false
		case *pg.FuncCall:
			v = v.with(a.funcCall(x, s))
			return false
		case *pg.ColumnRef:
			v = v.with(a.column(x, s))
			return false
		case *pg.RangeVar:
			a.relationAccess(ActionSelect, x)
		}
		return true
	})
	return v
}
