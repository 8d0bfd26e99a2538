package auditverify_test

import (
	"slices"
	"testing"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditverify"
	"github.com/writhq/writ/pkg/merklelog"
)

// session makes the records of one session, of which the last closes it.
func (b *builder) session(name string, n int) (raw [][]byte, ids []audit.RecordID) {
	c, err := audit.NewChain("edge-a", name)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range n {
		r := audit.Record{ID: b.ids.Next(b.now), Time: b.now, Kind: audit.KindCommand}
		if i == n-1 {
			r.Kind = audit.KindSessionClose
		}
		encoded, err := c.Append(nil, &r)
		if err != nil {
			b.t.Fatal(err)
		}
		raw, ids = append(raw, encoded), append(ids, r.ID)
	}
	return raw, ids
}

// TestChains: what is wrong with a session's records is found although the log says that just these were stored, as of an edge that
// leaves records out.
func TestChains(t *testing.T) {
	for name, c := range map[string]struct {
		store      func(b *builder, raw [][]byte, ids []audit.RecordID)
		findings   int
		unfinished int
	}{
		"in two parts": {func(b *builder, raw [][]byte, ids []audit.RecordID) {
			b.store("edge-a", raw[:3], ids[0], ids[2])
			b.store("edge-a", raw[3:], ids[3], ids[5])
		}, 0, 0},
		"the second part first": {func(b *builder, raw [][]byte, ids []audit.RecordID) {
			b.store("edge-a", raw[3:], ids[3], ids[5])
			b.store("edge-a", raw[:3], ids[0], ids[2])
		}, 0, 0},
		"shipped again": {func(b *builder, raw [][]byte, ids []audit.RecordID) {
			b.store("edge-a", raw[:4], ids[0], ids[3])
			b.store("edge-a", raw[2:], ids[2], ids[5])
			b.store("edge-a", raw[2:4], ids[2], ids[3])
		}, 0, 0},
		"no end":       {func(b *builder, raw [][]byte, ids []audit.RecordID) { b.store("edge-a", raw[:5], ids[0], ids[4]) }, 0, 1},
		"no beginning": {func(b *builder, raw [][]byte, ids []audit.RecordID) { b.store("edge-a", raw[1:], ids[1], ids[5]) }, 1, 0},
		"a gap in a block": {func(b *builder, raw [][]byte, ids []audit.RecordID) {
			b.store("edge-a", slices.Delete(slices.Clone(raw), 2, 3), ids[0], ids[5])
		}, 1, 1},
		"a part of another one": {func(b *builder, raw [][]byte, ids []audit.RecordID) {
			b.store("edge-a", raw[:3], ids[0], ids[2])
			other, more := b.session("ses-1", 6)
			b.store("edge-a", other[3:], more[3], more[5])
		}, 1, 0},
		"a missing part": {func(b *builder, raw [][]byte, ids []audit.RecordID) {
			b.store("edge-a", raw[:2], ids[0], ids[1])
			b.store("edge-a", raw[4:], ids[4], ids[5])
		}, 1, 0},
		"after the end": {func(b *builder, raw [][]byte, ids []audit.RecordID) {
			longer, more := b.session("ses-1", 8)
			b.store("edge-a", raw, ids[0], ids[5])
			b.store("edge-a", longer[6:], more[6], more[7])
		}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBuilder(t, 1)
			raw, ids := b.session("ses-1", 6)
			c.store(b, raw, ids)
			b.checkpoint()
			report := b.w.verify(t)
			if len(report.Findings) != c.findings || report.Unfinished != c.unfinished {
				t.Errorf("%d unfinished, %v; want %d and %d", report.Unfinished, report.Findings, c.unfinished, c.findings)
			}
			for _, f := range report.Findings {
				if f.Kind != auditverify.BrokenChain || f.Session != "ses-1" || f.Seq == 0 {
					t.Errorf("found %v", f)
				}
			}
		})
	}
}

// TestRetired: what was taken away when its time was over is not missing, and what was taken away before is.
func TestRetired(t *testing.T) {
	b := newBuilder(t, 1)
	raw, ids := b.session("ses-1", 2)
	key := b.store("edge-a", raw, ids[0], ids[1])
	b.checkpoint()
	delete(b.w.files, key)
	if report := b.w.verify(t); len(report.Findings) != 1 || report.Findings[0].Kind != auditverify.MissingObject || report.Findings[0].Object != key {
		t.Errorf("without an entry that says so: %v", report.Findings)
	}
	b.log(merklelog.Entry{Kind: merklelog.Retired, Key: key, SHA256: [32]byte{1}, Bytes: 1, Records: 2, First: ids[0], Last: ids[1]})
	b.checkpoint()
	if report := b.w.verify(t); len(report.Findings) > 0 || report.Retired != 1 {
		t.Errorf("retired: %v, %d", report.Findings, report.Retired)
	}
}
