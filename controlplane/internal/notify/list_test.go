package notify_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/store"
)

func writePEM(t *testing.T, file string, cert *x509.Certificate) string {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestListIsNewestFirstInPages(t *testing.T) {
	r := listen(t)
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	for i := range 7 {
		publish(t, st, d, held(fmt.Sprintf("hold-%d", i)))
		awaitState(t, d, fmt.Sprintf("hold-%d", i), notify.Delivered)
		time.Sleep(2 * time.Millisecond) // ids count in milliseconds
	}
	var all []string
	for q := (notify.Query{Size: 3, State: notify.Delivered}); ; {
		page, err := d.List(t.Context(), q)
		if err != nil || len(page.Deliveries) > 3 {
			t.Fatal(len(page.Deliveries), err)
		}
		for _, dl := range page.Deliveries {
			all = append(all, dl.Event.Subject.ID)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if want := "[hold-6 hold-5 hold-4 hold-3 hold-2 hold-1 hold-0]"; fmt.Sprint(all) != want {
		t.Errorf("got %v", all)
	}
	if page, err := d.List(t.Context(), notify.Query{State: notify.Dead}); err != nil || len(page.Deliveries) != 0 || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
	for _, token := range []string{"x", "zz", "00", "../../secrets"} {
		if _, err := d.List(t.Context(), notify.Query{After: token}); !errors.Is(err, store.ErrPage) {
			t.Errorf("page token %q: %v", token, err)
		}
	}
}

// shift is a clock that a test moves.
type shift struct {
	mu sync.Mutex
	by time.Duration
}

func (s *shift) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.by)
}

func (s *shift) move(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by += d
}

func TestSweepForgetsWhatIsOld(t *testing.T) {
	bad, good := listen(t, status(410)), listen(t)
	var clock shift
	st, d := start(t, []notify.Receiver{to(t, "bad", bad.URL), to(t, "good", good.URL)}, func(c *notify.Config) {
		c.Now, c.Retention = clock.now, 40*24*time.Hour
	})
	publish(t, st, d, held("hold-1"))
	awaitState(t, d, "hold-1", notify.Delivered)
	awaitState(t, d, "hold-1", notify.Dead)
	for _, c := range []struct {
		days int
		left int
	}{{9, 2}, {2, 1}, {28, 1}, {2, 0}} {
		clock.move(time.Duration(c.days) * 24 * time.Hour)
		if err := d.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if page, err := d.List(t.Context(), notify.Query{}); err != nil || len(page.Deliveries) != c.left {
			t.Errorf("after %d more days: %+v, %v", c.days, page.Deliveries, err)
		}
	}
}

// A delivery to a receiver that was taken out of the configuration waits for a day, and is then a dead letter.
func TestReceiverThatIsGone(t *testing.T) {
	r := listen(t)
	st := newStore(t)
	var clock shift
	with := func(c *notify.Config) { c.Now = clock.now }
	before := open(t, st, []notify.Receiver{to(t, "former", r.URL)}, with)
	ctx := t.Context()
	go func() { _, _ = before.SendTest(ctx, "former", "root") }()
	after := open(t, st, []notify.Receiver{to(t, "soc", r.URL)}, with)
	awaitState(t, after, "former", notify.Pending)
	if err := after.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	awaitState(t, after, "former", notify.Pending)
	clock.move(25 * time.Hour)
	if err := after.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	dl := awaitState(t, after, "former", notify.Dead)
	if _, err := after.Retry(ctx, dl.ID); !errors.Is(err, notify.ErrReceiver) {
		t.Error(err)
	}
	r.none(t)
}
