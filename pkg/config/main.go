package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main is the main function of a daemon: it loads the settings, calls run with
// a context that SIGINT or SIGTERM ends, and exits. A second signal kills the
// process at once. The exit code is 0 after a clean end, 2 for a fault of the
// configuration and 1 for any other.
func Main[T any](spec Spec, run func(ctx context.Context, settings T) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, spec, os.Args[1:], os.Environ(), os.Stderr, run))
}

func execute[T any](ctx context.Context, spec Spec, args, environ []string, stderr io.Writer,
	run func(ctx context.Context, settings T) error) int {
	settings, err := Load[T](spec, args, environ)
	switch {
	case errors.Is(err, ErrHandled):
		return 0
	case err != nil:
		report(stderr, err)
		return 2
	}
	if err := run(ctx, settings); err != nil && !errors.Is(err, context.Canceled) {
		report(stderr, err)
		return 1
	}
	return 0
}

// report writes one "error:" line for each joined error.
func report(w io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && isJoin(err, joined.Unwrap()) {
		for _, err := range joined.Unwrap() {
			report(w, err)
		}
		return
	}
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		plain := *e
		plain.Hint = ""
		fmt.Fprintf(w, "error: %v\nhint: %s\n", &plain, e.Hint)
		return
	}
	fmt.Fprintf(w, "error: %v\n", err)
}

// isJoin tells errors.Join from a sentence that wraps several errors.
func isJoin(err error, parts []error) bool {
	return err.Error() == errors.Join(parts...).Error()
}
