package sqlclass

import pg "github.com/sqlc-dev/oliphant"

// item is one name in a FROM clause: a table, sub-select, function, join, or the target of a write.
type item struct {
	name     string
	relation *Relation // nil for anything but a table or view
	aliased  bool      // the relation's own schema-qualified name is hidden
	cols     []column
	rows     bool  // qualified names reach it
	bare     bool  // unqualified names and * reach its columns
	open     bool  // its columns are not known: any name may be one of them
	rest     value // what a column of an open item holds
	system   bool  // has ctid, xmin and the other system columns
}

// find returns the column called name.
func (it *item) find(name string) (value, bool) {
	var v value
	found := false
	for i := range it.cols {
		if it.cols[i].name != name {
			continue
		}
		if !found {
			v, found = it.cols[i].val, true
		} else {
			v = v.with(it.cols[i].val)
		}
	}
	if found {
		return v, true
	}
	if num := systemColumns[name]; it.system && num != 0 {
		if it.relation != nil {
			v.origin = newColID(it.relation.OID, num)
		}
		return v, true
	}
	if it.open {
		return it.rest, true
	}
	return value{}, false
}

// whole returns the item as a row.
func (it *item) whole() value {
	v := allOf(it.cols)
	if it.open {
		v = v.with(it.rest)
	}
	v.row = it.cols
	if it.open {
		v.row = nil
	}
	if it.relation != nil {
		v.typ, v.origin = it.relation.RowType, newColID(it.relation.OID, 0)
	}
	return v
}

// systemColumns are the attributes every table has, with their numbers (access/sysattr.h). They hold none
// of a table's values.
var systemColumns = map[string]int16{"ctid": -1, "xmin": -2, "cmin": -3, "xmax": -4, "cmax": -5, "tableoid": -6}

// scope is what names mean at one query level.
type scope struct {
	outer   *scope
	items   []*item
	ctes    *cte
	windows map[string]value
	outputs []column // result columns, for ORDER BY and GROUP BY
}

// cte is a WITH query in force; the list goes from the innermost outwards.
type cte struct {
	next *cte
	name string
	cols []column
	open bool
}

func (c *cte) lookup(name string) *cte {
	for ; c != nil; c = c.next {
		if c.name == name {
			return c
		}
	}
	return nil
}

// under returns a scope for a query that can see s.
func (s *scope) under() *scope {
	if s == nil {
		return &scope{}
	}
	return &scope{outer: s, ctes: s.ctes}
}

// bareColumn resolves an unqualified column name, from the innermost level outwards.
func (a *analysis) bareColumn(s *scope, name string) (value, bool) {
	for ; s != nil; s = s.outer {
		var v value
		found := false
		a.spend(1 + len(s.items))
		for _, it := range s.items {
			if !it.bare {
				continue
			}
			a.spend(len(it.cols) / 16)
			w, ok := it.find(name)
			switch {
			case ok && !found:
				v, found = w, true
			case ok:
				v = v.with(w)
			}
		}
		if found {
			return v, true
		}
	}
	return value{}, false
}

// named returns the item that a qualifier means.
func (a *analysis) named(s *scope, schema, name string) *item {
	for ; s != nil; s = s.outer {
		a.spend(1 + len(s.items))
		for _, it := range s.items {
			if it.rows && it.answers(schema, name, a) {
				return it
			}
		}
	}
	return nil
}

func (it *item) answers(schema, name string, a *analysis) bool {
	if schema == "" {
		return it.name == name
	}
	if it.aliased || it.relation == nil {
		return false
	}
	return it.relation == a.relationIn(schema, name)
}

// column resolves a column reference.
func (a *analysis) column(ref *pg.ColumnRef, s *scope) value {
	fields := ref.Fields
	if n := len(fields); n > 1 && fields[n-1].GetAStar() != nil {
		if it := a.qualifier(fields[:n-1], s); it != nil {
			return a.reads(it.whole())
		}
		return a.unknownColumn(fields)
	}
	if len(fields) == 1 {
		return a.bareName(str(fields[0]), fields, s)
	}
	it := a.qualifier(fields[:len(fields)-1], s)
	if it == nil {
		return a.unknownColumn(fields)
	}
	name := str(fields[len(fields)-1])
	if v, ok := it.find(name); ok {
		return a.reads(v)
	}
	// t.f is also f(t): a function or cast of the whole row.
	v := a.reads(it.whole())
	if a.hasFunction(name) {
		return v.derived().with(a.call("", name, []value{v}, 1, false))
	}
	if !a.body {
		a.missing("column", name)
	}
	return v.derived()
}

// bareName resolves one name: a column, else a whole row, else a variable of the routine.
func (a *analysis) bareName(name string, fields []*pg.Node, s *scope) value {
	if v, ok := a.bareColumn(s, name); ok {
		return a.reads(v)
	}
	if it := a.named(s, "", name); it != nil {
		return a.reads(it.whole())
	}
	return a.unknownColumn(fields)
}

// qualifier returns the item that the leading parts of a column reference name.
func (a *analysis) qualifier(parts []*pg.Node, s *scope) *item {
	switch len(parts) {
	case 1:
		return a.named(s, "", str(parts[0]))
	case 2:
		return a.named(s, str(parts[0]), str(parts[1]))
	case 3:
		if str(parts[0]) != a.cat.database {
			return nil
		}
		return a.named(s, str(parts[1]), str(parts[2]))
	}
	return nil
}

// unknownColumn is the value of a name that means nothing here: a variable inside a routine, and
// anything at all elsewhere.
func (a *analysis) unknownColumn(fields []*pg.Node) value {
	if a.body {
		return value{}
	}
	if n := len(fields); n > 1 {
		a.missing("from", str(fields[n-2]))
	} else {
		a.missing("column", str(fields[0]))
	}
	return value{opaque: true}
}
