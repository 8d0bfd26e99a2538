// Command informer uses a cluster as controllers made from client-go do: informers, leases, server-side apply, pages, exec, logs
// and port-forwards. It prints a line of JSON for each part of that, with what it saw, and nothing that differs from one run to the
// next. It ends with 1 at the first thing that is not as it should be.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

// limit is how long everything may take, on a machine that has other work.
const limit = 3 * time.Minute

type settings struct {
	kubeconfig, namespace string
	protobuf, watchList   bool
}

func main() {
	var s settings
	flag.StringVar(&s.kubeconfig, "kubeconfig", "", "path of the kubeconfig")
	flag.StringVar(&s.namespace, "namespace", "", "an empty namespace to work in")
	flag.BoolVar(&s.protobuf, "protobuf", false, "the typed client sends and takes protobuf")
	flag.BoolVar(&s.watchList, "watchlist", false, "informers list by a watch (WatchListClient)")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// part is some of what controllers do. It gives what it saw.
type part struct {
	name string
	run  func(context.Context, *clients) (any, error)
}

func run(s settings) error {
	// client-go reads its feature gates from the environment when it first needs one.
	if err := os.Setenv("KUBE_FEATURE_WatchListClient", strconv.FormatBool(s.watchList)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := newClients(s)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, p := range []part{
		{"discovery", discover}, {"informers", watchAll}, {"writes", write}, {"apply", apply}, {"pages", pages}, {"lease", lead},
		{"logs", logs}, {"exec", execute}, {"port-forward", forward}, {"events", events}, {"eviction", evict}, {"media", media},
	} {
		saw, err := p.run(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := out.Encode(map[string]any{"part": p.name, "saw": saw}); err != nil {
			return err
		}
	}
	return nil
}

// await polls until something is so.
func await(ctx context.Context, what string, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if ok, err := so(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
