package sqlclass

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"
)

// expansion is what reading a view amounts to.
type expansion struct {
	cols  []value
	facts *Facts
	open  bool // the definition could not be followed
}

// relationColumns returns the columns of a relation with their sources. open tells that they could not
// be followed to the tables. inherit is false for ONLY.
func (a *analysis) relationColumns(r *Relation, inherit bool) (cols []column, open bool) {
	if (r.Kind == 'v' || r.Kind == 'm') && !isSystemSchema(r.Schema) {
		return a.viewColumns(r)
	}
	plain := inherit && len(a.cat.children[r.OID]) == 0
	if memo, ok := a.cat.columns.Load(r); ok && plain {
		return memo.([]column), false
	}
	cols = make([]column, len(r.Columns))
	for i, c := range r.Columns {
		id := newColID(r.OID, c.Num)
		cols[i] = column{name: c.Name, notNull: c.NotNull, val: value{
			refs: a.family(r, c, id, inherit), direct: id, origin: id, typ: c.TypeOID}}
	}
	generated := a.generated(r, cols)
	if plain && !generated && a.cat.byOID[r.OID] == r {
		a.cat.columns.Store(r, cols)
	}
	return cols, false
}

// family returns a column with the columns of the same name of its parents and, unless the query says
// ONLY, of its children: a label on any of them covers the value.
func (a *analysis) family(r *Relation, c Column, id colID, inherit bool) refSet {
	if len(r.InheritsFrom) == 0 && (!inherit || len(a.cat.children[r.OID]) == 0) {
		return refSet{id}
	}
	ids := []colID{id}
	seen := map[uint32]bool{r.OID: true}
	var up, down func(oid uint32)
	visit := func(oid uint32, on func(uint32)) {
		rel := a.cat.byOID[oid]
		if rel == nil || seen[oid] {
			return
		}
		seen[oid] = true
		a.step()
		for _, other := range rel.Columns {
			if other.Name == c.Name {
				ids = append(ids, newColID(oid, other.Num))
			}
		}
		on(oid)
	}
	up = func(oid uint32) {
		if rel := a.cat.byOID[oid]; rel != nil {
			for _, p := range rel.InheritsFrom {
				visit(p, up)
			}
		}
	}
	down = func(oid uint32) {
		for _, child := range a.cat.children[oid] {
			visit(child, down)
		}
	}
	for _, p := range r.InheritsFrom {
		visit(p, up)
	}
	if inherit {
		down(r.OID)
	}
	return newRefSet(ids)
}

// generated adds the sources of generated columns: reading one shows what it was computed from.
func (a *analysis) generated(r *Relation, cols []column) bool {
	found := false
	for i, c := range r.Columns {
		if c.Generated == "" {
			continue
		}
		found = true
		b := a.sub([]string{systemSchema}, a.run, qualified(r.Schema, r.Name))
		b.quiet = true
		v, ok := b.parsedExpr(c.Generated, &scope{items: []*item{{name: r.Name, relation: r, rows: true, bare: true, cols: cols}}})
		w := cols[i].val
		w.refs = w.refs.union(v.refs)
		w.opaque = v.opaque || !ok
		cols[i].val = w
	}
	return found
}

// parsedExpr parses and analyses the text of an expression.
func (a *analysis) parsedExpr(text string, s *scope) (value, bool) {
	sel, ok := a.parseSelect("SELECT " + text)
	if !ok || len(sel.TargetList) != 1 {
		return value{opaque: true}, false
	}
	return a.expr(sel.TargetList[0].GetResTarget().GetVal(), s), true
}

// parse parses a text of the catalog or of a routine body under the same limits as the statement.
func (a *analysis) parse(text string) ([]*pg.RawStmt, bool) {
	if a.cfg.guard(text) != nil {
		return nil, false
	}
	a.steps += len(text) / 16
	a.step()
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, false
	}
	return tree.Stmts, true
}

func (a *analysis) parseSelect(text string) (*pg.SelectStmt, bool) {
	stmts, ok := a.parse(text)
	if !ok || len(stmts) != 1 || stmts[0].Stmt.GetSelectStmt() == nil {
		return nil, false
	}
	return stmts[0].Stmt.GetSelectStmt(), true
}

// viewColumns expands a view: its columns derive from what its definition selects.
func (a *analysis) viewColumns(r *Relation) ([]column, bool) {
	x := a.expand(r)
	a.absorb(x.facts)
	cols := make([]column, len(r.Columns))
	for i, c := range r.Columns {
		v := value{opaque: true}
		if !x.open && i < len(x.cols) {
			v = x.cols[i]
		}
		v.origin, v.typ = newColID(r.OID, c.Num), c.TypeOID
		v.row = nil
		cols[i] = column{name: c.Name, val: v}
	}
	return cols, false
}

// expand analyses a view's definition once.
func (a *analysis) expand(r *Relation) *expansion {
	if memo, ok := a.cat.expanded.Load(r); ok {
		return memo.(*expansion)
	}
	if memo := a.expanded[r]; memo != nil {
		return memo
	}
	if len(a.views) >= maxNested || slices.Contains(a.views, r) {
		a.bound = true
		return &expansion{open: true, facts: &Facts{HasWhere: true, Opaque: true}}
	}
	outer := a.bound
	a.bound = false
	a.views = append(a.views, r)
	x := a.expandNow(r)
	a.views = a.views[:len(a.views)-1]
	if !a.bound && a.cat.byOID[r.OID] == r {
		a.cat.expanded.Store(r, x)
	}
	a.expanded[r] = x
	a.bound = a.bound || outer
	return x
}

func (a *analysis) expandNow(r *Relation) *expansion {
	b := a.sub([]string{systemSchema}, a.run, "")
	b.via, b.quiet = qualified(r.Schema, r.Name), true
	x := &expansion{facts: b.f}
	sel, ok := b.parseSelect(r.ViewDef)
	if !ok {
		x.open, b.f.Opaque = true, true
		return x
	}
	cols, _ := b.query(sel, nil)
	x.open = isOpen(cols) || len(cols) < len(r.Columns)
	for _, c := range cols {
		x.cols = append(x.cols, c.val)
	}
	if len(b.f.Unresolved) > 0 { // the catalog is not of one piece; the server knows the names, as it has the view
		b.f.Unresolved, x.open, b.f.Opaque = nil, true, true
	}
	b.finish()
	return x
}
