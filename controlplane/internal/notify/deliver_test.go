package notify_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/webhook"
)

func TestHeldCommandArrivesSigned(t *testing.T) {
	r := listen(t)
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL+"/writ")})
	publish(t, st, d, held("hold-1"))
	g := r.next(t)
	if !signedBy(g, 'k') || signedBy(g, 'x') || g.path != "/writ" || !strings.HasPrefix(g.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s %v", g.path, g.header)
	}
	e := g.event(t)
	if e.ID != g.header.Get("webhook-id") || !strings.HasPrefix(e.ID, "evt-") || e.Version != 1 || e.Type != "command.held" ||
		e.Subject != (webhook.Subject{Kind: "held_command", ID: "hold-1"}) || e.URL != "https://writ.example.com/approvals/hold-1" {
		t.Errorf("%+v", e)
	}
	data := e.Data
	if data.Principal.Name != "agent-7" || data.Principal.OnBehalfOf[0] != "ada@example.com" || data.Statement != "DELETE FROM orders WHERE id = $1" ||
		data.Requirements[0] != "2 of dba" || data.Intent.Task != "remove duplicates" || data.Revision != 7 || *data.Preview.ExactRows != 42 || len(data.Warnings) != 1 || data.ExpiresAt == nil {
		t.Errorf("%+v", data)
	}
	for _, secret := range []string{"the-parameter", "a-detail", "the-plan"} {
		if strings.Contains(string(g.body), secret) {
			t.Errorf("the body holds %q", secret)
		}
	}
	dl := awaitState(t, d, "hold-1", notify.Delivered)
	if dl.Attempts != 1 || dl.Error != "" || dl.Event.Data.Statement != "" {
		t.Errorf("%+v", dl)
	}
}

// A receiver in Go verifies with pkg/webhook; what was changed or is replayed does not pass.
func TestReceiverVerifies(t *testing.T) {
	r := listen(t)
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	publish(t, st, d, held("hold-1"))
	g := r.next(t)
	secret, err := webhook.ParseSecret("whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
	if err != nil {
		t.Fatal(err)
	}
	h := webhook.Headers{
		ID: g.header.Get(webhook.HeaderID), Timestamp: g.header.Get(webhook.HeaderTimestamp), Signature: g.header.Get(webhook.HeaderSignature),
	}
	v := webhook.Verifier{Secrets: []webhook.Secret{secret}}
	if err := v.Verify(h, g.body); err != nil {
		t.Error(err)
	}
	tampered := strings.Replace(string(g.body), "hold-1", "hold-2", 1)
	if err := v.Verify(h, []byte(tampered)); !errors.Is(err, webhook.ErrSignature) {
		t.Errorf("tampered: %v", err)
	}
	v.Now = func() time.Time { return time.Now().Add(6 * time.Minute) }
	if err := v.Verify(h, g.body); !errors.Is(err, webhook.ErrTimestamp) {
		t.Errorf("replayed: %v", err)
	}
}

func TestStatementsAndEventsByReceiver(t *testing.T) {
	all, some, none := listen(t), listen(t), listen(t)
	off := false
	quiet := to(t, "quiet", some.URL)
	quiet.Statements, quiet.Events = &off, []string{"command.*"}
	locks := to(t, "locks", none.URL)
	locks.Events = []string{"lock.created"}
	st, d := start(t, []notify.Receiver{to(t, "all", all.URL), quiet, locks})
	e := held("hold-1")
	e.Hold.Statement = strings.Repeat("ä", 4000)
	publish(t, st, d, e)
	if data := all.next(t).event(t).Data; len(data.Statement) > 4096 || !data.StatementClipped || !strings.HasPrefix(data.Statement, "ää") {
		t.Errorf("%d bytes, clipped %v", len(data.Statement), data.StatementClipped)
	}
	if g := some.next(t); strings.Contains(string(g.body), "ä") || g.event(t).Data.Resource != "orders-db" {
		t.Errorf("%s", g.body)
	}
	publish(t, st, d, approvals.Event{Kind: approvals.RequestExpired, At: time.Now(), Request: &approvals.Request{ID: "req-1"}})
	if got := all.next(t).event(t); got.Type != "request.expired" {
		t.Errorf("%+v", got)
	}
	some.none(t)
	none.none(t)
}

// What did not happen is not told, and what is told twice in one transaction that ran again is told once.
func TestToldWithTheTransaction(t *testing.T) {
	r := listen(t)
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	broken := errors.New("the vote does not count")
	err := st.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(d.Publish(tx, held("hold-undone")), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	counter := store.Define[int](st, "test-counter")
	runs := 0
	err = st.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := counter.In(tx).Get("n"); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if runs++; runs == 1 { // somebody else changes what was read
			if _, err := counter.Put(t.Context(), "n", 1); err != nil {
				return err
			}
		}
		return errors.Join(counter.In(tx).Put("n", 2), d.Publish(tx, held("hold-done")))
	})
	if err != nil || runs != 2 {
		t.Fatal(runs, err)
	}
	publish(t, st, d, held("hold-last"))
	first, second := r.next(t).event(t).Subject.ID, r.next(t).event(t).Subject.ID
	if first+second != "hold-donehold-last" && first+second != "hold-lasthold-done" {
		t.Errorf("got %s and %s", first, second)
	}
	awaitState(t, d, "hold-last", notify.Delivered)
	awaitState(t, d, "hold-done", notify.Delivered)
	r.none(t)
}

func TestRetriesUntilAccepted(t *testing.T) {
	r := listen(t, status(500), status(404), status(200))
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	publish(t, st, d, held("hold-1"))
	var ids []string
	for range 3 {
		g := r.next(t)
		if !signedBy(g, 'k') {
			t.Error("an attempt is not signed")
		}
		ids = append(ids, g.header.Get("webhook-id"))
	}
	if ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("ids differ: %v", ids)
	}
	if dl := awaitState(t, d, "hold-1", notify.Delivered); dl.Attempts != 3 || dl.Error != "" {
		t.Errorf("%+v", dl)
	}
}

func TestDeadLetterAndRetry(t *testing.T) {
	r := listen(t, status(500), status(502))
	soc := to(t, "soc", r.URL)
	soc.Attempts = 2
	st, d := start(t, []notify.Receiver{soc})
	publish(t, st, d, held("hold-1"))
	dead := awaitState(t, d, "hold-1", notify.Dead)
	if dead.Attempts != 2 || !strings.Contains(dead.Error, "502") || !dead.NextAt.IsZero() {
		t.Errorf("%+v", dead)
	}
	first := r.next(t)
	_ = r.next(t)
	if _, err := d.Retry(t.Context(), dead.ID); err != nil {
		t.Fatal(err)
	}
	again := r.next(t)
	if again.header.Get("webhook-id") != first.header.Get("webhook-id") || string(again.body) != string(first.body) {
		t.Errorf("not the same event: %s", again.body)
	}
	dl := awaitState(t, d, "hold-1", notify.Delivered)
	if _, err := d.Retry(t.Context(), dl.ID); !errors.Is(err, notify.ErrNotDead) {
		t.Errorf("retry of what was delivered: %v", err)
	}
	for _, id := range []string{"", "dlv-", "dlv-01m0000000000000000000000", "../x", strings.ToUpper(dl.ID), "dlv-01j00000000000000000000000"} {
		if _, err := d.Retry(t.Context(), id); !errors.Is(err, notify.ErrNotFound) {
			t.Errorf("retry of %q: %v", id, err)
		}
	}
}

func TestGoneStopsAtOnce(t *testing.T) {
	r := listen(t, status(410))
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	publish(t, st, d, held("hold-1"))
	if dl := awaitState(t, d, "hold-1", notify.Dead); dl.Attempts != 1 {
		t.Errorf("%+v", dl)
	}
}

// Retry-After counts for the delivery and for everything else that the receiver would get.
func TestRetryAfter(t *testing.T) {
	r := listen(t, status(429, "Retry-After", "2"))
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	publish(t, st, d, held("hold-1"))
	refused := r.next(t)
	for { // until the answer is written down
		if dl := awaitState(t, d, "hold-1", notify.Pending); dl.Error != "" {
			if dl.NextAt.Sub(refused.at) < 1900*time.Millisecond {
				t.Errorf("next at %s, refused at %s", dl.NextAt, refused.at)
			}
			break
		}
	}
	publish(t, st, d, held("hold-2"))
	for range 2 {
		if g := r.next(t); g.at.Sub(refused.at) < 1900*time.Millisecond {
			t.Errorf("%s comes after %s", g.event(t).Subject.ID, g.at.Sub(refused.at))
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := listen(t)
	r := listen(t, status(302, "Location", elsewhere.URL), status(307, "Location", elsewhere.URL))
	soc := to(t, "soc", r.URL)
	soc.Attempts = 2
	st, d := start(t, []notify.Receiver{soc})
	publish(t, st, d, held("hold-1"))
	if dl := awaitState(t, d, "hold-1", notify.Dead); !strings.Contains(dl.Error, "redirects are not followed") {
		t.Errorf("%+v", dl)
	}
	elsewhere.none(t)
}

func TestSlowReceiverHoldsUpNobody(t *testing.T) {
	var under, most atomic.Int32
	release := make(chan struct{})
	stuck := func(http.ResponseWriter, *http.Request) {
		n := under.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
		under.Add(-1)
	}
	replies := make([]http.HandlerFunc, 20)
	for i := range replies {
		replies[i] = stuck
	}
	slow, quick := listen(t, replies...), listen(t)
	slowly := to(t, "slow", slow.URL)
	slowly.Timeout = time.Minute
	st, d := start(t, []notify.Receiver{slowly, to(t, "quick", quick.URL)})
	for i := range 20 {
		publish(t, st, d, held(fmt.Sprintf("hold-%d", i)))
	}
	for range 20 {
		quick.next(t)
	}
	for range 4 {
		slow.next(t)
	}
	close(release)
	for range 16 {
		slow.next(t)
	}
	if most.Load() > 4 {
		t.Errorf("%d at once", most.Load())
	}
}

// An answer without an end costs no more than its limit.
func TestEndlessAnswer(t *testing.T) {
	ended := make(chan struct{})
	r := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	publish(t, st, d, held("hold-1"))
	if dl := awaitState(t, d, "hold-1", notify.Delivered); dl.Attempts != 1 {
		t.Errorf("%+v", dl)
	}
	<-ended
}

func TestSecretsRotateWithoutARestart(t *testing.T) {
	r := listen(t)
	soc := to(t, "soc", r.URL)
	soc.Webhook.SecretFiles = []string{secretFile(t, 'n'), secretFile(t, 'o')}
	st, d := start(t, []notify.Receiver{soc})
	publish(t, st, d, held("hold-1"))
	if g := r.next(t); !signedBy(g, 'n') || !signedBy(g, 'o') {
		t.Errorf("signatures %q", g.header.Get("webhook-signature"))
	}
	writeSecret(t, soc.Webhook.SecretFiles[1], 'z')
	publish(t, st, d, held("hold-2"))
	if g := r.next(t); !signedBy(g, 'n') || !signedBy(g, 'z') || signedBy(g, 'o') {
		t.Errorf("signatures %q", g.header.Get("webhook-signature"))
	}
}

func TestCertificateIsVerified(t *testing.T) {
	r := &receiver{seen: make(chan got, 10)}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	trusting := to(t, "trusting", r.URL)
	trusting.Webhook.CAFile = writePEM(t, filepath.Join(t.TempDir(), "ca.pem"), r.Certificate())
	wary := to(t, "wary", r.URL)
	wary.Attempts = 1
	st, d := start(t, []notify.Receiver{trusting, wary})
	publish(t, st, d, held("hold-1"))
	if g := r.next(t); !signedBy(g, 'k') {
		t.Error("not signed")
	}
	if dl := awaitState(t, d, "hold-1", notify.Dead); dl.Receiver != "wary" || !strings.Contains(dl.Error, "certificate") {
		t.Errorf("%+v", dl)
	}
	r.none(t)
}

func TestSendTest(t *testing.T) {
	r := listen(t, status(200), status(500))
	soc := to(t, "soc", r.URL)
	soc.Events = []string{"lock.*"}
	soc.Attempts = 1
	_, d := start(t, []notify.Receiver{soc})
	dl, err := d.SendTest(t.Context(), "soc", "root@example.com")
	if err != nil || dl.State != notify.Delivered {
		t.Fatalf("%+v, %v", dl, err)
	}
	if e := r.next(t).event(t); e.Type != "test" || e.Data.By != "root@example.com" {
		t.Errorf("%+v", e)
	}
	if dl, err = d.SendTest(t.Context(), "soc", "root@example.com"); err != nil || dl.State != notify.Dead || !strings.Contains(dl.Error, "500") {
		t.Errorf("%+v, %v", dl, err)
	}
	if _, err = d.SendTest(t.Context(), "nobody", "root@example.com"); !errors.Is(err, notify.ErrReceiver) {
		t.Error(err)
	}
}
