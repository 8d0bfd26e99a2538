// Command versitygw runs the S3 gateway of that name on a folder, for tests: with one temporary key, which is
// in SESSION_ACCESS_KEY, SESSION_SECRET_KEY and SESSION_TOKEN, and nothing else that the gateway can do.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// account owns all buckets, as clients that name the owner expect it.
const account = "123456789012"

func main() {
	listen := flag.String("listen", "", "address, host:port")
	dir := flag.String("dir", "", "folder of the buckets")
	side := flag.String("meta", "", "folder of what is kept of objects beside their content")
	region := flag.String("region", "eu-west-1", "region that requests must be signed for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *dir, *side, *region); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, dir, side, region string) error {
	if listen == "" || dir == "" || side == "" {
		return errors.New("-listen, -dir and -meta are required")
	}
	store, err := meta.NewSideCar(side)
	if err != nil {
		return fmt.Errorf("open metadata: %w", err)
	}
	backend, err := posix.New(dir, store, posix.PosixOpts{SideCarDir: side, CopyObjectThreshold: 5 << 30})
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: account, RootUserSecret: rand.Text(), IAMService: newSession(), Region: region, Ports: []string{listen},
		MaxConnections: 1000, MaxRequests: 1000, MultipartMaxParts: 10_000, KeepAlive: true,
	})
}
