package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/pkg/auditverify"
)

// auditor has the key and a checkpoint from before the faults.
type auditor struct {
	key  note.Verifier
	kept []byte
	dir  string
}

// auditor takes both from the control plane.
func (r *rig) auditor(t *testing.T) *auditor {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	take := func(args ...string) string {
		out, err := r.Writ(ctx, r.Administrator(), append([]string{"audit", "checkpoint"}, args...)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return out
	}
	key, err := note.NewVerifier(strings.TrimSpace(take("--public-key")))
	if err != nil {
		t.Fatal(err)
	}
	return &auditor{key: key, kept: []byte(take()), dir: r.records.dir}
}

// entriesWithin is how long objects may wait for their entries in the log: those of a killed replica are looked for after a minute.
const entriesWithin = 2 * time.Minute

// verify holds the store to its log, from the outside.
func (a *auditor) verify(ctx context.Context) (auditverify.Report, error) {
	var report auditverify.Report
	_, err := until(entriesWithin, time.Second, func() (err error) {
		report, err = auditverify.Verify(ctx, auditverify.Config{Store: os.DirFS(a.dir), Key: a.key, Kept: [][]byte{a.kept}})
		switch {
		case err != nil:
			return err
		case len(report.Findings) > 0:
			return fmt.Errorf("%d findings, the first: %s", len(report.Findings)+report.Dropped, report.Findings[0])
		case report.Pending > 0:
			return fmt.Errorf("%d objects wait for their entries", report.Pending)
		case report.Records == 0:
			return errors.New("there are no records")
		}
		return nil
	})
	return report, err
}
