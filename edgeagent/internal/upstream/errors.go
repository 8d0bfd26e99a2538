package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/pkg/destination"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// What callers branch on. Each error of this package wraps exactly one of them, and
// none contains the password.
var (
	// ErrInvalidTarget: the target is incomplete or asks for what is not allowed.
	ErrInvalidTarget = errors.New("invalid target")
	// ErrForbiddenAddress: the target's address must not be dialled.
	ErrForbiddenAddress = destination.ErrForbidden
	// ErrUnreachable: the target does not resolve, answer, or accept connections
	// now. Trying again later may help.
	ErrUnreachable = errors.New("target unreachable")
	// ErrTLS: the target did not prove who it is, or speaks no TLS.
	ErrTLS = errors.New("target failed TLS")
	// ErrAuth: the target refused the credential, or failed to prove that it
	// knows it.
	ErrAuth = errors.New("target refused the credential")
	// ErrRejected: the target refused the session for another reason; a
	// [ServerError] says which.
	ErrRejected = errors.New("target rejected the session")
)

// ServerError is what the target's server answered.
type ServerError struct {
	Severity string
	Code     pgwire.SQLState
	Message  string // at most 512 bytes; the password, should the server repeat it, is redacted
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("%s: %s (SQLSTATE %s)", e.Severity, e.Message, e.Code)
}

// stage is how far an attempt came.
type stage int

const (
	stageDial stage = iota
	stageTLS
	stageSession
)

// explain turns an error of the driver into one of ours. The driver's own error is
// not wrapped, because it carries its configuration.
func explain(ctx context.Context, err error, reached stage, password Secret) error {
	if errors.Is(err, ErrForbiddenAddress) {
		return findForbidden(err)
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		told := &ServerError{
			Severity: server.SeverityUnlocalized,
			Code:     pgwire.SQLState(server.Code),
			Message:  clip(password.scrub(server.Message)),
		}
		return fmt.Errorf("%w: %w", sentinelOf(told.Code), told)
	}
	kind := ErrUnreachable
	switch {
	case ctx.Err() != nil || isNetwork(err):
	case reached == stageTLS:
		kind = ErrTLS
	case reached == stageSession:
		kind = ErrAuth
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%w: %w", kind, cause)
	}
	return fmt.Errorf("%w: %s", kind, clip(password.scrub(innermost(err).Error())))
}

// maxMessage bounds what is taken over of a text that the server may have written,
// in bytes.
const maxMessage = 512

func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxMessage)], "?")
}

// sentinelOf maps a server's code (appendix "PostgreSQL Error Codes").
func sentinelOf(code pgwire.SQLState) error {
	switch {
	case code.Class() == "28":
		return ErrAuth
	case code.Class() == "53", code.Class() == "57", code.Class() == "08" && code != pgwire.StateProtocolViolation:
		return ErrUnreachable
	}
	return ErrRejected
}

// isNetwork says whether err is of the connection rather than of what was said on it.
func isNetwork(err error) bool {
	var network *net.OpError
	var resolve *net.DNSError
	if errors.As(err, &resolve) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	// A TLS alert of the peer comes as an OpError too.
	return errors.As(err, &network) && network.Op != "remote error" && network.Op != "local error"
}

// innermost follows single wrapping down, and joined errors to the last one.
func innermost(err error) error {
	for {
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			list := e.Unwrap()
			if len(list) == 0 {
				return err
			}
			err = list[len(list)-1]
		default:
			next := errors.Unwrap(err)
			if next == nil {
				return err
			}
			err = next
		}
	}
}

func findForbidden(err error) error {
	var f *destination.Forbidden
	if errors.As(err, &f) {
		return f
	}
	return ErrForbiddenAddress
}

// scrub takes the secret out of a text that somebody else wrote.
func (s Secret) scrub(text string) string {
	if len(s) == 0 {
		return text
	}
	return strings.ReplaceAll(text, string(s), redacted)
}
