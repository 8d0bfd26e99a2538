package sigv4

import (
	"errors"
	"net/http"
)

// Dialect is how a service words its errors.
type Dialect int

// The zero dialect is that of most services.
const (
	JSON  Dialect = iota // JSON protocols, REST in JSON, CBOR
	Query                // the query protocol, and REST in XML other than S3
	EC2                  // the query protocol of EC2
	S3                   // S3 and its relatives
)

// codes are the names that a kind of refusal has, by dialect. Sources: the "Common errors" of the API references of
// DynamoDB, IAM and EC2, and "Error responses" of the S3 API Reference.
var codes = []struct {
	kind  error
	names [4]string
	other int // status, where it is not 403
}{
	{ErrAnonymous, [4]string{"MissingAuthenticationTokenException", "MissingAuthenticationToken", "MissingAuthenticationToken", "AccessDenied"}, 0},
	{ErrSigV2, [4]string{"IncompleteSignatureException", "IncompleteSignature", "AuthFailure", "InvalidRequest"}, http.StatusBadRequest},
	{ErrScheme, [4]string{"IncompleteSignatureException", "IncompleteSignature", "AuthFailure", "InvalidRequest"}, http.StatusBadRequest},
	{ErrHeaderForm, [4]string{"IncompleteSignatureException", "IncompleteSignature", "AuthFailure", "AuthorizationHeaderMalformed"}, http.StatusBadRequest},
	{ErrQueryForm, [4]string{"IncompleteSignatureException", "IncompleteSignature", "AuthFailure", "AuthorizationQueryParametersError"}, http.StatusBadRequest},
	{ErrRequest, [4]string{"ValidationException", "InvalidParameterValue", "InvalidParameterValue", "InvalidRequest"}, http.StatusBadRequest},
	{ErrScope, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed"}, 0},
	{ErrSkew, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed"}, 0},
	{ErrExpired, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "AccessDenied"}, 0},
	{ErrUnsigned, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "AccessDenied"}, 0},
	{ErrPayload, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidRequest"}, http.StatusBadRequest},
	{ErrEventStream, [4]string{"UnsupportedOperationException", "InvalidAction", "UnsupportedOperation", "NotImplemented"}, http.StatusBadRequest},
	{ErrSignature, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "SignatureDoesNotMatch"}, 0},
	{ErrContent, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "XAmzContentSHA256Mismatch"}, http.StatusBadRequest},
	{ErrChunk, [4]string{"ValidationException", "InvalidParameterValue", "InvalidParameterValue", "IncompleteBody"}, http.StatusBadRequest},
	{ErrChunkSignature, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "SignatureDoesNotMatch"}, 0},
	{ErrReplayed, [4]string{"InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "AccessDenied"}, 0},
	{ErrReplaysFull, [4]string{"ThrottlingException", "Throttling", "RequestLimitExceeded", "SlowDown"}, http.StatusServiceUnavailable},
	{ErrKey, [4]string{"UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure", "InvalidAccessKeyId"}, 0},
	{ErrToken, [4]string{"UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure", "InvalidToken"}, 0},
}

// Code names a refusal as the service itself would, with its HTTP status. An error that is none of this package's is an
// AccessDenied, with 403.
func Code(err error, d Dialect) (code string, status int) {
	if d < JSON || d > S3 {
		d = JSON
	}
	for _, c := range codes {
		if !errors.Is(err, c.kind) {
			continue
		}
		if c.other != 0 {
			return c.names[d], c.other
		}
		return c.names[d], http.StatusForbidden
	}
	return [4]string{"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "AccessDenied"}[d], http.StatusForbidden
}
