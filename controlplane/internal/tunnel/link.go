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
	told     map[string]bool // sessions of which another principal than the book's was told

	wake chan struct{}
	stop chan struct{} // closed by end

	mu      sync.Mutex
	ends    []string
	changes map[string]bool // sessions of which the edge must hear who acts in them
	why     error           // set before stop is closed
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
		told: map[string]bool{}, changes: map[string]bool{},
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
	if len(h.GetEndpoints()) > maxEndpoints || len(h.GetKubernetesEndpoints()) > maxEndpoints ||
		len(h.GetAwsEndpoints()) > maxEndpoints || len(h.GetSessions()) > maxListed {
		return refuse(codes.InvalidArgument, "too many endpoints or sessions")
	}
	for _, text := range slices.Concat([]string{h.GetVersion()}, h.GetEndpoints(), h.GetKubernetesEndpoints(), h.GetAwsEndpoints()) {
		if len(text) > maxText || !plain(text) {
			return refuse(codes.InvalidArgument, "version or endpoint is not short plain text")
		}
	}
	if err := checkAuthority(h.GetAwsCa()); err != nil {
		return refuse(codes.InvalidArgument, "aws_ca: "+err.Error())
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
		Edge: l.edge, Boot: l.boot, Version: hello.GetVersion(), Endpoints: hello.GetEndpoints(),
		Kubernetes: hello.GetKubernetesEndpoints(), AWS: hello.GetAwsEndpoints(), AWSCA: hello.GetAwsCa(), Revision: hello.GetRevision(),
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
	for _, s := range l.server.board.at(l.edge) {
		l.told[s.ID] = true // by a former link, perhaps
		l.orderChange(s.ID)
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
			if err = l.push(ctx); errors.Is(err, errUnread) { // the next heartbeat tries again, or goes unanswered
				l.server.cfg.Logger.Warn("tell edge who acts", "edge", l.edge, "error", err)
				err = nil
			}
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

func (l *link) send(m *edgev1.LinkResponse) error { return l.stream.Send(m) }
