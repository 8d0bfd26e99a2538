package approvals

import (
	"context"
	"iter"
	"sync"

	"github.com/writhq/writ/controlplane/internal/store"
)

// Update is a part of what Changes yields.
type Update struct {
	// Subjects that are new or changed, as they count now; in order only as far as they are of one kind.
	Subjects []Subject
	// Complete is set once, when all that waited at the start has been yielded.
	Complete bool
}

// Changes yields all that waits for people, then an update that is complete, and from then on every change, also the
// one by which something no longer waits. It survives faults of the store without missing or repeating a change, and
// ends with an error: that of ctx, or one of the store that does not pass.
func (a *Approvals) Changes(ctx context.Context) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		var feeds sync.WaitGroup
		ctx, cancel := context.WithCancel(ctx)
		defer feeds.Wait()
		defer cancel()
		updates, failed := make(chan Update), make(chan error, 2)
		feeds.Go(func() {
			failed <- follow(ctx, a.holds, updates, func(h Hold) Subject { return Subject{Hold: &h}.at(a.cfg.Now()) })
		})
		feeds.Go(func() {
			failed <- follow(ctx, a.requests, updates, func(r Request) Subject { return Subject{Request: &r}.at(a.cfg.Now()) })
		})
		for unread := 2; ; {
			select {
			case err := <-failed:
				yield(Update{}, err)
				return
			case u := <-updates:
				if u.Complete {
					unread--
					u.Complete = unread == 0
				}
				if (len(u.Subjects) > 0 || u.Complete) && !yield(u, nil) {
					return
				}
			}
		}
	}
}

// feed turns one collection into updates; the first of them is complete.
type feed[T any] struct {
	subject func(T) Subject
	send    func(Update)
	began   bool
	at      store.Revision // of what was sent
}

func follow[T any](ctx context.Context, from *store.Collection[T], to chan<- Update, subject func(T) Subject) error {
	f := &feed[T]{subject: subject, send: func(u Update) {
		select {
		case to <- u:
		case <-ctx.Done():
		}
	}}
	return from.Follow(ctx, f.snapshot, f.event)
}

// snapshot is what waits, the first time. Later it stands in for changes that the store has forgotten: those of
// entries whose revision is newer than what was sent.
func (f *feed[T]) snapshot(entries []store.Entry[T], at store.Revision) {
	u := Update{Complete: !f.began}
	for _, e := range entries {
		s := f.subject(e.Value)
		if f.began && e.Revision > f.at || !f.began && s.state() == Pending {
			u.Subjects = append(u.Subjects, s)
		}
	}
	f.began, f.at = true, at
	f.send(u)
}

func (f *feed[T]) event(ev store.Event[T]) {
	f.at = ev.Revision
	if !ev.Deleted { // what is forgotten was decided long ago
		f.send(Update{Subjects: []Subject{f.subject(ev.Value)}})
	}
}
