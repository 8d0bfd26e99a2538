package auditexport_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditexport"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// objects is a store that a test fills.
type objects struct {
	t   *testing.T
	fs  fstest.MapFS
	seq int
}

func newObjects(t *testing.T) *objects { return &objects{t: t, fs: fstest.MapFS{}} }

// put stores a block of an edge's records as the control plane would.
func (o *objects) put(edge string, records ...*audit.Record) string {
	o.t.Helper()
	enc, err := audit.NewBlockEncoder(edge)
	if err != nil {
		o.t.Fatal(err)
	}
	var raw [][]byte
	for _, r := range records {
		b, err := r.AppendBinary(nil)
		if err != nil {
			o.t.Fatal(err)
		}
		raw = append(raw, b)
	}
	block, err := enc.Encode(nil, raw)
	if err != nil {
		o.t.Fatal(err)
	}
	first, last := records[0].ID.Time(), records[len(records)-1].ID.Time()
	o.seq++
	name := fmt.Sprintf("records/v1/%s/%s/%s/%013d_%013d_boot_%d_0.blk", first.Format(time.DateOnly), edge, first.Format("15"), first.UnixMilli(), last.UnixMilli(), o.seq)
	if edge == "" {
		name = fmt.Sprintf("admin/v1/%s/%s/%013d_cp-1_%d.blk", first.Format(time.DateOnly), first.Format("15"), first.UnixMilli(), o.seq)
	}
	o.fs[name] = &fstest.MapFile{Data: block}
	return name
}

// idAt is a new id of that time, which a source of several would not give after a later one.
func idAt(at time.Time) audit.RecordID {
	source, err := audit.NewIDSource(rand.Reader)
	if err != nil {
		panic(err)
	}
	return source.Next(at)
}

func of(edge, session string, at time.Time) *audit.Record {
	return &audit.Record{ID: idAt(at), Time: at, Kind: audit.KindCommand, Edge: edge, Session: session, Statement: at.Format(time.RFC3339)}
}

// read returns the records of a span by what is in them, and the blocks that were left out.
func (o *objects) read(from, until time.Time) (got, damaged []string) {
	o.t.Helper()
	err := auditexport.Read(o.t.Context(), auditexport.StoreConfig{
		Store: o.fs, From: from, Until: until, Damaged: func(object string, _ error) { damaged = append(damaged, object) },
	}, func(r *audit.Record) error {
		got = append(got, r.Edge+" "+r.Session+" "+r.Time.Format("02T15:04"))
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return got, damaged
}

func TestReadsASpan(t *testing.T) {
	o := newObjects(t)
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	before, after := of("a", "s1", midnight.Add(-10*time.Minute)), of("a", "s1", midnight.Add(10*time.Minute))
	o.put("a", before, after)
	o.put("a", of("a", "s2", noon))
	o.put("b", of("b", "s3", noon))
	o.put("b", of("b", "s4", midnight.Add(24*time.Hour)))
	o.put("", of("", "controlplane:1", noon))
	got, damaged := o.read(midnight, midnight.Add(24*time.Hour))
	want := []string{"a s1 23T00:10", "a s2 23T12:00", "b s3 23T12:00", " controlplane:1 23T12:00"}
	if !slices.Equal(got, want) || damaged != nil {
		t.Errorf("%q, %q", got, damaged)
	}
}

// An edge that crashed cuts its blocks anew, and ships again what was not acknowledged.
func TestWhatWasShippedTwiceComesOnce(t *testing.T) {
	o := newObjects(t)
	var all []*audit.Record
	for i := range 6 {
		all = append(all, of("a", "s", noon.Add(58*time.Minute+time.Duration(i)*time.Minute)))
	}
	o.put("a", all[:4]...)
	o.put("a", all[1:5]...)
	o.put("a", all[3:]...)
	if got, _ := o.read(noon, noon.Add(24*time.Hour)); len(got) != 6 {
		t.Errorf("%q", got)
	}
}

func TestDamageIsNamed(t *testing.T) {
	o := newObjects(t)
	broken := o.put("a", of("a", "s", noon))
	o.fs[broken].Data[len(o.fs[broken].Data)-1] ^= 1
	foreign := o.put("a", of("a", "s", noon.Add(time.Second)))
	moved := strings.Replace(foreign, "/a/", "/b/", 1)
	o.fs[moved] = o.fs[foreign]
	delete(o.fs, foreign)
	o.put("c", of("c", "s", noon))
	got, damaged := o.read(noon, noon.Add(time.Hour))
	if !slices.Equal(got, []string{"c s 23T12:00"}) || !slices.Equal(damaged, []string{broken, moved}) {
		t.Errorf("%q, %q", got, damaged)
	}
}

func TestReadEnds(t *testing.T) {
	o := newObjects(t)
	o.put("a", of("a", "s", noon))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := auditexport.StoreConfig{Store: o.fs, From: noon, Until: noon.Add(time.Hour), Damaged: func(string, error) {}}
	if err := auditexport.Read(ctx, cfg, func(*audit.Record) error { return nil }); err == nil {
		t.Error("went on")
	}
	if err := auditexport.Read(t.Context(), cfg, func(*audit.Record) error { return io.ErrShortWrite }); err == nil {
		t.Error("no error")
	}
	cfg.Until = cfg.From
	if err := auditexport.Read(t.Context(), cfg, func(*audit.Record) error { return nil }); err == nil {
		t.Error("read an empty span")
	}
}

// shelf keeps files in memory.
type shelf struct {
	done map[string]string
	open int
	most int
}

type book struct {
	bytes.Buffer
	s    *shelf
	name string
}

func (b *book) Commit() error {
	b.s.done[b.name] = b.String()
	b.s.open--
	return nil
}

func (b *book) Discard() { b.s.open-- }

func (s *shelf) create(name string) (auditexport.File, error) {
	if _, ok := s.done[name]; ok {
		return nil, fmt.Errorf("%s again", name)
	}
	s.open++
	s.most = max(s.most, s.open)
	return &book{s: s, name: name}, nil
}

func TestPartitions(t *testing.T) {
	s := &shelf{done: map[string]string{}}
	parts, err := auditexport.NewPartitions(auditexport.PartitionConfig{
		Create: s.create, Suffix: ".csv", Open: auditexport.NewCSV, PartRows: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for _, r := range []*audit.Record{
		of("a", "s", noon), of("a", "s", noon.Add(day)), of("a", "s", noon), of("a", "s", noon), of("a", "s", noon.Add(2*day)),
		of("../x_y/é", "s", noon), of("_controlplane", "s", noon), of("", "s", noon),
	} {
		if err := parts.Write(row(t, r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(s.done))
	want := []string{
		"export/v1/day=2026-11-23/edge=%5Fcontrolplane/part-00000.csv",
		"export/v1/day=2026-11-23/edge=..%2Fx%5Fy%2F%C3%A9/part-00000.csv",
		"export/v1/day=2026-11-23/edge=_controlplane/part-00000.csv",
		"export/v1/day=2026-11-23/edge=a/part-00000.csv",
		"export/v1/day=2026-11-23/edge=a/part-00001.csv",
		"export/v1/day=2026-11-24/edge=a/part-00000.csv",
		"export/v1/day=2026-11-25/edge=a/part-00000.csv",
	}
	if !slices.Equal(got, want) || parts.Files() != len(want) || s.open != 0 || s.most > 2 {
		t.Errorf("%q, %d open, %d at once", got, s.open, s.most)
	}
}

// A file that is not whole is never seen.
func TestNothingHalfIsKept(t *testing.T) {
	for name, end := range map[string]func(*auditexport.Partitions) error{
		"discarded": func(p *auditexport.Partitions) error { p.Discard(); return p.Write(row(t, of("a", "s", noon))) },
		"failed":    func(p *auditexport.Partitions) error { _ = p.Write(auditexport.Row{}); return p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{done: map[string]string{}}
			parts, err := auditexport.NewPartitions(auditexport.PartitionConfig{Create: s.create, Suffix: ".csv", Open: auditexport.NewCSV})
			if err != nil {
				t.Fatal(err)
			}
			if err := parts.Write(row(t, of("a", "s", noon))); err != nil {
				t.Fatal(err)
			}
			if err := end(parts); err == nil || len(s.done) != 0 || s.open != 0 {
				t.Errorf("%v, %d files, %d open", err, len(s.done), s.open)
			}
		})
	}
}
