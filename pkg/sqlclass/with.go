package sqlclass

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"
)

// recursionRounds is how often a recursive query is evaluated before its columns are taken together.
const recursionRounds = 3

// with analyses a WITH clause and puts its queries in force in s.
func (a *analysis) with(w *pg.WithClause, s *scope) {
	for _, c := range a.inOrder(w) {
		a.step()
		var cols []column
		if sel := c.Ctequery.GetSelectStmt(); sel != nil && w.Recursive && isSetOp(sel) {
			cols = a.recursive(c, sel, s)
		} else {
			cols = renamed(a.subStatement(c.Ctequery, s), strs(c.Aliascolnames))
		}
		cols = a.searchColumns(c, cols)
		it := queryItem(cols)
		if it.open && len(c.Aliascolnames) > 0 {
			it.cols = nil
		}
		s.ctes = &cte{next: s.ctes, name: c.Ctename, cols: it.cols, open: it.open}
	}
}

// inOrder returns the WITH queries so that each follows those it uses: WITH RECURSIVE may refer forwards.
func (a *analysis) inOrder(w *pg.WithClause) []*pg.CommonTableExpr {
	ctes := make([]*pg.CommonTableExpr, 0, len(w.GetCtes()))
	byName := map[string]*pg.CommonTableExpr{}
	for _, n := range w.GetCtes() {
		c := n.GetCommonTableExpr()
		ctes = append(ctes, c)
		byName[c.GetCtename()] = c
	}
	if !w.GetRecursive() || len(ctes) < 2 {
		return ctes
	}
	sorted := make([]*pg.CommonTableExpr, 0, len(ctes))
	seen := map[string]bool{}
	var visit func(c *pg.CommonTableExpr)
	visit = func(c *pg.CommonTableExpr) {
		if seen[c.Ctename] {
			return
		}
		seen[c.Ctename] = true
		for _, name := range a.tablesIn(c.Ctequery) {
			if dep := byName[name]; dep != nil {
				visit(dep)
			}
		}
		sorted = append(sorted, c)
	}
	for _, c := range ctes {
		visit(c)
	}
	return sorted
}

// subStatement analyses a query or a data-modifying statement inside WITH and returns its columns.
func (a *analysis) subStatement(n *pg.Node, s *scope) []column {
	around := &scope{outer: s.outer, ctes: s.ctes}
	switch x := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		cols, _ := a.query(x.SelectStmt, around)
		return cols
	case *pg.Node_InsertStmt:
		return a.insert(x.InsertStmt, around)
	case *pg.Node_UpdateStmt:
		return a.update(x.UpdateStmt, around)
	case *pg.Node_DeleteStmt:
		return a.delete(x.DeleteStmt, around)
	case *pg.Node_MergeStmt:
		return a.mergeStatement(x.MergeStmt, around)
	}
	return []column{{name: openName, val: a.unknownNode(n, s)}}
}

func isSetOp(sel *pg.SelectStmt) bool {
	return sel.Op != pg.SetOperation_SETOP_NONE && sel.Op != pg.SetOperation_SET_OPERATION_UNDEFINED
}

// recursive analyses WITH RECURSIVE: the sources of its columns are the least fixpoint of the two arms.
func (a *analysis) recursive(c *pg.CommonTableExpr, sel *pg.SelectStmt, s *scope) []column {
	names := strs(c.Aliascolnames)
	self := &cte{next: s.ctes, name: c.Ctename}
	inner := &scope{outer: s.outer, ctes: self}
	a.with(sel.WithClause, inner)
	base, _ := a.query(sel.Larg, inner)
	self.cols = renamed(undirected(base), names)
	self.open = isOpen(base)
	for round := 0; ; round++ {
		step, _ := a.query(sel.Rarg, inner)
		next := renamed(undirected(unionColumns(base, step)), names)
		if isOpen(next) {
			return next
		}
		if sameSources(next, self.cols) || round > recursionRounds {
			if !sel.All {
				a.filter(allOf(next), ClauseSetOp)
			}
			inner.outputs = next
			a.tail(sel, inner)
			return next
		}
		if round == recursionRounds {
			all := allOf(next)
			for i := range next {
				next[i].val = all
			}
		}
		self.cols = joinSources(next, self.cols)
	}
}

// undirected returns the columns as derived ones: no row of a recursive query equals one column.
func undirected(cols []column) []column {
	out := slices.Clone(cols)
	for i := range out {
		out[i].val = out[i].val.derived()
	}
	return out
}

func sameSources(a, b []column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i].val, b[i].val
		if x.opaque != y.opaque || !y.refs.covers(x.refs) {
			return false
		}
	}
	return true
}

func joinSources(a, b []column) []column {
	for i := range a {
		if i < len(b) {
			a[i].val = a[i].val.with(b[i].val)
		}
	}
	return a
}

// searchColumns adds the columns of SEARCH and CYCLE.
func (a *analysis) searchColumns(c *pg.CommonTableExpr, cols []column) []column {
	all := allOf(cols)
	if sc := c.SearchClause; sc != nil {
		cols = append(slices.Clone(cols), column{name: sc.SearchSeqColumn, val: all})
	}
	if cy := c.CycleClause; cy != nil {
		cols = append(slices.Clone(cols), column{name: cy.CycleMarkColumn, val: all}, column{name: cy.CyclePathColumn, val: all})
	}
	return cols
}
