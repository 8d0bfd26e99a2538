package auditverify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/writhq/writ/pkg/merklelog"
)

const (
	logFolder        = "log/v1"
	checkpointFolder = logFolder + "/checkpoint"
)

// stored is a checkpoint in the copy.
type stored struct {
	merklelog.Checkpoint
	path string
	kept bool // elsewhere
}

// findHead takes the largest checkpoint that is signed with the key, and holds it to those that were kept elsewhere.
func (v *verification) findHead(context.Context) error {
	files, err := fs.ReadDir(v.cfg.Store, checkpointFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrCopy, err)
	}
	v.checkpoints = map[int64]stored{}
	for _, f := range files {
		name := path.Join(checkpointFolder, f.Name())
		signed, err := fs.ReadFile(v.cfg.Store, name)
		if err != nil {
			v.found(Finding{Kind: BadCheckpoint, Object: name, Detail: "it cannot be read"})
			continue
		}
		c, err := merklelog.OpenCheckpoint(signed, v.cfg.Key)
		if err == nil && f.Name() != fmt.Sprintf("%016d", c.Size) {
			err = fmt.Errorf("it is of %d entries", c.Size)
		}
		if err != nil {
			v.found(Finding{Kind: BadCheckpoint, Object: name, Detail: err.Error()})
			continue
		}
		v.checkpoints[c.Size] = stored{c, name, false}
		if c.Size >= v.head.Size {
			v.head = c
		}
	}
	if len(v.checkpoints) == 0 {
		v.found(Finding{Kind: BadCheckpoint, Object: checkpointFolder, Detail: "there is none that is signed with the key"})
	}
	v.report.Size, v.report.Root = v.head.Size, v.head.Root
	return v.holdToKept()
}

// holdToKept finds whether the log goes on from every checkpoint that was kept elsewhere.
func (v *verification) holdToKept() error {
	for i, signed := range v.cfg.Kept {
		c, err := merklelog.OpenCheckpoint(signed, v.cfg.Key)
		if err != nil {
			return fmt.Errorf("kept checkpoint %d: %w", i+1, err)
		}
		if c.Size > v.head.Size {
			v.found(Finding{Kind: RolledBack, Entry: v.head.Size, Detail: fmt.Sprintf("the log has %d entries; a checkpoint that was kept says %d", v.head.Size, c.Size)})
			continue
		}
		if _, ok := v.checkpoints[c.Size]; !ok {
			v.checkpoints[c.Size] = stored{c, fmt.Sprintf("kept checkpoint %d", i+1), true}
		} else if v.checkpoints[c.Size].Root != c.Root {
			v.found(Finding{Kind: RolledBack, Entry: c.Size, Detail: "the log is another one than that of a checkpoint that was kept"})
		}
	}
	return nil
}

// readLog reads the entries, and compares the tree at the size of every checkpoint.
func (v *verification) readLog(ctx context.Context) error {
	var tree merklelog.Tree
	whole := true
	for at, e := range merklelog.Entries(v.read, v.head.Size) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if e.Err != nil {
			v.found(Finding{Kind: BadLog, Entry: at, Object: logFolder + "/" + bundleAt(at, v.head.Size).Path(), Detail: "entries from " + fmt.Sprint(at) + " on cannot be read: " + why(e.Err)})
			whole = false
			v.skip(min(at+bundleWidth, v.head.Size))
			continue
		}
		entry, err := merklelog.DecodeEntry(e.Entry)
		if err != nil {
			v.found(Finding{Kind: BadLog, Entry: at, Object: logFolder + "/" + bundleAt(at, v.head.Size).Path(), Detail: err.Error()})
		} else {
			v.known[entry.Key] = true
		}
		v.entries = append(v.entries, entry)
		if !whole {
			continue
		}
		tree.Append(merklelog.LeafHash(e.Entry))
		v.addLeaf(merklelog.LeafHash(e.Entry))
		if c, ok := v.checkpoints[tree.Size()]; ok && c.Root != tree.Root() {
			v.found(Finding{Kind: BadCheckpoint, Object: c.path, Entry: tree.Size(), Detail: fmt.Sprintf("its root is not that of the first %d entries: one of them was altered", tree.Size())})
		}
	}
	return v.checkTiles(whole)
}

const bundleWidth = 256

// bundleAt is the bundle that the entry at a place is read from.
func bundleAt(at, size int64) merklelog.Tile {
	return merklelog.Tile{Level: -1, Index: at / bundleWidth, Width: int(min(bundleWidth, size-at/bundleWidth*bundleWidth))}
}

// skip leaves places for entries that cannot be read.
func (v *verification) skip(to int64) {
	for int64(len(v.entries)) < to {
		v.entries = append(v.entries, merklelog.Entry{})
	}
}

// addLeaf keeps the hashes of each level.
func (v *verification) addLeaf(h merklelog.Hash) {
	for level := 0; ; level++ {
		if level == len(v.levels) {
			v.levels = append(v.levels, nil)
		}
		v.levels[level] = append(v.levels[level], h)
		n := len(v.levels[level])
		if n%bundleWidth != 0 {
			return
		}
		var sub merklelog.Tree
		for _, below := range v.levels[level][n-bundleWidth:] {
			sub.Append(below)
		}
		h = sub.Root()
	}
}

// checkTiles compares every stored tile with the entries. There are the full ones, and of each checkpoint those that were not full then; more
// than that tells of a checkpoint that was taken away.
func (v *verification) checkTiles(whole bool) error {
	wanted := v.wantedTiles()
	err := fs.WalkDir(v.cfg.Store, logFolder+"/tile", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == logFolder+"/tile" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCopy, err)
		}
		if d.IsDir() || temporary(name) {
			return nil
		}
		tile, ok := merklelog.ParsePath(name[len(logFolder)+1:])
		switch {
		case !ok:
			v.found(Finding{Kind: UnknownObject, Object: name, Detail: "it is no tile"})
		case tile.End() > v.head.Size:
			v.beyond(name, tile)
		case !wanted[tile]:
			v.found(Finding{Kind: BadCheckpoint, Object: name, Entry: tile.End(), Detail: "there is no checkpoint of the size that it was made for"})
		case whole:
			v.checkTile(name, tile)
		}
		delete(wanted, tile)
		return nil
	})
	for tile := range wanted {
		v.found(Finding{Kind: BadLog, Object: logFolder + "/" + tile.Path(), Entry: tile.First(), Detail: "it is missing"})
	}
	return err
}

// wantedTiles are those that a log with these checkpoints has.
func (v *verification) wantedTiles() map[merklelog.Tile]bool {
	all := map[merklelog.Tile]bool{}
	for size, c := range v.checkpoints {
		if !c.kept {
			for _, tile := range merklelog.PartialTiles(size) {
				all[tile] = true
			}
		}
	}
	for level, n := -1, v.head.Size/bundleWidth; n > 0; level++ {
		for i := range n {
			all[merklelog.Tile{Level: level, Index: i, Width: bundleWidth}] = true
		}
		if level >= 0 {
			n /= bundleWidth
		}
	}
	return all
}

func (v *verification) beyond(name string, tile merklelog.Tile) {
	v.found(Finding{Kind: RolledBack, Object: name, Entry: v.head.Size, Detail: fmt.Sprintf("it is of a log of at least %d entries, and the newest checkpoint is of %d", tile.End(), v.head.Size)})
}

func (v *verification) checkTile(name string, tile merklelog.Tile) {
	data, err := fs.ReadFile(v.cfg.Store, name)
	if err != nil {
		v.found(Finding{Kind: BadLog, Object: name, Entry: tile.First(), Detail: why(err)})
		return
	}
	var want []byte
	if tile.Level < 0 {
		for at := tile.First(); at < tile.End(); at++ {
			encoded, err := v.entries[at].Encode()
			if err != nil {
				return // which is reported already
			}
			want = append(want, byte(len(encoded)>>8), byte(len(encoded)))
			want = append(want, encoded...)
		}
	} else {
		for _, h := range v.levels[tile.Level][tile.Index*bundleWidth:][:tile.Width] {
			want = append(want, h[:]...)
		}
	}
	if !bytes.Equal(data, want) {
		v.found(Finding{Kind: BadLog, Object: name, Entry: tile.First(), Detail: "it does not say what the entries of the log say"})
	}
}

// why is an error without the names of files on this machine.
func why(err error) string {
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it is missing"
	case errors.As(err, &p):
		return p.Err.Error()
	}
	return err.Error()
}
