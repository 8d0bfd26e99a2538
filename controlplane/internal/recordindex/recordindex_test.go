package recordindex

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/audit"
)

func TestPostingsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for records := 1; records < 400; records += 13 {
		for _, share := range []float64{0, 0.01, 0.5, 0.98, 1} {
			var list []uint32
			for n := range uint32(records) {
				if r.Float64() < share {
					list = append(list, n)
				}
			}
			got := newSet(records)
			if err := addPosting(got, appendPosting(nil, list, records), records); err != nil || !slices.Equal(got.numbers(), list) {
				t.Fatalf("of %d: %v as %v: %v", records, list, got.numbers(), err)
			}
		}
	}
	all := make([]uint32, 10_000)
	for n := range all {
		all[n] = uint32(n)
	}
	if b := appendPosting(nil, all, len(all)); len(b) > 5 {
		t.Errorf("all of 10,000 take %d bytes", len(b))
	}
}

func FuzzPosting(f *testing.F) {
	for _, list := range [][]uint32{{0}, {1, 2, 3, 90}, {0, 63, 64}} {
		f.Add(appendPosting(nil, list, 100), uint16(100))
	}
	f.Fuzz(func(t *testing.T, b []byte, records uint16) {
		s := newSet(int(records))
		if err := addPosting(s, b, int(records)); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		for _, n := range s.numbers() {
			if n >= uint32(records) {
				t.Fatalf("record %d of %d", n, records)
			}
		}
	})
}

// What strings.EqualFold holds for equal has one Fold, and nothing else.
func TestFold(t *testing.T) {
	words := []string{"K", "k", "\u212a", "s", "S", "ſ", "ß", "ẞ", "é", "É", "İ", "i", "I", "ı", "σ", "ς", "Σ", "a\xff", "A\xfe", "\ufffd", "", "7"}
	for _, a := range words {
		for _, b := range words {
			if got, want := Fold(a) == Fold(b), strings.EqualFold(a, b); got != want {
				t.Errorf("%q and %q: %v, want %v", a, b, got, want)
			}
		}
	}
}

// A text has Terms in all Ranges of each of its parts.
func FuzzContaining(f *testing.F) {
	f.Add("select 1", 2, 3)
	f.Add("ab", 1, 1)
	f.Add("\xff\xff\xff", 0, 2)
	f.Fuzz(func(t *testing.T, text string, from, length int) {
		if from < 0 || length < 0 || from > len(text) || length > len(text)-from {
			return
		}
		terms := Text(nil, text)
		for _, r := range Containing(text[from : from+length]) {
			if !slices.ContainsFunc(terms, func(t Term) bool { return r.First <= t && t <= r.Last }) {
				t.Fatalf("%q has nothing of its part %q in %v", text, text[from:from+length], r)
			}
		}
	})
}

func id(n int) (id audit.RecordID) {
	copy(id[:], fmt.Sprintf("%016d", n))
	return id
}

// entryOf makes a block of some records with a few names and a text.
func entryOf(r *rand.Rand, n int) Entry {
	first := r.IntN(1000)
	e := Entry{Hash: [32]byte{byte(n), byte(n >> 8), 1}, Block: Block{Key: fmt.Sprintf("b/%d", n), Edge: "edge", First: id(first), Last: id(first + r.IntN(20))}}
	switch r.IntN(12) {
	case 0:
		e.Block.Damaged = true
		return e
	case 1:
		return Entry{Hash: e.Hash, Retired: fmt.Sprintf("b/%d", r.IntN(n+1))}
	}
	for range 1 + r.IntN(5) {
		e.Records = append(e.Records, Text([]Term{Name('a', fmt.Sprint(r.IntN(4))), Name('b', fmt.Sprint(r.IntN(30)))}, fmt.Sprint("text ", r.IntN(50))))
	}
	e.Labels = []string{fmt.Sprint("label", r.IntN(3))}
	return e
}

func queryOf(r *rand.Rand) Query {
	var q Query
	if r.IntN(2) == 0 {
		q.All = append(q.All, []Range{One(Name('a', fmt.Sprint(r.IntN(5)))), One(Name('b', "7"))})
	}
	if r.IntN(2) == 0 {
		for _, part := range Containing(fmt.Sprint(r.IntN(60))) {
			q.All = append(q.All, []Range{part})
		}
	}
	if r.IntN(2) == 0 {
		q.None = []Term{Name('b', fmt.Sprint(r.IntN(30)))}
	}
	if r.IntN(2) == 0 {
		q.From, q.Until = id(r.IntN(500)), id(500+r.IntN(500))
	}
	return q
}

// slow looks at every record.
func slow(entries []Entry, q Query) []string {
	var all []string
	for _, e := range entries {
		if e.Retired != "" || bytes.Compare(e.Block.Last[:], q.From[:]) < 0 || !q.Until.IsZero() && bytes.Compare(e.Block.First[:], q.Until[:]) >= 0 {
			continue
		}
		var found []int
		for n, terms := range e.Records {
			ok := !slices.ContainsFunc(q.None, func(t Term) bool { return slices.Contains(terms, t) })
			for _, ranges := range q.All {
				ok = ok && slices.ContainsFunc(terms, func(t Term) bool {
					return slices.ContainsFunc(ranges, func(r Range) bool { return r.First <= t && t <= r.Last })
				})
			}
			if ok {
				found = append(found, n)
			}
		}
		if e.Block.Damaged || len(found) > 0 {
			all = append(all, fmt.Sprint(e.Block.Key, found))
		}
	}
	slices.Sort(all)
	return all
}

func fast(t *testing.T, x *Index, q Query) []string {
	t.Helper()
	var all []string
	parts, _ := x.Parts()
	for i, p := range parts {
		if i > 0 && bytes.Compare(p.Last[:], parts[i-1].Last[:]) > 0 {
			t.Fatal("parts are not in their order")
		}
		found, err := p.Find(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			all = append(all, fmt.Sprint(f.Key, f.Records))
		}
	}
	slices.Sort(all)
	return all
}

func open(t *testing.T, dir string) *Index {
	t.Helper()
	x, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.closeFiles() })
	return x
}

// An index finds what looking at all records finds, also when it was closed, or lost what it had not saved, in between.
func TestIndexFindsAll(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	x := open(t, dir)
	var entries []Entry
	for n := range 600 {
		e := entryOf(r, n)
		entries = append(entries, e)
		if err := x.Add(e); err != nil {
			t.Fatal(err)
		}
		switch {
		case n%97 == 50: // a part is full
			endPart(t, x)
		case n%97 == 80:
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = open(t, dir)
		}
		if next, hash := x.Next(); next != int64(n+1) || hash != e.Hash {
			t.Fatalf("at %d %x, want %d", next, hash[:2], n+1)
		}
	}
	if len(x.parts) != 6 {
		t.Fatalf("%d parts", len(x.parts))
	}
	for range 300 {
		q := queryOf(r)
		if got, want := fast(t, x, q), slow(entries, q); !slices.Equal(got, want) {
			t.Fatalf("%+v: got %v, want %v", q, got, want)
		}
	}
	for _, e := range entries {
		if e.Retired != "" && !x.Retired(e.Retired) {
			t.Errorf("%s is not known as retired", e.Retired)
		}
	}
	if x.Retired("b/none") || len(x.Labels()) != 3 {
		t.Error("retired what was not, or labels", x.Labels())
	}
	lost := open(t, dir) // without Close
	next, _ := lost.Next()
	if got, want := fast(t, lost, Query{}), slow(entries[:next], Query{}); next < 500 || !slices.Equal(got, want) {
		t.Errorf("after a crash: %d entries, %d blocks, want %d", next, len(got), len(want))
	}
}

// endPart saves, and begins another part.
func endPart(t *testing.T, x *Index) {
	t.Helper()
	x.limit = limits{}
	if err := x.Save(); err != nil {
		t.Fatal(err)
	}
	x.limit = usual
}

// A file that is damaged, or misses the one before it, is taken away; what is before it stays.
func TestDamagedFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	build := func() (dir string, files []string) {
		dir = t.TempDir()
		x := open(t, dir)
		for n := range 30 {
			e := entryOf(r, n)
			if e.Retired != "" || e.Block.Damaged {
				e = Entry{Block: Block{Key: "k"}, Records: [][]Term{{1}}}
			}
			if err := x.Add(e); err != nil {
				t.Fatal(err)
			}
			if n%10 == 9 {
				endPart(t, x)
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 3 {
			t.Fatal(files, err)
		}
		return dir, files
	}
	for name, harm := range map[string]func(files []string) error{
		"flipped": func(files []string) error {
			b, err := os.ReadFile(files[1])
			b[len(b)/2] ^= 1
			return errors.Join(err, os.WriteFile(files[1], b, 0o600))
		},
		"cut":     func(files []string) error { return os.Truncate(files[1], 100) },
		"empty":   func(files []string) error { return os.Truncate(files[1], 0) },
		"missing": func(files []string) error { return os.Remove(files[1]) },
		"swapped": func(files []string) error { return os.Rename(files[2], files[1]) },
	} {
		dir, files := build()
		if err := harm(files); err != nil {
			t.Fatal(err)
		}
		x := open(t, dir)
		left, err := os.ReadDir(dir)
		if next, _ := x.Next(); next != 10 || err != nil || len(left) != 1 {
			t.Errorf("%s: %d entries, %d files, %v", name, next, len(left), err)
		}
	}
	dir, _ := build()
	x := open(t, dir)
	if err := x.Reset(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if next, _ := x.Next(); next != 0 || err != nil || len(left) != 0 || len(fast(t, x, Query{})) != 0 {
		t.Errorf("after a reset: %d entries, %d files, %v", next, len(left), err)
	}
}

// FuzzSegment changes what the checksum is over, which it then makes right.
func FuzzSegment(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 3 {
		b := newBuilder(5)
		for i := range n * 4 {
			b.add(entryOf(r, i))
		}
		f.Add(b.encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = sealed(data)
		s, err := decode(data, bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if _, err := find(&Query{All: [][]Range{{{0, ^Term(0)}}}}, s.blocks, s.records, s.look); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

// sealed gives bytes the checksum of a segment.
func sealed(data []byte) []byte {
	if len(data) < 8 {
		return data
	}
	data = append([]byte(nil), data...)
	binary.LittleEndian.PutUint32(data[4:], crc32.Checksum(data[8:], castagnoli))
	return data
}
