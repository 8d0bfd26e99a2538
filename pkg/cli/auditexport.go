package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditexport"
	"github.com/writhq/writ/pkg/ocsf"
)

type auditExportCmd struct {
	Folder string    `arg:"" help:"The copy of the store: the control plane's object folder, or what is under its prefix in the bucket."`
	Out    string    `required:"" placeholder:"FOLDER" help:"A folder to write to, new or empty."`
	From   time.Time `required:"" format:"2006-01-02" placeholder:"2026-11-01" help:"The first day, in UTC."`
	Until  time.Time `required:"" format:"2006-01-02" placeholder:"2026-12-01" help:"The day after the last, in UTC."`
	Format string    `enum:"jsonl,csv,ocsf" default:"jsonl" help:"Form of the files: ${enum}; compressed with Zstandard, except for csv. ocsf is JSON lines too."`
}

// Help is shown below the usage.
func (auditExportCmd) Help() string {
	return "Writes the records of a copy as files that DuckDB, Athena and Spark query as they are: export/v1/day=…/edge=…/part-….jsonl.zst, " +
		"with one row for each record. It does not need the control plane. It does not hold the copy to its log: `writ audit verify` does. A block that " +
		"cannot be read is named and left out, and then it exits with 1.\n\n" +
		examples("writ audit export /backup/writ-objects --from 2026-11-01 --until 2026-12-01 --out november",
			"writ audit export ./copy --from 2026-11-23 --until 2026-11-24 --format csv --out sheet")
}

// Run exports.
func (c *auditExportCmd) Run(ctx context.Context, a *app) error {
	if !c.From.Before(c.Until) {
		return misused("--until is the day after the last", "--until must be after --from")
	}
	if info, err := os.Stat(c.Folder); err != nil || !info.IsDir() {
		return misused("name the folder that the copy is in", "%s is no folder", c.Folder)
	}
	if err := emptyFolder(c.Out); err != nil {
		return err
	}
	parts, err := auditexport.NewPartitions(c.partitions())
	if err != nil {
		return err
	}
	said := exported{}
	err = auditexport.Read(ctx, auditexport.StoreConfig{
		Store: os.DirFS(c.Folder), From: c.From, Until: c.Until,
		Damaged: func(object string, err error) {
			said.Damaged++
			a.note("left out %s: %v", object, err)
		},
	}, func(r *audit.Record) error {
		row, err := auditexport.FromRecord(r)
		if err != nil {
			return err
		}
		said.Records++
		return parts.Write(row)
	})
	if err == nil {
		err = parts.Close()
	}
	if err != nil {
		parts.Discard()
		return fmt.Errorf("export %s: %w", c.Folder, err)
	}
	said.Files = parts.Files()
	return a.printExported(said)
}

// exported is what was done.
type exported struct {
	Records int `json:"records"`
	Files   int `json:"files"`
	Damaged int `json:"damaged"` // blocks that were left out
}

func (a *app) printExported(e exported) error {
	var err error
	if a.json {
		err = a.out.JSON(e)
	} else {
		err = a.out.Printf("exported %d records to %d files, %d damaged blocks left out", e.Records, e.Files, e.Damaged)
	}
	if err == nil && e.Damaged > 0 {
		return failed("see what else is wrong with `writ audit verify`", "the copy is damaged")
	}
	return err
}

// emptyFolder makes the folder where it is not there, for its owner alone, and refuses one with something in it.
func emptyFolder(name string) error {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	if len(entries) > 0 {
		return misused("name a folder that is new or empty", "%s is not empty", name)
	}
	return nil
}

func (c *auditExportCmd) partitions() auditexport.PartitionConfig {
	cfg := auditexport.PartitionConfig{
		Create: func(name string) (auditexport.File, error) {
			return newPart(filepath.Join(c.Out, filepath.FromSlash(name)))
		},
	}
	switch c.Format {
	case "csv":
		cfg.Suffix, cfg.Open = ".csv", auditexport.NewCSV
	case "ocsf":
		cfg.Suffix, cfg.Open = ".ocsf.jsonl.zst", compressed(ocsf.NewLines)
	default:
		cfg.Suffix, cfg.Open = ".jsonl.zst", compressed(auditexport.NewJSONLines)
	}
	return cfg
}

// newPart makes a file that gets its name when it is whole, so that nobody reads half of one.
func newPart(name string) (auditexport.File, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".part-*") // mode 0600; engines leave out what begins with a dot
	if err != nil {
		return nil, err
	}
	return &partFile{File: f, name: name}, nil
}

type partFile struct {
	*os.File
	name string
}

// Commit gives the file its name.
func (p *partFile) Commit() error {
	if err := errors.Join(p.Sync(), p.Close()); err != nil {
		return err
	}
	return os.Rename(p.File.Name(), p.name)
}

// Discard takes the file away.
func (p *partFile) Discard() {
	_ = p.Close()
	_ = os.Remove(p.File.Name())
}

// compressed writes lines in one frame of Zstandard.
func compressed(lines func(io.Writer) auditexport.Writer) func(io.Writer) (auditexport.Writer, error) {
	return func(w io.Writer) (auditexport.Writer, error) {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("write export: %w", err)
		}
		return &compressedRows{Writer: lines(z), z: z}, nil
	}
}

type compressedRows struct {
	auditexport.Writer
	z *zstd.Encoder
}

// Close ends the frame.
func (c *compressedRows) Close() error {
	return errors.Join(c.Writer.Close(), c.z.Close())
}
