package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// MaxTx is how many keys one transaction may write, and how many keys and
	// ranges it may read (etcd's default --max-txn-ops, less one for the fence
	// of a leader).
	MaxTx = 127

	maxAttempts = 64
	maxTxPause  = 50 * time.Millisecond // between attempts, at most
)

// Tx is one attempt at a transaction. It is used by one goroutine, and only
// until the function it was given to returns.
type Tx struct {
	ctx    context.Context
	store  *Store
	at     int64            // revision of all reads; 0 before the first
	reads  map[string]int64 // key to its mod revision; 0 for absent
	ranges []span
	writes map[string]*write
}

type span struct{ start, end string }

// write is a pending change; data of nil deletes.
type write struct {
	data []byte
	opts []PutOption
}

// Update runs fn as one serialisable transaction over any collections: all of
// its reads are of one revision, and its writes are applied together, only if
// nothing it read (single keys, absent keys and whole ranges) has changed by
// then. Otherwise fn runs again, so fn must have no effect outside tx.
//
// An error of fn ends the transaction and is returned as it is. ErrConflict
// means that it lost every one of its attempts; ErrUnavailable that the
// outcome is unknown.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	for try := range maxAttempts {
		tx := &Tx{ctx: ctx, store: s, reads: map[string]int64{}, writes: map[string]*write{}}
		err := fn(tx)
		if err == nil {
			err = tx.commit()
			if err == nil {
				return nil
			}
			if !errors.Is(err, ErrConflict) {
				return err
			}
		} else if !errors.Is(err, errSnapshotGone) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause(ctx, rand.N(min(time.Millisecond<<min(try, 10), maxTxPause)))
	}
	return ErrConflict
}

// errSnapshotGone: the revision of the attempt was compacted; run again.
var errSnapshotGone = errors.New("snapshot compacted during the transaction")

func (tx *Tx) commit() error {
	if len(tx.writes) == 0 {
		return nil // reads of one revision are consistent as they are
	}
	cmps := make([]clientv3.Cmp, 0, len(tx.reads)+len(tx.ranges))
	for full, rev := range tx.reads {
		cmps = append(cmps, unchanged(full, rev))
	}
	for _, r := range tx.ranges { // keys that came or changed; the gone ones are in reads
		newest := clientv3.Compare(clientv3.ModRevision(r.start).WithRange(r.end), "<", tx.at+1)
		cmps = append(cmps, newest)
	}
	ops := make([]clientv3.Op, 0, len(tx.writes))
	for full, w := range tx.writes {
		if w.data == nil {
			ops = append(ops, clientv3.OpDelete(full))
		} else {
			ops = append(ops, putOp(full, w.data, w.opts))
		}
	}
	if len(cmps) > MaxTx || len(ops) > MaxTx {
		return ErrTooLarge
	}
	_, err := tx.store.commit(tx.ctx, cmps, ops, ErrConflict)
	return err
}

// get reads one key at the revision of the transaction.
func (tx *Tx) get(full string) (*clientv3.GetResponse, error) {
	resp, err := tx.read(full)
	if err != nil {
		return nil, err
	}
	tx.reads[full] = 0
	if len(resp.Kvs) > 0 {
		tx.reads[full] = resp.Kvs[0].ModRevision
	}
	return resp, nil
}

// scan reads a range at the revision of the transaction.
func (tx *Tx) scan(start, end string) (*clientv3.GetResponse, error) {
	resp, err := tx.read(start, clientv3.WithRange(end), clientv3.WithLimit(MaxTx))
	if err != nil {
		return nil, err
	}
	if resp.More {
		return nil, ErrTooLarge
	}
	if r := (span{start, end}); !slices.Contains(tx.ranges, r) {
		tx.ranges = append(tx.ranges, r)
	}
	for _, kv := range resp.Kvs {
		tx.reads[string(kv.Key)] = kv.ModRevision
	}
	return resp, nil
}

func (tx *Tx) read(key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := tx.store.bound(tx.ctx)
	defer cancel()
	resp, err := tx.store.client.Get(ctx, key, append(opts, clientv3.WithRev(tx.at))...)
	if err != nil {
		if err = tx.store.fault(ctx, err); errors.Is(err, ErrCompacted) {
			err = errSnapshotGone
		}
		return nil, err
	}
	if tx.at == 0 {
		tx.at = resp.Header.Revision
	}
	return resp, nil
}
