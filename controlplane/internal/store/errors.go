package store

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What callers branch on.
var (
	// ErrNotFound: the key has no value.
	ErrNotFound = errors.New("not found")
	// ErrExists: Create found a value.
	ErrExists = errors.New("already exists")
	// ErrConflict: the value changed since it was read.
	ErrConflict = errors.New("changed by somebody else")
	// ErrUnavailable: no quorum answered in time. For a write the outcome is
	// unknown.
	ErrUnavailable = errors.New("store unavailable")
	// ErrRefused: the external cluster refused these credentials.
	ErrRefused = errors.New("store refused the credentials")
	// ErrCompacted: the asked revision is gone; list again.
	ErrCompacted = errors.New("revision compacted")
	// ErrLeaseLost: the lease ended, and with it its keys.
	ErrLeaseLost = errors.New("lease lost")
	// ErrNotLeader: a write under Campaign came after the leadership ended.
	ErrNotLeader = errors.New("no longer leader")
	// ErrKey: a key outside the allowed alphabet or length.
	ErrKey = errors.New("invalid key")
	// ErrPage: what a page of a list is to follow is no place in that list. For
	// those who make pages; List itself takes any key.
	ErrPage = errors.New("invalid page token; begin with the first page")
	// ErrTooLarge: a value over MaxValue, or a transaction over MaxTx.
	ErrTooLarge = errors.New("too large for the store")
	// ErrCorrupt: a stored value cannot be decoded or unsealed.
	ErrCorrupt = errors.New("corrupt value")
	// ErrInUse: another process owns the data dir.
	ErrInUse = errors.New("data dir is in use by another process")
)

var errOpTimeout = errors.New("operation timed out")

// fault turns an etcd error into ours. A context that the caller ended stays
// the caller's error.
func (s *Store) fault(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errOpTimeout):
		return context.Cause(ctx)
	case ctx.Err() != nil, s.life.Err() != nil:
		return ErrUnavailable
	case errors.Is(err, rpctypes.ErrCompacted):
		return ErrCompacted
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		return ErrLeaseLost
	case errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge):
		return ErrTooLarge
	}
	switch codeOf(err) {
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

func codeOf(err error) codes.Code {
	var e rpctypes.EtcdError
	if errors.As(err, &e) {
		return e.Code()
	}
	return status.Code(err)
}
