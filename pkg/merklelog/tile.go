package merklelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// The layout of C2SP's tlog-tiles: a tile has up to 256 hashes of one level, which are the roots of the tiles of the level below; a
// bundle has up to 256 entries, each behind its length in two bytes, big endian.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// entriesLevel stands for bundles.
	entriesLevel = -1
)

// ErrTile is a tile or a bundle that is missing in part, or not of its form.
var ErrTile = errors.New("malformed tile")

// Object is something to store: a tile or a bundle. Tiles and bundles never change.
type Object struct {
	Path string
	Data []byte
}

// tilePath is where a tile is, "tile/<level>/<index>[.p/<width>]", with the index in groups of three digits.
func tilePath(level int, index int64, width int) string {
	var b strings.Builder
	b.WriteString("tile/")
	if level == entriesLevel {
		b.WriteString("entries")
	} else {
		b.WriteString(strconv.Itoa(level))
	}
	digits := strconv.FormatInt(index, 10)
	digits = strings.Repeat("0", (3-len(digits)%3)%3) + digits
	for ; len(digits) > 3; digits = digits[3:] {
		b.WriteString("/x" + digits[:3])
	}
	b.WriteString("/" + digits)
	if width < tileWidth {
		b.WriteString(".p/" + strconv.Itoa(width))
	}
	return b.String()
}

// Reader returns the object at a path, as a Tiles wrote it.
type Reader func(path string) ([]byte, error)

// Tiles lays a log out as objects. The zero value is an empty log.
type Tiles struct {
	size   int64
	bundle []byte   // of the entries behind the last full one
	levels [][]Hash // of each level those that fill no tile yet
}

// ResumeTiles goes on where a log of that size ends, of which the objects are stored.
func ResumeTiles(size int64, read Reader) (*Tiles, error) {
	t := &Tiles{size: size}
	if width := int(size % tileWidth); width > 0 {
		var err error
		if t.bundle, err = read(tilePath(entriesLevel, size/tileWidth, width)); err != nil {
			return nil, err
		}
		if _, err := splitBundle(t.bundle, width); err != nil {
			return nil, err
		}
	}
	for level := 0; size>>(level*tileHeight) > 0; level++ {
		n := size >> (level * tileHeight)
		hashes, err := readTile(read, level, n/tileWidth, int(n%tileWidth))
		if err != nil {
			return nil, err
		}
		t.levels = append(t.levels, hashes)
	}
	return t, nil
}

// readTile returns the hashes of a tile of that width, which may be 0.
func readTile(read Reader, level int, index int64, width int) ([]Hash, error) {
	if width == 0 {
		return nil, nil
	}
	path := tilePath(level, index, width)
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	if len(data) != width*tlog.HashSize {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrTile, path, len(data))
	}
	hashes := make([]Hash, width)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	return hashes, nil
}

// Size is the number of entries.
func (t *Tiles) Size() int64 { return t.size }

// Append adds an entry, and appends to full the objects that it completes.
func (t *Tiles) Append(entry []byte, full []Object) ([]Object, error) {
	if len(entry) > MaxEntry {
		return full, fmt.Errorf("%w: %d bytes", ErrEntry, len(entry))
	}
	t.bundle = binary.BigEndian.AppendUint16(t.bundle, uint16(len(entry)))
	t.bundle = append(t.bundle, entry...)
	t.size++
	if t.size%tileWidth == 0 {
		full = append(full, Object{tilePath(entriesLevel, t.size/tileWidth-1, tileWidth), t.bundle})
		t.bundle = nil
	}
	hash := LeafHash(entry)
	for level := 0; ; level++ {
		if level == len(t.levels) {
			t.levels = append(t.levels, nil)
		}
		t.levels[level] = append(t.levels[level], hash)
		if len(t.levels[level]) < tileWidth {
			return full, nil
		}
		index := t.size>>((level+1)*tileHeight) - 1
		full = append(full, Object{tilePath(level, index, tileWidth), joinHashes(t.levels[level])})
		var sub Tree
		for _, h := range t.levels[level] {
			sub.Append(h)
		}
		hash, t.levels[level] = sub.Root(), t.levels[level][:0]
	}
}

// Partial returns the objects at the end of the log that are not full yet. With those that Append completed they make the log whole at
// this size.
func (t *Tiles) Partial() []Object {
	var all []Object
	if width := int(t.size % tileWidth); width > 0 {
		all = append(all, Object{tilePath(entriesLevel, t.size/tileWidth, width), append([]byte(nil), t.bundle...)})
	}
	for level, hashes := range t.levels {
		if len(hashes) > 0 {
			all = append(all, Object{tilePath(level, t.size>>((level+1)*tileHeight), len(hashes)), joinHashes(hashes)})
		}
	}
	return all
}

func joinHashes(hashes []Hash) []byte {
	data := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		data = append(data, hashes[i][:]...)
	}
	return data
}

// splitBundle returns the entries of a bundle.
func splitBundle(data []byte, width int) ([][]byte, error) {
	entries := make([][]byte, 0, width)
	for len(data) > 0 {
		if len(data) < 2 {
			return nil, fmt.Errorf("%w: bundle is cut off", ErrTile)
		}
		n := int(binary.BigEndian.Uint16(data))
		if data = data[2:]; n > len(data) {
			return nil, fmt.Errorf("%w: bundle is cut off", ErrTile)
		}
		entries, data = append(entries, data[:n:n]), data[n:]
	}
	if len(entries) != width {
		return nil, fmt.Errorf("%w: bundle of %d entries, want %d", ErrTile, len(entries), width)
	}
	return entries, nil
}
