package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditverify"
	"github.com/writhq/writ/pkg/cli/internal/replay"
	"github.com/writhq/writ/pkg/cli/internal/wholefile"
)

// proofFiles are what a proof consists of, beside each other.
const (
	proofSuffix  = ".proof"
	objectSuffix = ".blk"
)

type auditProveCmd struct {
	Record string `arg:"" help:"The record's id, as -o json shows it."`
	Folder string `arg:"" help:"The copy of the store."`
	logKey
	Out string `placeholder:"NAME" help:"Write NAME.proof and NAME.blk. Default: the record's id."`
}

// Help is shown below the usage.
func (auditProveCmd) Help() string {
	return "Writes the block that has the record in it, and a proof that this block is in the log of the copy's newest checkpoint. Both together show to " +
		"whoever has the log's public key that the record was logged; nothing else of the store is needed. The block has other records beside it.\n\n" +
		examples("writ audit prove 01K5R2... ./copy --key-file audit.key", "writ audit check-proof 01K5R2... --key-file audit.key")
}

// Run writes the proof.
func (c *auditProveCmd) Run(ctx context.Context, a *app) error {
	key, id, err := c.of(c.Record)
	if err != nil {
		return err
	}
	proof, err := auditverify.Prove(ctx, auditverify.Config{Store: os.DirFS(c.Folder), Key: key}, id)
	if err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	name := c.Out
	if name == "" {
		name = id.String()
	}
	if err := wholefile.Write(name+proofSuffix, proof.Inclusion); err != nil {
		return fmt.Errorf("write proof: %w", err)
	}
	if err := wholefile.Write(name+objectSuffix, proof.Object); err != nil {
		return fmt.Errorf("write proof: %w", err)
	}
	a.note("wrote %s and %s", name+proofSuffix, name+objectSuffix)
	return nil
}

type auditCheckProofCmd struct {
	Record string `arg:"" help:"The record's id."`
	logKey
	In string `placeholder:"NAME" help:"Read NAME.proof and NAME.blk. Default: the record's id."`
}

// Help is shown below the usage.
func (auditCheckProofCmd) Help() string {
	return "Needs neither the store nor the control plane.\n\n" + examples("writ audit check-proof 01K5R2... --key-file audit.key")
}

// Run checks a proof, and prints the record.
func (c *auditCheckProofCmd) Run(_ context.Context, a *app) error {
	key, id, err := c.of(c.Record)
	if err != nil {
		return err
	}
	name := c.In
	if name == "" {
		name = id.String()
	}
	var proof auditverify.Proof
	if proof.Inclusion, err = os.ReadFile(name + proofSuffix); err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	if proof.Object, err = os.ReadFile(name + objectSuffix); err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	r, in, err := auditverify.CheckProof(proof, id, key)
	if err != nil {
		return fmt.Errorf("check proof: %w", err)
	}
	raw, err := json.Marshal(&r)
	if err != nil {
		return err
	}
	if a.json {
		return a.out.JSON(json.RawMessage(raw))
	}
	if err := a.out.Printf("%s  %s  session %s, record %d", r.Time.Format("2006-01-02 15:04:05.000"), replay.Summary(raw), r.Session, r.Seq); err != nil {
		return err
	}
	if r.Statement != "" {
		if err := a.out.Text("  | ", r.Statement); err != nil {
			return err
		}
	}
	return a.out.Printf("logged as entry %d of %d in %s", in.Index, in.Checkpoint.Size, in.Checkpoint.Origin)
}

// of returns the key and the id that a record's text is.
func (k logKey) of(record string) (note.Verifier, audit.RecordID, error) {
	id, err := audit.ParseRecordID(record)
	if err != nil {
		return nil, id, misused("take it from `writ audit search -o json`", "%q is no id of a record", record)
	}
	key, err := k.verifier()
	return key, id, err
}
