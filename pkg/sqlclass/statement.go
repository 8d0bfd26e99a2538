package sqlclass

import pg "github.com/sqlc-dev/oliphant"

// statement analyses one statement into a.f. A statement it has no rule for stays KindUnknown.
func (a *analysis) statement(n *pg.Node) {
	a.step()
	a.f.Kind = KindUnknown
	if a.dataStatement(n) || a.sessionStatement(n) || a.utility(n) || a.definition(n) {
		return
	}
	a.unknownNode(n, &scope{})
}

// dataStatement handles the statements that read and write rows.
func (a *analysis) dataStatement(n *pg.Node) bool {
	top := &scope{}
	switch x := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		a.selectStatement(x.SelectStmt)
	case *pg.Node_InsertStmt:
		a.f.Kind = KindInsert
		a.returning(a.insert(x.InsertStmt, top), x.InsertStmt.ReturningClause)
	case *pg.Node_UpdateStmt:
		a.f.Kind = KindUpdate
		a.returning(a.update(x.UpdateStmt, top), x.UpdateStmt.ReturningClause)
	case *pg.Node_DeleteStmt:
		a.f.Kind = KindDelete
		a.returning(a.delete(x.DeleteStmt, top), x.DeleteStmt.ReturningClause)
	case *pg.Node_MergeStmt:
		a.f.Kind = KindMerge
		a.returning(a.mergeStatement(x.MergeStmt, top), x.MergeStmt.ReturningClause)
	case *pg.Node_CopyStmt:
		a.copyStatement(x.CopyStmt)
	case *pg.Node_TruncateStmt:
		a.f.Kind = KindTruncate
		for _, r := range x.TruncateStmt.Relations {
			a.relationAccess(ActionTruncate, r.GetRangeVar())
		}
		if x.TruncateStmt.Behavior == pg.DropBehavior_DROP_CASCADE {
			a.access(Access{Action: ActionTruncate, Object: "cascade"})
		}
	case *pg.Node_CallStmt:
		a.callStatement(x.CallStmt)
	case *pg.Node_DoStmt:
		a.doStatement(x.DoStmt)
	case *pg.Node_ExplainStmt:
		a.explain(x.ExplainStmt)
	case *pg.Node_LockStmt:
		a.f.Kind = KindLock
		for _, r := range x.LockStmt.Relations {
			a.relationAccess(ActionLock, r.GetRangeVar())
		}
	default:
		return false
	}
	return true
}

func (a *analysis) selectStatement(sel *pg.SelectStmt) {
	into := sel
	for into.Larg != nil {
		into = into.Larg
	}
	if into.IntoClause != nil {
		a.f.Kind = KindDDL
		clause := into.IntoClause
		into.IntoClause = nil
		cols, _ := a.query(sel, nil)
		into.IntoClause = clause
		a.createInto(clause, cols)
		return
	}
	a.f.Kind = KindSelect
	a.pin(sel)
	cols, _ := a.query(sel, nil)
	a.setOutput(cols)
	a.f.RowsLimit = constLimit(sel)
}

// constLimit returns a literal LIMIT, -1 for any other.
func constLimit(sel *pg.SelectStmt) int64 {
	c := sel.LimitCount.GetAConst()
	if c == nil || c.Isnull || sel.LimitOption == pg.LimitOption_LIMIT_OPTION_WITH_TIES {
		return -1
	}
	if iv, ok := c.Val.(*pg.A_Const_Ival); ok {
		return int64(iv.Ival.GetIval())
	}
	return -1
}

// setOutput makes columns the statement's result.
func (a *analysis) setOutput(cols []column) {
	a.f.ReturnsRows = true
	if isOpen(cols) {
		return
	}
	a.f.OutputKnown = true
	a.f.Output = make([]OutputColumn, len(cols))
	for i, c := range cols {
		o := OutputColumn{Name: c.name, Sources: a.refs(c.val.refs), Opaque: c.val.opaque, Origin: a.ref(c.val.origin), CastOf: a.ref(c.val.same)}
		if c.val.direct != 0 && !c.val.opaque {
			o.Direct, o.Column, o.TypeOID = true, a.ref(c.val.direct), c.val.typ
		}
		a.f.Output[i] = o
	}
}

func (a *analysis) returning(cols []column, clause *pg.ReturningClause) {
	if clause != nil {
		a.setOutput(cols)
	}
}

// createInto records the table that SELECT INTO or CREATE TABLE AS makes, and what flows into it.
func (a *analysis) createInto(into *pg.IntoClause, cols []column) {
	rv := into.GetRel()
	names := strs(into.GetColNames())
	a.create(rv, columnNames(renamed(cols, names)))
	for i, c := range renamed(cols, names) {
		if !into.GetSkipData() {
			a.flowAll(cols[i].val, ColumnRef{}, qualified(a.newSchema(rv), rv.GetRelname())+"."+c.name)
		}
	}
}

func (a *analysis) create(rv *pg.RangeVar, columns []string) {
	temp := rv.GetRelpersistence() == "t" || rv.GetSchemaname() == tempSchema
	schema := a.newSchema(rv)
	a.access(Access{Action: ActionDDL, Object: "table", Schema: schema, Name: rv.GetRelname(), Temp: temp, System: isSystemSchema(schema)})
	a.f.Creates = append(a.f.Creates, NewTable{Schema: schema, Name: rv.GetRelname(), Temp: temp, Columns: columns})
}

// newSchema returns the schema that a new relation goes to.
func (a *analysis) newSchema(rv *pg.RangeVar) string {
	switch {
	case rv.GetSchemaname() != "":
		return rv.GetSchemaname()
	case rv.GetRelpersistence() == "t":
		return tempSchema
	}
	return a.ses.Path.create
}

func columnNames(cols []column) []string {
	if isOpen(cols) {
		return nil
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.name
	}
	return names
}

func (a *analysis) explain(e *pg.ExplainStmt) {
	for _, o := range e.Options {
		if d := o.GetDefElem(); d.GetDefname() == "analyze" {
			a.f.ExplainAnalyze = optionTrue(d)
		}
	}
	a.inner(e.Query)
	a.f.Kind = KindExplain
	a.f.RowsLimit = -1
	// The plan shows folded constants, so whatever an unreadable function returns may be in it.
	a.f.ReturnsRows, a.f.OutputKnown = true, true
	a.f.Output = []OutputColumn{{Name: "QUERY PLAN", Opaque: a.f.Opaque}}
}

// inner analyses a statement within this one. Its facts become this statement's, and are kept as Inner.
func (a *analysis) inner(n *pg.Node) {
	a.statement(n)
	a.f.Write = a.writes() || a.f.Write
	in := *a.f
	in.ColumnsRead, in.ColumnsWritten = a.refs(newRefSet(a.read)), a.refs(newRefSet(a.written))
	in.Inner = a.f.Inner
	a.f.Inner = &in
	a.f.Output, a.f.OutputKnown, a.f.ReturnsRows = nil, false, false
}

// optionTrue reads a boolean option as defGetBoolean does.
func optionTrue(d *pg.DefElem) bool {
	arg := d.GetArg()
	if arg == nil {
		return true
	}
	switch x := arg.Node.(type) {
	case *pg.Node_Integer:
		return x.Integer.Ival != 0
	case *pg.Node_Boolean:
		return x.Boolean.Boolval
	}
	switch lowerASCII(str(arg)) {
	case "false", "off", "0":
		return false
	}
	return true
}

func (a *analysis) callStatement(c *pg.CallStmt) {
	a.f.Kind = KindCall
	v := a.funcCall(c.Funccall, &scope{})
	a.f.Write = true
	schema, name, _ := splitName(c.Funccall.GetFuncname())
	var cols []column
	for _, f := range a.candidates(schema, name, len(c.Funccall.GetArgs())) {
		cols = outArguments(f, v)
		if f.ReturnType == recordOID && len(cols) == 0 {
			return
		}
	}
	if len(cols) > 0 {
		a.setOutput(cols)
	}
}

func outArguments(f *Function, v value) []column {
	var cols []column
	for _, arg := range f.Args {
		if arg.Mode == ModeOut || arg.Mode == ModeInOut {
			cols = append(cols, column{name: arg.Name, val: v.derived()})
		}
	}
	return cols
}

func (a *analysis) doStatement(d *pg.DoStmt) {
	lang, source := "plpgsql", ""
	for _, n := range d.Args {
		switch e := n.GetDefElem(); e.GetDefname() {
		case "language":
			lang = str(e.GetArg())
		case "as":
			source = defText(e)
		}
	}
	if lang == "plpgsql" {
		a.anonymous("DO LANGUAGE plpgsql "+dollarQuote(source), source)
	} else {
		a.f.Opaque = true
	}
	a.f.Kind, a.f.Write = KindDo, true
	a.access(Access{Action: ActionSystem, Object: "do", Name: lang})
}

// anonymous analyses a PL/pgSQL statement's body as part of this statement.
func (a *analysis) anonymous(stmt, source string) {
	b := a.sub(a.path, a.run, "")
	b.quiet, b.body = false, true
	if !b.plpgsql(stmt, source) {
		b.f.Opaque = true
	}
	if hasWord(source, "execute") {
		b.f.DynamicSQL = true
	}
	if hasWord(source, "password", "connection") || b.f.Secret {
		a.f.Secret = true
	}
	b.launder()
	a.read = append(a.read, b.read...)
	a.written = append(a.written, b.written...)
	a.absorb(b.f)
	a.f.Creates = append(a.f.Creates, b.f.Creates...)
}

// defText returns the text of a DefElem that holds a string or a list of strings.
func defText(e *pg.DefElem) string {
	if l := e.GetArg().GetList(); l != nil && len(l.Items) > 0 {
		return str(l.Items[0])
	}
	return str(e.GetArg())
}
