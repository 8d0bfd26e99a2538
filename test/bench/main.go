// Command bench measures Writ against named peers in one run and prints ratios. It needs
// the built binaries, PostgreSQL's server and pgbench, and PgBouncer.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// Figure is one measured comparison.
type Figure struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Ours     float64 `json:"ours"`
	Peer     float64 `json:"peer"`
	PeerName string  `json:"peer_name"`
	Ratio    float64 `json:"ratio"`  // ours / peer
	Target   string  `json:"target"` // what design wants
	Met      bool    `json:"met"`
}

func main() {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if err := roles[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.bin, "bin", "build/bin", "folder of the binaries")
	flag.StringVar(&o.out, "out", "build/bench.json", "file for the figures")
	flag.DurationVar(&o.time, "time", 5*time.Second, "length of each run of small calls")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of every comparison of small calls; the median counts")
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the masked result")
	flag.IntVar(&o.pods, "pods", 10_000, "pods of the Kubernetes lists")
	flag.IntVar(&o.stream, "stream", 1024, "megabytes of the S3 object")
	flag.StringVar(&o.only, "only", "", "measure only this: kubernetes or aws")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	bin, out string
	time     time.Duration
	rounds   int
	rows     int
	pods     int
	stream   int
	only     string
}

func run(ctx context.Context, o options) error {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return err
	}
	o.bin = bin
	figures, err := measure(ctx, o)
	if err != nil {
		return err
	}
	printFigures(figures)
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(o.out, append(text, '\n'), 0o644)
}

// measure runs what is to be measured, one after the other.
func measure(ctx context.Context, o options) (figures []Figure, err error) {
	if o.only == "" {
		if figures, err = inProcess(); err != nil {
			return nil, err
		}
	}
	b, err := newBed(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	parts := []func(context.Context) ([]Figure, error){b.pgbench, b.masked, b.footprint, b.aws, b.kubernetes}
	switch o.only {
	case "kubernetes":
		parts = parts[4:]
	case "aws":
		parts = parts[3:4]
	}
	for _, part := range parts {
		more, err := part(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w\nthe edge says:\n%s", err, b.w.EdgeLog())
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

func printFigures(figures []Figure) {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tOURS\tPEER\tPEER NAME\tRATIO\tTARGET\tMET")
	for _, f := range figures {
		fmt.Fprintf(w, "%s\t%.4g %s\t%.4g\t%s\t%.2f\t%s\t%v\n", f.Name, f.Ours, f.Unit, f.Peer, f.PeerName, f.Ratio, f.Target, f.Met)
	}
	w.Flush()
}

// atLeast and atMost make a figure whose ratio has a bound.
func atLeast(name, unit string, ours, peer float64, peerName string, bound float64) Figure {
	f := Figure{Name: name, Unit: unit, Ours: ours, Peer: peer, PeerName: peerName, Ratio: ours / peer, Target: fmt.Sprintf("ratio >= %.4g", bound)}
	f.Met = f.Ratio >= bound
	return f
}

func atMost(name, unit string, ours, peer float64, peerName string, bound float64) Figure {
	f := Figure{Name: name, Unit: unit, Ours: ours, Peer: peer, PeerName: peerName, Ratio: ours / peer, Target: fmt.Sprintf("ratio <= %.4g", bound)}
	f.Met = f.Ratio <= bound
	return f
}
