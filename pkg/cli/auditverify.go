package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/pkg/auditverify"
	"github.com/writhq/writ/pkg/merklelog"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type auditCheckpointCmd struct {
	PublicKey bool `help:"Print the key that checkpoints are verified with instead."`
}

// Help is shown below the usage.
func (auditCheckpointCmd) Help() string {
	return "A checkpoint is a signed line over everything that was recorded until then. Keep one now and then where nobody who runs the " +
		"control plane can change it: with it, a store that was put back to an older state is found.\n\n" +
		examples("writ audit checkpoint --public-key > audit.key", "writ audit checkpoint > $(date +%F).checkpoint")
}

// Run prints the checkpoint.
func (c *auditCheckpointCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Audit.GetCheckpoint(ctx, &accessv1.GetCheckpointRequest{})
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(resp.GetPublicKey())
	if err != nil {
		return failed("", "the control plane's key is not one of a log: %w", err)
	}
	if _, err := merklelog.OpenCheckpoint([]byte(resp.GetCheckpoint()), verifier); err != nil {
		return failed("", "the control plane answered with something else: %w", err)
	}
	return a.show(resp, func() error {
		if c.PublicKey {
			return a.out.Printf("%s", resp.GetPublicKey())
		}
		_, err := io.WriteString(a.out.Writer(), resp.GetCheckpoint()) // as it is, since the signature is over every byte; a note has no control characters
		return err
	})
}

// logKey is the public key of a log.
type logKey struct {
	Key     string `placeholder:"KEY" xor:"key" required:"" help:"The log's public key."`
	KeyFile string `placeholder:"FILE" xor:"key" required:"" help:"A file with the log's public key."`
}

func (k logKey) verifier() (note.Verifier, error) {
	key := k.Key
	if k.KeyFile != "" {
		text, err := os.ReadFile(k.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		key = strings.TrimSpace(string(text))
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, misused("print it with `writ audit checkpoint --public-key`", "the key is not one of a log: %w", err)
	}
	return v, nil
}

type auditVerifyCmd struct {
	Folder string `arg:"" help:"The copy: the control plane's object folder, or what is under its prefix in the bucket."`
	logKey
	Checkpoint []string `placeholder:"FILE" help:"A checkpoint that was kept elsewhere; the log has to go on from it. May be repeated."`
}

// Help is shown below the usage.
func (auditVerifyCmd) Help() string {
	return "Reads the whole copy, without the control plane: every object against its entry in the log, every record against the one before it in its " +
		"session, every checkpoint against the entries. It names what was changed, dropped, swapped, added or put back, and then exits with 1. " +
		"Of a store in use, copy log/ first: what is newer than the log is counted as pending.\n\n" +
		examples("writ audit verify /backup/writ-objects --key-file audit.key", "writ audit verify ./copy --key-file audit.key --checkpoint 2026-03-01.checkpoint -o json")
}

// Run verifies the copy.
func (c *auditVerifyCmd) Run(ctx context.Context, a *app) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if !a.json {
		cfg.Progress = func(done, of int64) { a.note("verified %d of %d objects", done, of) }
	}
	report, err := auditverify.Verify(ctx, cfg)
	if err != nil {
		return fmt.Errorf("verify %s: %w", c.Folder, err)
	}
	if err := a.printReport(report); err != nil {
		return err
	}
	if len(report.Findings) > 0 {
		return failed("keep the copy as it is, and compare it with another one", "the copy is damaged")
	}
	return nil
}

func (c *auditVerifyCmd) config() (auditverify.Config, error) {
	verifier, err := c.verifier()
	if err != nil {
		return auditverify.Config{}, err
	}
	cfg := auditverify.Config{Store: os.DirFS(c.Folder), Key: verifier}
	for _, name := range c.Checkpoint {
		signed, err := os.ReadFile(name)
		if err != nil {
			return cfg, fmt.Errorf("read checkpoint: %w", err)
		}
		cfg.Kept = append(cfg.Kept, signed)
	}
	if info, err := os.Stat(c.Folder); err != nil || !info.IsDir() {
		return cfg, misused("name the folder that the copy is in", "%s is no folder", c.Folder)
	}
	return cfg, nil
}

// printReport prints what was found, each finding on a line of its own.
func (a *app) printReport(r auditverify.Report) error {
	if a.json {
		return a.out.JSON(r)
	}
	for _, f := range r.Findings {
		if err := a.out.Printf("%s", f); err != nil {
			return err
		}
	}
	if r.Dropped > 0 {
		if err := a.out.Printf("and %d more", r.Dropped); err != nil {
			return err
		}
	}
	if err := a.out.Printf("%s: %d entries, root %s", r.Origin, r.Size, r.Root); err != nil {
		return err
	}
	return a.out.Printf("%d objects, %d records of %d sessions (%d without an end), %d retired, %d pending: %s",
		r.Objects, r.Records, r.Sessions, r.Unfinished, r.Retired, r.Pending, map[bool]string{true: "whole", false: "damaged"}[len(r.Findings) == 0])
}
