package auditlog_test

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/merklelog"
)

// Nothing is acknowledged that has no place in the Merkle log, and what is registered is what is stored.
func TestWhatIsAcknowledgedIsRegistered(t *testing.T) {
	f := newFixture(t)
	block := f.block("edge-a", f.chain("edge-a", "ses-a", 3)...)
	f.book.refuse = errors.New("the store is away")
	if err := f.log.Ship(t.Context(), block); !errors.Is(err, f.book.refuse) {
		t.Errorf("shipped without a place: %v", err)
	}
	if err := f.log.RecordAdmin(t.Context(), audit.Record{Kind: audit.KindAdmin}); !errors.Is(err, f.book.refuse) {
		t.Errorf("recorded without a place: %v", err)
	}
	f.book.refuse = nil
	if err := f.log.Ship(t.Context(), block); err != nil { // which is stored already
		t.Fatal(err)
	}
	if err := f.log.RecordAdmin(t.Context(), audit.Record{Kind: audit.KindAdmin}); err != nil {
		t.Fatal(err)
	}
	if len(f.book.registered) != 2 {
		t.Fatalf("%d entries, want 2", len(f.book.registered))
	}
	for i, folder := range []string{"records/v1/", "admin/v1/"} {
		e := f.book.registered[i]
		data, err := f.objs.Get(t.Context(), e.Key)
		if err != nil || !strings.HasPrefix(e.Key, folder) {
			t.Fatalf("entry %d is of %s: %v", i, e.Key, err)
		}
		want := merklelog.Entry{Kind: merklelog.Block, Key: e.Key, SHA256: sha256.Sum256(data), Bytes: int64(len(data)), Records: []int{3, 1}[i], First: e.First, Last: e.Last}
		if e != want || e.First.IsZero() || slices.Compare(e.First[:], e.Last[:]) > 0 {
			t.Errorf("entry %+v, want %+v", e, want)
		}
	}
}
