package sqlclass

import (
	pg "github.com/sqlc-dev/oliphant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// CountQuery returns a query that counts the rows which text, an UPDATE or DELETE, applies to; its parameters keep
// their numbers. ok is false unless text is one such statement on one relation, whose condition holds nothing but
// columns, constants, parameters, operators, calls and casts to types of pg_catalog: no WITH, FROM, USING, sub-select or
// cursor. Which functions it calls, and whether the relation is a view, is for Classify to say of the query.
func (c *Classifier) CountQuery(text string) (query string, ok bool) {
	if c.cfg.guard(text) != nil {
		return "", false
	}
	tree, err := pg.Parse(text)
	if err != nil || len(tree.Stmts) != 1 {
		return "", false
	}
	relation, where, ok := changed(tree.Stmts[0].Stmt)
	if !ok {
		return "", false
	}
	tree.Stmts[0] = &pg.RawStmt{Stmt: counting(relation, where)}
	if query, err = pg.Deparse(tree); err != nil || c.cfg.guard(query) != nil {
		return "", false
	}
	return query, means(query, tree)
}

// changed returns what a simple UPDATE or DELETE changes, and where.
func changed(n *pg.Node) (relation *pg.RangeVar, where *pg.Node, ok bool) {
	switch x := n.GetNode().(type) {
	case *pg.Node_UpdateStmt:
		s := x.UpdateStmt
		relation, where, ok = s.Relation, s.WhereClause, s.WithClause == nil && len(s.FromClause) == 0
	case *pg.Node_DeleteStmt:
		s := x.DeleteStmt
		relation, where, ok = s.Relation, s.WhereClause, s.WithClause == nil && len(s.UsingClause) == 0
	}
	return relation, where, ok && relation != nil && (where == nil || simple(where))
}

// counting is SELECT pg_catalog.count(*) FROM relation WHERE where.
func counting(relation *pg.RangeVar, where *pg.Node) *pg.Node {
	count := &pg.FuncCall{Funcname: []*pg.Node{pg.MakeStrNode(systemSchema), pg.MakeStrNode("count")}, AggStar: true, Funcformat: pg.CoercionForm_COERCE_EXPLICIT_CALL}
	return &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: &pg.SelectStmt{
		TargetList:  []*pg.Node{{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: &pg.Node{Node: &pg.Node_FuncCall{FuncCall: count}}}}}},
		FromClause:  []*pg.Node{{Node: &pg.Node_RangeVar{RangeVar: relation}}},
		WhereClause: where,
		LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
		Op:          pg.SetOperation_SETOP_NONE,
	}}}
}

// simple reports conditions that name nothing besides columns, constants, parameters, operators, functions and types
// of pg_catalog.
func simple(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case nil:
		return true
	case *pg.Node_ColumnRef, *pg.Node_AConst, *pg.Node_ParamRef, *pg.Node_SqlvalueFunction:
		return true
	case *pg.Node_AExpr:
		return simple(x.AExpr.Lexpr) && simple(x.AExpr.Rexpr)
	case *pg.Node_BoolExpr:
		return allSimple(x.BoolExpr.Args)
	case *pg.Node_NullTest:
		return simple(x.NullTest.Arg)
	case *pg.Node_BooleanTest:
		return simple(x.BooleanTest.Arg)
	case *pg.Node_List:
		return allSimple(x.List.Items)
	case *pg.Node_AArrayExpr:
		return allSimple(x.AArrayExpr.Elements)
	case *pg.Node_RowExpr:
		return allSimple(x.RowExpr.Args)
	case *pg.Node_CoalesceExpr:
		return allSimple(x.CoalesceExpr.Args)
	case *pg.Node_MinMaxExpr:
		return allSimple(x.MinMaxExpr.Args)
	case *pg.Node_CollateClause:
		return simple(x.CollateClause.Arg)
	case *pg.Node_TypeCast:
		return systemType(x.TypeCast.TypeName) && simple(x.TypeCast.Arg)
	case *pg.Node_FuncCall:
		f := x.FuncCall
		return f.AggFilter == nil && len(f.AggOrder) == 0 && f.Over == nil && !f.AggDistinct && !f.AggStar && allSimple(f.Args)
	}
	return false
}

func allSimple(nodes []*pg.Node) bool {
	for _, n := range nodes {
		if !simple(n) {
			return false
		}
	}
	return true
}

// systemType reports types of pg_catalog; a domain of somebody else's could run anything.
func systemType(t *pg.TypeName) bool {
	names := t.GetNames()
	switch len(names) {
	case 1:
		return castTypes[str(names[0])]
	case 2:
		return str(names[0]) == systemSchema
	}
	return false
}

// means reports whether a query, read again, is exactly the tree that it was written from.
func means(query string, tree *pg.ParseResult) bool {
	again, err := pg.Parse(query)
	if err != nil || len(again.Stmts) != 1 {
		return false
	}
	a, b := proto.CloneOf(again.Stmts[0].Stmt), proto.CloneOf(tree.Stmts[0].Stmt)
	withoutPlaces(a.ProtoReflect())
	withoutPlaces(b.ProtoReflect())
	return proto.Equal(a, b)
}

// places are the fields that say where in the text something stood.
var places = map[protoreflect.Name]bool{
	"location": true, "list_start": true, "list_end": true, "rexpr_list_start": true, "rexpr_list_end": true,
}

// withoutPlaces clears where in the text each node stood.
func withoutPlaces(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case places[f.Name()]:
			m.Clear(f)
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				withoutPlaces(v.List().Get(i).Message())
			}
		case f.Message() != nil:
			withoutPlaces(v.Message())
		}
		return true
	})
}
