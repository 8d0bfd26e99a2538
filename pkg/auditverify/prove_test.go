package auditverify_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditverify"
	"github.com/writhq/writ/pkg/merklelog"
)

func TestProof(t *testing.T) {
	b := newBuilder(t, 9)
	for range 300 {
		b.block()
	}
	raw, ids := b.session("ses-1", 4)
	b.store("edge-a", raw, ids[0], ids[3])
	for range 20 {
		b.block()
	}
	b.checkpoint()
	w := b.w
	cfg := auditverify.Config{Store: w.files, Key: w.verifier}
	for i, id := range ids {
		proof, err := auditverify.Prove(t.Context(), cfg, id)
		if err != nil {
			t.Fatal(err)
		}
		r, in, err := auditverify.CheckProof(proof, id, w.verifier)
		if err != nil || r.Session != "ses-1" || r.Seq != uint64(i+1) || in.Index != 300 || in.Checkpoint.Size != 321 {
			t.Errorf("record %d: %s %d, %+v, %v", i, r.Session, r.Seq, in, err)
		}
		if _, _, err := auditverify.CheckProof(proof, audit.RecordID{1}, w.verifier); !errors.Is(err, auditverify.ErrNoRecord) {
			t.Errorf("another record: %v", err)
		}
		other := auditverify.Proof{Inclusion: proof.Inclusion, Object: bytes.Clone(proof.Object)}
		other.Object[len(other.Object)-1] ^= 1
		if _, _, err := auditverify.CheckProof(other, id, w.verifier); !errors.Is(err, merklelog.ErrProof) {
			t.Errorf("another object: %v", err)
		}
	}
	if _, err := auditverify.Prove(t.Context(), cfg, audit.RecordID{1}); !errors.Is(err, auditverify.ErrNoRecord) {
		t.Errorf("a record that is not there: %v", err)
	}
}
