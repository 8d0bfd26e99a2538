package cli_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// TestListsReadEveryPage has more of everything than the control plane puts on one page.
func TestListsReadEveryPage(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.cp.AddHold(&accessv1.HeldCommand{
			Id: fmt.Sprintf("hold-more-%d", i), Resource: "orders-db", State: accessv1.HoldState_HOLD_STATE_PENDING,
			ExpiresAt: timestamppb.New(time.Now().Add(time.Hour)),
		})
		b.cp.AddSession(&accessv1.Session{Id: fmt.Sprintf("sess-more-%d", i), Resource: "orders-db", Live: true})
		b.run(t, "", 0, "notifications", "test", "soc")
	}
	b.run(t, openManifest, 0, "resources", "apply", "-f", "-")
	for range 5 {
		b.run(t, "", 0, "request", "orders-db", "--for", "30m", "--reason", "many")
	}
	for _, tc := range []struct {
		list []string
		item string
		want int
	}{
		{[]string{"list"}, "hold-", 6},
		{[]string{"sessions", "list"}, "sess-", 6},
		{[]string{"notifications", "list"}, "dlv-", 5},
		{[]string{"requests"}, "req-", 5},
		{[]string{"grants", "list"}, "grant-", 5},
	} {
		t.Run(strings.Join(tc.list, " "), func(t *testing.T) {
			out, diag := b.run(t, "", 0, tc.list...)
			if got := strings.Count(out, "\n"+tc.item); got != tc.want || strings.Contains(diag, "--limit") {
				t.Errorf("%d lines, want %d and no word of more:\n%s%s", got, tc.want, out, diag)
			}
			out, diag = b.run(t, "", 0, append(tc.list, "--limit", "3")...)
			if got := strings.Count(out, "\n"+tc.item); got != 3 || !strings.Contains(diag, "more") || !strings.Contains(diag, "--limit") {
				t.Errorf("%d lines, want 3 and a word of more:\n%s%s", got, out, diag)
			}
			b.run(t, "", 2, append(tc.list, "--limit", "0")...)
		})
	}
}

// TestTokenOfAGrantOnALaterPage names a resource whose only grant is the oldest of many.
func TestTokenOfAGrantOnALaterPage(t *testing.T) {
	b := newBench(t)
	manifest := openManifest + "---\n" + strings.Replace(openManifest, "orders-db", "other-db", 1)
	b.run(t, manifest, 0, "resources", "apply", "-f", "-")
	b.run(t, "", 0, "request", "orders-db", "--for", "30m", "--reason", "first")
	for range 5 {
		b.run(t, "", 0, "request", "other-db", "--for", "30m", "--reason", "later")
	}
	for _, name := range []string{"orders-db", "grant-2"} {
		if out, _ := b.run(t, "", 0, "token", name); !strings.HasPrefix(out, "access-") {
			t.Errorf("writ token %s: %q", name, out)
		}
	}
}

func TestReplayOfNothing(t *testing.T) {
	b := newBench(t)
	b.cp.AddSession(&accessv1.Session{Id: "sess-new", Resource: "orders-db", Live: true})
	stdout, stderr := b.run(t, "", 0, "sessions", "replay", "sess-new")
	if stdout != "" || !strings.Contains(stderr, "session sess-new has no records yet") {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}
