package tunnel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

var (
	errMoved  = errors.New("a newer connection is there")
	errSilent = errors.New("the control plane does not acknowledge heartbeats")
)

// keepLinked holds a link, again and again, until ctx ends.
func (c *Client) keepLinked(ctx context.Context, hooks Hooks) error {
	wait := newBackoff(250*time.Millisecond, maxBackoff)
	for {
		conn, moved := c.current()
		acknowledged, err := c.linkOnce(ctx, conn, moved, hooks)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errMoved) {
			continue
		}
		c.cfg.Logger.Warn("link to the control plane broke", "error", err)
		if acknowledged {
			wait.reset() // the lease runs: be back soon
		}
		if errors.Is(err, errSilent) { // another replica may do better
			if err := c.redial(); err != nil {
				c.cfg.Logger.Warn("dial again", "error", err)
			}
		}
		wait.fail()
		if err := sleep(ctx, wait.next()); err != nil {
			return err
		}
	}
}

// link is one control stream; its fields belong to the goroutine that serves
// it.
type link struct {
	client *Client
	hooks  Hooks
	stream grpc.BidiStreamingClient[edgev1.LinkRequest, edgev1.LinkResponse]

	sequence uint64
	sent     map[uint64]time.Time // heartbeats without acknowledgement
	answered time.Time            // when the last acknowledgement came, at first when the link began
	acked    bool                 // one came
	digest   []byte               // of the state held

	revisions chan *edgev1.PolicyRevision // to the compiler, newest only
	enforced  chan *edgev1.Enforced       // from it
	sweeps    chan []Sweep                // to the sweeper, dropped when busy
}

// linkOnce holds one link until it breaks, and tells whether it ever extended the lease.
func (c *Client) linkOnce(ctx context.Context, conn *connection, moved <-chan struct{}, hooks Hooks) (acknowledged bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.tunnel.Link(ctx)
	if err != nil {
		return false, err
	}
	l := &link{
		client: c, hooks: hooks, stream: stream, sent: map[uint64]time.Time{}, answered: c.cfg.Now(),
		revisions: make(chan *edgev1.PolicyRevision, 1), enforced: make(chan *edgev1.Enforced), sweeps: make(chan []Sweep, 1),
	}
	go l.compile(ctx)
	go l.sweep(ctx)
	if err := l.hello(); err != nil {
		return false, streamError(stream, err)
	}
	err = l.serve(ctx, moved)
	return l.acked, err
}

// streamError finds out why sending failed: the reason is on the receiving
// side.
func streamError(stream grpc.BidiStreamingClient[edgev1.LinkRequest, edgev1.LinkResponse], err error) error {
	if _, reason := stream.Recv(); reason != nil {
		return reason
	}
	return err
}

func (l *link) hello() error {
	number, digest := l.client.cfg.Policy.Held()
	err := l.send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Hello{Hello: &edgev1.Hello{
		Version: l.client.cfg.Version, Boot: l.client.cfg.Boot, Endpoints: l.hooks.Endpoints(),
		KubernetesEndpoints: l.hooks.KubernetesEndpoints(), AwsEndpoints: l.hooks.AWSEndpoints(), AwsCa: l.hooks.AWSAuthority, Revision: number, PolicyDigest: digest, Sessions: l.hooks.Sessions(),
	}}})
	if err != nil {
		return err
	}
	return l.beat()
}

// beat sends a heartbeat. Its time is taken before anything else, because the
// lease counts from it.
func (l *link) beat() error {
	now := l.client.cfg.Now()
	if now.Sub(l.answered) > silence {
		return errSilent
	}
	l.sequence++
	l.sent[l.sequence] = now
	number, digest := l.client.cfg.Policy.Held()
	return l.send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Heartbeat{Heartbeat: &edgev1.Heartbeat{
		Sequence: l.sequence, Revision: number, PolicyDigest: digest, StateDigest: l.digest,
		Sessions: l.hooks.Sessions(), OldestUnshipped: durationpb.New(l.hooks.OldestUnshipped()),
	}}})
}

func (l *link) send(m *edgev1.LinkRequest) error { return l.stream.Send(m) }

func (l *link) serve(ctx context.Context, moved <-chan struct{}) error {
	messages, failed := l.receive(ctx)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-moved:
			return errMoved
		case err := <-failed:
			return err
		case <-tick.C:
			err = l.beat()
		case m := <-messages:
			err = l.handle(m)
		case e := <-l.enforced:
			err = l.send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Enforced{Enforced: e}})
		}
		switch {
		case errors.Is(err, errSilent):
			return err
		case err != nil:
			return <-failed // says why
		}
	}
}

func (l *link) receive(ctx context.Context) (<-chan *edgev1.LinkResponse, <-chan error) {
	messages, failed := make(chan *edgev1.LinkResponse), make(chan error, 1)
	go func() {
		for {
			m, err := l.stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case messages <- m:
			case <-ctx.Done():
				failed <- context.Cause(ctx)
				return
			}
		}
	}()
	return messages, failed
}

func (l *link) handle(m *edgev1.LinkResponse) error {
	switch m := m.GetMessage().(type) {
	case *edgev1.LinkResponse_HeartbeatAck:
		l.acknowledged(m.HeartbeatAck)
	case *edgev1.LinkResponse_State:
		l.takeState(m.State)
	case *edgev1.LinkResponse_Policy:
		l.offer(m.Policy)
	case *edgev1.LinkResponse_EndSessions:
		l.hooks.EndSessions(m.EndSessions.GetSessions(), m.EndSessions.GetReason(), m.EndSessions.GetBy())
	case *edgev1.LinkResponse_PrincipalChanged:
		l.hooks.PrincipalChanged(m.PrincipalChanged.GetSessions(), principalOf(m.PrincipalChanged.GetPrincipal()))
	case *edgev1.LinkResponse_SweepLeases:
		select {
		case l.sweeps <- sweepsOf(m.SweepLeases):
		default: // they are asked for again
		}
	default:
		l.client.cfg.Logger.Warn("unknown message from the control plane")
	}
	return nil
}

// acknowledged extends the lease, from when that heartbeat was sent.
func (l *link) acknowledged(ack *edgev1.HeartbeatAck) {
	sent, ok := l.sent[ack.GetSequence()]
	if !ok {
		return
	}
	for seq := range l.sent {
		if seq <= ack.GetSequence() {
			delete(l.sent, seq)
		}
	}
	l.answered, l.acked = l.client.cfg.Now(), true
	l.client.lease.extend(sent, min(ack.GetLease().AsDuration(), maxLease))
	if l.client.state.Load() != nil && l.client.lease.Valid() {
		l.client.readied.Do(func() { close(l.client.ready) })
	}
}

// takeState applies a state whole, or keeps the former one.
func (l *link) takeState(wire *edgev1.State) {
	st, err := stateOf(wire)
	if err != nil {
		l.client.cfg.Logger.Error("state from the control plane is not usable, keeping the former", "error", err)
		return
	}
	l.client.cfg.Policy.SetKeys(st.PolicyKeys)
	l.client.state.Store(&st)
	l.hooks.State(st)
	l.digest = wire.GetDigest()
}

// offer gives the compiler the newest revision, in the place of one that it
// has not begun.
func (l *link) offer(r *edgev1.PolicyRevision) {
	for {
		select {
		case l.revisions <- r:
			return
		case <-l.revisions:
		}
	}
}

// compile enforces revisions beside the link's loop, so that a large one does
// not hold up heartbeats.
func (l *link) compile(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case wire := <-l.revisions:
			e := l.enforce(wire)
			select {
			case l.enforced <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (l *link) enforce(wire *edgev1.PolicyRevision) *edgev1.Enforced {
	r, err := revisionOf(wire)
	if err == nil {
		err = l.client.cfg.Policy.Apply(r)
	}
	number, digest := l.client.cfg.Policy.Held()
	if err != nil {
		l.client.cfg.Logger.Error("POLICY REVISION REFUSED, keeping the last good one", "revision", wire.GetNumber(), "enforcing", number, "error", err)
		return &edgev1.Enforced{Revision: number, Digest: digest, Error: fmt.Sprintf("revision %d: %v", wire.GetNumber(), err)}
	}
	l.client.cfg.Logger.Info("policy revision enforced", "revision", number)
	return &edgev1.Enforced{Revision: number, Digest: digest}
}

func (l *link) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case leases := <-l.sweeps:
			l.hooks.Sweep(ctx, leases)
		}
	}
}
