package merklelog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	// ErrProof is a proof that is malformed or does not prove what it should.
	ErrProof = errors.New("proof does not hold")
	// ErrRange is an entry or a size beyond the checkpoint's.
	ErrRange = errors.New("beyond the checkpoint")
)

// proofHeader begins a proof in C2SP's tlog-proof form.
const proofHeader = "c2sp.org/tlog-proof@v1"

// ProveInclusion returns a proof that the entry at index is in the log of a signed checkpoint, in the text form of C2SP's tlog-proof, with
// the entry as its extra data: whoever has the public key checks it with CheckInclusion, without the store.
func ProveInclusion(read Reader, c Checkpoint, signed, entry []byte, index int64) ([]byte, error) {
	if index < 0 || index >= c.Size {
		return nil, fmt.Errorf("%w: entry %d of %d", ErrRange, index, c.Size)
	}
	proof, err := tlog.ProveRecord(c.Size, index, tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tiles{read}))
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", index, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(entry), index)
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.Write(signed)
	return []byte(b.String()), nil
}

// Inclusion is what a proof proves: that the entry has that place in the log of a checkpoint.
type Inclusion struct {
	Entry      Entry
	Index      int64
	Checkpoint Checkpoint
}

// maxProof bounds a proof, in bytes.
const maxProof = 4*MaxEntry/3 + 64*64 + maxCheckpoint

// CheckInclusion checks a proof. It fails with ErrProof, ErrEntry or ErrCheckpoint.
func CheckInclusion(proof []byte, log note.Verifier) (Inclusion, error) {
	head, signed, ok := strings.Cut(string(proof[:min(len(proof), maxProof)]), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || len(lines) > 3+64 || lines[0] != proofHeader {
		return Inclusion{}, fmt.Errorf("%w: not in the form %s", ErrProof, proofHeader)
	}
	extra, ok := strings.CutPrefix(lines[1], "extra ")
	encoded, err := base64.StdEncoding.Strict().DecodeString(extra)
	if !ok || err != nil {
		return Inclusion{}, fmt.Errorf("%w: line 2 holds no entry", ErrProof)
	}
	in := Inclusion{}
	number, ok := strings.CutPrefix(lines[2], "index ")
	if in.Index, err = strconv.ParseInt(number, 10, 64); !ok || err != nil || strconv.FormatInt(in.Index, 10) != number {
		return Inclusion{}, fmt.Errorf("%w: line 3 is %.40q", ErrProof, lines[2])
	}
	path := make(tlog.RecordProof, 0, len(lines)-3)
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Inclusion{}, fmt.Errorf("%w: hash %.80q", ErrProof, line)
		}
		path = append(path, h)
	}
	if in.Checkpoint, err = OpenCheckpoint([]byte(signed), log); err != nil {
		return Inclusion{}, err
	}
	if in.Index < 0 || in.Index >= in.Checkpoint.Size {
		return Inclusion{}, fmt.Errorf("%w: entry %d of %d", ErrProof, in.Index, in.Checkpoint.Size)
	}
	if err := tlog.CheckRecord(path, in.Checkpoint.Size, in.Checkpoint.Root, in.Index, LeafHash(encoded)); err != nil {
		return Inclusion{}, fmt.Errorf("%w: the entry is not that of the checkpoint", ErrProof)
	}
	in.Entry, err = DecodeEntry(encoded)
	return in, err
}

// CheckConsistency says whether the newer log begins with the older one, with the tiles of the newer. It fails with ErrProof.
func CheckConsistency(read Reader, older, newer Checkpoint) error {
	switch {
	case older.Origin != newer.Origin:
		return fmt.Errorf("%w: checkpoints of %.80q and of %.80q", ErrProof, older.Origin, newer.Origin)
	case older.Size > newer.Size:
		return fmt.Errorf("%w: the log has %d entries, and had %d", ErrProof, newer.Size, older.Size)
	case older.Size == newer.Size && older.Root != newer.Root:
		return fmt.Errorf("%w: two logs of %d entries", ErrProof, older.Size)
	case older.Size == 0 || older.Size == newer.Size:
		return nil
	}
	reader := tlog.TileHashReader(tlog.Tree{N: newer.Size, Hash: newer.Root}, tiles{read})
	proof, err := tlog.ProveTree(newer.Size, older.Size, reader)
	if err != nil {
		return fmt.Errorf("prove consistency: %w", err)
	}
	if tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root) != nil {
		return fmt.Errorf("%w: the log of %d entries does not begin with that of %d", ErrProof, newer.Size, older.Size)
	}
	return nil
}

// tiles reads tiles for package tlog, which checks them.
type tiles struct{ read Reader }

// Height implements tlog.TileReader.
func (tiles) Height() int { return tileHeight }

// SaveTiles implements tlog.TileReader.
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles implements tlog.TileReader. A tile that has become full may stand for one that was not.
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(wanted))
	for i, w := range wanted {
		data, err := t.read(tilePath(w.L, w.N, w.W))
		if err != nil && w.W < tileWidth {
			if whole, fullErr := t.read(tilePath(w.L, w.N, tileWidth)); fullErr == nil {
				data, err = whole[:min(len(whole), w.W*tlog.HashSize)], nil
			}
		}
		if err != nil {
			return nil, err
		}
		if len(data) != w.W*tlog.HashSize {
			return nil, fmt.Errorf("%w: %s has %d bytes", ErrTile, tilePath(w.L, w.N, w.W), len(data))
		}
		all[i] = data
	}
	return all, nil
}
