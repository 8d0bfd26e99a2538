package faults

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

// recordStore reads the control plane's record folder itself, so that the judge does not
// depend on what the control plane says.
type recordStore struct {
	dir    string
	blocks map[string]bool // read before
	chains map[string]*chain
	// intents and outcomes are by marker, of the present round.
	intents    map[string]intent
	holds      map[string]bool // hold ids that were filed
	records    int
	duplicates int // stored more than once, as after a lost acknowledgement
}

// intent is what a command's record said before the command was forwarded.
type intent struct {
	at      time.Time
	session string
	hold    string
}

// chain is what is known of one chain of records.
type chain struct {
	hashes map[uint64][audit.HashSize]byte
	last   uint64
	todo   []audit.Record // not verified yet
	verify audit.Verifier
	next   uint64
	closed bool
	came   time.Time // when the last record came
}

func newRecordStore(dir string) *recordStore {
	return &recordStore{dir: dir, blocks: map[string]bool{}, chains: map[string]*chain{}, intents: map[string]intent{}, holds: map[string]bool{}}
}

// read takes in the blocks that are new and verifies the chains as far as they go.
func (s *recordStore) read() error {
	seen := make(map[string]bool, len(s.blocks))
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".blk") {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		seen[path] = true
		if s.blocks[path] {
			return nil
		}
		s.blocks[path] = true
		return s.readBlock(path)
	})
	if err != nil {
		return fmt.Errorf("read record store: %w", err)
	}
	for path := range s.blocks {
		if !seen[path] {
			return fmt.Errorf("record store: block %s is gone", path)
		}
	}
	for id, c := range s.chains {
		if err := c.check(); err != nil {
			return fmt.Errorf("chain of %s: %w", id, err)
		}
	}
	return nil
}

func (s *recordStore) readBlock(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	dec, err := audit.NewBlockDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	_, raw, err := dec.Decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, b := range raw {
		rec, err := audit.Decode(b)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := s.take(rec); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (s *recordStore) take(rec audit.Record) error {
	c := s.chains[rec.Session]
	if c == nil {
		c = &chain{hashes: map[uint64][audit.HashSize]byte{}, next: 1}
		s.chains[rec.Session] = c
	}
	if hash, known := c.hashes[rec.Seq]; known {
		if hash != rec.Hash {
			return fmt.Errorf("two records %d of %s", rec.Seq, rec.Session)
		}
		s.duplicates++
		return nil
	}
	c.hashes[rec.Seq] = rec.Hash
	c.last, c.came = max(c.last, rec.Seq), time.Now()
	c.todo = append(c.todo, rec)
	s.records++
	switch rec.Kind {
	case audit.KindCommand:
		// What looks at a held command's effect carries its marker too; blocks come in any order.
		looks := slices.ContainsFunc(rec.Attrs, func(a audit.Attr) bool { return a.Name == "previews" })
		if marker := markerForm.FindString(rec.Statement); marker != "" && !looks {
			s.intents[marker] = intent{at: rec.Time, session: rec.Session, hold: rec.HoldID}
		}
	case audit.KindHold:
		s.holds[rec.HoldID] = true
	}
	return nil
}

// check verifies what is due; records may come out of order between blocks.
func (c *chain) check() error {
	for progress := true; progress; {
		progress = false
		kept := c.todo[:0]
		for i := range c.todo {
			if c.todo[i].Seq != c.next {
				kept = append(kept, c.todo[i])
				continue
			}
			if err := c.verify.Add(&c.todo[i]); err != nil {
				return err
			}
			c.next++
			progress = true
		}
		c.todo = kept
	}
	c.closed = c.verify.Closed()
	return nil
}

// gaps names the chains of which a middle is missing.
func (s *recordStore) gaps() []string {
	var found []string
	for id, c := range s.chains {
		if len(c.todo) > 0 {
			found = append(found, fmt.Sprintf("%s lacks record %d of %d", id, c.next, c.last))
		}
	}
	return found
}

// missing names the records of a spool that are not in the store.
func (s *recordStore) missing(spooled []audit.Record) []string {
	var found []string
	for _, r := range spooled {
		c := s.chains[r.Session]
		if c == nil {
			found = append(found, fmt.Sprintf("record %d of %s", r.Seq, r.Session))
			continue
		}
		if hash, ok := c.hashes[r.Seq]; !ok || hash != r.Hash {
			found = append(found, fmt.Sprintf("record %d of %s", r.Seq, r.Session))
		}
	}
	return found
}

// Sizes of the spool's format: a batch is "WSP1", the payload's length, 16 more bytes of
// header, and length-prefixed records.
const (
	spoolMagic  = "WSP1"
	spoolHeader = 24
)

// spooled reads the whole records that an edge's spool holds on disk.
func spooled(dir string) ([]audit.Record, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil {
		return nil, err
	}
	var records []audit.Record
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for len(data) >= spoolHeader && string(data[:4]) == spoolMagic {
			n := int(binary.LittleEndian.Uint32(data[4:]))
			if len(data) < spoolHeader+n {
				break // torn by the crash
			}
			payload := data[spoolHeader : spoolHeader+n]
			data = data[spoolHeader+n:]
			for len(payload) >= 4 {
				size := int(binary.LittleEndian.Uint32(payload))
				rec, err := audit.Decode(payload[4 : 4+size])
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				records = append(records, rec)
				payload = payload[4+size:]
			}
		}
	}
	return records, nil
}
