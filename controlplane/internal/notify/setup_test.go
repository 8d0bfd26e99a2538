package notify_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/webhook"
)

const patience = 30 * time.Second

func newStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// got is one request as a receiver saw it.
type got struct {
	header http.Header
	path   string
	body   []byte
	at     time.Time
}

func (g got) event(t *testing.T) webhook.Event {
	t.Helper()
	var e webhook.Event
	if err := json.Unmarshal(g.body, &e); err != nil {
		t.Fatalf("%v in %s", err, g.body)
	}
	return e
}

// receiver is a real HTTP server that notes what it gets.
type receiver struct {
	*httptest.Server
	seen chan got

	mu      sync.Mutex
	replies []http.HandlerFunc // one for each request; after the last, 204
}

func listen(t *testing.T, replies ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{seen: make(chan got, 1000), replies: replies}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Server.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	reply := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	if len(r.replies) > 0 {
		reply, r.replies = r.replies[0], r.replies[1:]
	}
	r.mu.Unlock()
	r.seen <- got{req.Header.Clone(), req.URL.Path, body, time.Now()}
	reply(w, req)
}

func (r *receiver) next(t *testing.T) got {
	t.Helper()
	select {
	case g := <-r.seen:
		return g
	case <-time.After(patience):
		t.Fatal("the receiver gets nothing")
		return got{}
	}
}

// none fails if something arrived.
func (r *receiver) none(t *testing.T) {
	t.Helper()
	select {
	case g := <-r.seen:
		t.Fatalf("got %s", g.body)
	default:
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// secretFile holds a secret of 32 equal bytes.
func secretFile(t *testing.T, fill byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	writeSecret(t, file, fill)
	return file
}

func writeSecret(t *testing.T, file string, fill byte) {
	t.Helper()
	text := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32))) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// signedBy verifies with nothing of pkg/webhook.
func signedBy(g got, fill byte) bool {
	m := hmac.New(sha256.New, []byte(strings.Repeat(string(fill), 32)))
	_, _ = io.WriteString(m, g.header.Get("webhook-id")+"."+g.header.Get("webhook-timestamp")+"."+string(g.body))
	want := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
	for _, s := range strings.Split(g.header.Get("webhook-signature"), " ") {
		if s == want {
			return true
		}
	}
	return false
}

// to is a receiver for signed webhooks under the key 'k'.
func to(t *testing.T, name, url string) notify.Receiver {
	return notify.Receiver{Name: name, Webhook: &notify.Webhook{URL: url, SecretFiles: []string{secretFile(t, 'k')}}}
}

type option func(*notify.Config)

// open makes deliveries whose retries do not take long.
func open(t *testing.T, st *store.Store, receivers []notify.Receiver, opts ...option) *notify.Deliveries {
	t.Helper()
	cfg := notify.Config{
		Store: st, Receivers: receivers, Now: time.Now, Rand: rand.Reader, PublicURL: "https://writ.example.com",
		FirstRetry: 10 * time.Millisecond, MaxRetry: 40 * time.Millisecond,
	}
	for _, o := range opts {
		o(&cfg)
	}
	d, err := notify.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run sends until the test ends, or until stop.
func run(t *testing.T, d *notify.Deliveries) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("sender: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// start is open and run.
func start(t *testing.T, receivers []notify.Receiver, opts ...option) (*store.Store, *notify.Deliveries) {
	t.Helper()
	st := newStore(t)
	d := open(t, st, receivers, opts...)
	run(t, d)
	return st, d
}

func publish(t *testing.T, st *store.Store, d *notify.Deliveries, e approvals.Event) {
	t.Helper()
	if err := st.Update(t.Context(), func(tx *store.Tx) error { return d.Publish(tx, e) }); err != nil {
		t.Fatal(err)
	}
}

// held is the event of a held command.
func held(id string) approvals.Event {
	now := time.Now().UTC()
	return approvals.Event{Kind: approvals.HoldFiled, At: now, Hold: &approvals.Hold{
		ID:        id,
		Principal: policy.Principal{ID: "agent-7", Name: "agent-7", Kind: policy.KindAgent, OnBehalfOf: []string{"ada@example.com"}},
		Resource:  "orders-db", Edge: "edge-a", Session: "ses-1", Grant: "grant-1",
		Statement: "DELETE FROM orders WHERE id = $1", Params: []string{"the-parameter"},
		Actions: []string{"sql:delete"}, Tables: []string{"orders"}, Reason: "Bulk delete", RequestReason: "clean up",
		Preview: approvals.Preview{ExactRows: new(int64(42)), Plan: "the-plan"},
		Flags:   []approvals.Flag{{Kind: "confusable", Detail: "U+0430 looks like a"}, {Offset: 9, Kind: "confusable", Detail: "U+0430 looks like a"}},
		Ticket:  "OPS-1", Intent: approvals.Intent{Task: "remove duplicates", Run: "https://ci.example.com/1", Details: map[string]string{"k": "a-detail"}},
		PolicyIDs: []string{"prod-delete"}, Revision: 7,
		Requirements: []policy.Approval{{Count: 2, Group: "dba"}}, ExpiresAt: now.Add(10 * time.Minute),
	}}
}

// awaitState waits until the newest delivery of a subject is in a state.
func awaitState(t *testing.T, d *notify.Deliveries, subject string, state notify.State) notify.Delivery {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		page, err := d.List(t.Context(), notify.Query{State: state})
		if err != nil {
			t.Fatal(err)
		}
		for _, dl := range page.Deliveries {
			if dl.Event.Subject.ID == subject {
				return dl
			}
		}
	}
	t.Fatalf("no delivery about %s becomes %s", subject, state)
	return notify.Delivery{}
}

// buffer collects what is logged.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
