package postgres

import (
	"strconv"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// refusalState maps why the pipeline refused to the SQLSTATE a client gets.
var refusalState = map[enforce.Cause]pgwire.SQLState{
	enforce.CauseUnknown:    pgwire.StateInsufficientPrivilege,
	enforce.CausePolicy:     pgwire.StateInsufficientPrivilege,
	enforce.CauseGrant:      pgwire.StateInsufficientPrivilege,
	enforce.CauseIdentity:   pgwire.StateInvalidPassword,
	enforce.CauseMasked:     pgwire.StateInsufficientPrivilege,
	enforce.CauseUnreadable: pgwire.StateFeatureNotSupported,
	enforce.CauseHold:       pgwire.StateInsufficientPrivilege,
	enforce.CauseWithdrawn:  pgwire.StateQueryCanceled,
	enforce.CauseEnded:      pgwire.StateAdminShutdown,
	enforce.CauseRecord:     pgwire.StateIOError,
	enforce.CauseControl:    pgwire.StateCannotConnectNow,
}

// appendRefusal appends the error that answers a refused command.
func appendRefusal(dst []byte, d *enforce.Denied) ([]byte, error) {
	msg := pgwire.ErrorResponse{Diagnostic: pgwire.Diagnostic{
		Severity: pgwire.SeverityError, Code: refusalState[d.Cause], Message: clean("denied by Writ: " + d.Reason), Hint: clean(d.Next),
	}}
	if d.Fatal() {
		msg.Severity = pgwire.SeverityFatal
	}
	if d.Cause == enforce.CauseWithdrawn {
		msg.Message = "canceling statement due to user request"
	}
	msg.Detail = policyDetail(d)
	return msg.Append(dst)
}

func policyDetail(d *enforce.Denied) string {
	var parts []string
	if len(d.PolicyIDs) > 0 {
		parts = append(parts, "policy: "+strings.Join(d.PolicyIDs, ", "))
	}
	if d.Revision > 0 {
		parts = append(parts, "revision: "+strconv.FormatUint(d.Revision, 10))
	}
	if d.HoldID != "" {
		parts = append(parts, "request: "+d.HoldID)
	}
	return clean(strings.Join(parts, "; "))
}

// appendError appends an error of the gateway itself.
func appendError(dst []byte, code pgwire.SQLState, message, hint string) ([]byte, error) {
	msg := pgwire.ErrorResponse{Diagnostic: pgwire.Diagnostic{Severity: pgwire.SeverityError, Code: code, Message: clean(message), Hint: clean(hint)}}
	return msg.Append(dst)
}

// appendFatal appends an error after which the connection is closed.
func appendFatal(dst []byte, code pgwire.SQLState, message, hint string) ([]byte, error) {
	msg := pgwire.ErrorResponse{Diagnostic: pgwire.Diagnostic{Severity: pgwire.SeverityFatal, Code: code, Message: clean(message), Hint: clean(hint)}}
	return msg.Append(dst)
}

// appendNotice appends a notice of the gateway.
func appendNotice(dst []byte, message, detail, hint string) ([]byte, error) {
	msg := pgwire.NoticeResponse{Diagnostic: pgwire.Diagnostic{
		Severity: pgwire.SeverityNotice, Code: pgwire.StateWarning, Message: clean(message), Detail: clean(detail), Hint: clean(hint),
	}}
	return msg.Append(dst)
}

// clean makes text fit for a message field: no NUL.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// scrub takes out of a target's error or notice what could carry a masked value: for a
// command that touches masked columns everything that quotes data.
func scrub(d *pgwire.Diagnostic, veiled bool, detect func(string) string) {
	if veiled {
		if d.Severity != pgwire.SeverityFatal && d.Severity != pgwire.SeverityPanic {
			d.Message = "message withheld, because the statement touches masked columns"
			if name := strings.Trim(d.Constraint, " "); name != "" {
				d.Message = "violates constraint \"" + name + "\" (values withheld)"
			}
		}
		d.Detail, d.Hint, d.Where, d.InternalQuery = "", "", "", ""
		d.InternalPosition = 0
		d.Unknown = nil
		return
	}
	for _, s := range []*string{&d.Message, &d.Detail, &d.Hint, &d.Where, &d.InternalQuery} {
		*s = detect(*s)
	}
	for i := range d.Unknown {
		d.Unknown[i].Value = detect(d.Unknown[i].Value)
	}
}
