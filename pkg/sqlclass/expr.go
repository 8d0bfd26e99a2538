package sqlclass

import pg "github.com/sqlc-dev/oliphant"

// expr analyses an expression. A node it does not know makes the value opaque.
func (a *analysis) expr(n *pg.Node, s *scope) value {
	if n.GetNode() == nil {
		return value{}
	}
	a.step()
	switch x := n.Node.(type) {
	case *pg.Node_ColumnRef:
		return a.column(x.ColumnRef, s)
	case *pg.Node_AConst, *pg.Node_ParamRef:
		return value{consts: true}
	case *pg.Node_TypeCast:
		return a.cast(x.TypeCast, s)
	case *pg.Node_AExpr:
		return a.binary(x.AExpr, s)
	case *pg.Node_BoolExpr:
		return a.exprs(x.BoolExpr.Args, s)
	case *pg.Node_FuncCall:
		return a.funcCall(x.FuncCall, s)
	case *pg.Node_SubLink:
		return a.subLink(x.SubLink, s)
	case *pg.Node_CaseExpr:
		return a.caseExpr(x.CaseExpr, s)
	case *pg.Node_AIndirection:
		return a.fields(a.expr(x.AIndirection.Arg, s), x.AIndirection.Indirection, s)
	case *pg.Node_NullTest:
		return a.expr(x.NullTest.Arg, s).derived()
	case *pg.Node_BooleanTest:
		return a.expr(x.BooleanTest.Arg, s).derived()
	case *pg.Node_CoalesceExpr:
		return a.exprs(x.CoalesceExpr.Args, s)
	case *pg.Node_MinMaxExpr:
		return a.exprs(x.MinMaxExpr.Args, s)
	case *pg.Node_RowExpr:
		return a.rowExpr(x.RowExpr, s)
	case *pg.Node_AArrayExpr:
		return a.exprs(x.AArrayExpr.Elements, s)
	case *pg.Node_List:
		return a.exprs(x.List.Items, s)
	case *pg.Node_CollateClause:
		return a.expr(x.CollateClause.Arg, s).derived()
	case *pg.Node_NamedArgExpr:
		return a.expr(x.NamedArgExpr.Arg, s)
	case *pg.Node_ResTarget:
		return a.expr(x.ResTarget.Val, s)
	case *pg.Node_GroupingFunc:
		return a.exprs(x.GroupingFunc.Args, s)
	case *pg.Node_MultiAssignRef:
		return a.expr(x.MultiAssignRef.Source, s).derived()
	case *pg.Node_MergeSupportFunc:
		return a.olderCall("merge_action")
	case *pg.Node_SqlvalueFunction, *pg.Node_SetToDefault,
		*pg.Node_String_, *pg.Node_Integer, *pg.Node_Float, *pg.Node_Boolean, *pg.Node_BitString, *pg.Node_AStar:
		return value{}
	case *pg.Node_CurrentOfExpr:
		return a.currentOf(x.CurrentOfExpr)
	}
	if v, ok := a.xmlJSON(n, s); ok {
		return v
	}
	return a.unknownNode(n, s)
}

// exprs returns what derives from all of the nodes.
func (a *analysis) exprs(nodes []*pg.Node, s *scope) value {
	var v value
	for _, n := range nodes {
		v = v.with(a.expr(n, s))
	}
	return v
}

// cast analyses expr::type. A cast may call a function of the type, but never reads tables by itself.
func (a *analysis) cast(c *pg.TypeCast, s *scope) value {
	v := a.expr(c.Arg, s)
	w := value{refs: v.refs, opaque: v.opaque, consts: v.consts, same: v.same}
	if v.origin != 0 {
		w.same = v.origin
	}
	return w
}

func (a *analysis) binary(e *pg.A_Expr, s *scope) value {
	l, r := a.expr(e.Lexpr, s), a.expr(e.Rexpr, s)
	v := l.with(r)
	return v.with(a.operator(e.Name, []value{l, r}))
}

// subLink analyses a query inside an expression. Its value depends on the query's predicates too: a
// caller can choose them so that the value tells what they tested.
func (a *analysis) subLink(l *pg.SubLink, s *scope) value {
	test := a.expr(l.Testexpr, s)
	cols, cond := a.query(l.Subselect.GetSelectStmt(), s)
	if len(l.OperName) > 0 {
		test = test.with(a.operator(l.OperName, nil))
	}
	if l.SubLinkType == pg.SubLinkType_EXISTS_SUBLINK {
		return cond.derived()
	}
	return allOf(cols).with(cond).with(test)
}

func (a *analysis) caseExpr(c *pg.CaseExpr, s *scope) value {
	cond := a.expr(c.Arg, s)
	var v value
	for _, n := range c.Args {
		w := n.GetCaseWhen()
		cond = cond.with(a.expr(w.GetExpr(), s))
		v = v.with(a.expr(w.GetResult(), s))
	}
	a.filter(cond, ClauseCase)
	return v.with(a.expr(c.Defresult, s)).with(cond)
}

// rowExpr keeps the fields apart, for ROW(...).f1 and multi-column assignments.
func (a *analysis) rowExpr(r *pg.RowExpr, s *scope) value {
	cols := make([]column, 0, len(r.Args))
	for i, n := range r.Args {
		if ref := n.GetColumnRef(); ref != nil && ref.Fields[len(ref.Fields)-1].GetAStar() != nil {
			cols = a.star(cols, ref, s)
			continue
		}
		cols = append(cols, column{name: fieldName(i), val: a.expr(n, s)})
	}
	return allOf(cols)
}

// fields applies .field, [subscript] and .* to a value.
func (a *analysis) fields(v value, path []*pg.Node, s *scope) value {
	for _, n := range path {
		switch x := n.GetNode().(type) {
		case *pg.Node_AIndices:
			v = v.with(a.expr(x.AIndices.Lidx, s)).with(a.expr(x.AIndices.Uidx, s))
		case *pg.Node_String_:
			v = a.field(v, x.String_.Sval)
		case *pg.Node_AStar:
			v = v.derived()
		default:
			v = v.with(a.unknownNode(n, s))
		}
	}
	return v
}

// field selects a field of a composite value; a name that is none is a function of the value.
func (a *analysis) field(v value, name string) value {
	if fields, ok := a.rowFields(v); ok {
		if c, ok := columnNamed(fields, name); ok {
			return c.val
		}
	}
	if a.hasFunction(name) {
		return v.derived().with(a.call("", name, []value{v}, 1, false))
	}
	return v.derived()
}

// currentOf analyses WHERE CURRENT OF.
func (a *analysis) currentOf(c *pg.CurrentOfExpr) value {
	a.private = true
	return value{}
}

// xmlJSON analyses the SQL/XML and SQL/JSON expressions, whose values derive from all their parts.
func (a *analysis) xmlJSON(n *pg.Node, s *scope) (value, bool) {
	v, ok := a.xmlJSONParts(n, s)
	if name, _ := figureJSONName(n); name != "" {
		v = v.with(a.olderCall(name))
	}
	return v, ok
}

// olderCall covers servers to which a name of the newer grammar is an ordinary function's: a function of
// the user's with that name may be what is called.
func (a *analysis) olderCall(name string) value {
	var v value
	for _, f := range a.candidates("", name, -1) {
		if f.Schema != systemSchema {
			v = v.with(a.callFunction(f, nil))
		}
	}
	return v
}

func (a *analysis) xmlJSONParts(n *pg.Node, s *scope) (value, bool) {
	switch x := n.Node.(type) {
	case *pg.Node_XmlExpr:
		return a.exprs(x.XmlExpr.Args, s).with(a.exprs(x.XmlExpr.NamedArgs, s)), true
	case *pg.Node_XmlSerialize:
		return a.expr(x.XmlSerialize.Expr, s).derived(), true
	case *pg.Node_JsonValueExpr:
		return a.jsonValue(x.JsonValueExpr, s), true
	case *pg.Node_JsonKeyValue:
		return a.expr(x.JsonKeyValue.Key, s).with(a.jsonValue(x.JsonKeyValue.Value, s)), true
	case *pg.Node_JsonIsPredicate:
		return a.expr(x.JsonIsPredicate.Expr, s).derived(), true
	case *pg.Node_JsonParseExpr:
		return a.jsonValue(x.JsonParseExpr.Expr, s), true
	case *pg.Node_JsonScalarExpr:
		return a.expr(x.JsonScalarExpr.Expr, s).derived(), true
	case *pg.Node_JsonSerializeExpr:
		return a.jsonValue(x.JsonSerializeExpr.Expr, s), true
	case *pg.Node_JsonObjectConstructor:
		return a.exprs(x.JsonObjectConstructor.Exprs, s), true
	case *pg.Node_JsonArrayConstructor:
		return a.exprs(x.JsonArrayConstructor.Exprs, s), true
	case *pg.Node_JsonArrayQueryConstructor:
		cols, cond := a.query(x.JsonArrayQueryConstructor.Query.GetSelectStmt(), s)
		return allOf(cols).with(cond), true
	case *pg.Node_JsonObjectAgg:
		return a.jsonAgg(x.JsonObjectAgg.Constructor, s).with(a.expr(x.JsonObjectAgg.Arg.GetKey(), s)).
			with(a.jsonValue(x.JsonObjectAgg.Arg.GetValue(), s)), true
	case *pg.Node_JsonArrayAgg:
		return a.jsonAgg(x.JsonArrayAgg.Constructor, s).with(a.jsonValue(x.JsonArrayAgg.Arg, s)), true
	case *pg.Node_JsonFuncExpr:
		return a.jsonFunc(x.JsonFuncExpr, s), true
	}
	return value{}, false
}

func (a *analysis) jsonFunc(f *pg.JsonFuncExpr, s *scope) value {
	v := a.jsonValue(f.ContextItem, s).with(a.expr(f.Pathspec, s))
	for _, p := range f.Passing {
		v = v.with(a.jsonValue(p.GetJsonArgument().GetVal(), s))
	}
	return v.with(a.jsonBehaviors(s, f.OnEmpty, f.OnError))
}

func (a *analysis) jsonValue(j *pg.JsonValueExpr, s *scope) value {
	return a.expr(j.GetRawExpr(), s).with(a.expr(j.GetFormattedExpr(), s))
}

func (a *analysis) jsonBehaviors(s *scope, list ...*pg.JsonBehavior) value {
	var v value
	for _, b := range list {
		v = v.with(a.expr(b.GetExpr(), s))
	}
	return v
}

func (a *analysis) jsonAgg(c *pg.JsonAggConstructor, s *scope) value {
	return a.aggregate(c.GetAggFilter(), c.GetAggOrder(), c.GetOver(), s)
}

// aggregate analyses what stands beside the arguments of an aggregate or window function; the value
// depends on it.
func (a *analysis) aggregate(filter *pg.Node, order []*pg.Node, over *pg.WindowDef, s *scope) value {
	v := a.predicate(filter, s, ClauseWhere)
	for _, n := range order {
		w := a.expr(n.GetSortBy().GetNode(), s)
		a.filter(w, ClauseOrder)
		v = v.with(w)
	}
	if over != nil {
		v = v.with(a.window(over, s))
	}
	return v
}

// window analyses a window definition, or a reference to a named one.
func (a *analysis) window(w *pg.WindowDef, s *scope) value {
	v := s.windows[w.Refname].with(s.windows[w.Name])
	for _, n := range w.PartitionClause {
		v = v.with(a.expr(n, s))
	}
	for _, n := range w.OrderClause {
		v = v.with(a.expr(n.GetSortBy().GetNode(), s))
	}
	v = v.with(a.expr(w.StartOffset, s)).with(a.expr(w.EndOffset, s))
	a.filter(v, ClauseWindow)
	return v
}

func (a *analysis) windowClause(list []*pg.Node, s *scope) {
	for _, n := range list {
		w := n.GetWindowDef()
		v := a.window(w, s)
		if s.windows == nil {
			s.windows = map[string]value{}
		}
		s.windows[w.Name] = v
	}
}
