package tunnel

import (
	"bytes"
	"context"
	"time"

	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// push sends what has changed. The state goes first: it has the keys by which
// the edge checks the policy.
func (l *link) push(ctx context.Context) error {
	if err := l.pushEnds(ctx); err != nil {
		return err
	}
	if err := l.pushState(); err != nil {
		return err
	}
	if err := l.pushPolicy(); err != nil {
		return err
	}
	return l.pushChanges(ctx)
}

func (l *link) pushState() error {
	version := l.server.board.currentVersion()
	if l.version == version && l.digest != nil {
		return nil
	}
	st, err := l.server.board.state(l.edge)
	if err != nil {
		return err
	}
	l.version = version
	if bytes.Equal(st.Digest, l.digest) {
		return nil
	}
	l.digest = st.Digest
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_State{State: st}})
}

func (l *link) pushPolicy() error {
	p := l.server.board.currentPolicy()
	if p == nil || p.Number == l.revision {
		return nil
	}
	l.revision, l.failure = p.Number, ""
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_Policy{Policy: p}})
}

// pushEnds orders sessions to end, with the reason that the book gives.
func (l *link) pushEnds(ctx context.Context) error {
	ids := l.takeEnds()
	if len(ids) == 0 {
		return nil
	}
	type why struct{ reason, by string }
	groups := map[why][]string{}
	for _, id := range ids {
		delete(l.told, id)
		w := why{reason: "the session was ended"}
		if s, err := l.server.cfg.Sessions.Get(ctx, id); err == nil && !s.Live() {
			w = why{s.EndReason, s.EndedBy}
		}
		groups[w] = append(groups[w], id)
	}
	for w, ids := range groups {
		err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_EndSessions{EndSessions: &edgev1.EndSessions{
			Sessions: ids, Reason: w.reason, By: w.by,
		}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// pushSweeps asks the edge to drop the roles that sessions which ended at least
// grace ago left behind at the targets it serves.
func (l *link) pushSweeps(ctx context.Context, grace time.Duration) error {
	leases, err := l.server.cfg.Credentials.Unsettled(ctx, grace, l.server.board.served(l.edge)...)
	if err != nil {
		l.server.cfg.Logger.Warn("look for unsettled leases", "edge", l.edge, "error", err)
		return nil
	}
	if len(leases) == 0 {
		return nil
	}
	sweep := &edgev1.SweepLeases{}
	for _, lease := range leases {
		sweep.Leases = append(sweep.Leases, &edgev1.SweepLeases_Lease{Id: lease.ID, Resource: lease.Resource, Role: lease.Role})
	}
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_SweepLeases{SweepLeases: sweep}})
}
