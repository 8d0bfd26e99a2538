package api

import (
	"errors"
	"testing"

	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/pkg/policy"
)

// Streams are counted for each caller: a namesake at another issuer is another, and one that is closed gives one place back.
func TestStreamsAreCountedByCaller(t *testing.T) {
	count := newStreamCount()
	dora := policy.Principal{ID: "dora", Issuer: idp}
	var open []func()
	take := func(p policy.Principal, want error) {
		t.Helper()
		release, err := count.take(p)
		if !errors.Is(err, want) {
			t.Fatalf("%s of %s: %v, want %v", p.ID, p.Issuer, err, want)
		}
		open = append(open, release)
	}
	for range maxWatches {
		take(dora, nil)
	}
	take(dora, guard.ErrTooManyStreams)
	take(policy.Principal{ID: "dora", Issuer: idp, Groups: []string{"other"}}, guard.ErrTooManyStreams)
	take(policy.Principal{ID: "dora", Issuer: otherIDP}, nil)
	take(policy.Principal{ID: "lee", Issuer: idp}, nil)
	open[0]()
	take(dora, nil)
	take(dora, guard.ErrTooManyStreams)
	for _, release := range open[1:] {
		if release != nil {
			release()
		}
	}
	if len(count.open) != 0 {
		t.Errorf("callers without a stream are kept: %v", count.open)
	}
}
