package sqlclass

import (
	"slices"
	"strconv"

	pg "github.com/sqlc-dev/oliphant"
)

// rangeFunction analyses functions in FROM. All their columns derive from all their arguments, and the
// arguments decide how many rows there are.
func (a *analysis) rangeFunction(r *pg.RangeFunction, s *scope) *item {
	it := &item{aliased: true, rows: true, bare: true}
	for i, n := range r.Functions {
		parts := n.GetList().GetItems()
		if len(parts) == 0 {
			continue
		}
		alias := ""
		if len(r.Functions) == 1 {
			alias = r.Alias.GetAliasname()
		}
		defs := r.Coldeflist
		if len(parts) > 1 && parts[1].GetList() != nil {
			defs = parts[1].GetList().Items
		}
		cols, rest := a.tableFunction(parts[0], alias, defs, s)
		if rest.opaque && cols == nil {
			it.open, it.rest = true, it.rest.with(rest)
		}
		it.cols = append(it.cols, cols...)
		if i == 0 {
			it.name = resultName(parts[0])
		}
	}
	if r.Ordinality {
		it.cols = append(it.cols, column{name: "ordinality"})
	}
	if it.open && len(r.Alias.GetColnames()) > 0 {
		it.cols = nil
	}
	return aliased(it, r.Alias)
}

// tableFunction returns the columns of one function in FROM; nil columns and an opaque rest when they
// are not known.
func (a *analysis) tableFunction(n *pg.Node, alias string, defs []*pg.Node, s *scope) ([]column, value) {
	v := a.expr(n, s)
	a.filter(v, ClauseFunction)
	plain := value{refs: v.refs, opaque: v.opaque}
	if len(defs) > 0 {
		cols := make([]column, len(defs))
		for i, d := range defs {
			cols[i] = column{name: d.GetColumnDef().GetColname(), val: plain}
		}
		return cols, plain
	}
	name := resultName(n)
	if alias != "" {
		name = alias
	}
	call := n.GetFuncCall()
	if call == nil {
		return []column{{name: name, val: plain}}, plain
	}
	if cols := a.resultColumns(call, name, plain, s); cols != nil {
		return cols, plain
	}
	return nil, value{refs: v.refs, opaque: true}
}

// OIDs of types that say nothing of a result's columns: record's are given by the query or by output
// arguments, those of the others by the argument, as with json_populate_record.
const (
	recordOID        = 2249
	anyElementOID    = 2283
	anyCompatibleOID = 5077
)

// resultColumns works out a function's columns as get_expr_result_type of the server does.
func (a *analysis) resultColumns(call *pg.FuncCall, name string, v value, s *scope) []column {
	schema, fname, _ := splitName(call.Funcname)
	if fname == "unnest" && (schema == "" || schema == systemSchema) {
		return a.unnestColumns(call, name, v, s)
	}
	var cols []column
	for i, f := range a.candidates(schema, fname, len(call.Args)) {
		c := a.columnsOf(f, name, v)
		if c == nil || i > 0 && !sameNames(c, cols) {
			return nil
		}
		cols = c
	}
	return cols
}

func (a *analysis) columnsOf(f *Function, name string, v value) []column {
	var cols []column
	for _, arg := range f.Args {
		switch arg.Mode {
		case ModeOut, ModeInOut, ModeTable:
			n := arg.Name
			if n == "" {
				n = "column" + strconv.Itoa(len(cols)+1)
			}
			cols = append(cols, column{name: n, val: v})
		}
	}
	if len(cols) > 0 {
		return cols
	}
	if r := a.cat.byRowType[f.ReturnType]; r != nil && f.ReturnType != 0 {
		for _, c := range r.Columns {
			cols = append(cols, column{name: c.Name, val: value{refs: v.refs, opaque: v.opaque, typ: c.TypeOID}})
		}
		return cols
	}
	if f.ReturnType == recordOID || f.ReturnType == anyElementOID || f.ReturnType == anyCompatibleOID {
		return nil
	}
	return []column{{name: name, val: v}}
}

// unnestColumns handles unnest: one column for each argument, or the fields of an array of rows. Where
// the element type is not plain, the columns are not known.
func (a *analysis) unnestColumns(call *pg.FuncCall, name string, v value, s *scope) []column {
	cols := make([]column, 0, len(call.Args))
	for _, arg := range call.Args {
		if !a.plainType(arg, s) {
			return nil
		}
		cols = append(cols, column{name: "unnest", val: v})
	}
	if len(cols) == 1 {
		cols[0].name = name
	}
	return cols
}

// plainType tells whether an expression is surely neither a row nor an array of rows.
func (a *analysis) plainType(n *pg.Node, s *scope) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_AConst, *pg.Node_AExpr, *pg.Node_BoolExpr:
		return true
	case *pg.Node_TypeCast:
		return !a.rowTypeName(x.TypeCast.TypeName)
	case *pg.Node_AArrayExpr:
		for _, e := range x.AArrayExpr.Elements {
			if !a.plainType(e, s) {
				return false
			}
		}
		return true
	case *pg.Node_SubLink:
		if x.SubLink.SubLinkType != pg.SubLinkType_ARRAY_SUBLINK {
			return false
		}
		cols, _ := a.query(x.SubLink.Subselect.GetSelectStmt(), s)
		return len(cols) == 1 && plainOID(cols[0].val.typ)
	case *pg.Node_ColumnRef, *pg.Node_FuncCall:
		return plainOID(a.expr(n, s).typ)
	}
	return false
}

// recordArrayOID is the type OID of record[].
const recordArrayOID = 2287

func plainOID(typ uint32) bool {
	return typ != 0 && typ < firstNormalOID && typ != recordOID && typ != recordArrayOID
}

// rowTypeName tells whether a type name may mean the rows of a relation. Types that are no relation's
// rows are plain, apart from domains, which take their name from no relation.
func (a *analysis) rowTypeName(t *pg.TypeName) bool {
	schema, name, ok := splitName(t.GetNames())
	if !ok || name == "record" || name == "_record" {
		return true
	}
	return schema != systemSchema && !isBuiltinTypeName(name)
}

// isBuiltinTypeName knows the usual types that the grammar leaves without a schema.
func isBuiltinTypeName(name string) bool {
	switch name {
	case "text", "uuid", "date", "json", "jsonb", "bytea", "name", "oid", "inet", "cidr", "regclass", "citext", "money", "xml":
		return true
	}
	return false
}

func sameNames(a, b []column) bool {
	return slices.EqualFunc(a, b, func(x, y column) bool { return x.name == y.name })
}

// fieldName is the name of a field of an anonymous row.
func fieldName(i int) string { return "f" + strconv.Itoa(i+1) }
