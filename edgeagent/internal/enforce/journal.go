package enforce

import (
	"context"
	"fmt"
	"sync"

	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
)

// journal writes the records of one chain in order. It is safe for concurrent use.
type journal struct {
	p *Pipeline

	mu      sync.Mutex
	chain   *audit.Chain
	scratch []byte
}

func (p *Pipeline) newJournal(session string) (*journal, error) {
	chain, err := audit.NewChain(p.cfg.Edge, session)
	if err != nil {
		return nil, fmt.Errorf("start record chain: %w", err)
	}
	return &journal{p: p, chain: chain, scratch: make([]byte, 0, 512)}, nil
}

// write stamps the record, chains it and hands it to the spool. A record that the spool
// refused never was: the next one takes its place in the chain.
func (j *journal) write(r *audit.Record) (_ spool.Position, err error) {
	now := j.p.cfg.Clock()
	r.ID, r.Time = j.p.ids.Next(now), now
	j.mu.Lock()
	defer j.mu.Unlock()
	before := *j.chain
	defer func() {
		if err != nil {
			*j.chain = before
		}
	}()
	rec, err := j.chain.Append(j.scratch[:0], r)
	if err != nil {
		r.Trim()
		if rec, err = j.chain.Append(j.scratch[:0], r); err != nil {
			return 0, fmt.Errorf("encode record: %w", err)
		}
	}
	if cap(rec) <= 64<<10 {
		j.scratch = rec[:0]
	}
	return j.p.cfg.Records.Append(rec)
}

// writeDurable is write, and returns when the record is durable.
func (j *journal) writeDurable(r *audit.Record) error {
	pos, err := j.write(r)
	if err != nil {
		return err
	}
	return j.sync(pos)
}

func (j *journal) sync(pos spool.Position) error {
	ctx, cancel := context.WithTimeout(context.Background(), j.p.cfg.SyncTimeout)
	defer cancel()
	return j.p.cfg.Records.Sync(ctx, pos)
}
