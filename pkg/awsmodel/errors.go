package awsmodel

import "errors"

// Why a request is not identified, or its members are not read. Every error of this package wraps one of these in an
// [Error].
var (
	// ErrService says that no service of the models signs with the credential scope's name.
	ErrService = errors.New("service not known")
	// ErrHost says that the host is none of AWS's, not the scope's service's, or of another region.
	ErrHost = errors.New("host not allowed")
	// ErrOperation says that the service has no such operation.
	ErrOperation = errors.New("operation not known")
	// ErrAmbiguous says that the request could be several operations.
	ErrAmbiguous = errors.New("operation ambiguous")
	// ErrProtocol says that the request is not written in a protocol of its service, or in two at once.
	ErrProtocol = errors.New("protocol not allowed")
	// ErrPath says that the path is not canonical.
	ErrPath = errors.New("path not understood")
	// ErrQuery says that a parameter of the query is unknown, repeated or malformed.
	ErrQuery = errors.New("query not understood")
	// ErrHeader says that a header is repeated, malformed, or none of the operation's.
	ErrHeader = errors.New("header not understood")
	// ErrBody says that the body is malformed, repeats a member, or contradicts the rest.
	ErrBody = errors.New("body not understood")
	// ErrTooLarge says that a path, query or body is over its limit.
	ErrTooLarge = errors.New("request too large")
	// ErrUnsupported says that the request is understood and cannot be passed on: streams of events, access points.
	ErrUnsupported = errors.New("request not supported")
)

// Error names the part of a request that is refused, and the way out. It repeats no value that could be a secret.
type Error struct {
	Kind error  // one of the sentinels
	Part string // such as "header X-Amz-Target"
	Why  string
	Fix  string // what to send instead; may be ""
}

func (e *Error) Error() string {
	s := e.Part + ": " + e.Why
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind error, part, why, fix string) error {
	return &Error{Kind: kind, Part: part, Why: why, Fix: fix}
}
