package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// quota is the size at which the embedded member refuses writes.
const quota = 8 << 30

// member is the embedded etcd server. Nothing listens: the client calls it in
// the process.
type member struct {
	etcd *embed.Etcd
	lock *os.File
}

func startMember(ctx context.Context, cfg Config) (*member, *clientv3.Client, error) {
	lock, err := claim(cfg.DataDir)
	if err != nil {
		return nil, nil, fmt.Errorf("open store: %w", err)
	}
	etcd, err := embed.StartEtcd(memberConfig(cfg))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start embedded etcd: %w", err), lock.Close())
	}
	m := &member{etcd: etcd, lock: lock}
	select {
	case <-etcd.Server.ReadyNotify():
		return m, v3client.New(etcd.Server), nil
	case err = <-etcd.Err():
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return nil, nil, errors.Join(fmt.Errorf("start embedded etcd: %w: %w", ErrUnavailable, err), m.close())
}

func memberConfig(cfg Config) *embed.Config {
	nowhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:1"}} // advertised as etcd demands, never dialled
	c := embed.NewConfig()
	c.Name = "writ"
	c.Dir = filepath.Join(cfg.DataDir, "etcd")
	c.ListenPeerUrls, c.ListenClientUrls = nil, nil
	c.AdvertisePeerUrls, c.AdvertiseClientUrls = nowhere, nowhere
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = 20, 200 // a single member elects itself
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = cfg.Retention.String()
	c.QuotaBackendBytes = quota
	c.EnableGRPCGateway = false
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapTo(cfg.Logger.Named("etcd")))
	return c
}

// claim makes the data dir private and takes its lock.
func claim(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("data dir %s has mode %04o: others can reach it; chmod 700 it", dir, info.Mode().Perm())
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrInUse, dir), lock.Close())
	}
	return lock, nil
}

func (m *member) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-m.etcd.Err():
		return fmt.Errorf("embedded etcd: %w: %w", ErrUnavailable, err)
	case <-m.etcd.Server.StopNotify():
		return fmt.Errorf("embedded etcd: %w", ErrUnavailable)
	}
}

func (m *member) close() error {
	m.etcd.Close()
	return m.lock.Close()
}
