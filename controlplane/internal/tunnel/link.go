package tunnel

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/sessions"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const (
	helloTimeout = 10 * time.Second
	leaveTimeout = 3 * time.Second
	maxListed    = 20_000 // sessions in one heartbeat
	maxEndpoints = 16
	maxText      = 255
	maxFailure   = 4096
	// settling is how long a fresh session may be missing from an edge's list:
	// the list may be older than the answer that opened the session.
	settling = 30 * time.Second
)

// link is one edge's control stream. Its fields up to mu belong to the one
// goroutine that serves it.
type link struct {
	edge, boot, enrolment string

	server   *Server
	stream   grpc.BidiStreamingServer[edgev1.LinkRequest, edgev1.LinkResponse]
	attend   *edges.Attendance
	enforced uint64
	failure  string // why a revision is not enforced
	version  uint64 // of the board, as last looked at
	digest   []byte // of the state last sent
	revision uint64 // of the policy last sent
	missing  map[string]bool

	wake chan struct{}
	stop chan struct{} // closed by end

	mu   sync.Mutex
	ends []string
	why  error // set before stop is closed
}

func (l *link) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// end makes the link's goroutine return err. The first counts.
func (l *link) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = err
		close(l.stop)
	}
}

func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

func (l *link) orderEnd(id string) {
	l.mu.Lock()
	l.ends = append(l.ends, id)
	l.mu.Unlock()
	l.wakeUp()
}

func (l *link) takeEnds() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := l.ends
	l.ends = nil
	return ends
}

// Link implements edge.v1.
func (s *Server) Link(stream grpc.BidiStreamingServer[edgev1.LinkRequest, edgev1.LinkResponse]) error {
	if !s.board.ready() {
		return errNotReady
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	messages, failed := receive(ctx, stream)
	hello, err := awaitHello(ctx, messages, failed)
	if err != nil {
		return err
	}
	c := caller(ctx)
	l := &link{
		edge: c.peer.Name, boot: hello.GetBoot(), enrolment: c.peer.Enrolment, server: s, stream: stream,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), missing: map[string]bool{},
	}
	if err := s.board.join(l); err != nil {
		return err
	}
	defer s.board.leave(l)
	if err := s.authenticate(ctx); err != nil { // again: it may have been removed before the link was on the board
		return err
	}
	defer l.depart(ctx)
	if err := l.begin(ctx, hello); err != nil {
		return err
	}
	s.cfg.Logger.Info("edge connected", "edge", l.edge, "boot", l.boot, "version", hello.GetVersion())
	err = l.serve(ctx, messages, failed)
	s.cfg.Logger.Info("edge disconnected", "edge", l.edge, "reason", err)
	return err
}

// receive reads the stream until it fails or ctx ends.
func receive(ctx context.Context, stream grpc.BidiStreamingServer[edgev1.LinkRequest, edgev1.LinkResponse]) (<-chan *edgev1.LinkRequest, <-chan error) {
	messages, failed := make(chan *edgev1.LinkRequest), make(chan error, 1)
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case messages <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	return messages, failed
}

func awaitHello(ctx context.Context, messages <-chan *edgev1.LinkRequest, failed <-chan error) (*edgev1.Hello, error) {
	t := time.NewTimer(helloTimeout)
	defer t.Stop()
	select {
	case m := <-messages:
		hello := m.GetHello()
		if hello == nil {
			return nil, refuse(codes.InvalidArgument, "the first message of a link must be a hello")
		}
		return hello, checkHello(hello)
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-t.C:
		return nil, refuse(codes.InvalidArgument, "no hello came")
	}
}

func checkHello(h *edgev1.Hello) error {
	if err := auditlog.CheckBoot(h.GetBoot()); err != nil {
		return refuse(codes.InvalidArgument, err.Error())
	}
	if len(h.GetEndpoints()) > maxEndpoints || len(h.GetSessions()) > maxListed {
		return refuse(codes.InvalidArgument, "too many endpoints or sessions")
	}
	for _, text := range append([]string{h.GetVersion()}, h.GetEndpoints()...) {
		if len(text) > maxText || !plain(text) {
			return refuse(codes.InvalidArgument, "version or endpoint is not short plain text")
		}
	}
	return nil
}

func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// begin makes the edge present, closes what a former process of it left, and
// compares what it has with what it should have.
func (l *link) begin(ctx context.Context, hello *edgev1.Hello) error {
	attend, err := l.server.cfg.Edges.Announce(ctx, edges.Presence{
		Edge: l.edge, Boot: l.boot, Version: hello.GetVersion(), Endpoints: hello.GetEndpoints(), Revision: hello.GetRevision(),
	})
	if err != nil {
		return err
	}
	l.attend, l.enforced = attend, hello.GetRevision()
	if err := l.closeFormer(ctx); err != nil {
		return err
	}
	if err := l.pushState(); err != nil {
		return err
	}
	if p := l.server.board.currentPolicy(); p != nil && p.Number == hello.GetRevision() && bytes.Equal(p.Digest, hello.GetPolicyDigest()) {
		l.revision = p.Number
	}
	if err := l.pushPolicy(); err != nil {
		return err
	}
	return l.reconcile(ctx, hello.GetSessions())
}

func (l *link) closeFormer(ctx context.Context) error {
	var former []string
	for _, s := range l.server.board.at(l.edge) {
		if s.Boot != l.boot {
			former = append(former, s.ID)
		}
	}
	if len(former) == 0 {
		return nil
	}
	_, err := l.server.cfg.Sessions.End(ctx, sessions.Filter{IDs: former, Edge: l.edge}, "the edge restarted", "")
	return err
}

// depart ends the presence, also when ctx has ended.
func (l *link) depart(ctx context.Context) {
	if l.attend == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err := l.attend.Leave(ctx); err != nil {
		l.server.cfg.Logger.Warn("end presence", "edge", l.edge, "error", err)
	}
}

func (l *link) serve(ctx context.Context, messages <-chan *edgev1.LinkRequest, failed <-chan error) error {
	sweep := time.NewTicker(l.server.cfg.SweepInterval)
	defer sweep.Stop()
	// What was left before this link came waits for nobody.
	if err := l.pushSweeps(ctx, 0); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-l.stop:
			return l.reason()
		case err := <-failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-messages:
			err = l.handle(ctx, m)
		case <-l.wake:
			err = l.push(ctx)
		case <-sweep.C:
			err = l.pushSweeps(ctx, l.server.cfg.SweepInterval/3)
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) handle(ctx context.Context, m *edgev1.LinkRequest) error {
	switch m := m.GetMessage().(type) {
	case *edgev1.LinkRequest_Heartbeat:
		return l.heartbeat(ctx, m.Heartbeat)
	case *edgev1.LinkRequest_Enforced:
		return l.noteEnforced(ctx, m.Enforced)
	}
	return refuse(codes.InvalidArgument, "unexpected message on a link")
}

// heartbeat renews the edge's lease, but only when the store answers: a read
// with quorum that the edge is still enrolled, and a renewed presence. Orders
// that are pending go out before the acknowledgement.
func (l *link) heartbeat(ctx context.Context, h *edgev1.Heartbeat) error {
	if len(h.GetSessions()) > maxListed {
		return refuse(codes.InvalidArgument, "too many sessions")
	}
	if err := l.confirm(ctx); err != nil {
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
	if err := l.push(ctx); err != nil {
		return err
	}
	if err := l.reconcile(ctx, h.GetSessions()); err != nil {
		l.server.cfg.Logger.Warn("reconcile sessions", "edge", l.edge, "error", err)
	}
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_HeartbeatAck{HeartbeatAck: &edgev1.HeartbeatAck{
		Sequence: h.GetSequence(), Lease: durationpb.New(l.server.cfg.Lease), Revision: l.server.board.currentPolicy().GetNumber(),
	}}})
}

func (l *link) confirm(ctx context.Context) error {
	if err := l.server.authenticate(ctx); err != nil {
		return err
	}
	return l.attend.Renew(ctx)
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

// push sends what has changed. The state goes first: it has the keys by which
// the edge checks the policy.
func (l *link) push(ctx context.Context) error {
	if err := l.pushEnds(ctx); err != nil {
		return err
	}
	if err := l.pushState(); err != nil {
		return err
	}
	return l.pushPolicy()
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
	leases, err := l.server.cfg.Credentials.Unsettled(ctx, grace)
	if err != nil {
		l.server.cfg.Logger.Warn("look for unsettled leases", "edge", l.edge, "error", err)
		return nil
	}
	st, err := l.server.board.state(l.edge)
	if err != nil {
		return err
	}
	served := map[string]bool{}
	for _, r := range st.Resources {
		served[r.Name] = true
	}
	sweep := &edgev1.SweepLeases{}
	for _, lease := range leases {
		if served[lease.Resource] && lease.Role != "" {
			sweep.Leases = append(sweep.Leases, &edgev1.SweepLeases_Lease{Id: lease.ID, Resource: lease.Resource, Role: lease.Role})
		}
	}
	if len(sweep.Leases) == 0 {
		return nil
	}
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_SweepLeases{SweepLeases: sweep}})
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

func (l *link) send(m *edgev1.LinkResponse) error { return l.stream.Send(m) }
