package sigv4

import "errors"

// Why a request is refused. Every error of this package, but for those of a body's source, wraps one of these.
var (
	// ErrAnonymous says that the request carries no signature at all.
	ErrAnonymous = errors.New("the request is not signed")
	// ErrSigV2 says that it is signed with Signature Version 2. What helps is `s3.signature_version = s3v4`.
	ErrSigV2 = errors.New("signature version 2 is not accepted")
	// ErrScheme says that the Authorization header is of another scheme, or of an algorithm not known here.
	ErrScheme = errors.New("unknown way to sign in")
	// ErrHeaderForm says that the Authorization header is malformed, or something beside it contradicts it.
	ErrHeaderForm = errors.New("authorization header not understood")
	// ErrQueryForm says that a presigned URL's parameters are malformed, incomplete or given twice.
	ErrQueryForm = errors.New("presigned parameters not understood")
	// ErrRequest says that the path, the query or a header can be read in more than one way.
	ErrRequest = errors.New("request not understood")
	// ErrScope says that the credential scope is not of the day of the request's date.
	ErrScope = errors.New("credential scope does not fit the request")
	// ErrSkew says that the request's date is too far from the present.
	ErrSkew = errors.New("request date too far from the present")
	// ErrExpired says that a presigned URL has expired.
	ErrExpired = errors.New("presigned request expired")
	// ErrUnsigned says that a header is not signed which must be.
	ErrUnsigned = errors.New("a header is not signed that must be")
	// ErrPayload says that the body's hash or length is missing, malformed or of an unknown kind.
	ErrPayload = errors.New("payload hash not understood")
	// ErrEventStream says that the body is a stream of events, each signed for itself, which is not supported.
	ErrEventStream = errors.New("signed event streams are not supported")
	// ErrSignature says that the signature is not that of this request by this key.
	ErrSignature = errors.New("signature does not match")
	// ErrContent says that the body is not the one whose hash was signed.
	ErrContent = errors.New("body does not match its signed hash")
	// ErrChunk says that an aws-chunked body is malformed, or not of the length that was signed.
	ErrChunk = errors.New("aws-chunked body not understood")
	// ErrChunkSignature says that the signature of a chunk or of the trailer does not match.
	ErrChunkSignature = errors.New("chunk signature does not match")
	// ErrReplayed says that the same signed request was seen before.
	ErrReplayed = errors.New("request seen before")
	// ErrReplaysFull says that no more signatures can be remembered, so that a replay could not be told.
	ErrReplaysFull = errors.New("too many signed requests at a time")
	// ErrKey says that the access key id is unknown. This package never returns it; who looks up secrets does.
	ErrKey = errors.New("unknown access key")
	// ErrToken says that the session token is missing or wrong. Who looks up secrets returns it.
	ErrToken = errors.New("session token not valid")
)

// Error names the part of a request that is refused, and the way out. It holds no signature, token or header value.
type Error struct {
	Kind error  // one of the sentinels
	Part string // for example "query parameter X-Amz-Date"
	Why  string
	Fix  string // what to do instead; may be ""
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
