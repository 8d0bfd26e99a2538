package guard

import (
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// Rule says who may make a call and what is recorded of it.
type Rule struct {
	// Public calls need no identity: what is needed to sign in.
	Public bool
	// Roles that may call; one is enough. None means nobody.
	Roles []login.Role
	// Changes something: the call is recorded before it is handled, and again with its outcome.
	Changes bool
	// Fields of the request that are recorded, by their names in the message; "a.b" reaches into a message. What is
	// not listed, such as a password or a token, is never recorded.
	Fields []string
	// Result lists fields of the response that are recorded with the outcome.
	Result []string
}

var (
	everybody = []login.Role{login.Member}
	auditors  = []login.Role{login.Auditor, login.Admin}
	admins    = []login.Role{login.Admin}
)

// table has a row for every call of access.v1. A call without a row is refused. Where a member may only see or change
// what is its own, the handler narrows further.
var table = map[string]Rule{
	accessv1connect.IdentityServiceLoginProcedure:  {Public: true, Changes: true, Result: []string{"principal.name"}},
	accessv1connect.IdentityServiceLogoutProcedure: {Roles: everybody, Changes: true},
	accessv1connect.IdentityServiceWhoAmIProcedure: {Roles: everybody},

	accessv1connect.IdentityServiceListSignInMethodsProcedure: {Public: true},
	accessv1connect.IdentityServiceCreateNonceProcedure:       {Public: true},

	accessv1connect.PrincipalServiceListPrincipalsProcedure: {Roles: auditors, Fields: []string{"query"}},
	accessv1connect.PrincipalServiceEndLoginsProcedure: {
		Roles: admins, Changes: true, Fields: []string{"principal"}, Result: []string{"logins_ended"},
	},

	accessv1connect.ResourceServiceApplyResourcesProcedure: {
		Roles: admins, Changes: true, Fields: []string{"resources.name", "dry_run"}, Result: []string{"results.change"},
	},
	accessv1connect.ResourceServiceGetResourceProcedure:    {Roles: everybody, Fields: []string{"name"}},
	accessv1connect.ResourceServiceListResourcesProcedure:  {Roles: everybody},
	accessv1connect.ResourceServiceDeleteResourceProcedure: {Roles: admins, Changes: true, Fields: []string{"name"}},

	accessv1connect.PolicyServicePushPolicyProcedure: {
		Roles: admins, Changes: true, Fields: []string{"message", "base"},
		Result: []string{"revision.number", "revision.digest", "problems.message"},
	},
	accessv1connect.PolicyServicePullPolicyProcedure:    {Roles: auditors, Fields: []string{"revision"}},
	accessv1connect.PolicyServiceTestPolicyProcedure:    {Roles: everybody},
	accessv1connect.PolicyServiceListRevisionsProcedure: {Roles: auditors},
	accessv1connect.PolicyServiceRollbackPolicyProcedure: {
		Roles: admins, Changes: true, Fields: []string{"revision", "message"}, Result: []string{"revision.number", "revision.digest"},
	},

	accessv1connect.RequestServiceCreateRequestProcedure: {
		Roles: everybody, Changes: true,
		Fields: []string{"resource", "actions", "duration", "reason", "ticket", "extend", "start_at", "break_glass", "intent.task", "intent.run"},
		Result: []string{"request.id", "request.state", "request.revision", "request.policy_ids", "grant.id"},
	},
	accessv1connect.RequestServiceWithdrawRequestProcedure: {Roles: everybody, Changes: true, Fields: []string{"id"}},
	accessv1connect.RequestServiceWaitRequestProcedure:     {Roles: everybody, Fields: []string{"id"}, Result: []string{"request.state", "grant.id"}},

	accessv1connect.RequestServiceListRequestsProcedure: {Roles: everybody, Fields: []string{"all", "state", "principal", "resource"}},

	accessv1connect.GrantServiceGetGrantProcedure: {Roles: everybody, Fields: []string{"id"}},
	accessv1connect.GrantServiceListGrantsProcedure: {
		Roles: everybody, Fields: []string{"all", "principal", "resource", "needs_review"},
	},
	accessv1connect.GrantServiceIssueTokenProcedure: {
		Roles: everybody, Changes: true, Fields: []string{"grant"}, Result: []string{"resource", "expires_at"},
	},
	accessv1connect.GrantServiceRevokeGrantProcedure: {
		Roles: everybody, Changes: true, Fields: []string{"id", "reason"}, Result: []string{"sessions_ended"},
	},

	accessv1connect.GrantServiceReviewGrantProcedure: {
		Roles: auditors, Changes: true, Fields: []string{"id", "justified", "comment"},
	},

	accessv1connect.ApprovalServiceWatchApprovalsProcedure: {Roles: everybody},
	accessv1connect.ApprovalServiceListApprovalsProcedure:  {Roles: everybody, Fields: []string{"all"}},
	accessv1connect.ApprovalServiceGetApprovalProcedure:    {Roles: everybody, Fields: []string{"id"}},
	accessv1connect.ApprovalServiceApproveProcedure: {
		Roles: everybody, Changes: true, Fields: []string{"id", "digest", "comment"},
		Result: []string{"approval.request.state", "approval.request.grant", "approval.command.state"},
	},
	accessv1connect.ApprovalServiceDenyProcedure: {
		Roles: everybody, Changes: true, Fields: []string{"id", "digest", "comment"},
		Result: []string{"approval.request.state", "approval.command.state"},
	},

	accessv1connect.SessionServiceListSessionsProcedure:  {Roles: everybody, Fields: []string{"all", "principal", "resource"}},
	accessv1connect.SessionServiceGetSessionProcedure:    {Roles: everybody, Fields: []string{"id"}},
	accessv1connect.SessionServiceReplaySessionProcedure: {Roles: everybody, Fields: []string{"id", "follow"}},
	accessv1connect.SessionServiceKillSessionProcedure:   {Roles: everybody, Changes: true, Fields: []string{"id", "reason"}},

	accessv1connect.AuditServiceListAdminRecordsProcedure: {Roles: auditors, Fields: []string{"limit"}},
	accessv1connect.AuditServiceGetCheckpointProcedure:    {Roles: auditors},
	accessv1connect.AuditServiceSearchRecordsProcedure: {
		Roles: auditors, Fields: []string{"principal", "resource", "session", "kind", "decision", "policy_id", "text", "from", "until", "without_reads"},
	},

	accessv1connect.NotificationServiceListDeliveriesProcedure: {Roles: auditors},
	accessv1connect.NotificationServiceRetryDeliveryProcedure:  {Roles: admins, Changes: true, Fields: []string{"id"}},
	accessv1connect.NotificationServiceSendTestProcedure:       {Roles: admins, Changes: true, Fields: []string{"receiver"}},

	accessv1connect.EdgeServiceCreateJoinTokenProcedure: {
		Roles: admins, Changes: true, Fields: []string{"edge", "names", "ttl"}, Result: []string{"expires_at"},
	},
	accessv1connect.EdgeServiceListEdgesProcedure:  {Roles: everybody},
	accessv1connect.EdgeServiceRemoveEdgeProcedure: {Roles: admins, Changes: true, Fields: []string{"name"}},

	accessv1connect.LockServiceCreateLockProcedure: {
		Roles: admins, Changes: true, Fields: []string{"target", "name", "reason", "ttl"},
		Result: []string{"lock.id", "sessions_ended"},
	},
	accessv1connect.LockServiceListLocksProcedure:  {Roles: auditors},
	accessv1connect.LockServiceRemoveLockProcedure: {Roles: admins, Changes: true, Fields: []string{"id"}},
}

// OnlyReads tells whether a call of access.v1 changes nothing.
func OnlyReads(procedure string) bool {
	rule, ok := table[procedure]
	return ok && !rule.Changes
}
