package kubeapi

import "errors"

// What is wrong with a request. Every error of this package wraps one of these in an [Error].
var (
	// ErrMethod says that the method is none of GET, HEAD, POST, PUT, PATCH and DELETE, or not one for this path.
	ErrMethod = errors.New("method not allowed")
	// ErrPath says that the path is not canonical, or none of the API's.
	ErrPath = errors.New("path not understood")
	// ErrQuery says that a query parameter is unknown, repeated or malformed.
	ErrQuery = errors.New("query not understood")
	// ErrHeader says that a header may not be sent, or not in this way.
	ErrHeader = errors.New("header not allowed")
	// ErrUpgrade says that the connection may not be upgraded, or must be.
	ErrUpgrade = errors.New("upgrade not allowed")
	// ErrBody says that the body is malformed, or contradicts the path.
	ErrBody = errors.New("body not understood")
	// ErrMediaType says that the body's media type is not read here: the answer is 415.
	ErrMediaType = errors.New("media type not supported")
	// ErrTooLarge says that the body is larger than what is read: the answer is 413.
	ErrTooLarge = errors.New("body too large")
)

// Error names the part of a request that is refused, and the way out. It repeats no value that could be a secret.
type Error struct {
	Kind error  // one of the sentinels
	Part string // for example "path segment 4" or "query parameter watch"
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
