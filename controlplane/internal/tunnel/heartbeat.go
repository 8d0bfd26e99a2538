package tunnel

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/sessions"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// settling is how long a fresh session may be missing from an edge's list: the
// list may be older than the answer that opened the session.
const settling = 30 * time.Second

// heartbeat renews the edge's lease, but only when the store answers: a read
// with quorum that the edge is still enrolled, and a renewed presence. Orders
// that are pending go out before the acknowledgement.
func (l *link) heartbeat(ctx context.Context, h *edgev1.Heartbeat) error {
	if len(h.GetSessions()) > maxListed {
		return refuse(codes.InvalidArgument, "too many sessions")
	}
	if err := l.confirm(ctx, h.GetOldestUnshipped().AsDuration()); err != nil {
		if fatal := l.lasting(err); fatal != nil {
			return fatal
		}
		l.server.cfg.Logger.Warn("heartbeat is not acknowledged", "edge", l.edge, "error", err)
		return nil
	}
	if l.reason() != nil {
		return nil // the loop ends next
	}
	if err := l.resync(h); err != nil {
		return err
	}
	if err := l.push(ctx); errors.Is(err, errUnread) {
		l.server.cfg.Logger.Warn("heartbeat is not acknowledged", "edge", l.edge, "error", err)
		return nil
	} else if err != nil {
		return err
	}
	if err := l.reconcile(ctx, h.GetSessions()); err != nil {
		l.server.cfg.Logger.Warn("reconcile sessions", "edge", l.edge, "error", err)
	}
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_HeartbeatAck{HeartbeatAck: &edgev1.HeartbeatAck{
		Sequence: h.GetSequence(), Lease: durationpb.New(l.server.cfg.Lease), Revision: l.server.board.currentPolicy().GetNumber(),
	}}})
}

func (l *link) confirm(ctx context.Context, lag time.Duration) error {
	if err := l.server.authenticate(ctx); err != nil {
		return err
	}
	return l.attend.Renew(ctx, lag)
}

// lasting returns err when it says that this link must end.
func (l *link) lasting(err error) error {
	if errors.Is(err, edges.ErrRefused) || errors.Is(err, edges.ErrSuperseded) {
		return err
	}
	return nil
}

// resync forgets what was sent when the edge does not hold it.
func (l *link) resync(h *edgev1.Heartbeat) error {
	if !bytes.Equal(h.GetStateDigest(), l.digest) {
		l.server.cfg.Logger.Info("edge holds another state, sending it again", "edge", l.edge)
		l.digest, l.version = nil, 0
	}
	p := l.server.board.currentPolicy()
	if p == nil || l.revision != p.Number {
		return nil
	}
	held := h.GetRevision() == p.Number && bytes.Equal(h.GetPolicyDigest(), p.Digest)
	if !held && l.failure == "" {
		l.server.cfg.Logger.Info("edge enforces another revision, sending it again", "edge", l.edge, "revision", p.Number)
		l.revision = 0
	}
	return nil
}

func (l *link) noteEnforced(ctx context.Context, e *edgev1.Enforced) error {
	failure := strings.ToValidUTF8(e.GetError(), "?")
	if len(failure) > maxFailure {
		failure = strings.ToValidUTF8(failure[:maxFailure], "")
	}
	l.failure = failure
	if failure == "" {
		l.enforced = e.GetRevision()
	} else {
		l.server.cfg.Logger.Error("edge cannot enforce a policy revision", "edge", l.edge, "revision", e.GetRevision(), "error", failure)
	}
	err := l.attend.Enforces(ctx, l.enforced, failure)
	if fatal := l.lasting(err); fatal != nil {
		return fatal
	}
	if err != nil {
		l.server.cfg.Logger.Warn("note enforced revision", "edge", l.edge, "error", err)
	}
	return nil
}

// reconcile compares the edge's live sessions with the book's: what the book
// does not have live must end at the edge, and what the edge no longer has is
// closed in the book once it was missing twice.
func (l *link) reconcile(ctx context.Context, listed []string) error {
	held := make(map[string]bool, len(listed))
	for _, id := range listed {
		held[id] = true
	}
	known := map[string]bool{}
	missing := map[string]bool{}
	now := l.server.cfg.Now()
	for _, s := range l.server.board.at(l.edge) {
		known[s.ID] = true
		if held[s.ID] || s.Boot != l.boot || now.Sub(s.StartedAt) < settling {
			continue
		}
		missing[s.ID] = true
		if l.missing[s.ID] {
			if err := l.server.cfg.Sessions.Close(ctx, l.edge, s.ID, "the edge no longer has it"); err != nil {
				return err
			}
		}
	}
	l.missing = missing
	unknown := slices.DeleteFunc(slices.Clone(listed), func(id string) bool { return known[id] })
	return l.endUnknown(ctx, unknown)
}

// endUnknown orders sessions to end that the book, asked with quorum, does not
// have live at this edge.
func (l *link) endUnknown(ctx context.Context, ids []string) error {
	var ends []string
	for _, id := range ids {
		_, err := l.server.cfg.Sessions.AtEdge(ctx, id, l.edge)
		switch {
		case errors.Is(err, sessions.ErrNotFound), errors.Is(err, sessions.ErrForeign), errors.Is(err, sessions.ErrEnded):
			ends = append(ends, id)
		case err != nil:
			return err
		}
	}
	if len(ends) == 0 {
		return nil
	}
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_EndSessions{EndSessions: &edgev1.EndSessions{
		Sessions: ends, Reason: "the control plane has no such live session",
	}}})
}
