package sqlclass

// Kind is what a statement is. The zero value is KindUnknown, which callers refuse.
type Kind uint8

// Statement kinds.
const (
	KindUnknown Kind = iota
	KindSelect
	KindInsert
	KindUpdate
	KindDelete
	KindMerge
	KindTruncate
	KindCopyTo
	KindCopyFrom
	KindDDL
	KindDrop
	KindGrant
	KindRole
	KindCall
	KindDo
	KindExplain
	KindSet
	KindReset
	KindShow
	KindTransaction
	KindPrepare
	KindExecute
	KindDeallocate
	KindDeclare
	KindFetch
	KindMove
	KindClose
	KindListen
	KindUnlisten
	KindNotify
	KindLock
	KindMaintenance
	KindDiscard
	KindComment
	KindRefresh
	KindCheckpoint
	KindLoad
	KindReplication
	KindSystem
)

var kindNames = [...]string{
	KindUnknown: "unknown", KindSelect: "select", KindInsert: "insert", KindUpdate: "update",
	KindDelete: "delete", KindMerge: "merge", KindTruncate: "truncate", KindCopyTo: "copy_to",
	KindCopyFrom: "copy_from", KindDDL: "ddl", KindDrop: "drop", KindGrant: "grant", KindRole: "role",
	KindCall: "call", KindDo: "do", KindExplain: "explain", KindSet: "set", KindReset: "reset",
	KindShow: "show", KindTransaction: "transaction", KindPrepare: "prepare", KindExecute: "execute",
	KindDeallocate: "deallocate", KindDeclare: "declare", KindFetch: "fetch", KindMove: "move",
	KindClose: "close", KindListen: "listen", KindUnlisten: "unlisten", KindNotify: "notify",
	KindLock: "lock", KindMaintenance: "maintenance", KindDiscard: "discard", KindComment: "comment",
	KindRefresh: "refresh", KindCheckpoint: "checkpoint", KindLoad: "load",
	KindReplication: "replication", KindSystem: "system",
}

// String returns the lower-case word used in policies and records.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[KindUnknown]
}

// TxAction is what a transaction statement does.
type TxAction uint8

// Transaction actions; TxNone for statements that are not transaction control.
const (
	TxNone TxAction = iota
	TxBegin
	TxCommit
	TxRollback
	TxSavepoint
	TxRelease
	TxRollbackTo
	TxPrepare
	TxCommitPrepared
	TxRollbackPrepared
)

var txNames = [...]string{"", "begin", "commit", "rollback", "savepoint", "release", "rollback_to",
	"prepare_transaction", "commit_prepared", "rollback_prepared"}

// String returns the lower-case word, empty for TxNone.
func (t TxAction) String() string {
	if int(t) < len(txNames) {
		return txNames[t]
	}
	return ""
}

// Action is one verb on one object.
type Action string

// Actions that appear in Access.
const (
	ActionSelect      Action = "select"
	ActionInsert      Action = "insert"
	ActionUpdate      Action = "update"
	ActionDelete      Action = "delete"
	ActionMerge       Action = "merge"
	ActionTruncate    Action = "truncate"
	ActionDDL         Action = "ddl"
	ActionDrop        Action = "drop"
	ActionGrant       Action = "grant"
	ActionRole        Action = "role"
	ActionLock        Action = "lock"
	ActionMaintain    Action = "maintain"
	ActionRefresh     Action = "refresh"
	ActionReplicate   Action = "replicate"
	ActionSystem      Action = "system"
	ActionCopyFile    Action = "copy_file"
	ActionCopyProgram Action = "copy_program"
	ActionNotify      Action = "notify"
	ActionListen      Action = "listen"
)

// writes tells whether the action changes data, schema or anything outside the session.
func (a Action) writes() bool {
	switch a {
	case ActionSelect, ActionLock, ActionListen:
		return false
	}
	return true
}
