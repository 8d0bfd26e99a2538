package roles_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/iampolicy"
	"github.com/writhq/writ/pkg/policy"
)

func TestWhatIsKnown(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	f.knows(r, roles.NotRead)
	check(t, f.Look(t.Context()))
	f.knows(r, "")
	f.reader.says(allowing(`["rds:DeleteDBInstance","iam:PassRole","s3:GetObject"]`), nil)
	f.clock.advance(9 * time.Minute)
	check(t, f.Look(t.Context()))
	f.knows(r, "")
	f.clock.advance(time.Minute)
	check(t, f.Look(t.Context()))
	f.knows(r, "", "iam:PassRole", "rds:DeleteDBInstance")
	facts, err := f.Facts(t.Context(), r)
	check(t, err)
	s := facts.Analysis.Statements
	if len(s) != 1 || s[0].Use != "inline" || s[0].Policy != "p" || s[0].Sid != "One" || !strings.Contains(s[0].Text, `"rds:DeleteDBInstance"`) || !s[0].AllResources ||
		fmt.Sprint(s[0].Actions) != "[{destruction [rds:DeleteDBInstance]} {pass-role [iam:PassRole]}]" {
		t.Errorf("statements %+v", s)
	}
	if p := facts.Analysis.Policies; len(p) != 1 || len(p[0].SHA256) != 64 || facts.Analysis.Boundary() != "" {
		t.Errorf("read %+v", p)
	}
}

// What AWS refuses to show is not known from then on; what cannot be asked about stays known for a while.
func TestWhatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		fails error
		want  roles.Problem
	}{
		{fmt.Errorf("get role: %w", roles.ErrRefused), roles.Refused}, {roles.ErrTooLarge, roles.TooLarge}, {iampolicy.ErrTooLarge, roles.TooLarge},
		{roles.ErrUnclear, roles.Unclear}, {iampolicy.ErrSyntax, roles.Unclear}, {iampolicy.ErrRole, roles.Unclear},
	} {
		f := setUp(t)
		r := f.account("prod", prodRole)
		check(t, f.Look(t.Context()))
		f.knows(r, "")
		f.reader.says("", c.fails)
		f.clock.advance(10 * time.Minute)
		check(t, f.Look(t.Context()))
		f.knows(r, c.want)
		f.reader.says(allowing(`"iam:PassRole"`), nil)
		f.clock.advance(2 * time.Minute)
		check(t, f.Look(t.Context()))
		f.knows(r, "", "iam:PassRole")
	}
}

func TestUnreachable(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	check(t, f.Look(t.Context()))
	f.reader.says("", &net.OpError{Op: "dial", Err: errors.New("refused")})
	for range 3 {
		f.clock.advance(10 * time.Minute)
		check(t, f.Look(t.Context()))
		f.knows(r, "")
	}
	f.clock.advance(time.Second)
	f.knows(r, roles.Stale)
	f.clock.advance(2 * time.Minute)
	check(t, f.Look(t.Context()))
	f.knows(r, roles.Stale)
	other := f.account("other", prodRole+"2")
	check(t, f.Look(t.Context()))
	f.knows(other, roles.Unreachable)
	f.reader.says(allowing(`"s3:GetObject"`), nil)
	f.clock.advance(2 * time.Minute)
	check(t, f.Look(t.Context()))
	f.knows(r, "")
}

// A policy of the size of all that is read does not fit the store beside others; what is not kept is not known.
func TestTooLargeToKeep(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	f.reader.role = func(role *iampolicy.Role) {
		for i := range 60 {
			p, err := iampolicy.Parse([]byte(allowing(`"*"`)))
			if err != nil {
				t.Error(err)
			}
			role.Inline = append(role.Inline, iampolicy.Document{Name: fmt.Sprint("p", i), Policy: p})
		}
	}
	check(t, f.Look(t.Context()))
	f.knows(r, roles.TooLarge)
}

// A resource that is given another role, or a reader that reads, is looked at again at once.
func TestChangedResource(t *testing.T) {
	f := setUp(t)
	f.account("prod", prodRole)
	check(t, f.Look(t.Context()))
	r := f.account("prod", prodRole+"2")
	f.reader.says("", roles.ErrRefused)
	f.knows(r, roles.NotRead)
	check(t, f.Look(t.Context()))
	f.knows(r, roles.Refused)
	r.AWS.Credential.AssumeRole.ReaderRoleARN = "arn:aws:iam::111122223333:role/reader"
	_, err := f.resources.Apply(t.Context(), []resources.Resource{r}, false)
	check(t, err)
	f.reader.says(allowing(`"iam:PassRole"`), nil)
	check(t, f.Look(t.Context()))
	f.knows(r, "", "iam:PassRole")
}

// What was read of a resource as it was before is not written to it.
func TestReadingThatComesLate(t *testing.T) {
	f := setUp(t)
	f.account("prod", prodRole)
	f.reader.wait = make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- f.Look(t.Context()) }()
	for f.reader.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	r := f.account("prod", prodRole+"2")
	close(f.reader.wait)
	check(t, <-done)
	f.knows(r, roles.NotRead)
	f.reader.wait = make(chan struct{})
	f.reader.says("", roles.ErrRefused)
	go func() { done <- f.Look(t.Context()) }()
	for f.reader.count() == 1 {
		time.Sleep(time.Millisecond)
	}
	r.AWS.Credential.AssumeRole.ReaderRoleARN = "arn:aws:iam::111122223333:role/reader"
	_, err := f.resources.Apply(t.Context(), []resources.Resource{r}, false)
	check(t, err)
	close(f.reader.wait)
	check(t, <-done)
	f.knows(r, roles.NotRead)
}

// Of two replicas that read a role, the one that began later counts.
func TestReadingThatIsOvertaken(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	slow := &reader{text: allowing(`"s3:GetObject"`), wait: make(chan struct{})}
	other, err := roles.New(roles.Config{Store: f.store, Resources: f.resources, Policies: f.policies, Reader: slow, Now: f.clock.now})
	check(t, err)
	done := make(chan error, 1)
	go func() { done <- other.Look(t.Context()) }()
	for slow.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	f.clock.advance(time.Second)
	f.reader.says(allowing(`"iam:PassRole"`), nil)
	check(t, f.Look(t.Context()))
	f.knows(r, "", "iam:PassRole")
	close(slow.wait)
	check(t, <-done)
	f.knows(r, "", "iam:PassRole")
}

func TestFreshen(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	for i, step := range []struct {
		after time.Duration
		reads int
	}{{0, 1}, {time.Second, 1}, {58 * time.Second, 1}, {2 * time.Second, 2}} {
		f.clock.advance(step.after)
		check(t, f.Freshen(t.Context(), r))
		if got := f.reader.count(); got != step.reads {
			t.Fatalf("step %d: read %d times, want %d", i, got, step.reads)
		}
	}
	f.reader.says("", roles.ErrRefused)
	f.clock.advance(time.Minute)
	for range 3 {
		check(t, f.Freshen(t.Context(), r))
	}
	f.knows(r, roles.Refused)
	if got := f.reader.count(); got != 3 {
		t.Errorf("aws was asked %d times in one moment", got-2)
	}
	f.clock.advance(5 * time.Second)
	f.reader.says(allowing(`"iam:PassRole"`), nil)
	check(t, f.Freshen(t.Context(), r))
	f.knows(r, "", "iam:PassRole")
	check(t, f.Freshen(t.Context(), resources.Resource{Name: "db"}))
	f.reader.wait = make(chan struct{})
	f.clock.advance(time.Minute)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Freshen(ended, r); err == nil {
		t.Error("it did not end with its caller")
	}
	close(f.reader.wait)
}

// The list of privileged actions is part of the policy bundle; a revision counts at once.
func TestList(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	f.reader.says(allowing(`["kms:Decrypt","sqs:DeleteQueue"]`), nil)
	check(t, f.Look(t.Context()))
	f.knows(r, "", "sqs:DeleteQueue")
	check(t, f.push(map[string]string{policy.PrivilegedFile: "add: [\"kms:Decrypt\"]\nremove: [\"sqs:*\"]\n"}))
	f.knows(r, roles.Relisted)
	f.clock.advance(5 * time.Second)
	check(t, f.Look(t.Context()))
	f.knows(r, "", "kms:Decrypt")
	check(t, f.push(nil))
	f.clock.advance(5 * time.Second)
	check(t, f.Freshen(t.Context(), r))
	f.knows(r, "", "sqs:DeleteQueue")
	for text, want := range map[string]string{
		"add: [\"Decrypt\"]": `"Decrypt" is not an action`, "add: [\"iam:PassRole\"]": `"iam:PassRole" is privileged already`,
		"remove: [\"s3:GetObject\"]": `"s3:GetObject" removes nothing`, "remove: [\"*\"]": "nothing would be privileged",
	} {
		var refused *policy.BundleError
		if err := f.push(map[string]string{policy.PrivilegedFile: text}); !errors.As(err, &refused) || !strings.Contains(err.Error(), policy.PrivilegedFile+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A list that was written for another version of Writ's own is taken as far as it makes sense.
func TestListOfAnotherVersion(t *testing.T) {
	c := roles.Changed(iampolicy.Default(), policy.PrivilegedActions{
		Add: []string{"iam:PassRole", "kms:Decrypt", "broken"}, Remove: []string{"s3:GetObject", "sqs:*", "*"},
	})
	for action, want := range map[string]bool{"iam:PassRole": true, "kms:Decrypt": true, "sqs:DeleteQueue": false, "rds:DeleteDBInstance": true} {
		if _, got := c.Find(action); got != want {
			t.Errorf("%s is privileged: %t", action, got)
		}
	}
}

func TestForgets(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	check(t, f.Look(t.Context()))
	facts, err := f.Facts(t.Context(), r)
	check(t, err)
	check(t, f.resources.Delete(t.Context(), "prod", leaseless{}))
	check(t, f.Look(t.Context()))
	if n := f.reader.count(); n != 1 {
		t.Errorf("read %d times", n)
	}
	f.clock.advance(44 * 24 * time.Hour)
	check(t, f.Tidy(t.Context()))
	if a, err := f.Analysis(t.Context(), facts.Analysis.Digest); err != nil || a.RoleARN != prodRole {
		t.Fatalf("%+v, %v", a, err)
	}
	f.clock.advance(24 * time.Hour)
	check(t, f.Tidy(t.Context()))
	if _, err := f.Analysis(t.Context(), facts.Analysis.Digest); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	r = f.account("prod", prodRole)
	f.knows(r, roles.NotRead)
}

// An analysis that still holds is not forgotten.
func TestKeepsWhatHolds(t *testing.T) {
	f := setUp(t)
	r := f.account("prod", prodRole)
	for range 50 {
		check(t, f.Look(t.Context()))
		check(t, f.Tidy(t.Context()))
		f.clock.advance(24 * time.Hour)
	}
	check(t, f.Look(t.Context()))
	f.knows(r, "")
}

type leaseless struct{}

func (leaseless) NoneOpenIn(*store.Tx, string) error { return nil }

// told collects what a follower hears.
type told struct {
	mu   sync.Mutex
	all  []map[string]roles.Known
	more chan struct{}
}

func (w *told) changed(known map[string]roles.Known) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, known)
	w.more <- struct{}{}
}

func (w *told) next(t *testing.T) map[string]roles.Known {
	t.Helper()
	select {
	case <-w.more:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was told")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[len(w.all)-1]
}

func TestFollow(t *testing.T) {
	f := setUp(t)
	f.account("prod", prodRole)
	w := &told{more: make(chan struct{}, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Follow(ctx, w.changed) }()
	if known := w.next(t); len(known) != 0 {
		t.Fatalf("%+v", known)
	}
	check(t, f.Look(t.Context()))
	if known := w.next(t)["prod"]; known.RoleARN != prodRole || known.Actions == nil || len(known.Actions) != 0 {
		t.Fatalf("%+v", known)
	}
	f.clock.advance(10 * time.Minute)
	check(t, f.Look(t.Context())) // nothing new
	f.reader.says(allowing(`"iam:PassRole"`), nil)
	f.clock.advance(10 * time.Minute)
	check(t, f.Look(t.Context()))
	if known := w.next(t)["prod"]; !slices.Equal(known.Actions, []string{"iam:PassRole"}) {
		t.Fatalf("%+v", known)
	}
	check(t, f.push(map[string]string{policy.PrivilegedFile: "add: [\"kms:Decrypt\"]\n"}))
	if known := w.next(t); len(known) != 0 {
		t.Fatalf("another list: %+v", known)
	}
	f.clock.advance(5 * time.Second)
	check(t, f.Look(t.Context()))
	if known := w.next(t); len(known) != 1 {
		t.Fatalf("%+v", known)
	}
	check(t, f.resources.Delete(t.Context(), "prod", leaseless{}))
	check(t, f.Look(t.Context()))
	if known := w.next(t); len(known) != 0 {
		t.Fatalf("%+v", known)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestConfig(t *testing.T) {
	if _, err := roles.New(roles.Config{}); err == nil {
		t.Error("nothing is required")
	}
	f := setUp(t)
	if _, err := roles.New(roles.Config{Store: f.store, Resources: f.resources, Policies: f.policies, Reader: f.reader, Now: f.clock.now, Stale: time.Minute}); err == nil {
		t.Error("what is known is stale before it is read again")
	}
}
