package auditlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/merklelog"
)

// book is a table of sessions.
type book struct {
	mu         sync.Mutex
	all        map[string]auditlog.Session
	registered []merklelog.Entry
	refuse     error // to register
}

func (b *book) Register(_ context.Context, e merklelog.Entry, put func() error) error {
	if err := put(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse == nil {
		b.registered = append(b.registered, e)
	}
	return b.refuse
}

func (b *book) Describe(_ context.Context, id string) (auditlog.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.all[id]
	if !ok {
		return auditlog.Session{}, auditlog.ErrUnknownSession
	}
	return s, nil
}

func (b *book) end(id string, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.all[id]
	s.Ended = at
	b.all[id] = s
}

type fixture struct {
	t    *testing.T
	dir  string
	book *book
	log  *auditlog.Log
	ids  *audit.IDSource
	objs auditlog.ObjectStore
	seq  uint64
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "objects")
	folder, err := auditlog.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	f := &fixture{t: t, dir: dir, objs: folder, book: &book{all: map[string]auditlog.Session{
		"ses-a": {ID: "ses-a", Edge: "edge-a", Started: time.Now()}, "ses-b": {ID: "ses-b", Edge: "edge-b", Started: time.Now()},
	}}}
	f.log = f.open("cp-1")
	if f.ids, err = audit.NewIDSource(strings.NewReader("node-0")); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) open(replica string) *auditlog.Log {
	f.t.Helper()
	log, err := auditlog.New(auditlog.Config{Objects: f.objs, Sessions: f.book, Registrar: f.book, Replica: replica, Poll: 20 * time.Millisecond})
	if err != nil {
		f.t.Fatal(err)
	}
	return log
}

// chain makes n records of a session at an edge; the last closes it.
func (f *fixture) chain(edge, session string, n int) [][]byte {
	f.t.Helper()
	c, err := audit.NewChain(edge, session)
	if err != nil {
		f.t.Fatal(err)
	}
	var raw [][]byte
	for i := range n {
		r := &audit.Record{ID: f.ids.Next(time.Now()), Time: time.Now(), Kind: audit.KindCommand, Statement: fmt.Sprintf("select %d", i+1)}
		if i == n-1 {
			r.Kind = audit.KindSessionClose
		}
		b, err := c.Append(nil, r)
		if err != nil {
			f.t.Fatal(err)
		}
		raw = append(raw, b)
	}
	return raw
}

func (f *fixture) block(edge string, raw ...[]byte) auditlog.Block {
	f.t.Helper()
	enc, err := audit.NewBlockEncoder(edge)
	if err != nil {
		f.t.Fatal(err)
	}
	data, err := enc.Encode(nil, raw)
	if err != nil {
		f.t.Fatal(err)
	}
	f.seq++
	return auditlog.Block{Edge: edge, Boot: "boot-1", Sequence: f.seq, Data: data}
}

func (f *fixture) ship(b auditlog.Block) {
	f.t.Helper()
	if err := f.log.Ship(f.t.Context(), b); err != nil {
		f.t.Fatal(err)
	}
}

// replay returns the sequence numbers and the damage that Records yields.
func (f *fixture) replay(log *auditlog.Log, session string) (seqs []uint64, damage error) {
	f.t.Helper()
	for r, err := range log.Records(f.t.Context(), session, false) {
		var d *audit.Damage
		switch {
		case errors.As(err, &d):
			damage = err
		case err != nil:
			f.t.Fatal(err)
		default:
			seqs = append(seqs, r.Seq)
		}
	}
	return seqs, damage
}

func (f *fixture) files(pattern string) []string {
	f.t.Helper()
	var found []string
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, pattern) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func TestReplayIsOrderedAndOnce(t *testing.T) {
	f := newFixture(t)
	a := f.chain("edge-a", "ses-a", 9)
	own := f.chain("edge-a", "edge:edge-a:boot-1", 3)
	f.ship(f.block("edge-a", a[0], own[0], a[1]))
	f.ship(f.block("edge-a", a[5], a[6]))               // overtook
	f.ship(f.block("edge-a", own[1], a[2], a[3], a[4])) //
	again := f.block("edge-a", a[4], a[5])              // packed anew after a restart
	again.Boot = "boot-2"
	f.ship(again)
	f.ship(f.block("edge-a", a[7], a[8]))
	f.book.end("ses-a", time.Now())
	for _, log := range []*auditlog.Log{f.log, f.open("cp-2")} {
		seqs, damage := f.replay(log, "ses-a")
		if damage != nil || !slices.Equal(seqs, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
			t.Fatalf("replayed %v, %v", seqs, damage)
		}
	}
}

// A session ends in the book before its last records are here.
func TestReplayWaitsForWhatAnEndedSessionOwes(t *testing.T) {
	f := newFixture(t)
	a := f.chain("edge-a", "ses-a", 4)
	f.ship(f.block("edge-a", a[0], a[1]))
	f.book.end("ses-a", time.Now())
	got := make(chan uint64)
	done := make(chan error, 1)
	go func() {
		for r, err := range f.log.Records(context.Background(), "ses-a", false) {
			if err != nil {
				done <- err
				return
			}
			got <- r.Seq
		}
		done <- nil
	}()
	<-got
	<-got
	f.ship(f.block("edge-a", a[2], a[3]))
	if third, fourth := <-got, <-got; third != 3 || fourth != 4 {
		t.Errorf("got %d and %d", third, fourth)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestShipAgainChangesNothing(t *testing.T) {
	f := newFixture(t)
	b := f.block("edge-a", f.chain("edge-a", "ses-a", 3)...)
	for range 3 {
		f.ship(b)
	}
	if got := f.files("records"); len(got) != 1 {
		t.Fatalf("%d objects", len(got))
	}
	other := b // same place and shape, other bytes
	other.Data = bytes.Clone(b.Data)
	path := f.files("records")[0]
	if err := os.WriteFile(path, append(other.Data, 0), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.log.Ship(t.Context(), b); !errors.Is(err, auditlog.ErrConflict) {
		t.Fatalf("got %v", err)
	}
}

func TestShipRefusesForgery(t *testing.T) {
	f := newFixture(t)
	a, b := f.chain("edge-a", "ses-a", 2), f.chain("edge-b", "ses-b", 2)
	own := f.chain("edge-a", "ses-b", 2) // edge-a writing into a session of edge-b
	foreignOwn := f.chain("edge-b", "edge:edge-b:boot-1", 1)
	flipped := f.block("edge-a", a...)
	flipped.Data[len(flipped.Data)-3] ^= 1
	cut := f.block("edge-a", a...)
	cut.Data = cut.Data[:len(cut.Data)-1]
	badBoot := f.block("edge-a", a...)
	badBoot.Boot = "../../x"
	for _, tt := range []struct {
		name  string
		block auditlog.Block
		want  error
	}{
		{"block of another edge", auditlog.Block{Edge: "edge-a", Boot: "b", Data: f.block("edge-b", b...).Data}, auditlog.ErrForged},
		{"record of another edge", f.block("edge-a", a[0], b[0]), auditlog.ErrForged},
		{"record of another edge, session of nobody", f.block("edge-a", foreignOwn[0]), auditlog.ErrForged},
		{"own records in a block of another edge", auditlog.Block{Edge: "edge-a", Boot: "b", Data: f.block("edge-b", a...).Data}, auditlog.ErrForged},
		{"session of another edge", f.block("edge-a", own...), auditlog.ErrForged},
		{"flipped bit", flipped, audit.ErrCorrupt},
		{"cut tail", cut, audit.ErrTruncated},
		{"bad boot", badBoot, nil},
		{"bad edge", auditlog.Block{Edge: "../edge", Boot: "b", Data: f.block("edge-a", a...).Data}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := f.log.Ship(t.Context(), tt.block)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
	if got := f.files("records"); len(got) != 0 {
		t.Fatalf("stored %v", got)
	}
}

func TestDamageIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(f *fixture, blocks []auditlog.Block, files []string)
		want   error
		seqs   []uint64
	}{
		{"missing middle", func(f *fixture, _ []auditlog.Block, files []string) { _ = os.Remove(files[1]) }, audit.ErrGap, []uint64{1, 2, 5, 6}},
		{"missing end", func(f *fixture, _ []auditlog.Block, files []string) { _ = os.Remove(files[2]) }, audit.ErrCut, []uint64{1, 2, 3, 4}},
		{"flipped byte", func(f *fixture, _ []auditlog.Block, files []string) {
			data, _ := os.ReadFile(files[1])
			data[len(data)-1] ^= 1
			_ = os.WriteFile(files[1], data, 0o600)
		}, audit.ErrAltered, []uint64{1, 2, 5, 6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			a := f.chain("edge-a", "ses-a", 6)
			blocks := []auditlog.Block{f.block("edge-a", a[0], a[1]), f.block("edge-a", a[2], a[3]), f.block("edge-a", a[4], a[5])}
			var files []string
			for _, b := range blocks {
				known := f.files("records")
				f.ship(b)
				for _, p := range f.files("records") {
					if !slices.Contains(known, p) {
						files = append(files, p)
					}
				}
			}
			f.book.end("ses-a", time.Now().Add(-time.Minute))
			tt.damage(f, blocks, files)
			seqs, damage := f.replay(f.log, "ses-a")
			if !errors.Is(damage, tt.want) || !slices.Equal(seqs, tt.seqs) {
				t.Fatalf("replayed %v with %v; want %v with %v", seqs, damage, tt.seqs, tt.want)
			}
		})
	}
}

func TestFollowSeesOtherReplicas(t *testing.T) {
	f := newFixture(t)
	a := f.chain("edge-a", "ses-a", 4)
	other := f.open("cp-2")
	got := make(chan uint64, 10)
	done := make(chan error, 1)
	go func() {
		for r, err := range f.log.Records(context.Background(), "ses-a", true) {
			if err != nil {
				done <- err
				return
			}
			got <- r.Seq
		}
		done <- nil
	}()
	for i := range a {
		if err := other.Ship(t.Context(), f.block("edge-a", a[i])); err != nil {
			t.Fatal(err)
		}
		if seq := <-got; seq != uint64(i+1) {
			t.Fatalf("got %d", seq)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestReplayWaitsForTheLastRecords(t *testing.T) {
	f := newFixture(t)
	a := f.chain("edge-a", "ses-a", 4)
	f.ship(f.block("edge-a", a[0], a[1]))
	f.book.end("ses-a", time.Now()) // the rest is still on its way
	got := make(chan uint64, 10)
	done := make(chan error, 1)
	go func() {
		for r, err := range f.log.Records(context.Background(), "ses-a", false) {
			if err != nil {
				done <- err
				return
			}
			got <- r.Seq
		}
		done <- nil
	}()
	for range 2 {
		<-got
	}
	f.ship(f.block("edge-a", a[2], a[3]))
	if err := <-done; err != nil || len(got) != 2 {
		t.Fatalf("%d more, %v", len(got), err)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.log.Records(ctx, "ses-a", true) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	for _, err := range f.log.Records(t.Context(), "ses-x", true) {
		if !errors.Is(err, auditlog.ErrUnknownSession) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestAdminRecords(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := f.log.RecordAdmin(t.Context(), audit.Record{Kind: audit.KindAdmin, Reason: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := f.open("cp-2").RecordAdmin(t.Context(), audit.Record{Kind: audit.KindAdmin, Reason: "last"}); err != nil {
		t.Fatal(err)
	}
	all, err := f.log.AdminRecords(t.Context(), 1000)
	if err != nil || len(all) != 201 || all[0].Reason != "last" {
		t.Fatalf("%d records, %v", len(all), err)
	}
	if n := len(f.files("admin")); n >= 201 {
		t.Logf("%d blocks for 201 records: nothing was shared", n)
	}
	chains := map[string][]audit.Record{}
	for _, r := range slices.Backward(all) {
		chains[r.Session] = append(chains[r.Session], r)
	}
	for _, records := range chains {
		slices.SortFunc(records, func(a, b audit.Record) int { return int(a.Seq) - int(b.Seq) })
		if err := audit.VerifyChain(records); err != nil {
			t.Fatal(err)
		}
	}
	if few, err := f.log.AdminRecords(t.Context(), 3); err != nil || len(few) != 3 {
		t.Fatalf("%d records, %v", len(few), err)
	}
}

// brokenStore cannot write.
type brokenStore struct{ auditlog.ObjectStore }

func (brokenStore) Put(context.Context, string, []byte) error { return auditlog.ErrStorage }

func TestNothingIsSaidToBeStoredThatIsNot(t *testing.T) {
	f := newFixture(t)
	f.objs = brokenStore{f.objs}
	log := f.open("cp-3")
	if err := log.RecordAdmin(t.Context(), audit.Record{Kind: audit.KindAdmin}); !errors.Is(err, auditlog.ErrStorage) {
		t.Fatalf("record: %v", err)
	}
	if err := log.Ship(t.Context(), f.block("edge-a", f.chain("edge-a", "ses-a", 1)...)); !errors.Is(err, auditlog.ErrStorage) {
		t.Fatalf("ship: %v", err)
	}
}
