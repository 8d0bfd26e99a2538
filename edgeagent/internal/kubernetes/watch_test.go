package kubernetes

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

// watching is a watch through the edge, line by line.
type watching struct {
	t     testing.TB
	lines chan string
}

func (b *bed) watch(path string) *watching {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.Token(b.t, "grant-1"))
	resp, err := b.client().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		b.t.Fatalf("watch: %s", resp.Status)
	}
	w := &watching{t: b.t, lines: make(chan string, 100)}
	go func() {
		defer close(w.lines)
		defer resp.Body.Close()
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			w.lines <- s.Text()
		}
	}()
	return w
}

// until returns the first line with a text; it fails when the watch ends before.
func (w *watching) until(text string) string {
	w.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				w.t.Fatalf("the watch ended before %q", text)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-late:
			w.t.Fatalf("no %q", text)
		}
	}
}

// ends waits for the end.
func (w *watching) ends() {
	w.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case _, ok := <-w.lines:
			if !ok {
				return
			}
		case <-late:
			w.t.Fatal("the watch goes on")
		}
	}
}

func TestWatchIsMasked(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "watch")
	w := b.watch("/api/v1/namespaces/" + ns + "/secrets?watch=true")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "db", "--from-literal=password=hunter2")
	if line := w.until(`"db"`); !strings.Contains(line, "Kioq") || strings.Contains(line, "aHVudGVyMg") {
		t.Errorf("event: %s", line)
	}
	// a policy that reveals binds the running watch
	b.Policies.Set(t, permitAll)
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "db2", "--from-literal=password=hunter2")
	if line := w.until(`"db2"`); !strings.Contains(line, "aHVudGVyMg") {
		t.Errorf("event after the change: %s", line)
	}
}

// TestWhatStopsARunningWatch: each of these ends a watch that is open, tells its client why, and is recorded.
func TestWhatStopsARunningWatch(t *testing.T) {
	for name, c := range map[string]struct {
		stop func(*bed)
		says string
	}{
		"policy": {func(b *bed) {
			b.Policies.Set(t, permitAll+`@id("no-watch") @reason("No watching now") forbid (principal, action == Action::"k8s:watch", resource);`)
		}, "No watching now (policy no-watch, revision 2)"},
		"revocation": {func(b *bed) { b.Pipeline.EndSessions(b.Pipeline.Sessions(), "the grant was revoked", "dan") }, "the grant was revoked (by dan)"},
		"lease":      {func(b *bed) { b.Lease.Lose() }, "lost its lease"},
		"resource":   {func(b *bed) { _ = b.server.SetResources(nil, nil) }, "the resource was changed or removed"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			ns := b.lab.Namespace(t, "cut")
			w := b.watch("/api/v1/namespaces/" + ns + "/configmaps?watch=true")
			w.until("kube-root-ca.crt")
			c.stop(b)
			line := w.until(`"type":"ERROR"`)
			if !strings.Contains(line, c.says) {
				t.Errorf("client is told %s", line)
			}
			w.ends()
			b.Records.Await(t, audit.KindOutcome, func(r audit.Record) bool { return strings.Contains(r.Reason, c.says[:10]) })
			if name == "policy" {
				b.Records.Await(t, audit.KindRefusal, func(r audit.Record) bool {
					return len(r.PolicyIDs) == 1 && r.PolicyIDs[0] == "no-watch" && r.Revision == 2
				})
			}
		})
	}
}

func TestExpiryStopsARunningWatch(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "expiry")
	b.Control.Expires(time.Now().Add(3 * time.Second))
	w := b.watch("/api/v1/namespaces/" + ns + "/configmaps?watch=true")
	if line := w.until(`"type":"ERROR"`); !strings.Contains(line, "expired") {
		t.Errorf("client is told %s", line)
	}
	w.ends()
}
