package auditlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/merklelog"
)

// ErrForged is a block with records that its sender may not write: of another
// edge, or of a session at another edge.
var ErrForged = errors.New("records of somebody else")

// ErrConflict is a block that differs from the stored one with the same place.
var ErrConflict = errors.New("another block is stored in this place")

// Block is one block as an edge shipped it.
type Block struct {
	Edge, Boot string
	Sequence   uint64 // of the block in the boot
	Data       []byte
}

// Ship checks that every record in the block is the edge's own and returns
// when the block is durable, and its place in the Merkle log certain. The same block may be shipped again. Errors are
// ErrForged, ErrConflict, audit's for what is no block, and ErrStorage.
func (l *Log) Ship(ctx context.Context, b Block) error {
	if err := identity.CheckEdgeName(b.Edge); err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	if err := CheckBoot(b.Boot); err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	key, records, err := l.verify(ctx, b)
	if err != nil {
		return fmt.Errorf("ship block %d: %w", b.Sequence, err)
	}
	err = l.cfg.Registrar.Register(ctx, entryOf(key.String(), b.Data, records), func() error {
		err := l.cfg.Objects.Put(ctx, key.String(), b.Data)
		if errors.Is(err, ErrExists) {
			return l.same(ctx, key.String(), b.Data)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("ship block %d: %w", b.Sequence, err)
	}
	if whose, err := l.ownersOf(ctx, b.Edge, records); err == nil { // else the next search reads the block
		l.summaries.Add(key.String(), summarise(records, whose))
	}
	for _, s := range tallied(records) {
		l.cfg.Tally.Shipped(*s)
	}
	l.stored()
	return nil
}

// entryOf is what the Merkle log says of a block.
func entryOf(key string, data []byte, records []audit.Record) merklelog.Entry {
	e := merklelog.Entry{
		Kind: merklelog.Block, Key: key, SHA256: sha256.Sum256(data), Bytes: int64(len(data)), Records: len(records), First: records[0].ID, Last: records[0].ID,
	}
	for i := range records {
		if id := records[i].ID; compare(id, e.First) < 0 {
			e.First = id
		} else if compare(id, e.Last) > 0 {
			e.Last = id
		}
	}
	return e
}

func (l *Log) same(ctx context.Context, key string, data []byte) error {
	old, err := l.cfg.Objects.Get(ctx, key)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, data) {
		return ErrConflict
	}
	return nil
}

// verify reads every record of the block, which it returns, and makes its key.
func (l *Log) verify(ctx context.Context, b Block) (blockKey, []audit.Record, error) {
	records, err := decodeBlock(b.Data, b.Edge)
	if err != nil {
		return blockKey{}, nil, err
	}
	key := blockKey{edge: b.Edge, boot: b.Boot, sequence: b.Sequence, first: records[0].ID.Time(), last: records[0].ID.Time()}
	checked := make(map[string]bool, 8)
	for i := range records {
		r := &records[i]
		if r.Edge != b.Edge {
			return blockKey{}, nil, fmt.Errorf("%w: record %s names edge %.80q", ErrForged, r.ID, r.Edge)
		}
		if !checked[r.Session] {
			if err := l.checkOwner(ctx, b.Edge, r.Session); err != nil {
				return blockKey{}, nil, err
			}
			checked[r.Session] = true
			key.sessions.add(r.Session)
		}
		if at := r.ID.Time(); at.Before(key.first) {
			key.first = at
		} else if at.After(key.last) {
			key.last = at
		}
	}
	return key, records, nil
}

// checkOwner refuses a session that is at another edge. One that nobody knows
// passes: it may have been refused, or be long over. Since an edge's blocks
// have the edge in their keys, they are never read as another's.
func (l *Log) checkOwner(ctx context.Context, edge, session string) error {
	if session == "" {
		return fmt.Errorf("%w: a record without session", ErrForged)
	}
	o, known, err := l.owner(ctx, session)
	if err != nil {
		return err
	}
	if known && o.edge != edge {
		return fmt.Errorf("%w: session %.80q is not at edge %s", ErrForged, session, edge)
	}
	return nil
}

// decodeBlock reads all records of a block that names edge.
func decodeBlock(data []byte, edge string) ([]audit.Record, error) {
	dec, err := audit.NewBlockDecoder()
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	header, records, err := dec.Records(data)
	if err != nil {
		return nil, err
	}
	if header.Edge != edge {
		return nil, fmt.Errorf("%w: block names edge %.80q", ErrForged, header.Edge)
	}
	return records, nil
}
