package guard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/writhq/writ/controlplane/internal/login"
)

// errRights ends a stream whose caller is no longer who it was. A new call is decided anew.
var errRights = errors.New("your groups or roles have changed since this stream began; call again")

// identify says who makes a call with these headers.
func (g *Guard) identify(ctx context.Context, header http.Header) (login.Caller, error) {
	return g.cfg.Identify.Identify(ctx, bearer(header))
}

// entitled ends ctx, with the reason as its cause, when the caller of a stream loses what let it begin: its login, its
// groups or its roles. The caller of entitled must call release.
func (c *call) entitled(ctx context.Context, header http.Header) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if c.rule.Public {
		return ctx, func() { cancel(nil) }
	}
	var checks sync.WaitGroup
	checks.Go(func() {
		for {
			if err := c.recheck(ctx, header); err != nil {
				cancel(err)
				return
			}
		}
	})
	return ctx, func() { cancel(nil); checks.Wait() }
}

// recheck waits until it is time, or the login's time is over, and identifies the caller again.
func (c *call) recheck(ctx context.Context, header http.Header) error {
	g := c.guard
	wait := g.cfg.Recheck
	if left := c.caller.Expires.Sub(g.cfg.Now()); !c.caller.Expires.IsZero() && left < wait {
		wait = max(left, time.Second)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
	}
	now, err := g.identify(ctx, header)
	if err != nil {
		return err
	}
	if !sameRights(now, c.caller) {
		return errRights
	}
	return nil
}

func sameRights(a, b login.Caller) bool {
	p, q := a.Principal, b.Principal
	return p.ID == q.ID && p.Issuer == q.Issuer && p.Kind == q.Kind && sameSet(p.Groups, q.Groups) &&
		slices.Equal(p.OnBehalfOf, q.OnBehalfOf) && sameSet(a.Roles, b.Roles)
}

func sameSet[T ~string](a, b []T) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// outcome is what a stream came to. A handler may have lost the reason for which ctx ended; that its reader has gone is
// an end like any other.
func outcome(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}
