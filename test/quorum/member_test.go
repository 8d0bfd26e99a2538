package quorum

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/writhq/writ/test/world"
)

const memberVar = "QUORUM_MEMBER" // name, dir, client URL, peer URL and cluster of an etcd member, divided by spaces

// TestMain is also the program of an etcd member, so that a member can be killed like any process.
func TestMain(m *testing.M) {
	if spec := os.Getenv(memberVar); spec != "" {
		if err := serveMember(strings.Fields(spec)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func serveMember(spec []string) error {
	client, err := url.Parse(spec[2])
	if err != nil {
		return err
	}
	peer, err := url.Parse(spec[3])
	if err != nil {
		return err
	}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir, cfg.InitialCluster = spec[0], spec[1], spec[4]
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.TickMs, cfg.ElectionMs = 100, 1000
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	return <-etcd.Err()
}

// cluster is three members, by their client URLs.
type cluster struct {
	urls    []string
	members map[string]*world.Process
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, c := t.TempDir(), &cluster{members: map[string]*world.Process{}}
	peers, initial := make([]string, 3), make([]string, 3)
	for i := range peers {
		c.urls, peers[i] = append(c.urls, "http://"+freeAddress(t)), "http://"+freeAddress(t)
		initial[i] = fmt.Sprintf("m%d=%s", i, peers[i])
	}
	for i, at := range c.urls {
		name := fmt.Sprintf("m%d", i)
		spec := []string{name, filepath.Join(dir, name), at, peers[i], strings.Join(initial, ",")}
		p := &world.Process{
			Name: name, Path: self, Env: []string{memberVar + "=" + strings.Join(spec, " ")}, LogFile: filepath.Join(dir, name+".log"),
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		c.members[at] = p
	}
	c.leader(t)
	return c
}

// leader is the client URL of the member that leads, once there is one.
func (c *cluster) leader(t *testing.T) string {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.urls, DialTimeout: time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		for _, at := range c.urls {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			status, err := client.Status(ctx, at)
			cancel()
			if err == nil && status.Leader == status.Header.GetMemberId() {
				return at
			}
		}
	}
	t.Fatal("the cluster has no leader")
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
