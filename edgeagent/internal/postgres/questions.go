package postgres

import (
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sqlclass"
)

// tableActions maps a verb on a table to the action to ask.
var tableActions = map[sqlclass.Action]policy.Action{
	sqlclass.ActionSelect:   policy.SQLSelect,
	sqlclass.ActionInsert:   policy.SQLInsert,
	sqlclass.ActionUpdate:   policy.SQLUpdate,
	sqlclass.ActionDelete:   policy.SQLDelete,
	sqlclass.ActionMerge:    policy.SQLMerge,
	sqlclass.ActionTruncate: policy.SQLTruncate,
	sqlclass.ActionRefresh:  policy.SQLDDL,
}

// objectActions maps a verb on any object to the action to ask.
var objectActions = map[sqlclass.Action]policy.Action{
	sqlclass.ActionDDL:      policy.SQLDDL,
	sqlclass.ActionDrop:     policy.SQLDrop,
	sqlclass.ActionGrant:    policy.SQLGrant,
	sqlclass.ActionRole:     policy.SQLGrant,
	sqlclass.ActionMaintain: policy.SQLMaintenance,
}

// resourceActions maps a kind of statement to the action asked about the resource itself.
var resourceActions = map[sqlclass.Kind]policy.Action{
	sqlclass.KindTransaction: policy.SQLTransaction,
	sqlclass.KindDeallocate:  policy.SQLTransaction,
	sqlclass.KindExplain:     policy.SQLExplain,
	sqlclass.KindDeclare:     policy.SQLCursor,
	sqlclass.KindFetch:       policy.SQLCursor,
	sqlclass.KindMove:        policy.SQLCursor,
	sqlclass.KindClose:       policy.SQLCursor,
	sqlclass.KindDo:          policy.SQLDo,
	sqlclass.KindListen:      policy.SQLListen,
	sqlclass.KindUnlisten:    policy.SQLListen,
	sqlclass.KindNotify:      policy.SQLNotify,
	sqlclass.KindCheckpoint:  policy.SQLMaintenance,
	sqlclass.KindLoad:        policy.SQLProgram,
	sqlclass.KindSystem:      policy.SQLProgram,
	sqlclass.KindDDL:         policy.SQLDDL,
	sqlclass.KindDrop:        policy.SQLDrop,
	sqlclass.KindGrant:       policy.SQLGrant,
	sqlclass.KindRole:        policy.SQLGrant,
	sqlclass.KindComment:     policy.SQLDDL,
	sqlclass.KindRefresh:     policy.SQLDDL,
	sqlclass.KindMaintenance: policy.SQLMaintenance,
}

// always are the kinds whose own action is asked even where their accesses were asked too.
var always = map[sqlclass.Kind]bool{
	sqlclass.KindTransaction: true, sqlclass.KindDeallocate: true, sqlclass.KindExplain: true, sqlclass.KindDeclare: true,
	sqlclass.KindFetch: true, sqlclass.KindMove: true, sqlclass.KindClose: true, sqlclass.KindDo: true, sqlclass.KindListen: true,
	sqlclass.KindUnlisten: true, sqlclass.KindNotify: true, sqlclass.KindCheckpoint: true, sqlclass.KindLoad: true, sqlclass.KindSystem: true,
}

// statement asks everything that one statement needs. What it cannot map is refused.
func (b *subjectBuilder) statement(f *sqlclass.Facts) {
	b.kind(f)
	for i := range f.Accesses {
		b.access(f, &f.Accesses[i])
	}
	b.functions(f)
	b.settings(f)
	b.copying(f)
	if len(b.ask.Questions) == 0 {
		b.plain(f)
	}
}

// kind asks about what the statement is, and refuses what the gateway cannot follow.
func (b *subjectBuilder) kind(f *sqlclass.Facts) {
	switch f.Kind {
	case sqlclass.KindUnknown:
		b.unreadable("this kind of statement is not understood, so it is refused")
	case sqlclass.KindReplication:
		b.unreadable("replication is not served through the gateway")
	case sqlclass.KindTransaction:
		switch f.Tx {
		case sqlclass.TxPrepare, sqlclass.TxCommitPrepared, sqlclass.TxRollbackPrepared, sqlclass.TxNone:
			b.unreadable("prepared transactions outlive the session and are refused")
		}
	}
	if a, ok := resourceActions[f.Kind]; ok && always[f.Kind] {
		b.question(a, b.name.Itself())
	}
}

// access asks about one verb on one object.
func (b *subjectBuilder) access(f *sqlclass.Facts, acc *sqlclass.Access) {
	switch acc.Action {
	case sqlclass.ActionNotify:
		b.question(policy.SQLNotify, b.name.Itself())
		return
	case sqlclass.ActionListen:
		b.question(policy.SQLListen, b.name.Itself())
		return
	case sqlclass.ActionCopyFile, sqlclass.ActionCopyProgram, sqlclass.ActionSystem:
		b.question(policy.SQLProgram, b.name.Itself())
		return
	case sqlclass.ActionReplicate:
		b.unreadable("replication is not served through the gateway")
		return
	case sqlclass.ActionLock:
		action := policy.SQLRowLock
		if f.Kind == sqlclass.KindLock {
			action = policy.SQLLock
		}
		b.question(action, b.table(acc))
		return
	}
	if a, ok := tableActions[acc.Action]; ok {
		if acc.Sensitive {
			b.question(policy.SQLSystem, b.table(acc))
		}
		if acc.Action == sqlclass.ActionInsert && f.Kind == sqlclass.KindCopyFrom {
			a = policy.SQLCopyIn
		}
		b.question(a, b.table(acc))
		return
	}
	if a, ok := objectActions[acc.Action]; ok {
		b.question(a, b.object(a, acc))
		return
	}
	b.unreadable("the verb %q is not understood, so the statement is refused", acc.Action)
}

func (b *subjectBuilder) table(acc *sqlclass.Access) policy.Entity {
	schema := acc.Schema
	if acc.Temp {
		schema = "pg_temp"
	}
	return b.name.Table(schema, acc.Name, policy.TableInfo{System: acc.System})
}

// object is the narrowest entity that stands for what is created, changed or dropped.
func (b *subjectBuilder) object(a policy.Action, acc *sqlclass.Access) policy.Entity {
	switch acc.Object {
	case "table", "view", "materialized view", "sequence", "index", "foreign table":
		return b.table(acc)
	case "schema":
		return b.name.Schema(acc.Name)
	case "function", "procedure", "routine", "aggregate":
		if a != policy.SQLMaintenance {
			return b.name.Function(acc.Schema, acc.Name, policy.FunctionInfo{Opaque: true})
		}
	}
	if acc.Schema != "" && a != policy.SQLMaintenance {
		return b.name.Schema(acc.Schema)
	}
	return b.name.Itself()
}

// movesSequence are the functions that change a sequence, which is a write like any other.
var movesSequence = map[string]bool{"nextval": true, "setval": true}

// functions asks about those that are not simply part of the language.
func (b *subjectBuilder) functions(f *sqlclass.Facts) {
	for _, fn := range f.Functions {
		if fn.LargeObject {
			b.question(policy.SQLLargeObject, b.name.Itself())
		}
		if fn.Builtin && movesSequence[fn.Name] { // which sequence is in an argument
			b.question(policy.SQLUpdate, b.name.Table("pg_catalog", "pg_sequence", policy.TableInfo{System: true}))
		}
		if fn.Builtin && !fn.Dangerous && !fn.Sensitive && !fn.Writes && f.Kind != sqlclass.KindCall {
			continue
		}
		action := policy.SQLFunction
		if f.Kind == sqlclass.KindCall {
			action = policy.SQLCall
		}
		info := policy.FunctionInfo{Builtin: fn.Builtin, Opaque: fn.Opaque, Dangerous: fn.Dangerous || fn.Sensitive}
		b.question(action, b.name.Function(fn.Schema, fn.Name, info))
	}
}

// fixedSettings change how text is read or which code runs; they are refused whatever policy says.
var fixedSettings = map[string]string{
	"standard_conforming_strings": "on",
	"client_encoding":             "utf8",
	"session_replication_role":    "",
	"session_preload_libraries":   "",
	"local_preload_libraries":     "",
	"dynamic_library_path":        "",
	"backslash_quote":             "",
	"escape_string_warning":       "*",
}

// settings asks about every setting that the statement changes.
func (b *subjectBuilder) settings(f *sqlclass.Facts) {
	for _, s := range f.Sets {
		switch {
		case s.Unknown:
			b.unreadable("which setting the statement changes cannot be told from its text")
		case s.Scope == sqlclass.ScopeRole:
			b.question(policy.SQLGrant, b.name.Itself())
		case s.Scope == sqlclass.ScopeSystem:
			b.question(policy.SQLProgram, b.name.Itself())
		case s.All:
			b.question(policy.SQLSet, b.name.Setting("all"))
		case !settingAllowed(s):
			b.unreadable("the setting %s is fixed by the gateway, because it changes how statements are read", s.Name)
		default:
			b.question(policy.SQLSet, b.name.Setting(s.Name))
		}
	}
	if f.Kind == sqlclass.KindShow {
		b.question(policy.SQLShow, b.name.Setting("any"))
	}
}

// settingAllowed reports whether a fixed setting is set to the value it has anyway.
func settingAllowed(s sqlclass.SetEffect) bool {
	want, fixed := fixedSettings[s.Name]
	switch {
	case !fixed || want == "*":
		return true
	case want == "" || s.Reset:
		return s.Reset
	}
	return len(s.Values) == 1 && sameSetting(s.Name, s.Values[0])
}

// copying asks about COPY besides the tables it touches.
func (b *subjectBuilder) copying(f *sqlclass.Facts) {
	if f.Copy == nil {
		return
	}
	if f.Kind == sqlclass.KindCopyTo {
		for i := range f.Accesses {
			if f.Accesses[i].Action == sqlclass.ActionSelect {
				b.question(policy.SQLCopyOut, b.table(&f.Accesses[i]))
			}
		}
	}
}

// plain asks about a statement that touches nothing: SELECT 1, VALUES, DISCARD PLANS.
func (b *subjectBuilder) plain(f *sqlclass.Facts) {
	switch f.Kind {
	case sqlclass.KindSelect, sqlclass.KindPrepare, sqlclass.KindExecute, sqlclass.KindCopyTo:
		b.question(policy.SQLExpression, b.name.Itself())
	case sqlclass.KindDiscard, sqlclass.KindSet, sqlclass.KindReset:
		b.question(policy.SQLSet, b.name.Setting("all"))
	default:
		if a, ok := resourceActions[f.Kind]; ok {
			b.question(a, b.name.Itself())
			return
		}
		b.unreadable("what the statement changes cannot be told from its text")
	}
}
