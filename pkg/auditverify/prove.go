package auditverify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/merklelog"
)

// ErrNoRecord is a record that is in no object with an entry.
var ErrNoRecord = errors.New("no such record in the log")

// Proof shows to whoever has the log's public key that a record was logged.
type Proof struct {
	// Inclusion is a proof in the form of C2SP's tlog-proof, with the entry of the object as its extra data.
	Inclusion []byte
	// Object is what the entry is about: a block that has the record in it.
	Object []byte
}

// Prove makes the proof of a record from a copy, of which it checks only what it needs.
func Prove(ctx context.Context, cfg Config, id audit.RecordID) (Proof, error) {
	if cfg.Store == nil || cfg.Key == nil {
		return Proof{}, errors.New("prove: a store and a key are required")
	}
	v := &verification{cfg: cfg, checkpoints: map[int64]stored{}}
	if err := v.findHead(ctx); err != nil {
		return Proof{}, err
	}
	signed, err := fs.ReadFile(cfg.Store, fmt.Sprintf("%s/%016d", checkpointFolder, v.head.Size))
	if err != nil {
		return Proof{}, fmt.Errorf("%w: no checkpoint that is signed with the key", ErrCopy)
	}
	for at, e := range merklelog.Entries(v.read, v.head.Size) {
		if ctx.Err() != nil {
			return Proof{}, ctx.Err()
		}
		entry, err := merklelog.DecodeEntry(e.Entry)
		if e.Err != nil || err != nil || entry.Kind != merklelog.Block || bytes.Compare(id[:], entry.First[:]) < 0 || bytes.Compare(id[:], entry.Last[:]) > 0 {
			continue
		}
		data, err := fs.ReadFile(cfg.Store, entry.Key)
		if err != nil {
			continue
		}
		if _, err := v.recordIn(data, entry, id); err != nil {
			continue
		}
		proof, err := merklelog.ProveInclusion(v.read, v.head, signed, e.Entry, at)
		return Proof{Inclusion: proof, Object: data}, err
	}
	return Proof{}, fmt.Errorf("%w: %s", ErrNoRecord, id)
}

// CheckProof returns the record, and where its object is in the log. It fails with ErrNoRecord, merklelog.ErrProof or merklelog.ErrCheckpoint.
func CheckProof(p Proof, id audit.RecordID, key note.Verifier) (audit.Record, merklelog.Inclusion, error) {
	in, err := merklelog.CheckInclusion(p.Inclusion, key)
	if err != nil {
		return audit.Record{}, in, err
	}
	r, err := new(verification).recordIn(p.Object, in.Entry, id)
	return r, in, err
}

// recordIn finds a record in the object that an entry is about.
func (v *verification) recordIn(data []byte, e merklelog.Entry, id audit.RecordID) (audit.Record, error) {
	if sha256.Sum256(data) != e.SHA256 {
		return audit.Record{}, fmt.Errorf("%w: the object is not that of the entry", merklelog.ErrProof)
	}
	records, err := v.decode(data)
	if err != nil {
		return audit.Record{}, err
	}
	at := slices.IndexFunc(records, func(r audit.Record) bool { return r.ID == id })
	if at < 0 {
		return audit.Record{}, fmt.Errorf("%w: %s", ErrNoRecord, id)
	}
	return records[at], nil
}
