package policy

import (
	"maps"
	"slices"
	"strings"
)

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

// Kubernetes actions that read. K8sDiscover is what every client asks before anything else: which APIs there are, the
// server's version and health, and what one may do oneself; it is asked about the resource.
const (
	K8sGet      Action = "k8s:get"
	K8sList     Action = "k8s:list"
	K8sWatch    Action = "k8s:watch"
	K8sLogs     Action = "k8s:logs"
	K8sDiscover Action = "k8s:discover"
)

// Kubernetes actions that change objects. K8sDryRun is any of the others with dryRun=All, and is asked in its place.
const (
	K8sCreate           Action = "k8s:create"
	K8sUpdate           Action = "k8s:update"
	K8sPatch            Action = "k8s:patch"
	K8sDelete           Action = "k8s:delete"
	K8sDeleteCollection Action = "k8s:deletecollection"
	K8sDryRun           Action = "k8s:dry_run"
)

// Kubernetes actions that reach into a pod, a service or a node. K8sCopyIn and K8sCopyOut are what kubectl cp runs, K8sDebug
// adds an ephemeral container, K8sProxy is a proxy subresource.
const (
	K8sExec        Action = "k8s:exec"
	K8sAttach      Action = "k8s:attach"
	K8sPortForward Action = "k8s:port_forward"
	K8sCopyIn      Action = "k8s:copy_in"
	K8sCopyOut     Action = "k8s:copy_out"
	K8sDebug       Action = "k8s:debug"
	K8sProxy       Action = "k8s:proxy"
)

// Kubernetes actions on privileges and on the server itself. K8sToken makes a service account's token, K8sApprove approves a
// certificate signing request, K8sBind writes a role binding, K8sEscalate writes a role; the last two are asked besides
// the verb. K8sNonResource is a path that is no object and no discovery, such as /metrics.
const (
	K8sToken       Action = "k8s:token"
	K8sApprove     Action = "k8s:approve"
	K8sBind        Action = "k8s:bind"
	K8sEscalate    Action = "k8s:escalate"
	K8sNonResource Action = "k8s:nonresource"
)

// K8sReveal shows a classified field in clear. It belongs to no group.
const K8sReveal Action = "k8s:reveal"

// Groups of Kubernetes actions.
const (
	K8sAll     Action = "k8s:all"
	K8sRead    Action = "k8s:read"
	K8sWrite   Action = "k8s:write"
	K8sConnect Action = "k8s:connect"
	K8sAdmin   Action = "k8s:admin"
)

// AWS actions, after the access levels that AWS gives its IAM actions: AWSList and AWSGet are List and Read, AWSChange is Write, AWSTag is
// Tagging and AWSPermissions is Permissions management. Which IAM action it is stands in the context.
const (
	AWSList        Action = "aws:list"
	AWSGet         Action = "aws:get"
	AWSChange      Action = "aws:change"
	AWSTag         Action = "aws:tag"
	AWSPermissions Action = "aws:permissions"
)

// AWS actions that hand on or change who acts. AWSPassRole gives a role to a service and is asked about the role, besides the call
// itself; AWSAssumeRole leaves the session for another role, and is asked in the place of its level.
const (
	AWSPassRole   Action = "aws:pass_role"
	AWSAssumeRole Action = "aws:assume_role"
)

// AWS actions that belong to no group. AWSUnidentified is a call of a known operation whose IAM action is not known, AWSReveal
// shows a classified field of an answer in clear.
const (
	AWSUnidentified Action = "aws:unidentified"
	AWSReveal       Action = "aws:reveal"
)

// Groups of AWS actions.
const (
	AWSAll   Action = "aws:all"
	AWSRead  Action = "aws:read"
	AWSWrite Action = "aws:write"
	AWSAdmin Action = "aws:admin"
)

// family tells which context an action is decided with.
type family uint8

const (
	familyNone family = iota
	familyOpening
	familyRequest
	familyStatement
	familyAPI
	familyCall
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

	K8sGet: {K8sRead, K8sAll}, K8sList: {K8sRead, K8sAll}, K8sWatch: {K8sRead, K8sAll}, K8sLogs: {K8sRead, K8sAll},
	K8sDiscover: {K8sRead, K8sAll},

	K8sCreate: {K8sWrite, K8sAll}, K8sUpdate: {K8sWrite, K8sAll}, K8sPatch: {K8sWrite, K8sAll}, K8sDelete: {K8sWrite, K8sAll},
	K8sDeleteCollection: {K8sWrite, K8sAll}, K8sDryRun: {K8sWrite, K8sAll},

	K8sExec: {K8sConnect, K8sAll}, K8sAttach: {K8sConnect, K8sAll}, K8sPortForward: {K8sConnect, K8sAll}, K8sCopyIn: {K8sConnect, K8sAll},
	K8sCopyOut: {K8sConnect, K8sAll}, K8sDebug: {K8sConnect, K8sAll}, K8sProxy: {K8sConnect, K8sAll},

	K8sToken: {K8sAdmin, K8sAll}, K8sApprove: {K8sAdmin, K8sAll}, K8sBind: {K8sAdmin, K8sAll}, K8sEscalate: {K8sAdmin, K8sAll},
	K8sNonResource: {K8sAdmin, K8sAll},

	K8sReveal: nil,

	AWSList: {AWSRead, AWSAll}, AWSGet: {AWSRead, AWSAll}, AWSChange: {AWSWrite, AWSAll}, AWSTag: {AWSWrite, AWSAll},
	AWSPermissions: {AWSAdmin, AWSAll}, AWSPassRole: {AWSAdmin, AWSAll}, AWSAssumeRole: {AWSAdmin, AWSAll},

	AWSUnidentified: nil, AWSReveal: nil,
}

// groupsOnly are the names that stand for several actions, with the one that holds them all.
var groupsOnly = map[Action]Action{
	SQLAll: SQLAll, SQLRead: SQLAll, SQLWrite: SQLAll, SQLExecute: SQLAll, SQLSession: SQLAll, SQLAdmin: SQLAll,
	K8sAll: K8sAll, K8sRead: K8sAll, K8sWrite: K8sAll, K8sConnect: K8sAll, K8sAdmin: K8sAll,
	AWSAll: AWSAll, AWSRead: AWSAll, AWSWrite: AWSAll, AWSAdmin: AWSAll,
}

// reveals reports the actions that show something in clear, which a mask may take the place of.
func (a Action) reveals() bool { return a == SQLReveal || a == K8sReveal || a == AWSReveal }

// Known reports whether a is an action or a group of the schema.
func (a Action) Known() bool { return a.Askable() || groupsOnly[a] != "" }

// Askable reports whether a is a single action, which a question can be asked about.
func (a Action) Askable() bool { _, ok := groups[a]; return ok }

// In reports whether a is g or belongs to the group g. It says whether a grant for g
// covers a command that does a.
func (a Action) In(g Action) bool {
	return a != "" && g != "" && (a == g && a.Known() || slices.Contains(groups[a], g) || groupsOnly[a] == g)
}

// Actions returns every action and group, sorted.
func Actions() []Action {
	all := slices.Collect(maps.Keys(groupsOnly))
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
	case !a.Askable():
		return familyNone
	case strings.HasPrefix(string(a), "sql:"):
		return familyStatement
	case strings.HasPrefix(string(a), "k8s:"):
		return familyAPI
	case strings.HasPrefix(string(a), "aws:"):
		return familyCall
	}
	return familyNone
}
