// Package recordindex tells in which blocks records are, by what they have: names, and pieces of their texts. It follows the entries of the
// Merkle log in their order, and keeps what it has in files that can be taken away at any time: they are made again from the log. It keeps no
// text, only which pieces of three bytes there are, so what it finds must be read and looked at.
package recordindex

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/writhq/writ/pkg/audit"
)

const (
	suffix = ".wrx"
	// saveEvery is after how many entries the part that grows is written.
	saveEvery = 4096
)

// Index is safe for concurrent use.
type Index struct {
	dir   string
	limit limits

	adding  sync.Mutex // held by who changes the index, who changes what others read holds mu as well
	mu      sync.RWMutex
	parts   []*segment
	open    *builder
	retired map[Term]struct{}
	labels  map[string]struct{}
}

// Open opens the index in a folder, which it makes with mode 0700. Files that are damaged are taken away, with those behind them.
func Open(dir string) (*Index, error) {
	if dir == "" {
		return nil, errors.New("record index: a folder is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("record index: %w", err)
	}
	x := &Index{dir: dir, limit: usual, open: newBuilder(0), retired: map[Term]struct{}{}, labels: map[string]struct{}{}}
	if err := x.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("record index: %w", err), x.closeFiles())
	}
	return x, nil
}

// load takes the files for as long as each begins where the one before ends.
func (x *Index) load() error {
	files, err := os.ReadDir(x.dir)
	if err != nil {
		return err
	}
	var next int64
	for _, f := range files {
		path := filepath.Join(x.dir, f.Name())
		s, err := openSegment(path, next)
		switch {
		case errors.Is(err, ErrCorrupt):
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		next = s.to
		x.learn(&s.part)
		x.parts = append(x.parts, s)
	}
	return x.resume(next)
}

// learn takes to memory what is asked of the whole index.
func (x *Index) learn(p *part) {
	for _, t := range p.retired {
		x.retired[t] = struct{}{}
	}
	for _, l := range p.labels {
		x.labels[l] = struct{}{}
	}
}

// resume goes on with the last part, when there is room in it.
func (x *Index) resume(next int64) error {
	x.open = newBuilder(next)
	if len(x.parts) == 0 {
		return nil
	}
	last := x.parts[len(x.parts)-1]
	b, err := last.reopen()
	if err != nil || x.limit.reached(b) {
		return err
	}
	x.open, x.parts = b, x.parts[:len(x.parts)-1]
	return last.close()
}

// openSegment opens the file of the part that begins with an entry. Any other file is ErrCorrupt.
func openSegment(path string, from int64) (*segment, error) {
	name, ok := strings.CutSuffix(filepath.Base(path), suffix)
	if n, err := strconv.ParseInt(name, 10, 64); !ok || err != nil || n != from {
		return nil, fmt.Errorf("%w: %s is not the next part", ErrCorrupt, filepath.Base(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := decode(data, file)
	if err == nil && s.from != from {
		err = fmt.Errorf("%w: %s begins elsewhere", ErrCorrupt, filepath.Base(path))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s.close = file.Close
	return s, nil
}

// Next is the place in the log of the entry that is to be added, and the hash of the one before it.
func (x *Index) Next() (int64, [32]byte) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n := len(x.parts); x.open.to == x.open.from && n > 0 {
		return x.open.to, x.parts[n-1].last
	}
	return x.open.to, x.open.last
}

// Add adds the next entry of the log.
func (x *Index) Add(e Entry) error {
	x.adding.Lock()
	defer x.adding.Unlock()
	x.mu.Lock()
	x.open.add(e)
	for _, l := range e.Labels {
		x.labels[l] = struct{}{}
	}
	if e.Retired != "" {
		x.retired[Name(dimensionRetired, e.Retired)] = struct{}{}
	}
	full, unsaved := x.limit.reached(x.open), x.open.to-x.open.saved
	x.mu.Unlock()
	if full || unsaved >= saveEvery {
		return x.save()
	}
	return nil
}

// Save writes what is only in memory.
func (x *Index) Save() error {
	x.adding.Lock()
	defer x.adding.Unlock()
	return x.save()
}

func (x *Index) save() error {
	b := x.open
	if b.saved == b.to {
		return nil
	}
	path := filepath.Join(x.dir, fmt.Sprintf("%016d%s", b.from, suffix))
	if err := replace(path, b.encode()); err != nil {
		return fmt.Errorf("write record index: %w", err)
	}
	b.saved = b.to
	if !x.limit.reached(b) {
		return nil
	}
	s, err := openSegment(path, b.from)
	if err != nil {
		return fmt.Errorf("read record index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.parts, x.open = append(slices.Clip(x.parts), s), newBuilder(b.to)
	return nil
}

// replace puts a file in its place as a whole.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Reset takes everything away.
func (x *Index) Reset() error {
	x.adding.Lock()
	defer x.adding.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	err := x.closeFiles()
	files, listErr := filepath.Glob(filepath.Join(x.dir, "*"+suffix))
	err = errors.Join(err, listErr)
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	x.parts, x.open, x.retired, x.labels = nil, newBuilder(0), map[Term]struct{}{}, map[string]struct{}{}
	if err != nil {
		return fmt.Errorf("reset record index: %w", err)
	}
	return nil
}

// Close writes what is only in memory and closes the files.
func (x *Index) Close() error {
	err := x.Save()
	x.mu.Lock()
	defer x.mu.Unlock()
	return errors.Join(err, x.closeFiles())
}

func (x *Index) closeFiles() error {
	var err error
	for _, s := range x.parts {
		err = errors.Join(err, s.close())
	}
	return err
}

// Retired tells whether the log says that a block was taken away.
func (x *Index) Retired(key string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	_, ok := x.retired[Name(dimensionRetired, key)]
	return ok
}

// Labels returns all labels, in no order.
func (x *Index) Labels() []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]string, 0, len(x.labels))
	for l := range x.labels {
		all = append(all, l)
	}
	return all
}

// Part is a run of entries.
type Part struct {
	index *Index
	full  *segment
	open  *builder
	// Last is the greatest id of a record in it.
	Last audit.RecordID
}

// Parts returns all that is indexed, the part with the newest record first, and how many entries of the log that is.
func (x *Index) Parts() ([]Part, int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]Part, 0, len(x.parts)+1)
	for _, s := range x.parts {
		all = append(all, Part{index: x, full: s, Last: s.next})
	}
	all = append(all, Part{index: x, open: x.open, Last: x.open.next})
	slices.SortStableFunc(all, func(a, b Part) int { return bytes.Compare(b.Last[:], a.Last[:]) })
	return all, x.open.to
}

// Find returns the blocks that may hold what is asked for.
func (p Part) Find(q Query) ([]Found, error) {
	if p.full != nil {
		if q.outside(p.full.first, p.full.next) {
			return nil, nil
		}
		return find(&q, p.full.blocks, p.full.records, p.full.look)
	}
	p.index.mu.RLock()
	defer p.index.mu.RUnlock()
	return find(&q, p.open.blocks, p.open.records, p.open.look)
}
