package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/writhq/writ/pkg/cli/internal/manifest"
	"github.com/writhq/writ/pkg/cli/internal/profile"
	"github.com/writhq/writ/pkg/identity"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitDenied  = 3 // policy, a person or a missing right said no
	exitPending = 4 // the request still waits for people
)

// failure is an error with an exit code and, where there is one, the next step.
type failure struct {
	code int
	err  error
	hint string
	// detail is for programs; with -o json it is printed.
	detail proto.Message
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func failed(hint, format string, args ...any) error {
	return &failure{code: exitFailure, err: fmt.Errorf(format, args...), hint: hint}
}

func misused(hint, format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

func denied(hint, format string, args ...any) error {
	return &failure{code: exitDenied, err: fmt.Errorf(format, args...), hint: hint}
}

func pending(hint, format string, args ...any) error {
	return &failure{code: exitPending, err: fmt.Errorf(format, args...), hint: hint}
}

// exitStatus ends writ with a code of its own and without a word: what there is to say was said.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// reportForms are those of an error's first line and of the others, which are set apart so that no text passes for a hint.
var reportForms = [2]string{"error: %s", "       %s"}

// report writes an "error:" line, the error's other lines below it, and, where there is a next step, a "hint:" line, and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitOK
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	f := explain(err)
	if a.json && f.detail != nil {
		_ = a.out.JSON(f.detail)
	}
	for i, line := range strings.Split(f.err.Error(), "\n") {
		_ = a.diag.Printf(reportForms[min(i, 1)], line)
	}
	if f.hint != "" {
		_ = a.diag.Printf("hint: %s", f.hint)
	}
	return f.code
}

// explain finds the code and the hint for an error that came without.
func explain(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*manifest.Error](err); ok {
		return &failure{code: exitFailure, err: e, hint: e.Hint}
	}
	switch {
	case errors.Is(err, profile.ErrNone):
		return &failure{code: exitFailure, err: err, hint: "run `writ login --server https://host:8443`, or set WRIT_SERVER and WRIT_TOKEN"}
	case errors.Is(err, profile.ErrExposed):
		return &failure{code: exitFailure, err: err, hint: "take the rights of others away: chmod go= on it"}
	}
	if e, ok := errors.AsType[*connect.Error](err); ok {
		return explainCall(e)
	}
	return &failure{code: exitFailure, err: err}
}

// explainCall maps what a call to the control plane came to.
func explainCall(e *connect.Error) *failure {
	f := &failure{code: exitFailure, err: errors.New(e.Message())}
	if e.Message() == "" {
		f.err = errors.New(e.Code().String())
	}
	switch e.Code() {
	case connect.CodePermissionDenied:
		f.code = exitDenied
		if r := refusalOf(e); r != nil {
			f.detail, f.hint = r, repairHint(r.GetRepair())
		}
	case connect.CodeInvalidArgument:
		f.code = exitUsage
	case connect.CodeUnauthenticated:
		f.hint = "sign in with `writ login`, or renew WRIT_TOKEN"
	case connect.CodeCanceled:
		f.err = errors.New("interrupted")
	case connect.CodeDeadlineExceeded:
		f.err = errors.New("the control plane did not answer in time")
	case connect.CodeUnavailable:
		f.err = fmt.Errorf("cannot reach the control plane: %s", e.Message())
		f.hint = unreachableHint(e)
	}
	return f
}

func unreachableHint(err error) string {
	switch {
	case errors.Is(err, identity.ErrPin):
		return "compare the pin with the one the control plane printed; if they differ, somebody may be in between"
	case isType[x509.UnknownAuthorityError](err):
		return "give the control plane's CA with --ca-file or WRIT_CA_FILE, or its key with --pin"
	case isType[x509.HostnameError](err):
		return "use a name or address that the control plane's certificate carries, or --pin instead of a CA"
	case errors.Is(err, context.DeadlineExceeded):
		return ""
	}
	return "check the server's address with `writ whoami`, and that it is up"
}

func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
