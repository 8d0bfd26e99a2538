package sqlclass

import (
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

func (a *analysis) set(e SetEffect) { a.f.Sets = append(a.f.Sets, e) }

// sessionStatement handles the statements about the session: settings, transactions, prepared
// statements, cursors and notifications.
func (a *analysis) sessionStatement(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_VariableSetStmt:
		a.setStatement(x.VariableSetStmt)
	case *pg.Node_VariableShowStmt:
		a.f.Kind = KindShow
		a.f.ReturnsRows, a.f.OutputKnown = true, true
		a.f.Output = showOutput(x.VariableShowStmt.Name)
	case *pg.Node_TransactionStmt:
		a.transaction(x.TransactionStmt)
	case *pg.Node_ConstraintsSetStmt:
		a.f.Kind = KindSet
		a.set(SetEffect{Name: "constraints", Scope: ScopeLocal})
	case *pg.Node_DiscardStmt:
		a.discard(x.DiscardStmt)
	case *pg.Node_ListenStmt:
		a.f.Kind, a.f.Channel = KindListen, x.ListenStmt.Conditionname
		a.access(Access{Action: ActionListen, Object: "channel", Name: a.f.Channel})
	case *pg.Node_UnlistenStmt:
		a.f.Kind, a.f.Channel = KindUnlisten, x.UnlistenStmt.Conditionname
	case *pg.Node_NotifyStmt:
		a.f.Kind, a.f.Channel = KindNotify, x.NotifyStmt.Conditionname
		a.access(Access{Action: ActionNotify, Object: "channel", Name: a.f.Channel})
	default:
		return a.namedStatement(n)
	}
	return true
}

func showOutput(name string) []OutputColumn {
	if name != "all" {
		return []OutputColumn{{Name: name}}
	}
	return []OutputColumn{{Name: "name"}, {Name: "setting"}, {Name: "description"}}
}

// namedStatement handles prepared statements and cursors.
func (a *analysis) namedStatement(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_PrepareStmt:
		a.inner(x.PrepareStmt.Query)
		a.f.Kind, a.f.PreparedName, a.f.RowsLimit = KindPrepare, x.PrepareStmt.Name, -1
	case *pg.Node_ExecuteStmt:
		a.execute(x.ExecuteStmt)
	case *pg.Node_DeallocateStmt:
		a.f.Kind, a.f.PreparedName = KindDeallocate, x.DeallocateStmt.Name
	case *pg.Node_DeclareCursorStmt:
		a.inner(x.DeclareCursorStmt.Query)
		a.f.Kind, a.f.CursorName, a.f.RowsLimit = KindDeclare, x.DeclareCursorStmt.Portalname, -1
	case *pg.Node_FetchStmt:
		a.fetch(x.FetchStmt)
	case *pg.Node_ClosePortalStmt:
		a.f.Kind, a.f.CursorName = KindClose, x.ClosePortalStmt.Portalname
	default:
		return false
	}
	return true
}

func (a *analysis) execute(e *pg.ExecuteStmt) {
	a.private = true
	var given value
	for _, p := range e.Params {
		given = given.with(a.expr(p, &scope{}))
	}
	a.resume("prepared", e.Name, a.ses.prepared(e.Name))
	a.given(given)
	a.f.Kind, a.f.PreparedName = KindExecute, e.Name
}

// given records that arguments reach a prepared statement: its result, its conditions and what it
// stores may derive from them.
func (a *analysis) given(v value) {
	if len(v.refs) == 0 && !v.opaque {
		return
	}
	a.filter(v, ClauseWhere)
	if a.f.Write || a.writes() {
		a.flowAll(v, ColumnRef{}, "prepared")
	}
	out := make([]OutputColumn, len(a.f.Output))
	for i, o := range a.f.Output {
		o.Sources = append(slices.Clone(o.Sources), a.refs(v.refs)...)
		o.Direct, o.Opaque = false, o.Opaque || v.opaque
		out[i] = o
	}
	a.f.Output = out
}

func (a *analysis) fetch(f *pg.FetchStmt) {
	a.private = true
	in := a.ses.cursor(f.Portalname)
	a.resume("cursor", f.Portalname, in)
	a.f.Kind, a.f.CursorName = KindFetch, f.Portalname
	if f.Ismove {
		a.f.Kind = KindMove
		a.f.Output, a.f.OutputKnown, a.f.ReturnsRows = nil, false, false
	}
	if f.Direction == pg.FetchDirection_FETCH_FORWARD && f.HowMany >= 0 {
		a.f.RowsLimit = f.HowMany
	}
}

// resume takes over the facts of what a prepared statement or cursor runs. PREPARE and DECLARE facts
// stand for the statement within them.
func (a *analysis) resume(what, name string, in *Facts) {
	a.f.ReturnsRows = true
	if in == nil {
		a.missing(what, name)
		a.f.Opaque = true
		return
	}
	if in.Inner != nil && (in.Kind == KindPrepare || in.Kind == KindDeclare) {
		in = in.Inner
	}
	a.absorb(in)
	a.f.Inner = in
	a.f.Output, a.f.OutputKnown, a.f.ReturnsRows, a.f.RowsLimit = in.Output, in.OutputKnown, in.ReturnsRows, in.RowsLimit
	a.f.Copy, a.f.ExplainAnalyze = in.Copy, in.ExplainAnalyze
	a.f.Creates = append(a.f.Creates, in.Creates...)
	for _, c := range in.ColumnsRead {
		a.read = append(a.read, newColID(c.Relation, c.Num))
	}
	for _, c := range in.ColumnsWritten {
		a.written = append(a.written, newColID(c.Relation, c.Num))
	}
}

func (a *analysis) setStatement(s *pg.VariableSetStmt) {
	a.f.Kind = KindSet
	if s.Kind == pg.VariableSetKind_VAR_RESET || s.Kind == pg.VariableSetKind_VAR_RESET_ALL {
		a.f.Kind = KindReset
	}
	for _, e := range setEffects(s, ScopeSession) {
		a.set(e)
	}
	if hasSecretName(s.Name) {
		a.f.Secret = true
	}
}

// setEffects returns what a SET or RESET changes.
func setEffects(s *pg.VariableSetStmt, scope SetScope) []SetEffect {
	if s == nil {
		return nil
	}
	e := SetEffect{Name: lowerASCII(s.Name), Scope: scope}
	if s.IsLocal {
		e.Scope = ScopeLocal
	}
	switch s.Kind {
	case pg.VariableSetKind_VAR_SET_VALUE:
		for _, n := range s.Args {
			e.Values = append(e.Values, settingText(n))
		}
	case pg.VariableSetKind_VAR_SET_DEFAULT, pg.VariableSetKind_VAR_RESET:
		e.Reset = true
	case pg.VariableSetKind_VAR_RESET_ALL:
		e.Name, e.Reset, e.All = "", true, true
	case pg.VariableSetKind_VAR_SET_MULTI:
		return multiEffects(s)
	case pg.VariableSetKind_VAR_SET_CURRENT:
	default:
		e.Unknown = true
	}
	return []SetEffect{e}
}

// multiEffects handles SET TRANSACTION, SET SESSION CHARACTERISTICS and SET TRANSACTION SNAPSHOT.
func multiEffects(s *pg.VariableSetStmt) []SetEffect {
	scope, prefix := ScopeLocal, ""
	if s.Name == "SESSION CHARACTERISTICS" {
		scope, prefix = ScopeSession, "default_"
	}
	var out []SetEffect
	for _, n := range s.Args {
		d := n.GetDefElem()
		if d == nil {
			out = append(out, SetEffect{Name: "transaction_snapshot", Values: []string{settingText(n)}, Scope: scope})
			continue
		}
		out = append(out, SetEffect{Name: prefix + d.Defname, Values: []string{settingText(d.Arg)}, Scope: scope})
	}
	return out
}

// settingText returns a SET argument as the server would store it.
func settingText(n *pg.Node) string {
	for n.GetTypeCast() != nil {
		n = n.GetTypeCast().Arg
	}
	c := n.GetAConst()
	if c == nil {
		return optionText(n)
	}
	switch x := c.Val.(type) {
	case *pg.A_Const_Sval:
		return x.Sval.GetSval()
	case *pg.A_Const_Fval:
		return x.Fval.GetFval()
	case *pg.A_Const_Ival:
		return optionText(&pg.Node{Node: &pg.Node_Integer{Integer: x.Ival}})
	case *pg.A_Const_Boolval:
		return optionText(&pg.Node{Node: &pg.Node_Boolean{Boolean: x.Boolval}})
	}
	return ""
}

func (a *analysis) transaction(t *pg.TransactionStmt) {
	a.f.Kind = KindTransaction
	switch t.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		a.f.Tx = TxBegin
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		a.f.Tx = TxCommit
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		a.f.Tx = TxRollback
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		a.f.Tx = TxSavepoint
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		a.f.Tx = TxRelease
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		a.f.Tx = TxRollbackTo
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		a.f.Tx, a.f.Write = TxPrepare, true
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		a.f.Tx, a.f.Write = TxCommitPrepared, true
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		a.f.Tx, a.f.Write = TxRollbackPrepared, true
	default:
		a.f.Kind = KindUnknown
	}
	for _, n := range t.Options {
		d := n.GetDefElem()
		a.set(SetEffect{Name: d.GetDefname(), Values: []string{settingText(d.GetArg())}, Scope: ScopeLocal})
	}
}

func (a *analysis) discard(d *pg.DiscardStmt) {
	a.f.Kind = KindDiscard
	if d.Target == pg.DiscardMode_DISCARD_ALL {
		a.set(SetEffect{Scope: ScopeSession, Reset: true, All: true})
	}
}

// hasSecretName tells whether a name says that its value is a credential.
func hasSecretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"password", "passwd", "secret", "token", "apikey", "api_key", "access_key",
		"private", "credential", "conninfo", "passphrase", "sslkey"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
