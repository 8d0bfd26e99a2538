package store

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// commit applies ops in one transaction if all conditions hold, else fails
// with otherwise. Under Campaign it also demands that the leadership still
// holds, so that a replica that slept past its term writes nothing.
func (s *Store) commit(ctx context.Context, cmps []clientv3.Cmp, ops []clientv3.Op, otherwise error) (Revision, error) {
	var fallback []clientv3.Op
	term, fenced := ctx.Value(termKey{}).(term)
	if fenced && term.store == s {
		cmps = append(cmps, term.holds())
		fallback = append(fallback, clientv3.OpGet(term.key))
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	resp, err := s.client.Txn(ctx).If(cmps...).Then(ops...).Else(fallback...).Commit()
	if err != nil {
		return 0, s.fault(ctx, err)
	}
	if resp.Succeeded {
		return Revision(resp.Header.Revision), nil
	}
	if len(fallback) > 0 {
		kvs := resp.Responses[0].GetResponseRange().Kvs
		if len(kvs) == 0 || kvs[0].CreateRevision != term.created {
			return 0, ErrNotLeader
		}
	}
	return 0, otherwise
}
