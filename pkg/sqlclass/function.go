package sqlclass

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

// funcCall analyses a call: its value derives from its arguments, and from whatever its body reads.
func (a *analysis) funcCall(f *pg.FuncCall, s *scope) value {
	schema, name, ok := splitName(f.Funcname)
	if !ok {
		return a.unknownNode(&pg.Node{Node: &pg.Node_List{List: &pg.List{Items: f.Args}}}, s)
	}
	args := make([]value, len(f.Args))
	for i, n := range f.Args {
		args[i] = a.expr(n, s)
	}
	v := a.call(schema, name, args, len(args), f.Funcformat == pg.CoercionForm_COERCE_SQL_SYNTAX)
	if f.AggFilter != nil || len(f.AggOrder) > 0 || f.Over != nil {
		v = v.with(a.aggregate(f.AggFilter, f.AggOrder, f.Over, s))
	}
	if f == a.pinned.call {
		a.setConfig(a.pinned.args)
		return v
	}
	a.effects(name, f.Args)
	return v
}

// effects notes what a call does to the session or the text it stands in.
func (a *analysis) effects(name string, args []*pg.Node) {
	switch {
	case name == "set_config":
		a.setConfig(args)
	case name == "pg_notify":
		a.access(Access{Action: ActionNotify, Object: "channel", Name: constString(args, 0)})
	case secretFunction(name):
		for _, n := range args {
			a.f.Secret = a.f.Secret || isConstant(n) && n.GetParamRef() == nil
		}
	}
}

func (a *analysis) setConfig(args []*pg.Node) {
	name := constString(args, 0)
	e := SetEffect{Name: strings.ToLower(name), Scope: ScopeSession, Unknown: name == ""}
	if len(args) > 1 && isConstant(args[1]) && args[1].GetParamRef() == nil {
		e.Values = []string{constString(args, 1)}
	} else {
		e.Unknown = true
	}
	if len(args) > 2 && constTrue(args[2]) {
		e.Scope = ScopeLocal
	}
	a.set(e)
}

// pinned is a call of set_config whose setting is named by the WHERE clause.
type pinned struct {
	call *pg.FuncCall
	args []*pg.Node // with the name in the column's place
}

// pin recognises SELECT set_config(name, ...) FROM pg_settings WHERE name = 'setting', with which pg_dump
// changes a setting where there is one of that name. Nothing but exactly this will do.
func (a *analysis) pin(sel *pg.SelectStmt) {
	if len(sel.TargetList) != 1 || len(sel.FromClause) != 1 || sel.Op != pg.SetOperation_SETOP_NONE || sel.WithClause != nil || len(a.cat.operators["="]) > 0 {
		return
	}
	call, rv := sel.TargetList[0].GetResTarget().GetVal().GetFuncCall(), sel.FromClause[0].GetRangeVar()
	where := sel.WhereClause.GetAExpr()
	if call == nil || rv == nil || where == nil || rv.Alias != nil || len(call.Args) != 3 {
		return
	}
	schema, name, _ := splitName(call.Funcname)
	r := a.relation(rv)
	if name != "set_config" || schema != "" && schema != systemSchema || r == nil || r.Schema != systemSchema || r.Name != "pg_settings" {
		return
	}
	if where.Kind == pg.A_Expr_Kind_AEXPR_OP && len(where.Name) == 1 && str(where.Name[0]) == "=" && isNameColumn(where.Lexpr) &&
		constString([]*pg.Node{where.Rexpr}, 0) != "" && isNameColumn(call.Args[0]) {
		a.pinned = pinned{call: call, args: append([]*pg.Node{where.Rexpr}, call.Args[1:]...)}
	}
}

func isNameColumn(n *pg.Node) bool {
	fields := n.GetColumnRef().GetFields()
	return len(fields) == 1 && str(fields[0]) == "name"
}

// constString returns the string literal args[i], empty when it is none.
func constString(args []*pg.Node, i int) string {
	if i >= len(args) {
		return ""
	}
	n := args[i]
	for n.GetTypeCast() != nil {
		n = n.GetTypeCast().Arg
	}
	return n.GetAConst().GetSval().GetSval()
}

// candidates returns the functions a name can mean with n arguments. Like the server it gathers them
// over the whole path; unlike it, it keeps all that could match, as argument types are not worked out.
func (a *analysis) candidates(schema, name string, n int) []*Function {
	var all, fit []*Function
	collect := func(schema string) {
		for _, f := range a.cat.functions[schema][name] {
			all = append(all, f)
			if f.accepts(n) {
				fit = append(fit, f)
			}
		}
	}
	if schema != "" {
		collect(schema)
	} else {
		for _, s := range a.path {
			if s != tempSchema { // functions are never looked up in pg_temp unless qualified
				collect(s)
			}
		}
	}
	if len(fit) == 0 {
		return all
	}
	return fit
}

func (a *analysis) hasFunction(name string) bool { return len(a.candidates("", name, 1)) > 0 }

// accepts tells whether f can be called with n arguments.
func (f *Function) accepts(n int) bool {
	in, variadic := 0, false
	for _, arg := range f.Args {
		switch arg.Mode {
		case ModeVariadic:
			in, variadic = in+1, true
		case ModeIn, ModeInOut, 0:
			in++
		case ModeOut:
			if f.Kind == 'p' {
				in++
			}
		}
	}
	if variadic && n >= in-1 {
		return true
	}
	return n <= in && n >= in-f.Defaults
}

// call records a call and returns its value. syntax marks calls that the grammar writes, such as EXTRACT.
func (a *analysis) call(schema, name string, args []value, n int, syntax bool) value {
	fns := a.candidates(schema, name, n)
	if len(fns) == 0 {
		return a.unknownCall(schema, name, args, syntax)
	}
	ref := FunctionRef{Schema: fns[0].Schema, Name: name, Language: fns[0].Language, Builtin: true}
	var v value
	for _, arg := range args {
		v = v.with(arg)
	}
	given := v
	for _, f := range fns {
		w := a.callOne(f, &ref)
		v = v.with(w)
		if f.ReturnsSet {
			a.filter(given, ClauseFunction)
		}
		ref.Builtin = ref.Builtin && f.Schema == systemSchema
	}
	a.sink(traitsOf(ref.Schema, name), name, given)
	if len(fns) == 1 {
		ref.OID = fns[0].OID
		v.typ = fns[0].ReturnType
		v.row = outputFields(fns[0], v)
	}
	v.opaque = v.opaque || ref.Opaque
	a.f.Opaque = a.f.Opaque || ref.Opaque
	a.function(ref)
	return v
}

// sink records that arguments end up where others can see them.
func (a *analysis) sink(t trait, name string, v value) {
	if t&traitSink == 0 {
		return
	}
	target := "function " + name
	switch name {
	case "pg_notify":
		target = "notify"
	case "set_config":
		target = "setting"
	}
	a.flowAll(v, ColumnRef{}, target)
}

// unknownCall is a call of a name the catalog does not have: the field of a row, or not understood.
func (a *analysis) unknownCall(schema, name string, args []value, syntax bool) value {
	var v value
	for _, arg := range args {
		v = v.with(arg)
	}
	if syntax && schema == systemSchema {
		a.function(FunctionRef{Schema: schema, Name: name, Builtin: true, Language: "internal"})
		return v
	}
	if schema == "" && len(args) == 1 {
		if fields, ok := a.rowFields(args[0]); ok {
			if c, ok := columnNamed(fields, name); ok {
				return c.val
			}
		}
	}
	if len(args) == 1 && (schema == "" || schema == systemSchema) && castTypes[name] {
		a.function(FunctionRef{Schema: systemSchema, Name: name, Builtin: true, Language: "internal"})
		return v.derived()
	}
	t := traitsOf(schema, name)
	a.missing("function", qualified(schema, name))
	a.function(FunctionRef{Schema: schema, Name: name, Opaque: true, Writes: true, Volatile: true, Dangerous: t&traitDangerous != 0,
		LargeObject: t&traitLargeObj != 0, Sensitive: t&traitSensitive != 0})
	a.sink(t, name, v)
	a.f.Opaque = true
	v.opaque = true
	return v
}

// callOne adds one candidate to ref and returns what its body reads.
func (a *analysis) callOne(f *Function, ref *FunctionRef) value {
	var t trait
	readable := f.Language == "sql" || f.Language == "plpgsql"
	if !readable || dangerousSchemas[f.Schema] {
		t = traitsOf(f.Schema, f.Name)
	}
	if f.Language == "internal" && f.Source != f.Name {
		t |= traitsOf(systemSchema, f.Source)
	}
	ref.Dangerous = ref.Dangerous || t&traitDangerous != 0
	ref.LargeObject = ref.LargeObject || t&traitLargeObj != 0
	ref.Sensitive = ref.Sensitive || t&traitSensitive != 0
	ref.Opaque = ref.Opaque || t&traitOpaque != 0
	ref.Writes = ref.Writes || t&traitWrites != 0
	ref.Volatile = ref.Volatile || f.Volatility != 'i' && f.Volatility != 's'
	switch {
	case f.Schema == systemSchema && f.OID < firstNormalOID:
		return value{}
	case f.Trusted:
		return value{}
	case f.Kind == 'a':
		ref.Opaque = true // its transition functions are not in the snapshot
		return value{}
	case readable:
		r := a.routine(f)
		ref.Opaque = ref.Opaque || r.opaque
		ref.Writes = ref.Writes || r.writes
		return a.reads(r.val)
	case f.Language == "c" || f.Language == "internal":
		return value{}
	}
	ref.Opaque, ref.Writes = true, true
	return value{}
}

// outputFields returns the columns of a function with output arguments.
func outputFields(f *Function, v value) []column {
	var cols []column
	for _, arg := range f.Args {
		switch arg.Mode {
		case ModeOut, ModeInOut, ModeTable:
			cols = append(cols, column{name: arg.Name, val: value{refs: v.refs, opaque: v.opaque, typ: arg.TypeOID}})
		}
	}
	if len(cols) < 2 {
		return nil
	}
	return cols
}

// operator records a user-defined operator's function. Operators of pg_catalog call nothing else.
func (a *analysis) operator(name []*pg.Node, args []value) value {
	schema, op, ok := splitName(name)
	if !ok {
		return value{}
	}
	var v value
	for _, o := range a.cat.operators[op] {
		if schema != "" && schema != o.Schema || schema == "" && !a.onPath(o.Schema) {
			continue
		}
		f := a.cat.funcByOID[o.Function]
		if f == nil {
			a.missing("function", "operator "+qualified(o.Schema, op))
			v.opaque = true
			continue
		}
		v = v.with(a.callFunction(f, args))
	}
	return v
}

// callFunction records a call of exactly f.
func (a *analysis) callFunction(f *Function, args []value) value {
	ref := FunctionRef{Schema: f.Schema, Name: f.Name, OID: f.OID, Language: f.Language, Builtin: f.Schema == systemSchema}
	v := a.callOne(f, &ref)
	for _, arg := range args {
		v = v.with(arg)
	}
	v.opaque = v.opaque || ref.Opaque
	a.f.Opaque = a.f.Opaque || ref.Opaque
	a.function(ref)
	return v
}

func (a *analysis) onPath(schema string) bool {
	for _, s := range a.path {
		if s == schema {
			return true
		}
	}
	return false
}

// castTypes are the types of pg_catalog that can be written like a function of one argument and have no
// function of that name: name(x) is then a cast (func_get_detail in parser/parse_func.c).
var castTypes = map[string]bool{
	"aclitem": true, "bit": true, "bool": true, "bytea": true, "char": true, "cid": true, "cidr": true,
	"circle": true, "cstring": true, "date": true, "datemultirange": true, "daterange": true, "float4": true,
	"float8": true, "inet": true, "int2": true, "int4": true, "int4multirange": true, "int4range": true,
	"int8": true, "int8multirange": true, "int8range": true, "int2vector": true, "interval": true, "json": true,
	"jsonb": true, "jsonpath": true, "line": true, "lseg": true, "macaddr": true, "macaddr8": true,
	"money": true, "name": true, "numeric": true, "nummultirange": true, "numrange": true, "oid": true,
	"oidvector": true, "path": true, "pg_lsn": true, "point": true, "polygon": true, "regclass": true,
	"regcollation": true, "regconfig": true, "regdictionary": true, "regnamespace": true, "regoper": true,
	"regoperator": true, "regproc": true, "regprocedure": true, "regrole": true, "regtype": true, "text": true,
	"tid": true, "time": true, "timestamp": true, "timestamptz": true, "timetz": true, "tsmultirange": true,
	"tsquery": true, "tsrange": true, "tstzmultirange": true, "tstzrange": true, "tsvector": true,
	"txid_snapshot": true, "pg_snapshot": true, "unknown": true, "uuid": true, "varbit": true, "varchar": true,
	"xid": true, "xid8": true, "xml": true,
}
