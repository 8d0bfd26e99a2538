package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/webhook"
	"github.com/writhq/writ/test/world"
)

// soc is a receiver that verifies what it gets.
type soc struct {
	verifier webhook.Verifier
	events   chan webhook.Event
	refused  chan error
}

func (s *soc) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.verifier.Verify(webhook.Headers{
			ID: r.Header.Get(webhook.HeaderID), Timestamp: r.Header.Get(webhook.HeaderTimestamp), Signature: r.Header.Get(webhook.HeaderSignature),
		}, body)
	}
	var e webhook.Event
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		s.refused <- err
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	s.events <- e
}

func (s *soc) await(t *testing.T, eventType string) webhook.Event {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case e := <-s.events:
			if e.Type == eventType {
				return e
			}
		case err := <-s.refused:
			t.Fatalf("an event does not verify: %v", err)
		case <-limit:
			t.Fatalf("no %s arrives", eventType)
		}
	}
}

// A request that waits for approval is told to a receiver outside, and so is what becomes of it.
func TestReceiverIsTold(t *testing.T) {
	dir := t.TempDir()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	file := filepath.Join(dir, "soc.secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	parsed, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	s := &soc{verifier: webhook.Verifier{Secrets: []webhook.Secret{parsed}}, events: make(chan webhook.Event, 100), refused: make(chan error, 100)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	w := world.Start(t, world.Config{ControlSettings: fmt.Sprintf(
		"public-url: https://writ.example.com\nnotify:\n- name: soc\n  webhook: {url: %q, secret_files: [%q]}\n", server.URL, file)})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	if e := s.await(t, "policy.pushed"); e.Subject.ID != "1" || e.Data.By != "root@example.com" {
		t.Errorf("%+v", e)
	}
	if out, err := w.Writ(ctx, w.Administrator(), "notifications", "test", "soc"); err != nil || !strings.Contains(out, "soc accepted dlv-") {
		t.Errorf("%s %v", out, err)
	}
	prod := strings.NewReplacer("name: "+world.Resource, "name: prod-db", "env: demo", "env: prod").Replace(world.Manifest)
	if err := w.Apply(ctx, prod); err != nil {
		t.Fatal(err)
	}
	agent := w.Token("ada@example.com", "agent", "agents")
	if _, err := w.Writ(ctx, agent, "request", "prod-db", "--for", "30m", "--reason", "clean <up>", "--no-wait"); err == nil {
		t.Fatal("production is granted without approval")
	}
	e := s.await(t, "request.filed")
	if e.Data.Principal.Name != "ada@example.com" || e.Data.Resource != "prod-db" || e.Data.Reason != "clean <up>" ||
		len(e.Data.Requirements) != 1 || e.URL != "https://writ.example.com/approvals/"+e.Subject.ID {
		t.Errorf("%+v", e)
	}
	if _, err := w.Writ(ctx, w.Token("dana@example.com", "person", "dba"), "approve", e.Subject.ID, "--yes"); err != nil {
		t.Fatal(err)
	}
	if granted := s.await(t, "request.granted"); granted.Subject != e.Subject || granted.Data.By != "dana@example.com" || granted.Data.Grant == "" {
		t.Errorf("%+v", granted)
	}
	if _, err := w.Writ(ctx, w.Administrator(), "lock", "principal", "ada@example.com", "--reason", "runs wild"); err != nil {
		t.Fatal(err)
	}
	if lock := s.await(t, "lock.created"); lock.Data.Target != "principal" || lock.Data.Name != "ada@example.com" || lock.Data.By != "root@example.com" {
		t.Errorf("%+v", lock)
	}
	out, err := w.Writ(ctx, w.Administrator(), "notifications", "list", "--state", "delivered")
	if err != nil || !strings.Contains(out, "request.filed") {
		t.Errorf("%s %v", out, err)
	}
}
