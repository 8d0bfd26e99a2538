package notify_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/store"
)

// startEtcd returns the address of a real etcd.
func startEtcd(t *testing.T) string {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	client := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = nil, client
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = client, client
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(etcd.Close)
	<-etcd.Server.ReadyNotify()
	return "http://" + etcd.Clients[0].Addr().String()
}

func join(t *testing.T, etcd string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Endpoints: []string{etcd}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// A replica that dies after it took a delivery and before it sent it: another one sends it when the turn of the dead one
// is up. The dead one sends nothing, should it wake up again.
func TestReplicaDiesBeforeItSends(t *testing.T) {
	etcd := startEtcd(t)
	r := listen(t)
	soc := to(t, "soc", r.URL)
	dying, living := join(t, etcd), join(t, etcd)
	doomed := soc
	doomed.Webhook = &notify.Webhook{URL: r.URL, SecretFiles: []string{secretFile(t, 'd')}}
	first := open(t, dying, []notify.Receiver{doomed})
	secret := doomed.Webhook.SecretFiles[0]
	pipe := blockOn(t, secret) // each attempt reads the secret, and this one stops there
	stop := run(t, first)
	publish(t, dying, first, held("hold-1"))
	wake := <-pipe
	_ = dying.Close() // nothing is written any more, and the turn is not given back
	second := open(t, living, []notify.Receiver{soc})
	run(t, second)
	if g := r.next(t); !signedBy(g, 'k') {
		t.Error("it was not the living replica that sent")
	}
	if dl := awaitState(t, second, "hold-1", notify.Delivered); dl.Attempts != 2 {
		t.Errorf("%+v", dl)
	}
	wake('d')
	stop()
	r.none(t)
}

// blockOn makes reading a file wait. The channel yields, once somebody reads, what lets it go on with a secret.
func blockOn(t *testing.T, file string) <-chan func(fill byte) {
	t.Helper()
	if err := errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)); err != nil {
		t.Fatal(err)
	}
	read := make(chan func(byte), 1)
	go func() {
		w, err := os.OpenFile(file, os.O_WRONLY, 0) // returns when it is opened for reading
		if err != nil {
			return
		}
		read <- func(fill byte) {
			other := secretFile(t, fill)
			text, err := os.ReadFile(other)
			if err == nil {
				_, err = w.Write(text)
			}
			if err := errors.Join(err, w.Close()); err != nil {
				t.Error(err)
			}
		}
	}()
	return read
}

// A replica that dies before it heard the answer: the receiver gets the event again, with the same id.
func TestReplicaDiesBeforeItIsAnswered(t *testing.T) {
	etcd := startEtcd(t)
	r := listen(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	soc := to(t, "soc", r.URL)
	dying, living := join(t, etcd), join(t, etcd)
	first := open(t, dying, []notify.Receiver{soc})
	stop := run(t, first)
	publish(t, dying, first, held("hold-1"))
	before := r.next(t)
	_ = dying.Close()
	stop()
	second := open(t, living, []notify.Receiver{soc})
	run(t, second)
	if g := r.next(t); g.header.Get("webhook-id") != before.header.Get("webhook-id") || string(g.body) != string(before.body) {
		t.Error("the receiver cannot tell that both are one event")
	}
	awaitState(t, second, "hold-1", notify.Delivered)
}

// Two replicas that live send each event once.
func TestTwoReplicasSendOnce(t *testing.T) {
	etcd := startEtcd(t)
	r := listen(t)
	soc := to(t, "soc", r.URL)
	a, b := join(t, etcd), join(t, etcd)
	first, second := open(t, a, []notify.Receiver{soc}), open(t, b, []notify.Receiver{soc})
	run(t, first)
	run(t, second)
	seen := map[string]int{}
	for i := range 20 {
		publish(t, []*store.Store{a, b}[i%2], []*notify.Deliveries{first, second}[i%2], held(fmt.Sprintf("hold-%d", i)))
	}
	for range 20 {
		seen[r.next(t).event(t).Subject.ID]++
	}
	for i := range 20 {
		awaitState(t, first, fmt.Sprintf("hold-%d", i), notify.Delivered)
	}
	r.none(t)
	if len(seen) != 20 {
		t.Errorf("%v", seen)
	}
}
