package checkpoints

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/merklelog"
)

// finder registers what was announced and stored, and not registered: its replica went down in between. The zero value has seen nothing.
type finder struct {
	seen map[string]time.Time // groups of announcements, and since when
}

// look registers what was lost. What was announced has the hash of the object, so that nothing else is taken for it.
func (f *finder) look(ctx context.Context, l *Log, now time.Time) error {
	groups, _, err := l.announced.List(ctx, store.ListOptions{})
	if err != nil {
		return err
	}
	seen := make(map[string]time.Time, len(groups))
	for _, g := range groups {
		first, ok := f.seen[g.Key]
		if !ok {
			first = now
		}
		if now.Sub(first) < l.cfg.Lost {
			seen[g.Key] = first
			continue
		}
		if err := l.find(ctx, g.Value); err != nil {
			return err
		}
		if _, err := l.announced.Delete(ctx, g.Key); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	f.seen = seen
	return nil
}

// find registers those of the entries whose objects are stored.
func (l *Log) find(ctx context.Context, entries []string) error {
	for _, encoded := range entries {
		e, err := merklelog.DecodeEntry([]byte(encoded))
		if err != nil {
			return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
		}
		data, err := l.cfg.Objects.Get(ctx, e.Key)
		switch {
		case errors.Is(err, auditlog.ErrNotFound):
			continue // and nobody heard that it was stored
		case err != nil:
			return err
		case sha256.Sum256(data) != e.SHA256:
			l.cfg.Logger.Error("another object is stored than was announced", "object", e.Key)
			continue
		}
		if _, err := l.registering.add(ctx, encoded); err != nil {
			return err
		}
	}
	return nil
}
