// Command demo runs a whole Writ on this machine, tells its story with the commands that a user would type, checks each
// step by what the database holds, and then stays up for whoever wants to try it. `make demo` builds and starts it.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/test/world"
)

//go:embed shop.sql
var shop string

//go:embed policy
var policies embed.FS

func main() {
	bin := flag.String("bin", "build/bin", "folder of the three binaries")
	out := flag.String("out", "build", "folder for demo.json and the principals' environments")
	once := flag.Bool("once", false, "end after the story")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, *bin, *out, *once)
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Println("\nstopped")
		os.Exit(130)
	case err != nil:
		fmt.Fprintf(os.Stderr, "\nerror: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, out string, once bool) (err error) {
	bin, err = filepath.Abs(bin)
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "writ-demo-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := start(ctx, bin, dir)
	if err != nil {
		return err
	}
	defer w.Stop()
	s := &stage{w: w, out: os.Stdout, envDir: filepath.Join(out, "demo")}
	file := filepath.Join(out, "demo.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier demo
		return err
	}
	if err := s.writeEnvironments(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.envDir)) }()
	began := time.Now()
	if err := s.tell(ctx); err != nil {
		return s.withLogs(err)
	}
	if err := s.handOver(ctx, file); err != nil {
		return s.withLogs(err)
	}
	fmt.Printf("\nThe story took %.0f s; %d checks held, most of them against the database itself.\n", time.Since(began).Seconds(), s.checks)
	if once {
		return nil
	}
	s.explain(file)
	return s.stay(ctx)
}

// start makes the world and shows how far it is.
func start(ctx context.Context, bin, dir string) (*world.World, error) {
	bundle := filepath.Join(dir, "policy")
	if err := writeBundle(bundle); err != nil {
		return nil, fmt.Errorf("write policy: %w", err)
	}
	fmt.Println("Starting a Writ on this machine, everything on free loopback ports:")
	began, last := time.Now(), ""
	done := func() {
		if last != "" {
			fmt.Printf(" %.1f s\n", time.Since(began).Seconds())
		}
		began = time.Now()
	}
	w, err := world.Run(ctx, world.Config{Bin: bin, Dir: dir, Schema: shop, Policy: bundle, Visitors: visitors(), Progress: func(step string) {
		done()
		last = step
		fmt.Printf("  %-22s", parts[step])
	}})
	done()
	return w, err
}

// parts words the steps of making a world.
var parts = map[string]string{
	"PostgreSQL": "PostgreSQL, the shop", "OIDC issuer": "OIDC issuer", "control plane": "control plane",
	"policy and inventory": "policy and inventory", "edge": "edge",
}

// writeBundle writes the starter bundle and what the demo adds to it.
func writeBundle(dir string) error {
	files := policy.Starter().Files
	err := fs.WalkDir(policies, "policy", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := policies.ReadFile(name)
		files[strings.TrimPrefix(name, "policy/")] = text
		return err
	})
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		err = errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, text, 0o600))
	}
	return err
}

// stay waits for the signal that ends the demo, or for a part that ends by itself.
func (s *stage) stay(ctx context.Context) error {
	select {
	case <-ctx.Done():
		fmt.Println("\nstopping")
		return nil
	case <-s.w.Control.Exited():
		return s.withLogs(errors.New("the control plane ended"))
	case <-s.w.Edge.Exited():
		return s.withLogs(errors.New("the edge ended"))
	}
}

// withLogs adds the end of the daemons' logs to an error.
func (s *stage) withLogs(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	text := err.Error()
	for _, file := range []string{s.w.Control.LogFile, s.w.Edge.LogFile} {
		const tail = 3000
		log, _ := os.ReadFile(file)
		text += fmt.Sprintf("\n\nend of %s:\n%s", filepath.Base(file), log[max(0, len(log)-tail):])
	}
	return errors.New(text)
}
