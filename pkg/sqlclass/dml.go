package sqlclass

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"
)

// target is the relation a statement writes.
type target struct {
	rel    *Relation // nil when unresolved
	rv     *pg.RangeVar
	item   *item
	stored map[string]value // what the statement stores in each column
}

// writeTarget records a write and returns its target. A view stands for the tables it selects from,
// and a table with rules for what they do.
func (a *analysis) writeTarget(action Action, rv *pg.RangeVar) *target {
	t := &target{rv: rv, stored: map[string]value{}}
	t.rel = a.relationAccess(action, rv)
	if t.rel != nil {
		a.throughView(action, t.rel)
		a.rules(t.rel)
	}
	t.item = a.relationItem(t.rel, rv.GetInh())
	t.item.name = rv.GetRelname()
	aliased(t.item, rv.Alias)
	return t
}

// throughView records the action on every table below a view: which of them an automatically updatable
// view or an INSTEAD OF trigger writes is not worked out.
func (a *analysis) throughView(action Action, r *Relation) {
	if r.Kind != 'v' || isSystemSchema(r.Schema) {
		return
	}
	x := a.expand(r)
	a.f.Opaque = a.f.Opaque || x.open
	for _, below := range x.facts.Accesses {
		if below.Action == ActionSelect {
			below.Action = action
			if a.via != "" {
				below.Via = a.via
			}
			a.access(below)
		}
	}
}

// rules analyses the rewrite rules of a table.
func (a *analysis) rules(r *Relation) {
	for _, text := range r.Rules {
		if slices.Contains(a.views, r) {
			return
		}
		b := a.sub([]string{systemSchema}, a.run, qualified(r.Schema, r.Name))
		b.quiet, b.body = true, true
		stmts, ok := b.parse(text)
		if !ok || len(stmts) != 1 || stmts[0].Stmt.GetRuleStmt() == nil {
			a.f.Opaque = true
			continue
		}
		a.views = append(a.views, r)
		for _, action := range stmts[0].Stmt.GetRuleStmt().Actions {
			b.bodyStatement(action)
		}
		a.views = a.views[:len(a.views)-1]
		b.f.HasWhere = true // the rewritten statement keeps the condition of the original
		b.finish()
		a.absorb(b.f)
	}
}

// store records that v goes into a column of t.
func (a *analysis) store(t *target, name string, v value) {
	t.stored[name] = t.stored[name].with(v)
	to, ids := a.columnOf(t, name)
	a.written = append(a.written, ids...)
	a.flowAll(v, to, qualified(t.rv.GetSchemaname(), t.rv.GetRelname())+"."+name)
}

// columnOf returns the column name of t, and the table columns it stands for.
func (a *analysis) columnOf(t *target, name string) (ColumnRef, refSet) {
	if t.rel == nil {
		return ColumnRef{}, nil
	}
	for i := range t.rel.Columns {
		c := &t.rel.Columns[i]
		if c.Name != name {
			continue
		}
		id := newColID(t.rel.OID, c.Num)
		if t.rel.Kind == 'v' && i < len(t.item.cols) && t.item.cols[i].val.direct != 0 {
			base := t.item.cols[i].val.direct
			return a.ref(base), refSet{base}
		}
		return a.ref(id), refSet{id}
	}
	a.missing("column", name)
	return ColumnRef{}, nil
}

// result analyses RETURNING. A column then shows what was stored in it as well.
func (a *analysis) result(t *target, clause *pg.ReturningClause, s *scope, more ...*item) []column {
	if clause == nil {
		return nil
	}
	row := *t.item
	row.cols = slices.Clone(row.cols)
	for i := range row.cols {
		if v, ok := t.stored[row.cols[i].name]; ok && (len(v.refs) > 0 || v.opaque) {
			origin := row.cols[i].val.origin
			row.cols[i].val = row.cols[i].val.with(v)
			row.cols[i].val.origin = origin
		}
	}
	inner := &scope{outer: s.outer, ctes: s.ctes, items: append([]*item{&row}, more...)}
	names := [2]string{"old", "new"}
	for _, n := range clause.Options {
		o := n.GetReturningOption()
		names[int(o.GetOption())-int(pg.ReturningOptionKind_RETURNING_OPTION_OLD)] = o.GetValue()
	}
	for _, name := range names {
		inner.items = append(inner.items, &item{name: name, aliased: true, rows: true, cols: row.cols, open: row.open,
			rest: row.rest, system: row.system})
	}
	return a.targets(clause.Exprs, inner)
}

func (a *analysis) insert(n *pg.InsertStmt, around *scope) []column {
	s := around.under()
	a.with(n.WithClause, s)
	t := a.writeTarget(ActionInsert, n.Relation)
	var cols []column
	if n.SelectStmt != nil {
		cols, _ = a.query(n.SelectStmt.GetSelectStmt(), s)
	}
	a.insertColumns(t, n.Cols, cols, n.SelectStmt == nil)
	if c := n.OnConflictClause; c != nil {
		a.onConflict(c, t, s)
	}
	return a.result(t, n.ReturningClause, s)
}

// insertColumns pairs the columns of an INSERT with the values that go into them.
func (a *analysis) insertColumns(t *target, list []*pg.Node, cols []column, defaults bool) {
	names := make([]string, 0, len(list))
	for _, n := range list {
		names = append(names, n.GetResTarget().GetName())
	}
	if len(list) == 0 && t.rel != nil && !defaults {
		for _, c := range t.rel.Columns {
			names = append(names, c.Name)
		}
		names = names[:min(len(names), max(len(cols), 1))]
	}
	if isOpen(cols) || len(names) == 0 && !defaults {
		all := allOf(cols)
		a.flowAll(all, ColumnRef{}, qualified(t.rv.GetSchemaname(), t.rv.GetRelname()))
		for _, name := range names {
			a.store(t, name, all)
		}
		return
	}
	for i, name := range names {
		var v value
		if i < len(cols) {
			v = cols[i].val
		}
		a.store(t, name, v)
	}
}

func (a *analysis) onConflict(c *pg.OnConflictClause, t *target, s *scope) {
	inner := &scope{outer: s.outer, ctes: s.ctes, items: []*item{t.item}}
	if c.Infer != nil {
		for _, n := range c.Infer.IndexElems {
			e := n.GetIndexElem()
			if e.GetName() != "" {
				v, _ := t.item.find(e.GetName())
				a.filter(v, ClauseConflict)
			}
			a.filter(a.expr(e.GetExpr(), inner), ClauseConflict)
		}
		a.predicate(c.Infer.WhereClause, inner, ClauseConflict)
	}
	if c.Action != pg.OnConflictAction_ONCONFLICT_UPDATE {
		return
	}
	if t.rel != nil {
		a.accessTo(ActionUpdate, t.rel)
		a.throughView(ActionUpdate, t.rel)
	}
	excluded := *t.item
	excluded.name, excluded.aliased, excluded.bare = "excluded", true, false
	excluded.cols = slices.Clone(t.item.cols)
	for i := range excluded.cols {
		excluded.cols[i].val = t.stored[excluded.cols[i].name].with(excluded.cols[i].val)
	}
	inner.items = append(inner.items, &excluded)
	a.assign(c.TargetList, t, inner)
	a.predicate(c.WhereClause, inner, ClauseWhere)
}

// assign analyses SET column = value lists.
func (a *analysis) assign(list []*pg.Node, t *target, s *scope) {
	sources := map[*pg.Node][]column{}
	for _, n := range list {
		rt := n.GetResTarget()
		var v value
		if m := rt.GetVal().GetMultiAssignRef(); m != nil {
			v = a.multiAssign(m, s, sources)
		} else {
			v = a.expr(rt.GetVal(), s)
		}
		for _, sub := range rt.GetIndirection() {
			v = v.with(a.expr(sub.GetAIndices().GetLidx(), s)).with(a.expr(sub.GetAIndices().GetUidx(), s))
		}
		a.store(t, rt.GetName(), v)
	}
}

// multiAssign returns one column of SET (a, b) = (...).
func (a *analysis) multiAssign(m *pg.MultiAssignRef, s *scope, sources map[*pg.Node][]column) value {
	cols, ok := sources[m.Source]
	if !ok {
		cols = a.sourceColumns(m.Source, s)
		sources[m.Source] = cols
	}
	if i := int(m.Colno) - 1; i >= 0 && i < len(cols) && len(cols) == int(m.Ncolumns) && !isOpen(cols) {
		return cols[i].val
	}
	return allOf(cols)
}

func (a *analysis) sourceColumns(n *pg.Node, s *scope) []column {
	switch x := n.GetNode().(type) {
	case *pg.Node_RowExpr:
		cols := make([]column, len(x.RowExpr.Args))
		for i, arg := range x.RowExpr.Args {
			cols[i].val = a.expr(arg, s)
		}
		return cols
	case *pg.Node_SubLink:
		cols, cond := a.query(x.SubLink.Subselect.GetSelectStmt(), s)
		out := slices.Clone(cols)
		for i := range out {
			out[i].val = out[i].val.with(cond)
		}
		return out
	}
	return []column{{val: a.expr(n, s)}}
}

func (a *analysis) update(n *pg.UpdateStmt, around *scope) []column {
	s := around.under()
	a.with(n.WithClause, s)
	t := a.writeTarget(ActionUpdate, n.Relation)
	more := a.writeFrom(n.FromClause, t, s)
	a.assign(n.TargetList, t, s)
	a.writeWhere(n.WhereClause, t, s)
	return a.result(t, n.ReturningClause, s, more...)
}

func (a *analysis) delete(n *pg.DeleteStmt, around *scope) []column {
	s := around.under()
	a.with(n.WithClause, s)
	t := a.writeTarget(ActionDelete, n.Relation)
	more := a.writeFrom(n.UsingClause, t, s)
	a.writeWhere(n.WhereClause, t, s)
	return a.result(t, n.ReturningClause, s, more...)
}

// writeFrom puts the target and the FROM or USING items in scope. The target is not visible to LATERAL
// items.
func (a *analysis) writeFrom(from []*pg.Node, t *target, s *scope) []*item {
	var items []*item
	for _, n := range from {
		items = append(items, a.fromItem(n, s, items)...)
	}
	s.items = append([]*item{t.item}, items...)
	return items
}

// writeWhere analyses the WHERE of an update or delete and notes when it filters nothing.
func (a *analysis) writeWhere(where *pg.Node, t *target, s *scope) {
	a.predicate(where, s, ClauseWhere)
	if !a.filters(where, t.item, s) {
		a.f.HasWhere = false
	}
}

func (a *analysis) mergeStatement(n *pg.MergeStmt, around *scope) []column {
	s := around.under()
	a.with(n.WithClause, s)
	t := a.writeTarget(ActionMerge, n.Relation)
	source := a.fromItem(n.SourceRelation, s, nil)
	s.items = append([]*item{t.item}, source...)
	a.predicate(n.JoinCondition, s, ClauseJoin)
	joins := a.filters(n.JoinCondition, t.item, s)
	for _, w := range n.MergeWhenClauses {
		a.mergeWhen(w.GetMergeWhenClause(), t, s, joins)
	}
	for _, r := range n.ReturningClause.GetExprs() {
		if ref := r.GetResTarget().GetVal().GetColumnRef(); len(ref.GetFields()) == 1 && ref.Fields[0].GetAStar() != nil {
			return []column{{name: openName, val: value{opaque: true}}} // the order of * differs between versions
		}
	}
	return a.result(t, n.ReturningClause, s, source...)
}

func (a *analysis) mergeWhen(w *pg.MergeWhenClause, t *target, s *scope, joins bool) {
	a.predicate(w.Condition, s, ClauseWhere)
	action := ActionUpdate
	switch w.CommandType {
	case pg.CmdType_CMD_INSERT:
		action = ActionInsert
		a.mergeInsert(w, t, s)
	case pg.CmdType_CMD_UPDATE:
		a.assign(w.TargetList, t, s)
	case pg.CmdType_CMD_DELETE:
		action = ActionDelete
	default: // DO NOTHING
		return
	}
	if t.rel != nil {
		a.accessTo(action, t.rel)
		a.throughView(action, t.rel)
	} else {
		a.relationAccess(action, t.rv)
	}
	matched := w.MatchKind == pg.MergeMatchKind_MERGE_WHEN_MATCHED && joins
	if action != ActionInsert && !matched && !a.filters(w.Condition, t.item, s) {
		a.f.HasWhere = false
	}
}

func (a *analysis) mergeInsert(w *pg.MergeWhenClause, t *target, s *scope) {
	cols := make([]column, len(w.Values))
	for i, n := range w.Values {
		cols[i] = column{val: a.expr(n, s)}
	}
	a.insertColumns(t, w.TargetList, cols, len(w.Values) == 0)
}
