// Package auditverify holds a copy of the object store to its Merkle log. All that it needs besides the copy is the log's public key, and
// to notice that a whole store was put back to an older state, a checkpoint that somebody kept elsewhere.
package auditverify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/pkg/merklelog"
)

// Kind names what is wrong.
type Kind string

// The kinds of damage.
const (
	BadCheckpoint   Kind = "bad checkpoint"   // not signed with the key, or not of what is stored
	RolledBack      Kind = "rolled back"      // there was more: a kept checkpoint, or the store itself, says so
	BadLog          Kind = "bad log"          // a tile or bundle is missing or altered
	MissingObject   Kind = "missing object"   // it has an entry and is not there
	AlteredObject   Kind = "altered object"   // it is not what its entry says
	UnknownObject   Kind = "unknown object"   // it has no entry
	BrokenChain     Kind = "broken chain"     // records of a session are missing, altered or out of order
	ForeignObject   Kind = "foreign object"   // it is not where its content belongs
	MalformedObject Kind = "malformed object" // its entry is right, but it cannot be read
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind    Kind   `json:"kind"`
	Object  string `json:"object,omitempty"`  // its path in the store
	Entry   int64  `json:"entry,omitempty"`   // in the log, from 0
	Session string `json:"session,omitempty"` // of records
	Seq     uint64 `json:"seq,omitempty"`     // of the record in its session
	Detail  string `json:"detail"`
}

func (f Finding) String() string {
	s := string(f.Kind)
	if f.Object != "" {
		s += " " + f.Object
	}
	if f.Session != "" {
		s += fmt.Sprintf(", session %q, record %d", f.Session, f.Seq)
	}
	return s + ": " + f.Detail
}

// Config is what Verify needs. Everything without a stated default is required.
type Config struct {
	// Store is the copy: the folder that the control plane stores in, or what is under its prefix in a bucket.
	Store fs.FS
	// Key is the log's public key.
	Key note.Verifier
	// Kept are signed checkpoints that were kept elsewhere. The log has to go on from each. Default none, and then a store that was
	// put back whole to an older state looks as it did then.
	Kept [][]byte
	// Progress hears now and then how many objects of how many were read. Default nobody.
	Progress func(done, of int64)
	// Workers is how many objects are read at a time. Default 4.
	Workers int
}

// Report is what was found.
type Report struct {
	Origin string         `json:"origin"`
	Size   int64          `json:"size"` // entries in the log
	Root   merklelog.Hash `json:"root"`

	Objects  int64 `json:"objects"`
	Records  int64 `json:"records"`
	Sessions int   `json:"sessions"`
	// Unfinished sessions have no record of their end: they live, or their edge went down.
	Unfinished int   `json:"unfinished"`
	Retired    int64 `json:"retired"` // objects whose time was over
	// Pending objects have no entry and are about as new as the newest that have one: the log of a store in use gets theirs within seconds.
	Pending int `json:"pending"`

	Findings []Finding `json:"findings"`
	// Dropped is how many findings there are besides.
	Dropped int `json:"dropped,omitempty"`
}

// maxFindings bounds a report.
const maxFindings = 1000

// ErrCopy is a copy that cannot be read at all.
var ErrCopy = errors.New("the copy of the store cannot be read")

// Verify reads the whole copy. Damage is in the report and no error.
func Verify(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Store == nil || cfg.Key == nil {
		return Report{}, errors.New("verify: a store and a key are required")
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 4
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int64, int64) {}
	}
	if _, err := fs.Stat(cfg.Store, "."); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrCopy, err)
	}
	v := &verification{cfg: cfg, report: Report{Origin: cfg.Key.Name()}, segments: map[chain][]segment{}, known: map[string]bool{}}
	for _, step := range []func(context.Context) error{v.findHead, v.readLog, v.readObjects, v.joinChains, v.findUnknown} {
		if err := step(ctx); err != nil {
			return v.report, err
		}
	}
	slices.SortStableFunc(v.report.Findings, func(a, b Finding) int { return cmp.Compare(a.Entry, b.Entry) })
	return v.report, nil
}

// verification is one run of Verify.
type verification struct {
	cfg    Config
	report Report

	head        merklelog.Checkpoint
	checkpoints map[int64]stored    // by size
	entries     []merklelog.Entry   // by place; without a key where one cannot be read
	levels      [][]merklelog.Hash  // hashes of full tiles, by level
	segments    map[chain][]segment // of the sessions' chains
	known       map[string]bool     // objects with an entry
	newest      time.Time           // of the records that have one
	decoders    sync.Pool           // *audit.BlockDecoder
}

func (v *verification) found(f Finding) {
	if len(v.report.Findings) == maxFindings {
		v.report.Dropped++
		return
	}
	v.report.Findings = append(v.report.Findings, f)
}

// read is a merklelog.Reader.
func (v *verification) read(path string) ([]byte, error) {
	return fs.ReadFile(v.cfg.Store, logFolder+"/"+path)
}
