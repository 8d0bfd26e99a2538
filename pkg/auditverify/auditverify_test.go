package auditverify_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/pkg/auditverify"
	"github.com/writhq/writ/pkg/merklelog"
)

func TestWholeStore(t *testing.T) {
	for _, blocks := range []int{1, 5, 255, 256, 257, 700} {
		w := newWorld(t, uint64(blocks), blocks)
		report := w.verify(t, w.newest())
		if len(report.Findings) > 0 || report.Pending > 0 {
			t.Fatalf("%d blocks: %v, %d pending", blocks, report.Findings, report.Pending)
		}
		if report.Objects != int64(blocks) || report.Records != w.records || report.Sessions != w.sessions || report.Unfinished != w.sessions || report.Size != int64(blocks) || report.Origin != origin {
			t.Errorf("%d blocks: %+v, want %d records of %d sessions", blocks, report, w.records, w.sessions)
		}
	}
}

var mutations = flag.Int("mutations", 300, "how often a stored log is tampered with")

// TestTampering changes a stored log at random. Each change is found, and named.
func TestTampering(t *testing.T) {
	whole := newWorld(t, 42, 320)
	names := slices.Sorted(maps.Keys(whole.files))
	r := rand.New(rand.NewPCG(7, 7))
	counts := map[string]int{}
	for i := range *mutations {
		kind := tampering[i%len(tampering)]
		w := whole.copy()
		touched, kept := kind.do(w, names, r)
		counts[kind.name]++
		report := w.verify(t, kept...)
		if len(report.Findings) == 0 {
			t.Errorf("mutation %d: %s of %v was not found", i, kind.name, touched)
			continue
		}
		if !slices.ContainsFunc(report.Findings, func(f auditverify.Finding) bool {
			return slices.Contains(touched, f.Object) || len(touched) == 0 && f.Kind == auditverify.RolledBack
		}) {
			t.Errorf("mutation %d: %s of %v was found as %v", i, kind.name, touched, report.Findings)
		}
	}
	for _, kind := range tampering {
		t.Logf("%-40s %d found", kind.name, counts[kind.name])
	}
}

// tampering are the ways to change a store. Each returns what it touched and the checkpoints that were kept elsewhere.
var tampering = []struct {
	name string
	do   func(w *world, names []string, r *rand.Rand) (touched []string, kept [][]byte)
}{
	{"a byte flipped", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		name := names[r.IntN(len(names))]
		data := bytes.Clone(w.files[name].Data)
		data[r.IntN(len(data))] ^= byte(1 + r.IntN(255))
		w.files[name] = &fstest.MapFile{Data: data}
		return []string{name}, nil
	}},
	{"a file dropped", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		name := names[r.IntN(len(names))]
		delete(w.files, name)
		if strings.Contains(name, "/checkpoint/") { // what is left of it is found
			return partials(name), [][]byte{w.newest()}
		}
		return []string{name}, nil
	}},
	{"a tail cut off", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		name := names[r.IntN(len(names))]
		data := w.files[name].Data
		w.files[name] = &fstest.MapFile{Data: data[:r.IntN(len(data))]}
		return []string{name}, nil
	}},
	{"two objects swapped", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		for {
			a, b := names[r.IntN(len(names))], names[r.IntN(len(names))]
			if a != b && strings.HasPrefix(a, "records/") && strings.HasPrefix(b, "records/") {
				w.files[a], w.files[b] = w.files[b], w.files[a]
				return []string{a, b}, nil
			}
		}
	}},
	{"an older head restored", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		kept := w.newest()
		rollBack(w, r, false)
		return nil, [][]byte{kept}
	}},
	{"the whole log put back", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		kept := w.newest()
		rollBack(w, r, true)
		return nil, [][]byte{kept}
	}},
	{"an object added", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		name := fmt.Sprintf("records/v1/2026-01-02/edge-a/03/%013d_x_boot_1_00.blk", r.IntN(1<<40))
		w.files[name] = w.files[names[0]]
		return []string{name}, nil
	}},
	{"bytes added", func(w *world, names []string, r *rand.Rand) ([]string, [][]byte) {
		name := names[r.IntN(len(names))]
		w.files[name] = &fstest.MapFile{Data: append(bytes.Clone(w.files[name].Data), byte(r.IntN(256)))}
		return []string{name}, nil
	}},
}

// partials are the tiles that only this checkpoint has.
func partials(checkpoint string) (paths []string) {
	var size int64
	fmt.Sscanf(checkpoint[strings.LastIndexByte(checkpoint, '/')+1:], "%d", &size)
	for _, tile := range merklelog.PartialTiles(size) {
		paths = append(paths, "log/v1/"+tile.Path())
	}
	return paths
}

// rollBack takes away the newest checkpoints, and what is laid out behind the one that is left, or with the objects all that came later.
func rollBack(w *world, r *rand.Rand, objects bool) {
	sizes := slices.Sorted(maps.Keys(w.checkpoints))
	left := sizes[r.IntN(len(sizes)-1)]
	dropped := map[string]bool{}
	if objects {
		for at, e := range merklelog.Entries(func(path string) ([]byte, error) { return w.files.ReadFile("log/v1/" + path) }, sizes[len(sizes)-1]) {
			if entry, err := merklelog.DecodeEntry(e.Entry); err == nil && at >= left {
				dropped[entry.Key] = true
			}
		}
	}
	wanted := map[string]bool{}
	for _, size := range sizes {
		if size <= left {
			for _, tile := range merklelog.PartialTiles(size) {
				wanted[tile.Path()] = true
			}
			continue
		}
		dropped[fmt.Sprintf("log/v1/checkpoint/%016d", size)] = true
	}
	for name := range w.files {
		tile, ok := merklelog.ParsePath(strings.TrimPrefix(name, "log/v1/"))
		if dropped[name] || ok && (tile.End() > left || tile.Width < 256 && !wanted[tile.Path()]) {
			delete(w.files, name)
		}
	}
}

// TestRolledBackWithoutKeptCheckpoint: without a checkpoint that was kept, a store that was put back whole looks as it did, but objects that
// are left behind do not.
func TestRolledBackWithoutKeptCheckpoint(t *testing.T) {
	whole := newWorld(t, 3, 100)
	r := rand.New(rand.NewPCG(1, 1))
	w := whole.copy()
	rollBack(w, r, true)
	if report := w.verify(t); len(report.Findings) > 0 {
		t.Errorf("a whole older store: %v", report.Findings)
	}
	w = whole.copy()
	rollBack(w, r, false)
	if report := w.verify(t); len(report.Findings) == 0 {
		t.Error("objects without entries were not found")
	}
}

// TestAnotherKey: nothing is believed that another key signed.
func TestAnotherKey(t *testing.T) {
	w := newWorld(t, 5, 20)
	seed := bytes.Repeat([]byte{1}, ed25519.SeedSize)
	_, public, err := merklelog.NewSigner(origin, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	if w.verifier, err = note.NewVerifier(public); err != nil {
		t.Fatal(err)
	}
	report := w.verify(t)
	if !slices.ContainsFunc(report.Findings, func(f auditverify.Finding) bool { return f.Kind == auditverify.BadCheckpoint }) {
		t.Errorf("%v", report.Findings)
	}
	if _, err := auditverify.Verify(t.Context(), auditverify.Config{Store: w.files, Key: w.verifier, Kept: [][]byte{w.newest()}}); !errors.Is(err, merklelog.ErrCheckpoint) {
		t.Errorf("a kept checkpoint of another key: %v", err)
	}
}
