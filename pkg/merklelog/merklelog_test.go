package merklelog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/writhq/writ/pkg/audit"
)

const origin = "audit.example.com/log"

// entry makes the i-th entry of a log.
func entry(t testing.TB, i int) []byte {
	t.Helper()
	first := audit.RecordID{0, 1, 2, 3, 4, 5, 6, 7, byte(i >> 8), byte(i)}
	e, err := Entry{
		Kind: Block, Key: fmt.Sprintf("records/v1/2026-01-02/edge-a/03/block_%d.blk", i), SHA256: sha256.Sum256([]byte{byte(i)}), Bytes: int64(i + 1), Records: 1, First: first, Last: first,
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stored is what a log wrote.
type stored map[string][]byte

func (s stored) read(path string) ([]byte, error) {
	if data, ok := s[path]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
}

func (s stored) put(t testing.TB, objects []Object) {
	t.Helper()
	for _, o := range objects {
		if old, ok := s[o.Path]; ok && !bytes.Equal(old, o.Data) {
			t.Fatalf("%s is written anew", o.Path)
		}
		s[o.Path] = o.Data
	}
}

// TestTilesAreThoseOfTheTree: tiles, roots and proofs are those of golang.org/x/mod/sumdb/tlog, at every size and wherever writing went on.
func TestTilesAreThoseOfTheTree(t *testing.T) {
	const last = 70_000
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	var tree Tree
	tiles, s := &Tiles{}, stored{}
	looked := []int{1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, last}
	for i := range last {
		e := entry(t, i)
		more, err := tlog.StoredHashes(int64(i), e, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
		tree.Append(LeafHash(e))
		full, err := tiles.Append(e, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.put(t, full)
		size := int64(i + 1)
		if !slices.Contains(looked, i+1) {
			continue
		}
		s.put(t, tiles.Partial())
		want, err := tlog.TreeHash(size, reader)
		if err != nil || tree.Root() != want || tree.Size() != size {
			t.Fatalf("size %d: root %v, want %v, %v", size, tree.Root(), want, err)
		}
		for _, tile := range tlog.NewTiles(tileHeight, 0, size) {
			data, err := tlog.ReadTileData(tile, reader)
			if got := s[tilePath(tile.L, tile.N, tile.W)]; err != nil || !bytes.Equal(got, data) {
				t.Fatalf("size %d: %s: %d bytes, want %d, %v", size, tilePath(tile.L, tile.N, tile.W), len(got), len(data), err)
			}
		}
		if tiles, err = ResumeTiles(size, s.read); err != nil || tiles.Size() != size {
			t.Fatalf("resume at %d: %v", size, err)
		}
	}
	i := int64(0)
	for at, e := range Entries(s.read, last) {
		if e.Err != nil || at != i || !bytes.Equal(e.Entry, entry(t, int(i))) {
			t.Fatalf("entry %d: %d, %v", i, at, e.Err)
		}
		i++
	}
	if i != last {
		t.Errorf("%d entries, want %d", i, last)
	}
}

func TestTilePath(t *testing.T) {
	for want, got := range map[string]string{
		"tile/0/000":                          tilePath(0, 0, 256),
		"tile/3/x001/x234/067":                tilePath(3, 1234067, 256),
		"tile/3/x001/x234/067.p/8":            tilePath(3, 1234067, 8),
		"tile/entries/x999/x999/x999/999.p/1": tilePath(entriesLevel, 999999999999, 1),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTreeSurvivesItsEncoding(t *testing.T) {
	var tree Tree
	for i := range 300 {
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		var again Tree
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatal(err)
		}
		again.Append(LeafHash(entry(t, i)))
		tree.Append(LeafHash(entry(t, i)))
		if again.Root() != tree.Root() {
			t.Fatalf("size %d: another root", tree.Size())
		}
	}
	for _, text := range []string{`{"size":1}`, `{"size":-1}`, `{"size":3,"roots":["AA=="]}`, `[]`, `{"size":2,"roots":["!"]}`} {
		if err := json.Unmarshal([]byte(text), new(Tree)); !errors.Is(err, ErrTree) {
			t.Errorf("%s: %v, want %v", text, err, ErrTree)
		}
	}
}

// key makes a log's key.
func key(t testing.TB, name string) (note.Signer, note.Verifier) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}

// log writes n entries, and returns what is stored and the checkpoint.
func log(t testing.TB, n int) (stored, Checkpoint) {
	t.Helper()
	s := stored{}
	var tiles Tiles
	var tree Tree
	for i := range n {
		full, err := tiles.Append(entry(t, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		s.put(t, full)
		tree.Append(LeafHash(entry(t, i)))
	}
	s.put(t, tiles.Partial())
	return s, Checkpoint{Origin: origin, Size: int64(n), Root: tree.Root()}
}

func TestProofs(t *testing.T) {
	signer, verifier := key(t, origin)
	s, c := log(t, 1000)
	signed, err := c.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int64{0, 1, 255, 256, 998, 999} {
		proof, err := ProveInclusion(s.read, c, signed, entry(t, int(i)), i)
		if err != nil {
			t.Fatal(err)
		}
		want, err := DecodeEntry(entry(t, int(i)))
		if err != nil {
			t.Fatal(err)
		}
		if in, err := CheckInclusion(proof, verifier); err != nil || in.Index != i || in.Entry != want || in.Checkpoint != c {
			t.Errorf("entry %d: %+v, %v", i, in, err)
		}
		other, err := ProveInclusion(s.read, c, signed, entry(t, int(i)+1), i)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := CheckInclusion(other, verifier); !errors.Is(err, ErrProof) {
			t.Errorf("another entry than %d: %v, want %v", i, err, ErrProof)
		}
		other = bytes.Replace(proof, []byte("index "), []byte("index 1"), 1)
		if _, err := CheckInclusion(other, verifier); !errors.Is(err, ErrProof) {
			t.Errorf("another index than %d: %v, want %v", i, err, ErrProof)
		}
	}
	if _, err := ProveInclusion(s.read, c, signed, entry(t, 0), 1000); !errors.Is(err, ErrRange) {
		t.Errorf("beyond: %v, want %v", err, ErrRange)
	}
	tile := tilePath(0, 0, 256)
	s[tile] = bytes.Clone(s[tile])
	s[tile][5] ^= 1
	if _, err := ProveInclusion(s.read, c, signed, entry(t, 7), 7); err == nil {
		t.Error("a tile that was changed proves something")
	}
}

func TestConsistency(t *testing.T) {
	s, newer := log(t, 1000)
	for _, n := range []int{0, 1, 256, 999, 1000} {
		_, older := log(t, n)
		if err := CheckConsistency(s.read, older, newer); err != nil {
			t.Errorf("from %d: %v", n, err)
		}
	}
	_, older := log(t, 300)
	older.Root[0] ^= 1
	if err := CheckConsistency(s.read, older, newer); !errors.Is(err, ErrProof) {
		t.Errorf("another log: %v, want %v", err, ErrProof)
	}
	same := newer
	same.Root[0] ^= 1
	if err := CheckConsistency(s.read, same, newer); !errors.Is(err, ErrProof) {
		t.Errorf("two logs of a size: %v, want %v", err, ErrProof)
	}
	if err := CheckConsistency(s.read, newer, Checkpoint{Origin: origin, Size: 10}); !errors.Is(err, ErrProof) {
		t.Errorf("rolled back: %v, want %v", err, ErrProof)
	}
	if err := CheckConsistency(s.read, Checkpoint{Origin: "other"}, newer); !errors.Is(err, ErrProof) {
		t.Errorf("two origins: %v, want %v", err, ErrProof)
	}
}

func TestCheckpoints(t *testing.T) {
	signer, verifier := key(t, origin)
	_, stranger := key(t, origin)
	witness, seen := key(t, "witness.example.org")
	_, c := log(t, 3)
	signed, err := c.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenCheckpoint(signed, verifier); err != nil || got != c {
		t.Errorf("%v, %v; want %v", got, err, c)
	}
	both, err := c.Sign(signer, witness)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenCheckpoint(both, verifier, seen); err != nil || got != c {
		t.Errorf("witnessed: %v, %v", got, err)
	}
	elsewhere, err := Checkpoint{Origin: "elsewhere", Size: 3, Root: c.Root}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (Checkpoint, error){
		"another key": func() (Checkpoint, error) { return OpenCheckpoint(signed, stranger) },
		"no witness":  func() (Checkpoint, error) { return OpenCheckpoint(signed, verifier, seen) },
		"another size": func() (Checkpoint, error) {
			return OpenCheckpoint(bytes.Replace(signed, []byte("\n3\n"), []byte("\n2\n"), 1), verifier)
		},
		"another origin": func() (Checkpoint, error) { return OpenCheckpoint(elsewhere, verifier) },
		"too large": func() (Checkpoint, error) {
			return OpenCheckpoint(append(signed, make([]byte, maxCheckpoint)...), verifier)
		},
		"nothing": func() (Checkpoint, error) { return OpenCheckpoint(nil, verifier) },
	} {
		if got, err := open(); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, ErrCheckpoint)
		}
	}
	for _, bad := range []string{"", "a b", "a\nb", "a+b"} {
		if _, err := (Checkpoint{Origin: bad}).Sign(signer); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("origin %q: %v", bad, err)
		}
	}
}

func TestEntries(t *testing.T) {
	good := entry(t, 5)
	if e, err := DecodeEntry(good); err != nil || e.Key != "records/v1/2026-01-02/edge-a/03/block_5.blk" {
		t.Errorf("%v, %v", e, err)
	}
	for _, bad := range []string{
		"", "{}", string(good) + " ", strings.Replace(string(good), `"block"`, `"other"`, 1), strings.Replace(string(good), "records/", "../", 1),
		strings.Replace(string(good), `"bytes":6`, `"bytes":0`, 1), strings.Replace(string(good), `"records":1`, `"records":-1`, 1), strings.Replace(string(good), `"kind"`, `"Kind"`, 1),
	} {
		if e, err := DecodeEntry([]byte(bad)); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v, %v; want %v", bad, e, err, ErrEntry)
		}
	}
}

func TestMissingBundles(t *testing.T) {
	s, c := log(t, 600)
	delete(s, tilePath(entriesLevel, 1, 256))
	var lost, read int
	for at, e := range Entries(s.read, c.Size) {
		if e.Err != nil && at != 256 {
			t.Errorf("entry %d: %v", at, e.Err)
		}
		if e.Err != nil {
			lost++
		} else {
			read++
		}
	}
	if lost != 1 || read != 600-256 {
		t.Errorf("%d lost, %d read", lost, read)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(entry(f, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEntry(b)
		if err != nil {
			return
		}
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q is encoded as %q, %v", b, again, err)
		}
	})
}

func FuzzBundle(f *testing.F) {
	s, _ := log(f, 3)
	f.Add(s[tilePath(entriesLevel, 0, 3)], 3)
	f.Fuzz(func(t *testing.T, b []byte, width int) {
		if width < 0 || width > tileWidth {
			return
		}
		entries, err := splitBundle(b, width)
		if err != nil {
			return
		}
		size := 0
		for _, e := range entries {
			size += 2 + len(e)
		}
		if size != len(b) || len(entries) != width {
			t.Errorf("%d entries of %d bytes from %d", len(entries), size, len(b))
		}
	})
}

func FuzzCheckInclusion(f *testing.F) {
	signer, public, err := NewSigner(origin, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		f.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		f.Fatal(err)
	}
	s, c := log(f, 300)
	signed, err := c.Sign(signer)
	if err != nil {
		f.Fatal(err)
	}
	proof, err := ProveInclusion(s.read, c, signed, entry(f, 17), 17)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := CheckInclusion(b, verifier)
		if err == nil && (in.Index != 17 || in.Checkpoint != c) {
			t.Errorf("proves %+v", in)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	e := entry(b, 1)
	var tree Tree
	var tiles Tiles
	var done []Object
	for b.Loop() {
		tree.Append(LeafHash(e))
		done, _ = tiles.Append(e, done[:0])
	}
}

func TestParsePath(t *testing.T) {
	for _, want := range []Tile{{0, 0, 256}, {0, 0, 1}, {3, 1234, 255}, {entriesLevel, 1234067, 256}, {entriesLevel, 999, 7}} {
		if got, ok := ParsePath(want.Path()); !ok || got != want {
			t.Errorf("%s: %v, %v; want %v", want.Path(), got, ok, want)
		}
	}
	for _, bad := range []string{"", "tile/0", "tile/0/0", "tile/9/000", "tile/-1/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/x000/001", "tile/0/000.p/01", "tile/data/000", "x/0/000"} {
		if got, ok := ParsePath(bad); ok {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if tile := (Tile{1, 2, 3}); tile.First() != 2*65536 || tile.End() != (2*256+3)*256 {
		t.Errorf("%v: leaves %d to %d", tile, tile.First(), tile.End())
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("tile/entries/x001/x234/067.p/8")
	f.Add("tile/3/007")
	f.Fuzz(func(t *testing.T, path string) {
		if tile, ok := ParsePath(path); ok && (tile.Path() != path || tile.First() < 0 || tile.End() <= tile.First()) {
			t.Errorf("%q: %v", path, tile)
		}
	})
}
