package api

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

const (
	// beatEvery is how often an empty message keeps a quiet stream from being cut on its way.
	beatEvery = 20 * time.Second
	// maxWatches is how many approval streams one caller may have open at this replica.
	maxWatches = 20
	// watchBytes bounds one message of a stream, unless a single approval is larger.
	watchBytes = 512 << 10
)

// WatchApprovals sends what concerns the caller. The guard ends it when the caller's rights are no longer the same.
func (s approvalService) WatchApprovals(ctx context.Context, _ *accessv1.WatchApprovalsRequest, stream *connect.ServerStream[accessv1.WatchApprovalsResponse]) error {
	c := caller(ctx)
	release, err := s.watches.take(c.Principal)
	if err != nil {
		return err
	}
	defer release()
	w := &watch{caller: c, now: s.cfg.Now, send: stream.Send, pending: map[string]shown{}}
	return w.run(ctx, s.cfg.Approvals)
}

// changing is where the approvals are.
type changing interface {
	Changes(ctx context.Context) iter.Seq2[approvals.Update, error]
	Subject(ctx context.Context, id string) (approvals.Subject, error)
}

// watch is one stream of approvals.
type watch struct {
	caller  login.Caller
	now     func() time.Time
	send    func(*accessv1.WatchApprovalsResponse) error
	pending map[string]shown // what the caller has been shown as pending, by id
}

// shown is what the caller was told of its own vote.
type shown struct{ canVote, timed bool }

// run sends until ctx or the stream ends.
func (w *watch) run(ctx context.Context, source changing) error {
	updates, failed := make(chan approvals.Update), make(chan error, 1)
	var reading sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer reading.Wait()
	defer cancel()
	reading.Go(func() {
		for u, err := range source.Changes(ctx) {
			if err != nil {
				failed <- err
				return
			}
			select {
			case updates <- u:
			case <-ctx.Done():
			}
		}
	})
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		var err error
		select {
		case err = <-failed:
		case u := <-updates:
			err = w.update(u)
		case <-beat.C:
			err = w.beat(ctx, source)
		}
		if err != nil {
			return err
		}
	}
}

// beat keeps the stream open, and tells of approvals on which the caller may vote from now on, or no more, because it is
// so late.
func (w *watch) beat(ctx context.Context, source changing) error {
	var turned []approvals.Subject
	for id, was := range w.pending {
		if !was.timed {
			continue
		}
		subject, err := source.Subject(ctx, id)
		if errors.Is(err, approvals.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if (subject.Standing(w.caller.Principal, w.now()) == nil) != was.canVote {
			turned = append(turned, subject)
		}
	}
	if len(turned) == 0 {
		return w.send(&accessv1.WatchApprovalsResponse{})
	}
	return w.update(approvals.Update{Subjects: turned})
}

// update sends what the caller may see of u, in messages of bounded size.
func (w *watch) update(u approvals.Update) error {
	msg, size := &accessv1.WatchApprovalsResponse{}, 0
	for _, subject := range u.Subjects {
		if !w.concerned(subject) {
			continue
		}
		a := approval(w.caller, subject, w.now())
		if n := proto.Size(a); size > 0 && size+n > watchBytes {
			if err := w.send(msg); err != nil {
				return err
			}
			msg, size = &accessv1.WatchApprovalsResponse{}, 0
		}
		msg.Approvals, size = append(msg.Approvals, a), size+proto.Size(a)
	}
	if msg.Complete = u.Complete; len(msg.Approvals) == 0 && !msg.Complete {
		return nil
	}
	return w.send(msg)
}

// concerned reports whether the caller may see the subject. Who was shown it while it waited also hears how it ended.
func (w *watch) concerned(subject approvals.Subject) bool {
	_, seen := w.pending[subject.ID()]
	visible := sees(w.caller, subject)
	if delete(w.pending, subject.ID()); visible && subject.Pending() {
		w.pending[subject.ID()] = shown{
			canVote: subject.Standing(w.caller.Principal, w.now()) == nil, timed: subject.Timed(),
		}
	}
	return visible || seen
}

// asker is a caller as far as its streams are counted.
type asker struct{ issuer, name string }

// streamCount counts the open streams of each caller.
type streamCount struct {
	mu   sync.Mutex
	open map[asker]int
}

func newStreamCount() *streamCount { return &streamCount{open: map[asker]int{}} }

// take counts one stream more, or fails with guard.ErrTooManyStreams.
func (s *streamCount) take(p policy.Principal) (release func(), err error) {
	who := asker{p.Issuer, p.ID}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[who] >= maxWatches {
		return nil, guard.ErrTooManyStreams
	}
	s.open[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[who]--; s.open[who] == 0 {
			delete(s.open, who)
		}
	}, nil
}
