package merklelog

import (
	"strconv"
	"strings"
)

// Tile is the place of a tile or a bundle in a log.
type Tile struct {
	Level int // of hashes; -1 for a bundle of entries
	Index int64
	Width int // 256 when it is full
}

// Path is where the tile is stored.
func (t Tile) Path() string { return tilePath(t.Level, t.Index, t.Width) }

// First is the number of the first leaf that the tile is about.
func (t Tile) First() int64 { return t.Index << ((max(t.Level, 0) + 1) * tileHeight) }

// End is the number of leaves that a log has at least which has the tile.
func (t Tile) End() int64 {
	return (t.Index<<tileHeight + int64(t.Width)) << (max(t.Level, 0) * tileHeight)
}

// maxLevel is the highest level of a log of maxSize leaves.
const maxLevel = 5

// ParsePath reads the path of a tile. What is not exactly as Path writes it is none.
func ParsePath(path string) (t Tile, ok bool) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return Tile{}, false
	}
	level, rest, _ := strings.Cut(rest, "/")
	t = Tile{Level: entriesLevel, Width: tileWidth}
	if level != "entries" {
		n, err := strconv.Atoi(level)
		if err != nil || n < 0 || n > maxLevel {
			return Tile{}, false
		}
		t.Level = n
	}
	index, width, partial := strings.Cut(rest, ".p/")
	if partial {
		n, err := strconv.Atoi(width)
		if err != nil || n < 1 || n >= tileWidth {
			return Tile{}, false
		}
		t.Width = n
	}
	n, err := strconv.ParseInt(strings.NewReplacer("/x", "", "/", "").Replace(strings.TrimPrefix(index, "x")), 10, 64)
	if err != nil || n < 0 || n > maxSize>>tileHeight {
		return Tile{}, false
	}
	t.Index = n
	return t, t.Path() == path
}

// PartialTiles are those that a log of that size has besides full ones.
func PartialTiles(size int64) (all []Tile) {
	if width := int(size % tileWidth); width > 0 {
		all = append(all, Tile{entriesLevel, size / tileWidth, width})
	}
	for level := 0; size>>(level*tileHeight) > 0; level++ {
		n := size >> (level * tileHeight)
		if width := int(n % tileWidth); width > 0 {
			all = append(all, Tile{level, n / tileWidth, width})
		}
	}
	return all
}
