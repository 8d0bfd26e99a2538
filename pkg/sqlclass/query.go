package sqlclass

import pg "github.com/sqlc-dev/oliphant"

// query analyses a SELECT, VALUES or set operation and returns its result columns and what its
// predicates depend on. outer is what the query can see from around it.
func (a *analysis) query(sel *pg.SelectStmt, outer *scope) ([]column, value) {
	a.step()
	s := outer.under()
	a.with(sel.WithClause, s)
	if sel.IntoClause != nil {
		a.createInto(sel.IntoClause, nil)
	}
	switch {
	case sel.Op != pg.SetOperation_SETOP_NONE && sel.Op != pg.SetOperation_SET_OPERATION_UNDEFINED:
		return a.setOperation(sel, s, outer)
	case len(sel.ValuesLists) > 0:
		cols := a.values(sel.ValuesLists, s)
		s.outputs = cols
		return cols, a.tail(sel, s)
	}
	return a.plainSelect(sel, s)
}

func (a *analysis) plainSelect(sel *pg.SelectStmt, s *scope) ([]column, value) {
	for _, from := range sel.FromClause {
		s.items = append(s.items, a.fromItem(from, s, s.items)...)
	}
	cond := a.predicate(sel.WhereClause, s, ClauseWhere)
	a.windowClause(sel.WindowClause, s)
	cols := a.targets(sel.TargetList, s)
	s.outputs = cols
	for _, g := range sel.GroupClause {
		cond = cond.with(a.sortKey(g, s, ClauseGroup, true))
	}
	cond = cond.with(a.predicate(sel.HavingClause, s, ClauseHaving))
	cond = cond.with(a.distinct(sel, s))
	return cols, cond.with(a.tail(sel, s))
}

func (a *analysis) distinct(sel *pg.SelectStmt, s *scope) value {
	var v value
	for _, d := range sel.DistinctClause {
		if d.GetNode() == nil { // plain DISTINCT is a list of one empty node
			v = allOf(s.outputs)
			a.filter(v, ClauseDistinct)
			continue
		}
		v = v.with(a.sortKey(d, s, ClauseDistinct, false))
	}
	return v
}

// tail analyses ORDER BY, LIMIT, OFFSET and locking.
func (a *analysis) tail(sel *pg.SelectStmt, s *scope) value {
	var v value
	for _, n := range sel.SortClause {
		v = v.with(a.sortKey(n.GetSortBy().GetNode(), s, ClauseOrder, false))
		if op := n.GetSortBy().GetUseOp(); len(op) > 0 {
			a.operator(op, nil)
		}
	}
	for _, n := range []*pg.Node{sel.LimitCount, sel.LimitOffset} {
		if n != nil {
			w := a.expr(n, s)
			a.filter(w, ClauseLimit)
			v = v.with(w)
		}
	}
	if len(sel.LockingClause) > 0 {
		a.locking(sel.LockingClause, s)
	}
	return v
}

// locking records FOR UPDATE and its kin on the tables of this level.
func (a *analysis) locking(clauses []*pg.Node, s *scope) {
	for _, c := range clauses {
		only := map[string]bool{}
		for _, r := range c.GetLockingClause().GetLockedRels() {
			only[r.GetRangeVar().GetRelname()] = true
		}
		for _, it := range s.items {
			if it.relation != nil && (len(only) == 0 || only[it.name]) {
				a.accessTo(ActionLock, it.relation)
			}
		}
	}
}

// predicate analyses a condition and records its columns as filters.
func (a *analysis) predicate(n *pg.Node, s *scope, clause Clause) value {
	if n == nil {
		return value{}
	}
	var v value
	for _, part := range conjuncts(n, nil) {
		w := a.expr(part, s)
		a.filterUse(w, clause, a.isEquality(part, s))
		v = v.with(w)
	}
	return v
}

// conjuncts splits a condition at its top-level ANDs.
func conjuncts(n *pg.Node, into []*pg.Node) []*pg.Node {
	if b := n.GetBoolExpr(); b != nil && b.Boolop == pg.BoolExprType_AND_EXPR {
		for _, arg := range b.Args {
			into = conjuncts(arg, into)
		}
		return into
	}
	return append(into, n)
}

// isEquality tells whether a conjunct is `column = constant` or `column IN (constants)`.
func (a *analysis) isEquality(n *pg.Node, s *scope) bool {
	e := n.GetAExpr()
	if e == nil || len(e.Name) != 1 || str(e.Name[0]) != "=" {
		return false
	}
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		return isColumn(e.Lexpr) && isConstant(e.Rexpr) || isConstant(e.Lexpr) && isColumn(e.Rexpr)
	case pg.A_Expr_Kind_AEXPR_IN:
		if !isColumn(e.Lexpr) {
			return false
		}
		for _, item := range e.Rexpr.GetList().GetItems() {
			if !isConstant(item) {
				return false
			}
		}
		return true
	}
	return false
}

func isColumn(n *pg.Node) bool {
	c := n.GetColumnRef()
	return c != nil && c.Fields[len(c.Fields)-1].GetAStar() == nil
}

// isConstant tells whether n is a literal or parameter, perhaps cast.
func isConstant(n *pg.Node) bool {
	for {
		cast := n.GetTypeCast()
		if cast == nil {
			break
		}
		n = cast.Arg
	}
	return n.GetAConst() != nil || n.GetParamRef() != nil
}

// sortKey analyses an item of ORDER BY, GROUP BY or DISTINCT ON, which may name a result column by
// its name or position. For GROUP BY an input column wins over a result column of the same name.
func (a *analysis) sortKey(n *pg.Node, s *scope, clause Clause, inputFirst bool) value {
	var v value
	switch x := n.GetNode().(type) {
	case nil:
		return v
	case *pg.Node_GroupingSet:
		for _, c := range x.GroupingSet.Content {
			v = v.with(a.sortKey(c, s, clause, inputFirst))
		}
		return v
	case *pg.Node_AConst:
		if pos := int(x.AConst.GetIval().GetIval()); pos >= 1 && pos <= len(s.outputs) {
			v = s.outputs[pos-1].val.derived()
		}
	case *pg.Node_ColumnRef:
		v = a.sortName(x.ColumnRef, s, inputFirst)
	case *pg.Node_RowExpr:
		for _, c := range x.RowExpr.Args {
			v = v.with(a.sortKey(c, s, clause, inputFirst))
		}
		return v
	default:
		v = a.expr(n, s).derived()
	}
	a.filter(v, clause)
	return v
}

func (a *analysis) sortName(ref *pg.ColumnRef, s *scope, inputFirst bool) value {
	if len(ref.Fields) == 1 {
		name := str(ref.Fields[0])
		if inputFirst {
			if v, ok := a.bareColumn(s, name); ok {
				return a.reads(v).derived()
			}
		}
		var v value
		found := false
		for i := range s.outputs {
			if s.outputs[i].name == name {
				v, found = v.with(s.outputs[i].val), true
			}
		}
		if found {
			return v
		}
	}
	return a.column(ref, s).derived()
}

// targets analyses a target list, expanding the stars.
func (a *analysis) targets(list []*pg.Node, s *scope) []column {
	cols := make([]column, 0, len(list))
	for _, n := range list {
		cols = a.target(cols, n.GetResTarget(), s)
		if len(cols) > maxColumns {
			panic(bail{ReasonTooComplex})
		}
	}
	return cols
}

func (a *analysis) target(cols []column, t *pg.ResTarget, s *scope) []column {
	if ref := t.GetVal().GetColumnRef(); ref != nil && ref.Fields[len(ref.Fields)-1].GetAStar() != nil {
		return a.star(cols, ref, s)
	}
	if ind := t.GetVal().GetAIndirection(); ind != nil && ind.Indirection[len(ind.Indirection)-1].GetAStar() != nil {
		return a.fieldStar(cols, ind, s)
	}
	name := t.GetName()
	if name == "" {
		name = resultName(t.GetVal())
	}
	return append(cols, column{name: name, val: a.expr(t.GetVal(), s)})
}

// star expands * and t.*.
func (a *analysis) star(cols []column, ref *pg.ColumnRef, s *scope) []column {
	if len(ref.Fields) > 1 {
		it := a.qualifier(ref.Fields[:len(ref.Fields)-1], s)
		if it == nil {
			return append(cols, a.unknownStar(ref.Fields))
		}
		return a.itemStar(cols, it)
	}
	for _, it := range s.items {
		if it.bare {
			cols = a.itemStar(cols, it)
		}
	}
	return cols
}

func (a *analysis) itemStar(cols []column, it *item) []column {
	a.step()
	for _, c := range it.cols {
		a.reads(c.val)
		cols = append(cols, c)
	}
	if it.open {
		cols = append(cols, column{name: openName, val: a.reads(value{refs: it.rest.refs, opaque: true})})
	}
	return cols
}

// openName marks a star over columns that are not known; it stands for any number of columns.
const openName = "\x00*"

func (a *analysis) unknownStar(fields []*pg.Node) column {
	v := a.unknownColumn(fields)
	v.opaque = true
	return column{name: openName, val: v}
}

// fieldStar expands (composite).*.
func (a *analysis) fieldStar(cols []column, ind *pg.A_Indirection, s *scope) []column {
	inner := ind.Arg
	v := a.expr(inner, s)
	if n := len(ind.Indirection) - 1; n > 0 {
		v = a.fields(v, ind.Indirection[:n], s)
	}
	if fields, ok := a.rowFields(v); ok {
		return append(cols, fields...)
	}
	return append(cols, column{name: openName, val: value{refs: v.refs, opaque: true}})
}

// rowFields returns the fields of a composite value.
func (a *analysis) rowFields(v value) ([]column, bool) {
	if v.row != nil {
		return v.row, true
	}
	r := a.cat.byRowType[v.typ]
	if v.typ == 0 || r == nil {
		return nil, false
	}
	cols := make([]column, len(r.Columns))
	for i, c := range r.Columns {
		cols[i] = column{name: c.Name, val: value{refs: v.refs, opaque: v.opaque, typ: c.TypeOID}}
	}
	return cols, true
}

// values analyses VALUES lists: each column is the union over the rows.
func (a *analysis) values(lists []*pg.Node, s *scope) []column {
	var cols []column
	for _, l := range lists {
		for i, n := range l.GetList().GetItems() {
			v := a.expr(n, s)
			if i == len(cols) {
				cols = append(cols, column{name: valuesName(i), val: v})
				continue
			}
			if i < len(cols) {
				cols[i].val = cols[i].val.with(v)
			}
		}
	}
	return cols
}

func (a *analysis) setOperation(sel *pg.SelectStmt, s, outer *scope) ([]column, value) {
	around := outer
	if sel.WithClause != nil {
		around = s
	}
	left, cond := a.query(sel.Larg, around)
	right, more := a.query(sel.Rarg, around)
	cond = cond.with(more)
	cols := unionColumns(left, right)
	a.spend(len(cols))
	if !sel.All || sel.Op != pg.SetOperation_SETOP_UNION {
		all := allOf(cols)
		a.filter(all, ClauseSetOp)
		cond = cond.with(all)
	}
	s.outputs = cols
	return cols, cond.with(a.tail(sel, s))
}

// unionColumns joins the arms of a set operation position by position, under the left arm's names.
func unionColumns(left, right []column) []column {
	if isOpen(left) || isOpen(right) {
		return []column{{name: openName, val: value{refs: allOf(left).with(allOf(right)).refs, opaque: true}}}
	}
	cols := make([]column, len(left))
	for i := range left {
		cols[i] = left[i]
		if i >= len(right) {
			continue
		}
		l, r := left[i].val, right[i].val
		v := l.with(r)
		if l.direct != 0 && l.direct == r.direct {
			v.direct = l.direct
		}
		cols[i].val = v
	}
	return cols
}

// isOpen tells whether a column list has unknown members.
func isOpen(cols []column) bool {
	for i := range cols {
		if cols[i].name == openName {
			return true
		}
	}
	return false
}
