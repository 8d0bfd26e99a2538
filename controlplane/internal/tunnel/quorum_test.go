package tunnel_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/writhq/writ/controlplane/internal/store"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// lines passes on log lines that hold a text.
type lines struct {
	text string
	seen chan struct{}
}

func (l lines) Write(p []byte) (int, error) {
	if strings.Contains(string(p), l.text) {
		select {
		case l.seen <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// startEtcd returns the address of a real etcd and what stops it.
func startEtcd(t *testing.T) (address string, stop func()) {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	client := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = nil, client
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = client, client
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 20, 200
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	etcd := must[*embed.Etcd](t)(embed.StartEtcd(cfg))
	stop = sync.OnceFunc(etcd.Close)
	t.Cleanup(stop)
	<-etcd.Server.ReadyNotify()
	return "http://" + etcd.Clients[0].Addr().String(), stop
}

// Law 6: a control plane that has lost its quorum extends nobody's lease.
func TestNoLeaseWithoutQuorum(t *testing.T) {
	address, stop := startEtcd(t)
	refused := make(chan struct{}, 1)
	log := hclog.New(&hclog.LoggerOptions{Output: lines{"heartbeat is not acknowledged", refused}})
	p := newPlaneOn(t, store.Config{Endpoints: []string{address}, OpTimeout: 500 * time.Millisecond}, log)
	e, l, st, rev := p.connect("edge-a")
	l.beat(st, rev)
	await(t, "ack", l.ack)
	stop()
	for range 2 {
		l.beat(st, rev)
		select {
		case <-refused:
		case ack := <-l.ack:
			t.Fatalf("acknowledged without quorum: %v", ack)
		case <-time.After(patience):
			t.Fatal("the heartbeat was neither acknowledged nor refused")
		}
	}
	if len(l.ack) != 0 {
		t.Fatal("a heartbeat was acknowledged without quorum")
	}
	if _, err := e.tunnel.CloseSession(t.Context(), &edgev1.CloseSessionRequest{Session: session1}); err == nil {
		t.Fatal("a call was served without quorum")
	}
}
