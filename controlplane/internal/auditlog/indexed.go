package auditlog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/writhq/writ/controlplane/internal/recordindex"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/merklelog"
)

// maxTail is how many entries a search reads beside the index. When the index is further behind, a search lists and reads blocks.
const maxTail = 2048

var (
	// errIndex is an index that cannot be read.
	errIndex  = errors.New("search index")
	errBehind = fmt.Errorf("%w is far behind", errIndex)
)

func splitKey(key string) []string { return strings.Split(key, "/") }

// runIndexed goes back in time by the parts of the index. What the index does not have yet is read.
func (s *search) runIndexed(ctx context.Context) error {
	index := s.log.cfg.Index
	parts, indexed := index.Parts()
	if err := s.queueTail(ctx, indexed); err != nil {
		return err
	}
	q := s.query.indexed(index.Labels())
	for i, part := range parts {
		if compare(part.Last, q.From) < 0 {
			break
		}
		found, err := part.Find(q)
		if err != nil {
			return fmt.Errorf("%w: %w", errIndex, err)
		}
		s.queueFound(found)
		down := q.From
		if i+1 < len(parts) {
			down = maxID(down, after(parts[i+1].Last))
		}
		if err := s.readDown(ctx, down); err != nil {
			return err
		}
	}
	if err := s.readDown(ctx, q.From); err != nil {
		return err
	}
	s.done = true
	return nil
}

func maxID(a, b audit.RecordID) audit.RecordID {
	if compare(a, b) < 0 {
		return b
	}
	return a
}

// after is the id behind another.
func after(id audit.RecordID) audit.RecordID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return id
		}
	}
	for i := range id {
		id[i] = 0xff
	}
	return id
}

// queueTail adds the blocks that the index does not have. Entries without a place are asked for first, so that none is missed that gets its
// place meanwhile.
func (s *search) queueTail(ctx context.Context, indexed int64) error {
	unplaced, err := s.log.cfg.Feed.Unplaced(ctx)
	if err != nil {
		return err
	}
	tail, err := s.tail(ctx, indexed)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	add := func(entries []merklelog.Entry, maybe bool) {
		for _, e := range entries {
			edge, ok := edgeOf(e.Key)
			if !ok || seen[e.Key] || e.Kind != merklelog.Block || !s.mayBeAt(edge) {
				continue
			}
			seen[e.Key] = true
			if p, ok := s.wanted(e.Key, edge); ok {
				p.maybe = maybe
				s.queue = append(s.queue, p)
			}
		}
	}
	add(tail, false)
	add(unplaced, true)
	s.sortQueue()
	return nil
}

// tail returns the entries of the log that are not indexed.
func (s *search) tail(ctx context.Context, from int64) (all []merklelog.Entry, err error) {
	for {
		entries, size, err := s.log.cfg.Feed.Placed(ctx, from+int64(len(all)), maxTail)
		all = append(all, entries...)
		switch {
		case err != nil:
			return nil, err
		case size < from || size-from > maxTail:
			return nil, errBehind
		case from+int64(len(all)) >= size || len(entries) == 0:
			return all, nil
		}
	}
}

// mayBeAt tells whether records of an edge can be asked for.
func (s *search) mayBeAt(edge string) bool {
	return edge == "" || !s.query.calls && (s.only == "" || s.only == edge)
}

// queueFound adds the blocks that the index names.
func (s *search) queueFound(found []recordindex.Found) {
	for _, f := range found {
		if !s.mayBeAt(f.Edge) {
			continue
		}
		p := place{key: f.Key, edge: f.Edge, first: f.First, last: after(f.Last)}
		if f.Damaged {
			var ok bool
			if p, ok = s.wanted(f.Key, f.Edge); !ok {
				continue
			}
		}
		if compare(p.last, s.query.until) > 0 {
			p.last = s.query.until
		}
		s.queue = append(s.queue, p)
	}
	s.sortQueue()
}

// gone tells whether a block that is not there is rightly so.
func (s *search) gone(p place) bool {
	return p.maybe || s.log.cfg.Index != nil && s.log.cfg.Index.Retired(p.key)
}
