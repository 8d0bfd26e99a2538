// Package cloudtrail reads the log files that AWS CloudTrail delivers, and compares their events with Writ's records of
// the same calls.
package cloudtrail

import (
	"strings"
	"time"
)

// Event is a call that AWS logged, as far as it is compared ("CloudTrail record contents" and "CloudTrail userIdentity
// element" in the AWS CloudTrail User Guide).
type Event struct {
	ID        string    `json:"event_id"`
	RequestID string    `json:"request_id,omitempty"`
	Time      time.Time `json:"time"`
	Service   string    `json:"service"` // for example "s3.amazonaws.com"
	Name      string    `json:"name"`    // for example "GetObject"
	Region    string    `json:"region,omitempty"`
	ErrorCode string    `json:"error_code,omitempty"`
	Address   string    `json:"address,omitempty"` // where it came from: an IP address, or a service of AWS
	Role      Role      `json:"role"`
	Session   string    `json:"session"` // role session name
	// SourceIdentity was set when the role was assumed, and cannot change after that.
	SourceIdentity string `json:"source_identity,omitempty"`
	// InvokedBy is the service of AWS that made the call on the session's behalf; empty is the session itself.
	InvokedBy string `json:"invoked_by,omitempty"`
}

// Role is one in an account. Names of roles are unique there, whatever their paths.
type Role struct {
	Account string `json:"account"` // 12 digits
	Name    string `json:"name"`    // without its path
}

// ParseRole reads "arn:aws:iam::123456789012:role/path/name".
func ParseRole(arn string) (role Role, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[2] != "iam" {
		return Role{}, false
	}
	path, ok := strings.CutPrefix(parts[5], "role/")
	role = Role{Account: parts[4], Name: path[strings.LastIndexByte(path, '/')+1:]}
	return role, ok && role.Account != "" && role.Name != ""
}

// record is one of a log file's Records.
type record struct {
	EventID         string    `json:"eventID"`
	RequestID       string    `json:"requestID"`
	EventTime       time.Time `json:"eventTime"`
	EventSource     string    `json:"eventSource"`
	EventName       string    `json:"eventName"`
	AWSRegion       string    `json:"awsRegion"`
	ErrorCode       string    `json:"errorCode"`
	SourceIPAddress string    `json:"sourceIPAddress"`
	UserIdentity    struct {
		Type           string `json:"type"`
		ARN            string `json:"arn"`
		InvokedBy      string `json:"invokedBy"`
		SessionContext struct {
			SourceIdentity string `json:"sourceIdentity"`
		} `json:"sessionContext"`
	} `json:"userIdentity"`
}

// event is false for what no session of a role did.
func (r *record) event() (Event, bool) {
	who := &r.UserIdentity
	parts := strings.SplitN(who.ARN, ":", 6) // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	if who.Type != "AssumedRole" || len(parts) != 6 || parts[2] != "sts" {
		return Event{}, false
	}
	name, ok := strings.CutPrefix(parts[5], "assumed-role/")
	role, session, whole := strings.Cut(name, "/")
	return Event{
		ID: r.EventID, RequestID: r.RequestID, Time: r.EventTime.UTC(), Service: r.EventSource, Name: r.EventName, Region: r.AWSRegion,
		ErrorCode: r.ErrorCode, Address: r.SourceIPAddress, Role: Role{Account: parts[4], Name: role}, Session: session,
		SourceIdentity: who.SessionContext.SourceIdentity, InvokedBy: who.InvokedBy,
	}, ok && whole
}
