package lab

import (
	"context"
	"errors"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// segment is how much etcd sets aside on disk for its log: a lab writes little and lives shortly.
const segment = 4 << 20

// Etcd runs an etcd member in dir until ctx ends. Nothing is kept over a power cut.
func Etcd(ctx context.Context, dir, client, peer string) error {
	wal.SegmentSizeBytes = segment
	clients, err := url.Parse(client)
	if err != nil {
		return err
	}
	peers, err := url.Parse(peer)
	if err != nil {
		return err
	}
	cfg := embed.NewConfig()
	cfg.Dir, cfg.UnsafeNoFsync = dir, true
	cfg.LogLevel, cfg.LogOutputs = "error", []string{"stderr"}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*clients}, []url.URL{*clients}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peers}, []url.URL{*peers}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	member, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	defer member.Close()
	select {
	case <-member.Server.ReadyNotify():
	case err := <-member.Err():
		return err
	case <-time.After(startLimit):
		return errors.New("etcd is not ready in time")
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-member.Err():
		return err
	}
}
