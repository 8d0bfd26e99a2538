package sqlclass

import (
	"slices"
	"strconv"

	pg "github.com/sqlc-dev/oliphant"
)

// fromItem analyses one FROM item and returns the names it brings. left are the items to its left,
// which LATERAL items and functions see.
func (a *analysis) fromItem(n *pg.Node, s *scope, left []*item) []*item {
	a.step()
	switch x := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		return []*item{a.rangeVar(x.RangeVar, s)}
	case *pg.Node_RangeSubselect:
		return []*item{a.rangeSubselect(x.RangeSubselect, s, left)}
	case *pg.Node_JoinExpr:
		return a.join(x.JoinExpr, s, left)
	case *pg.Node_RangeFunction:
		return []*item{a.rangeFunction(x.RangeFunction, lateral(s, left))}
	case *pg.Node_RangeTableSample:
		items := a.fromItem(x.RangeTableSample.Relation, s, left)
		v := a.exprs(x.RangeTableSample.Args, lateral(s, left)).with(a.expr(x.RangeTableSample.Repeatable, lateral(s, left)))
		a.filter(v, ClauseWhere)
		return items
	case *pg.Node_RangeTableFunc:
		return []*item{a.xmlTable(x.RangeTableFunc, lateral(s, left))}
	case *pg.Node_JsonTable:
		return []*item{a.jsonTable(x.JsonTable, lateral(s, left))}
	}
	v := a.unknownNode(n, s)
	return []*item{{bare: true, rows: true, open: true, rest: v}}
}

// lateral is the scope of an item that sees the items to its left.
func lateral(s *scope, left []*item) *scope {
	return &scope{outer: s.outer, items: left, ctes: s.ctes}
}

// beside is the scope of an item that does not.
func beside(s *scope) *scope { return &scope{outer: s.outer, ctes: s.ctes} }

// rangeVar analyses a table, view or WITH query in FROM.
func (a *analysis) rangeVar(rv *pg.RangeVar, s *scope) *item {
	if rv.Schemaname == "" {
		if w := s.ctes.lookup(rv.Relname); w != nil {
			it := &item{name: rv.Relname, aliased: true, rows: true, bare: true, cols: w.cols, open: w.open,
				rest: value{opaque: true}}
			return aliased(it, rv.Alias)
		}
	}
	r := a.relationAccess(ActionSelect, rv)
	it := a.relationItem(r, rv.Inh)
	it.name = rv.Relname
	return aliased(it, rv.Alias)
}

// relationItem returns the columns of a relation as an item; a nil relation is one of unknown columns.
func (a *analysis) relationItem(r *Relation, inherit bool) *item {
	if r == nil {
		return &item{rows: true, bare: true, open: true, rest: value{opaque: true}, system: true}
	}
	cols, open := a.relationColumns(r, inherit)
	it := &item{name: r.Name, relation: r, rows: true, bare: true, cols: cols, open: open, system: r.Kind != 'v'}
	if open {
		it.rest = value{opaque: true}
	}
	return it
}

// aliased applies an alias with its column names.
func aliased(it *item, alias *pg.Alias) *item {
	if alias == nil {
		return it
	}
	it.name, it.aliased = alias.Aliasname, true
	it.cols = renamed(it.cols, strs(alias.Colnames))
	return it
}

// renamed returns cols with the first of them called names.
func renamed(cols []column, names []string) []column {
	if len(names) == 0 {
		return cols
	}
	out := slices.Clone(cols)
	for i := range min(len(names), len(out)) {
		if out[i].name != openName {
			out[i].name = names[i]
		}
	}
	return out
}

// queryItem makes an item of a query's result.
func queryItem(cols []column) *item {
	it := &item{rows: true, bare: true, aliased: true, cols: cols}
	if isOpen(cols) {
		it.open, it.rest = true, value{refs: allOf(cols).refs, opaque: true}
		it.cols = slices.DeleteFunc(slices.Clone(cols), func(c column) bool { return c.name == openName })
	}
	return it
}

func (a *analysis) rangeSubselect(r *pg.RangeSubselect, s *scope, left []*item) *item {
	around := beside(s)
	if r.Lateral {
		around = lateral(s, left)
	}
	cols, _ := a.query(r.Subquery.GetSelectStmt(), around)
	it := queryItem(cols)
	if it.open && len(r.Alias.GetColnames()) > 0 {
		it.cols = nil // positions are unknown: every name may be any column
	}
	return aliased(it, r.Alias)
}

// join analyses a JOIN.
func (a *analysis) join(j *pg.JoinExpr, s *scope, left []*item) []*item {
	l := a.fromItem(j.Larg, s, left)
	r := a.fromItem(j.Rarg, s, append(slices.Clone(left), l...))
	both := append(slices.Clone(l), r...)
	a.predicate(j.Quals, &scope{outer: s.outer, items: both, ctes: s.ctes}, ClauseJoin)

	lcols, lopen := bareColumns(l)
	rcols, ropen := bareColumns(r)
	a.spend(len(left) + len(both) + 4*(len(lcols)+len(rcols)))
	joined := &item{bare: true, aliased: true, open: lopen || ropen, rest: value{opaque: true}}
	merged, skip := a.merge(j, lcols, rcols, lopen || ropen)
	joined.cols = slices.Clone(merged)
	for _, c := range append(lcols, rcols...) {
		if !skip[c.name] {
			joined.cols = append(joined.cols, c)
		}
	}
	if j.Alias != nil {
		joined.rows = true
		return []*item{aliased(joined, j.Alias)}
	}
	for _, it := range both {
		it.bare = false
	}
	if j.JoinUsingAlias != nil {
		both = append(both, &item{name: j.JoinUsingAlias.Aliasname, aliased: true, rows: true, cols: merged})
	}
	return append(both, joined)
}

// bareColumns returns the columns that * would give for the items.
func bareColumns(items []*item) (cols []column, open bool) {
	for _, it := range items {
		if it.bare {
			cols = append(cols, it.cols...)
			open = open || it.open
		}
	}
	return cols, open
}

// merge returns the columns that USING or NATURAL make one, and their names.
func (a *analysis) merge(j *pg.JoinExpr, l, r []column, open bool) ([]column, map[string]bool) {
	names := strs(j.UsingClause)
	if j.IsNatural {
		for _, c := range l {
			if _, ok := columnNamed(r, c.name); ok && !slices.Contains(names, c.name) {
				names = append(names, c.name)
			}
		}
	}
	skip := make(map[string]bool, len(names))
	cols := make([]column, 0, len(names))
	for _, name := range names {
		skip[name] = true
		x, okl := columnNamed(l, name)
		y, okr := columnNamed(r, name)
		v := x.val.with(y.val)
		if !okl || !okr {
			v.opaque = v.opaque || open || !a.body
		}
		switch j.Jointype {
		case pg.JoinType_JOIN_INNER, pg.JoinType_JOIN_LEFT:
			v.direct, v.origin = x.val.direct, x.val.origin
		case pg.JoinType_JOIN_RIGHT:
			v.direct, v.origin = y.val.direct, y.val.origin
		}
		a.filter(a.reads(v), ClauseJoin)
		cols = append(cols, column{name: name, val: v})
	}
	return cols, skip
}

func columnNamed(cols []column, name string) (column, bool) {
	for _, c := range cols {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

// xmlTable analyses XMLTABLE: every column derives from the document.
func (a *analysis) xmlTable(t *pg.RangeTableFunc, s *scope) *item {
	v := a.expr(t.Docexpr, s).with(a.expr(t.Rowexpr, s))
	for _, ns := range t.Namespaces {
		v = v.with(a.expr(ns.GetResTarget().GetVal(), s))
	}
	it := &item{name: "xmltable", aliased: true, rows: true, bare: true}
	for _, n := range t.Columns {
		c := n.GetRangeTableFuncCol()
		w := v.with(a.expr(c.GetColexpr(), s)).with(a.expr(c.GetColdefexpr(), s))
		it.cols = append(it.cols, column{name: c.GetColname(), val: w})
	}
	a.filter(v, ClauseFunction)
	return aliased(it, t.Alias)
}

// jsonTable analyses JSON_TABLE: every column derives from the document and what is passed along.
func (a *analysis) jsonTable(t *pg.JsonTable, s *scope) *item {
	v := a.jsonValue(t.ContextItem, s)
	for _, p := range t.Passing {
		v = v.with(a.jsonValue(p.GetJsonArgument().GetVal(), s))
	}
	v = v.with(a.jsonBehaviors(s, t.OnError))
	it := &item{name: "json_table", aliased: true, rows: true, bare: true}
	it.cols = a.jsonColumns(t.Columns, v, s, nil)
	a.filter(v, ClauseFunction)
	return aliased(it, t.Alias)
}

func (a *analysis) jsonColumns(nodes []*pg.Node, v value, s *scope, cols []column) []column {
	for _, n := range nodes {
		c := n.GetJsonTableColumn()
		if c.GetColtype() == pg.JsonTableColumnType_JTC_NESTED {
			cols = a.jsonColumns(c.Columns, v, s, cols)
			continue
		}
		cols = append(cols, column{name: c.GetName(), val: v.with(a.jsonBehaviors(s, c.GetOnEmpty(), c.GetOnError()))})
	}
	return cols
}

func valuesName(i int) string { return "column" + strconv.Itoa(i+1) }
