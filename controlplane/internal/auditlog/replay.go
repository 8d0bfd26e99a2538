package auditlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

const (
	// clockSkew is how far an edge's clock may be off without losing records
	// from sight.
	clockSkew = time.Hour
	// afterlife is how long after the end of a session its edge may still add
	// to it (what it found when it started again).
	afterlife = 24 * time.Hour
	// lastWords is how long the rest of a session that ended may be on its way.
	lastWords = 10 * time.Second
)

// Records yields the records of a session in order, each once, and verifies
// their chain. Where the chain does not hold it yields an *audit.Damage (with
// errors.As) and goes on with what there is. A session that ended without its
// last record yields damage of audit.ErrCut at the end.
//
// With follow it waits for more until the session's last record, or until the
// session has ended and nothing came for a while. Without, it waits only for
// what a session that has just ended still owes. Other errors end it.
func (l *Log) Records(ctx context.Context, session string, follow bool) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		r := &replay{log: l, id: session, read: map[string]bool{}, yield: yield}
		if err := r.run(ctx, follow); err != nil && !errors.Is(err, errStopped) {
			yield(audit.Record{}, err)
		}
	}
}

var errStopped = errors.New("the consumer has enough")

type replay struct {
	log     *Log
	id      string
	session Session
	read    map[string]bool
	yield   func(audit.Record, error) bool

	waiting  []audit.Record // read but not yet due
	verifier audit.Verifier
	next     uint64
	damaged  bool
}

func (r *replay) run(ctx context.Context, follow bool) error {
	r.next = 1
	var quiet time.Time // since when an ended session has brought nothing
	for {
		news := r.log.news()
		var err error
		if r.session, err = r.log.cfg.Sessions.Describe(ctx, r.id); err != nil {
			return err
		}
		before := len(r.read)
		if err := r.scan(ctx); err != nil {
			return err
		}
		if err := r.emit(false); err != nil {
			return err
		}
		now := r.log.cfg.Now()
		if len(r.read) > before || r.session.Ended.IsZero() || quiet.IsZero() {
			quiet = now
		}
		if r.verifier.Closed() || !follow && !r.owes(now) || now.Sub(quiet) >= lastWords {
			return r.finish()
		}
		if err := r.await(ctx, news); err != nil {
			return err
		}
	}
}

// owes says whether the session ended so shortly ago that its last records may still be on their way.
func (r *replay) owes(now time.Time) bool {
	return !r.session.Ended.IsZero() && now.Sub(r.session.Ended) < lastWords
}

func (r *replay) await(ctx context.Context, news <-chan struct{}) error {
	t := time.NewTimer(r.log.cfg.Poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-news:
	case <-t.C:
	}
	return nil
}

// scan reads the blocks that may hold records of the session and were not
// read before.
func (r *replay) scan(ctx context.Context) error {
	from, to := r.session.Started.Add(-clockSkew), r.log.cfg.Now().Add(clockSkew)
	if !r.session.Ended.IsZero() && r.session.Ended.Add(afterlife).Before(to) {
		to = r.session.Ended.Add(afterlife)
	}
	for hour := from.UTC().Truncate(time.Hour).Add(-time.Hour); !hour.After(to); hour = hour.Add(time.Hour) {
		for key, err := range r.log.cfg.Objects.List(ctx, hourFolder(r.session.Edge, hour)) {
			if err != nil {
				return err
			}
			k, ok := parseBlockName(path.Base(key))
			if !ok || r.read[key] || k.last.Before(from) || k.first.After(to) || !k.sessions.mayHold(r.id) {
				continue
			}
			if err := r.readBlock(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *replay) readBlock(ctx context.Context, key string) error {
	r.read[key] = true
	data, err := r.log.cfg.Objects.Get(ctx, key)
	if err != nil {
		return err
	}
	records, err := decodeBlock(data, r.session.Edge)
	if err != nil {
		return r.damage(&audit.Damage{Session: r.id, Seq: r.next, Err: audit.ErrAltered, Detail: fmt.Sprintf("block %s: %v", key, err)})
	}
	for i := range records {
		if records[i].Session == r.id {
			r.waiting = append(r.waiting, records[i])
		}
	}
	return r.emit(false)
}

// emit yields the records that are due; all that is left when rest is set.
func (r *replay) emit(rest bool) error {
	slices.SortStableFunc(r.waiting, func(a, b audit.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	for len(r.waiting) > 0 {
		rec := r.waiting[0]
		if rec.Seq > r.next && !rest {
			return nil
		}
		r.waiting = r.waiting[1:]
		if rec.Seq < r.next {
			continue // shipped again after a lost acknowledgement
		}
		if !r.damaged {
			if err := r.verifier.Add(&rec); err != nil {
				if err := r.damage(err); err != nil {
					return err
				}
			}
		}
		r.next = rec.Seq + 1
		if !r.yield(rec, nil) {
			return errStopped
		}
	}
	return nil
}

// damage reports the first damage only: what follows it cannot be verified.
func (r *replay) damage(err error) error {
	if r.damaged {
		return nil
	}
	r.damaged = true
	if !r.yield(audit.Record{}, err) {
		return errStopped
	}
	return nil
}

func (r *replay) finish() error {
	if err := r.emit(true); err != nil {
		return err
	}
	if r.session.Ended.IsZero() || r.verifier.Closed() {
		return nil
	}
	return r.damage(&audit.Damage{Session: r.id, Seq: r.next, Err: audit.ErrCut, Detail: "the session ended, but its last record is not here"})
}
