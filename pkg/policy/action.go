package policy

import "slices"

// Action is what a command does, such as "sql:select", or a group of actions,
// such as "sql:read". The part before the colon is the protocol.
type Action string

// Actions that every protocol shares. Both are asked about the resource itself.
const (
	SessionOpen   Action = "session:open"
	AccessRequest Action = "access:request"
)

// SQL actions that read. SQLExpression is a query that reads no table (SELECT 1) and
// is asked about the resource; SQLExplain is EXPLAIN without ANALYZE; SQLCursor is
// DECLARE, FETCH and CLOSE.
const (
	SQLSelect     Action = "sql:select"
	SQLExpression Action = "sql:expression"
	SQLCopyOut    Action = "sql:copy_out"
	SQLExplain    Action = "sql:explain"
	SQLCursor     Action = "sql:cursor"
)

// SQL actions that change rows. SQLRowLock is SELECT ... FOR UPDATE and its kin.
const (
	SQLInsert  Action = "sql:insert"
	SQLUpdate  Action = "sql:update"
	SQLDelete  Action = "sql:delete"
	SQLMerge   Action = "sql:merge"
	SQLCopyIn  Action = "sql:copy_in"
	SQLRowLock Action = "sql:row_lock"
)

// SQL actions that run code held by the server.
const (
	SQLFunction Action = "sql:function"
	SQLCall     Action = "sql:call"
	SQLDo       Action = "sql:do"
)

// SQL actions that only concern the session.
const (
	SQLTransaction Action = "sql:transaction"
	SQLSet         Action = "sql:set"
	SQLShow        Action = "sql:show"
	SQLListen      Action = "sql:listen"
	SQLNotify      Action = "sql:notify"
)

// SQL actions that change the shape, the privileges or the upkeep of a database.
// SQLGrant is any change of roles or privileges, SQLLock is LOCK TABLE, SQLMaintenance
// is VACUUM, ANALYZE, REINDEX and CLUSTER, SQLSystem is the use of a system catalog that
// holds secrets.
const (
	SQLTruncate    Action = "sql:truncate"
	SQLDDL         Action = "sql:ddl"
	SQLDrop        Action = "sql:drop"
	SQLGrant       Action = "sql:grant"
	SQLLock        Action = "sql:lock"
	SQLMaintenance Action = "sql:maintenance"
	SQLSystem      Action = "sql:system"
	SQLLargeObject Action = "sql:large_object"
)

// SQL actions that belong to no group, so that a policy must name them to allow them.
// SQLProgram reads or writes the server's files or starts its programs, SQLUnparsed is
// a statement that the classifier does not understand, SQLReveal shows a column in clear,
// SQLFilter uses a column that is not revealed to choose rows.
const (
	SQLProgram  Action = "sql:program"
	SQLUnparsed Action = "sql:unparsed"
	SQLReveal   Action = "sql:reveal"
	SQLFilter   Action = "sql:filter"
)

// Groups of SQL actions.
const (
	SQLAll     Action = "sql:all"
	SQLRead    Action = "sql:read"
	SQLWrite   Action = "sql:write"
	SQLExecute Action = "sql:execute"
	SQLSession Action = "sql:session"
	SQLAdmin   Action = "sql:admin"
)

// family tells which context an action is decided with.
type family uint8

const (
	familyNone family = iota
	familyOpening
	familyRequest
	familyStatement
)

// groups gives the groups of every action that can be asked, innermost first.
// The schema says the same; a test compares them.
var groups = map[Action][]Action{
	SessionOpen: nil, AccessRequest: nil,

	SQLSelect: {SQLRead, SQLAll}, SQLExpression: {SQLRead, SQLAll}, SQLCopyOut: {SQLRead, SQLAll},
	SQLExplain: {SQLRead, SQLAll}, SQLCursor: {SQLRead, SQLAll},

	SQLInsert: {SQLWrite, SQLAll}, SQLUpdate: {SQLWrite, SQLAll}, SQLDelete: {SQLWrite, SQLAll},
	SQLMerge: {SQLWrite, SQLAll}, SQLCopyIn: {SQLWrite, SQLAll}, SQLRowLock: {SQLWrite, SQLAll},

	SQLFunction: {SQLExecute, SQLAll}, SQLCall: {SQLExecute, SQLAll}, SQLDo: {SQLExecute, SQLAll},

	SQLTransaction: {SQLSession, SQLAll}, SQLSet: {SQLSession, SQLAll}, SQLShow: {SQLSession, SQLAll},
	SQLListen: {SQLSession, SQLAll}, SQLNotify: {SQLSession, SQLAll},

	SQLTruncate: {SQLAdmin, SQLAll}, SQLDDL: {SQLAdmin, SQLAll}, SQLDrop: {SQLAdmin, SQLAll},
	SQLGrant: {SQLAdmin, SQLAll}, SQLLock: {SQLAdmin, SQLAll}, SQLMaintenance: {SQLAdmin, SQLAll},
	SQLSystem: {SQLAdmin, SQLAll}, SQLLargeObject: {SQLAdmin, SQLAll},

	SQLProgram: nil, SQLUnparsed: nil, SQLReveal: nil, SQLFilter: nil,
}

// groupsOnly are the names that stand for several actions.
var groupsOnly = []Action{SQLAll, SQLRead, SQLWrite, SQLExecute, SQLSession, SQLAdmin}

// Known reports whether a is an action or a group of the schema.
func (a Action) Known() bool { return a.Askable() || slices.Contains(groupsOnly, a) }

// Askable reports whether a is a single action, which a question can be asked about.
func (a Action) Askable() bool { _, ok := groups[a]; return ok }

// In reports whether a is g or belongs to the group g. It says whether a grant for g
// covers a command that does a.
func (a Action) In(g Action) bool {
	return a != "" && (a == g && a.Known() || slices.Contains(groups[a], g) || g == SQLAll && slices.Contains(groupsOnly, a))
}

// Actions returns every action and group, sorted.
func Actions() []Action {
	all := slices.Clone(groupsOnly)
	for a := range groups {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}

func (a Action) family() family {
	switch {
	case a == SessionOpen:
		return familyOpening
	case a == AccessRequest:
		return familyRequest
	case a.Askable():
		return familyStatement
	}
	return familyNone
}
