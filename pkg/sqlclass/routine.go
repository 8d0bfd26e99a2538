package sqlclass

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

// routine is what calling a function with a readable body amounts to.
type routine struct {
	val    value // every column the body reads: its result derives from no other
	opaque bool
	writes bool
}

// routine analyses a function's body once for each text.
func (a *analysis) routine(f *Function) *routine {
	if n := len(a.calls); n > 0 && a.calls[n-1] == f {
		return &routine{} // a call of itself reads nothing that the body does not
	}
	if r := a.bodies[f]; r != nil {
		return r
	}
	if len(a.calls) >= maxNested || slices.Contains(a.calls, f) {
		a.bound = true
		return &routine{opaque: true, writes: true}
	}
	a.bound = a.bound || f.SearchPath == nil
	run := a.run
	if f.SearchPath != nil {
		run = NewPath(f.SearchPath...).schemas
	}
	b := a.sub(run, run, qualified(f.Schema, f.Name))
	b.quiet, b.body = false, true
	a.calls = append(a.calls, f)
	understood := b.functionBody(f)
	a.calls = a.calls[:len(a.calls)-1]
	if len(b.f.Unresolved) > 0 { // names that exist only while it runs
		b.f.Unresolved, understood = nil, false
	}
	b.launder()
	b.finish()
	r := &routine{
		val:    value{refs: newRefSet(b.read)},
		opaque: !understood || b.f.Opaque || b.f.DynamicSQL,
		writes: b.f.Write,
	}
	b.f.Opaque = b.f.Opaque || !understood
	a.absorb(b.f)
	if slices.Equal(run, a.ses.Path.schemas) || f.SearchPath != nil {
		a.bodies[f] = r
	}
	return r
}

// functionBody analyses the body into a's facts. It returns false when it is not all understood.
func (a *analysis) functionBody(f *Function) bool {
	switch {
	case f.Language == "plpgsql":
		return a.plpgsql(plpgsqlHeader(f, a.cat)+dollarQuote(f.Source)+" LANGUAGE plpgsql", f.Source)
	case f.SQLBody != "":
		stmts, ok := a.parse("CREATE FUNCTION f() RETURNS int LANGUAGE sql " + f.SQLBody)
		if !ok || len(stmts) != 1 || stmts[0].Stmt.GetCreateFunctionStmt() == nil {
			return false
		}
		return a.sqlBody(stmts[0].Stmt.GetCreateFunctionStmt().SqlBody)
	}
	return a.sqlText(f.Source)
}

// sqlText analyses a list of statements of a SQL function.
func (a *analysis) sqlText(text string) bool {
	stmts, ok := a.parse(text)
	for _, raw := range stmts {
		a.bodyStatement(raw.Stmt)
	}
	return ok
}

// sqlBody analyses BEGIN ATOMIC ... END or RETURN expression.
func (a *analysis) sqlBody(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_List:
		for _, item := range x.List.Items {
			if !a.sqlBody(item) {
				return false
			}
		}
		return true
	case *pg.Node_ReturnStmt:
		a.expr(x.ReturnStmt.Returnval, &scope{})
		return true
	case nil:
		return false
	}
	a.bodyStatement(n)
	return true
}

// bodyStatement analyses one statement of a routine; its kind is not the calling statement's.
func (a *analysis) bodyStatement(n *pg.Node) {
	kind, out, known, returns := a.f.Kind, a.f.Output, a.f.OutputKnown, a.f.ReturnsRows
	a.statement(n)
	if a.f.Kind == KindUnknown {
		a.f.Opaque = true
	}
	if a.f.Kind == KindTransaction {
		a.f.Tx = TxNone
	}
	a.f.Kind, a.f.Output, a.f.OutputKnown, a.f.ReturnsRows, a.f.Inner = kind, out, known, returns, nil
}

// launder records that a routine which reads and writes may store what it read, and that one which
// raises messages may show it.
func (a *analysis) launder() {
	v := value{refs: newRefSet(a.read)}
	if len(a.written) > 0 || len(a.f.Creates) > 0 {
		a.flowAll(v, ColumnRef{}, "routine")
	}
	if a.shown {
		a.flowAll(v, ColumnRef{}, "notice")
	}
}

// Types with their own meaning as the return type of a PL/pgSQL function.
const (
	voidOID         = 2278
	triggerOID      = 2279
	eventTriggerOID = 3838
)

// triggerHeader stands in for RETURNS trigger: the parser's JSON for a real trigger function is not
// well-formed, so NEW and OLD become arguments.
const triggerHeader = "CREATE FUNCTION f(new record, old record) RETURNS record AS "

// plpgsqlHeader writes a CREATE FUNCTION under which the body compiles: names and modes of the arguments
// matter, their types hardly.
func plpgsqlHeader(f *Function, cat *Catalog) string {
	if f.ReturnType == triggerOID || f.ReturnType == eventTriggerOID {
		return triggerHeader
	}
	var b strings.Builder
	b.WriteString("CREATE FUNCTION f(")
	outs := false
	for i, arg := range f.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		switch arg.Mode {
		case ModeOut, ModeTable:
			b.WriteString("OUT ")
			outs = true
		case ModeInOut:
			b.WriteString("INOUT ")
			outs = true
		}
		if arg.Name != "" {
			b.WriteString(quoteIdent(arg.Name) + " ")
		}
		if cat.byRowType[arg.TypeOID] != nil {
			b.WriteString("record")
		} else {
			b.WriteString("text")
		}
	}
	b.WriteString(")")
	if f.Kind == 'p' {
		return strings.Replace(b.String(), "FUNCTION", "PROCEDURE", 1) + " AS "
	}
	b.WriteString(plpgsqlReturn(f, outs))
	return b.String() + " AS "
}

func plpgsqlReturn(f *Function, outs bool) string {
	switch {
	case f.ReturnsSet && outs:
		return " RETURNS SETOF record"
	case f.ReturnsSet:
		return " RETURNS SETOF text"
	case outs:
		return ""
	case f.ReturnType == voidOID:
		return " RETURNS void"
	}
	return " RETURNS text"
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// dollarQuote quotes a body with a tag that does not occur in it.
func dollarQuote(s string) string {
	tag := "$body$"
	for i := 0; strings.Contains(s, tag) || strings.HasSuffix(s, strings.TrimSuffix(tag, "$")); i++ {
		tag = "$body" + strconv.Itoa(i) + "$"
	}
	return tag + s + tag
}

// maxBodyCost bounds bytes times statements of a body: the PL/pgSQL parser's time grows with both.
const maxBodyCost = 100_000_000

// plpgsql analyses the SQL inside a DO or CREATE FUNCTION ... LANGUAGE plpgsql statement with the given
// body. It returns false when the body cannot be parsed.
func (a *analysis) plpgsql(stmt, body string) bool {
	cost := len(body) * (1 + strings.Count(body, ";"))
	if a.cfg.guard(stmt) != nil || a.cfg.guard(body) != nil || blockDepth(body) > a.cfg.MaxDepth || cost > maxBodyCost {
		return false
	}
	a.spend(len(stmt)/16 + cost/2000)
	text, err := pg.ParsePlPgSqlToJSON(stmt)
	if err != nil {
		return false
	}
	var tree any
	if json.Unmarshal([]byte(text), &tree) != nil {
		return false
	}
	ok := true
	a.plpgsqlNode(tree, &ok)
	return ok
}

// blockDepth returns how deep the blocks of a body nest at most. The
// parser recurses once for each level.
func blockDepth(body string) int {
	depth, high := 0, 0
	closing := false
	s := scanner{text: body}
	for t, ok := s.next(); ok; t, ok = s.next() {
		if t.kind != tokWord {
			closing = false
			continue
		}
		switch lowerASCII(body[t.start:t.end]) {
		case "end":
			depth, closing = max(0, depth-1), true
			continue
		case "begin", "if", "loop", "case":
			if !closing {
				depth++
				high = max(high, depth)
			}
		}
		closing = false
	}
	return high
}

// plpgsqlNode walks the tree that the PL/pgSQL parser gives as JSON.
func (a *analysis) plpgsqlNode(n any, ok *bool) {
	a.step()
	switch x := n.(type) {
	case []any:
		for _, item := range x {
			a.plpgsqlNode(item, ok)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			child := x[key]
			switch {
			case strings.HasPrefix(key, "PLpgSQL_stmt_dyn"), key == "dynquery":
				a.f.DynamicSQL = true
				a.constantSQL(child)
			case key == "PLpgSQL_stmt_raise", key == "PLpgSQL_stmt_assert":
				a.raises(child)
			case key == "PLpgSQL_stmt_open", key == "PLpgSQL_stmt_close":
				a.f.Cursors = true
			case key == "PLpgSQL_expr":
				*ok = a.plpgsqlExpr(child) && *ok
				continue
			}
			a.plpgsqlNode(child, ok)
		}
	}
}

// plpgsqlExpr analyses one expression or statement of a body, after its parse mode (RawParseMode of
// parser/parser.h): 0 a statement, 1 a type, 2 an expression, 3 to 5 an assignment.
func (a *analysis) plpgsqlExpr(n any) bool {
	e, _ := n.(map[string]any)
	query, _ := e["query"].(string)
	mode, _ := e["parseMode"].(float64)
	switch mode {
	case 1:
		return true
	case 2:
		query = "SELECT " + query
	case 3, 4, 5:
		target, source, ok := splitAssignment(query)
		if !ok {
			return false
		}
		query = "SELECT " + source + ", " + target
	}
	stmts, ok := a.parse(query)
	for _, raw := range stmts {
		a.bodyStatement(raw.Stmt)
	}
	return ok
}

// splitAssignment splits `target := source` or `target = source` at the operator outside all brackets.
func splitAssignment(text string) (target, source string, ok bool) {
	depth := 0
	s := scanner{text: text}
	for t, more := s.next(); more; t, more = s.next() {
		switch word := text[t.start:t.end]; {
		case word == "(" || word == "[":
			depth++
		case word == ")" || word == "]":
			depth--
		case depth == 0 && (word == ":=" || word == "="):
			return text[:t.start], text[t.end:], true
		}
	}
	return "", "", false
}

// constantSQL analyses dynamic SQL that is a plain literal, so that a policy sees what it does.
func (a *analysis) constantSQL(n any) {
	m, _ := n.(map[string]any)
	if q, found := m["query"]; found {
		m, _ = q.(map[string]any)
	}
	e, _ := m["PLpgSQL_expr"].(map[string]any)
	query, _ := e["query"].(string)
	sel, ok := a.parseSelect("SELECT " + query)
	if !ok || len(sel.TargetList) != 1 {
		return
	}
	if lit := sel.TargetList[0].GetResTarget().GetVal().GetAConst().GetSval(); lit != nil {
		stmts, _ := a.parse(lit.Sval)
		for _, raw := range stmts {
			a.bodyStatement(raw.Stmt)
		}
	}
}

// raises records that RAISE and ASSERT show values to the client.
func (a *analysis) raises(n any) {
	text, err := json.Marshal(n)
	if err != nil || !strings.Contains(string(text), "PLpgSQL_expr") {
		return
	}
	a.shown = true
}
