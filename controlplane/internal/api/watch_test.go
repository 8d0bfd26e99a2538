package api

import (
	"context"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func hold(id string, state approvals.State, size int) approvals.Subject {
	return approvals.Subject{Hold: &approvals.Hold{
		ID: id, State: state, Principal: policy.Principal{ID: "bot", Kind: policy.KindAgent}, Statement: string(make([]byte, size)),
		Requirements: []policy.Approval{{Count: 1, Group: "dba"}}, ExpiresAt: time.Now().Add(time.Hour),
	}}
}

func watchOf(groups ...string) (*watch, *[]*accessv1.WatchApprovalsResponse) {
	sent := new([]*accessv1.WatchApprovalsResponse)
	return &watch{
		caller: login.Caller{Principal: policy.Principal{ID: "dora", Kind: policy.KindPerson, Groups: groups}}, now: time.Now,
		send:    func(m *accessv1.WatchApprovalsResponse) error { *sent = append(*sent, m); return nil },
		pending: map[string]shown{},
	}, sent
}

func TestWatchSendsBoundedMessages(t *testing.T) {
	w, sent := watchOf("dba")
	err := w.update(approvals.Update{Complete: true, Subjects: []approvals.Subject{
		hold("hold-1", approvals.Pending, 200<<10), hold("hold-2", approvals.Pending, 200<<10), hold("hold-3", approvals.Pending, 200<<10),
		hold("hold-4", approvals.Pending, 600<<10), hold("hold-5", approvals.Pending, 10),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for i, m := range *sent {
		sizes = append(sizes, len(m.GetApprovals()))
		if m.GetComplete() != (i == len(*sent)-1) {
			t.Errorf("message %d: complete is %v", i, m.GetComplete())
		}
	}
	if len(sizes) != 4 || sizes[0] != 2 || sizes[1] != 1 || sizes[2] != 1 || sizes[3] != 1 {
		t.Fatalf("approvals by message: %v", sizes)
	}
}

// What does not concern the caller is not sent; how something ended that it was shown is, whoever it concerns by then.
func TestWatchSendsWhatConcernsTheCaller(t *testing.T) {
	w, sent := watchOf("dba")
	foreign := hold("hold-9", approvals.Pending, 1)
	foreign.Hold.Requirements[0].Group = "security"
	moved := hold("hold-1", approvals.Refused, 1)
	moved.Hold.Requirements[0].Group = "security"
	for _, step := range []struct {
		subject approvals.Subject
		sent    int
	}{
		{foreign, 0},
		{hold("hold-1", approvals.Pending, 1), 1},
		{moved, 2},
		{moved, 2},
	} {
		if err := w.update(approvals.Update{Subjects: []approvals.Subject{step.subject}}); err != nil || len(*sent) != step.sent {
			t.Fatalf("%s %s: %d sent, %v", step.subject.ID(), step.subject.Hold.State, len(*sent), err)
		}
	}
	if err := w.update(approvals.Update{Complete: true}); err != nil || len(*sent) != 3 || !(*sent)[2].GetComplete() {
		t.Fatalf("%v, %v", *sent, err)
	}
}

// still is one subject that does not change by itself.
type still struct {
	changing
	subject approvals.Subject
}

func (s still) Subject(context.Context, string) (approvals.Subject, error) { return s.subject, nil }

// Nothing changes but the time of day, and the caller hears that it may vote from now on, once.
func TestWatchTellsWhenHoursOpen(t *testing.T) {
	w, sent := watchOf("dba")
	now := time.Date(2026, 11, 23, 7, 59, 0, 0, time.UTC) // a Monday
	w.now = func() time.Time { return now }
	subject := hold("hold-1", approvals.Pending, 1)
	subject.Hold.ExpiresAt = now.Add(24 * time.Hour)
	subject.Hold.Requirements[0].Hours = "Mon-Fri 08:00-18:00 UTC"
	if err := w.update(approvals.Update{Subjects: []approvals.Subject{subject}}); err != nil {
		t.Fatal(err)
	}
	told := func() (all []bool) {
		for _, m := range *sent {
			for _, a := range m.GetApprovals() {
				all = append(all, a.GetCanVote())
			}
		}
		return all
	}
	for _, step := range []struct {
		at   time.Duration
		told int
		can  bool
	}{{0, 1, false}, {2 * time.Minute, 2, true}, {3 * time.Minute, 2, true}, {11 * time.Hour, 3, false}} {
		now = time.Date(2026, 11, 23, 7, 59, 0, 0, time.UTC).Add(step.at)
		if err := w.beat(t.Context(), still{subject: subject}); err != nil {
			t.Fatal(err)
		}
		if all := told(); len(all) != step.told || all[len(all)-1] != step.can {
			t.Fatalf("after %s: told %v", step.at, all)
		}
	}
	if len(*sent) != 5 {
		t.Errorf("%d messages: a beat is one message", len(*sent))
	}
}
