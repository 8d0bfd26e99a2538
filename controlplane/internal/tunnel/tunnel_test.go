package tunnel_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/writhq/writ/controlplane/internal/approvals"
	broker "github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

func TestEnrolSpendsTheTokenOnce(t *testing.T) {
	p := newPlane(t)
	join := p.joinToken("edge-a")
	resp, _, err := p.enrol(join)
	if err != nil || resp.GetEdge() != "edge-a" {
		t.Fatalf("enrol: %v, %v", resp, err)
	}
	_, _, err = p.enrol(join)
	wantCode(t, "second use", err, codes.PermissionDenied)
	p.wantRefusal("Enrol")
	_, _, err = p.enrol("writ_join_" + strings.Repeat("A", 43))
	wantCode(t, "made-up token", err, codes.PermissionDenied)

	late := p.joinToken("edge-b")
	p.clock.advance(2 * time.Hour)
	_, _, err = p.enrol(late)
	wantCode(t, "expired token", err, codes.PermissionDenied)
}

func TestBadRequestLeavesTheTokenUnspent(t *testing.T) {
	p := newPlane(t)
	join := p.joinToken("edge-a")
	_, err := edgev1.NewEnrolmentServiceClient(p.dial(nil)).Enrol(t.Context(), &edgev1.EnrolRequest{JoinToken: join, ClientCsr: []byte("x"), ServingCsr: []byte("y")})
	wantCode(t, "bad csr", err, codes.InvalidArgument)
	if _, _, err := p.enrol(join); err != nil {
		t.Fatalf("enrol after a bad request: %v", err)
	}
}

func TestOnlyEnrolledEdgesAreServed(t *testing.T) {
	p := newPlane(t)
	e := p.newEdge("edge-a")
	call := func(e *edge) error {
		_, err := e.tunnel.CloseSession(t.Context(), &edgev1.CloseSessionRequest{Session: session1})
		return err
	}
	if err := call(e); err != nil {
		t.Fatalf("enrolled edge: %v", err)
	}
	stranger := &edge{plane: p, tunnel: edgev1.NewTunnelServiceClient(p.dial(nil))}
	wantCode(t, "no certificate", call(stranger), codes.Unauthenticated)

	again := p.newEdge("edge-a") // enrolled anew
	wantCode(t, "former enrolment", call(e), codes.PermissionDenied)
	if err := call(again); err != nil {
		t.Fatalf("new enrolment: %v", err)
	}
	if err := p.edges.Remove(t.Context(), "edge-a", "alice"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "removed", call(again), codes.PermissionDenied)
	p.wantRefusal("CloseSession")
}

func TestCertificateThatExpiresMeanwhileIsRefused(t *testing.T) {
	p := newPlane(t)
	e := p.newEdge("edge-a")
	call := func() error {
		_, err := e.tunnel.CloseSession(t.Context(), &edgev1.CloseSessionRequest{Session: session1})
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(25 * time.Hour) // the connection stays
	wantCode(t, "expired on a live connection", call(), codes.PermissionDenied)
}

func TestServingCertificateIsNotAClientOne(t *testing.T) {
	p := newPlane(t)
	cert, err := p.authority.ServerCertificate()
	if err != nil {
		t.Fatal(err)
	}
	e := p.edgeWith("x", tls.Certificate{Certificate: cert.Certificate, PrivateKey: cert.PrivateKey})
	_, err = e.tunnel.CloseSession(t.Context(), &edgev1.CloseSessionRequest{Session: session1})
	if err == nil {
		t.Fatal("a server certificate was taken for an edge's")
	}
}

func TestLinkPushesWhatChanges(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	p.apply("other-db", static(), "edge-b")
	_, l, st, rev := p.connect("edge-a")
	for len(st.GetResources()) == 0 { // linked before the change was seen
		st = await(t, "state with the resource", l.state)
	}
	if len(st.GetResources()) != 1 || st.GetResources()[0].GetName() != "orders-db" {
		t.Fatalf("resources: %v", st.GetResources())
	}
	if strings.Contains(st.String(), "hunter2") || st.GetResources()[0].GetPostgres().GetCredential().GetStatic().GetPassword() != "" {
		t.Fatal("the state holds a password")
	}
	if rev.GetNumber() != 1 {
		t.Fatalf("revision %d", rev.GetNumber())
	}
	if _, _, err := p.locks.Create(t.Context(), locks.Order{Target: locks.Principal, Name: "mallory", Reason: "leaked", By: "alice"}); err != nil {
		t.Fatal(err)
	}
	for len(st.GetLocks()) == 0 {
		st = await(t, "state with a lock", l.state)
	}
	if len(st.GetLocks()) != 1 || st.GetLocks()[0].GetName() != "mallory" {
		t.Fatalf("locks: %v", st.GetLocks())
	}
	p.push(bundle + "// second\n")
	if rev = await(t, "second revision", l.policy); rev.GetNumber() != 2 {
		t.Fatalf("revision %d", rev.GetNumber())
	}
}

func TestMissedChangeIsFoundByDigest(t *testing.T) {
	p := newPlane(t)
	_, l, st, rev := p.connect("edge-a") // nothing changes after this
	l.beat(st, rev)
	ack := await(t, "ack", l.ack)
	if ack.GetSequence() != 1 || ack.GetLease().AsDuration() != 15*time.Second || ack.GetRevision() != 1 {
		t.Fatalf("ack: %v", ack)
	}
	if len(l.state)+len(l.policy) != 0 {
		t.Fatal("something was sent again without need")
	}
	forgot := proto.CloneOf(st)
	forgot.Digest = []byte("something else")
	l.beat(forgot, &edgev1.PolicyRevision{})
	if got := await(t, "state again", l.state); !proto.Equal(got, st) {
		t.Fatalf("got %v", got)
	}
	if got := await(t, "policy again", l.policy); got.GetNumber() != 1 {
		t.Fatalf("got %v", got)
	}
}

func TestRevisionThatFailsIsNotSentOverAndOver(t *testing.T) {
	p := newPlane(t)
	_, l, st, _ := p.connect("edge-a")
	err := l.stream.Send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Enforced{Enforced: &edgev1.Enforced{Error: "does not compile"}}})
	if err != nil {
		t.Fatal(err)
	}
	l.beat(st, nil)
	await(t, "ack", l.ack)
	if len(l.policy) != 0 {
		t.Fatal("the failing revision was sent again")
	}
	all, err := p.edges.List(t.Context())
	if err != nil || len(all) != 1 || !all[0].Connected || all[0].Presence.Error != "does not compile" {
		t.Fatalf("edges: %+v, %v", all, err)
	}
}

func TestLockedAndRemovedEdgesAreCutOff(t *testing.T) {
	p := newPlane(t)
	e, l, _, _ := p.connect("edge-a")
	lock, _, err := p.locks.Create(t.Context(), locks.Order{Target: locks.Edge, Name: "edge-a", Reason: "compromised", By: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "link of a locked edge", await(t, "end", l.closed), codes.PermissionDenied)
	again := e.link()
	wantCode(t, "new link of a locked edge", await(t, "end", again.closed), codes.PermissionDenied)
	if err := p.locks.Remove(t.Context(), lock.ID, "alice"); err != nil {
		t.Fatal(err)
	}
	var free *linked
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && free == nil; {
		try := e.link()
		select {
		case <-try.state:
			free = try
		case <-try.closed:
		}
	}
	if free == nil {
		t.Fatal("an unlocked edge gets no link")
	}
	if err := p.edges.Remove(t.Context(), "edge-a", "alice"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "link of a removed edge", await(t, "end", free.closed), codes.PermissionDenied)
}

func TestOpenSession(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	g, access := p.grant("orders-db")
	resp, err := e.open(session1, access)
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetPrincipal().GetName() != "agent-7" || resp.GetResource() != "orders-db" || resp.GetGrant() != g.ID ||
		resp.GetRequestReason() != "look at orders" || string(resp.GetCredential().GetPassword()) != "hunter2" {
		t.Fatalf("got %v", resp)
	}
	s, err := p.sessions.Get(t.Context(), session1)
	if err != nil || !s.Live() || s.Boot != e.boot || s.Lease != resp.GetCredential().GetLease() {
		t.Fatalf("session: %+v, %v", s, err)
	}
	_, err = e.open(session1, access)
	wantCode(t, "same id again", err, codes.AlreadyExists)
	for range 2 {
		if _, err := e.tunnel.CloseSession(t.Context(), &edgev1.CloseSessionRequest{Session: session1, Reason: "bye"}); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if s, _ = p.sessions.Get(t.Context(), session1); s.Live() || s.EndReason != "bye" {
		t.Fatalf("session: %+v", s)
	}
	_, err = e.open(session1, access)
	wantCode(t, "id of an ended session", err, codes.AlreadyExists)
}

func TestOpenSessionRefuses(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	p.apply("other-db", static(), "edge-b")
	e, _, _, _ := p.connect("edge-a")
	g, access := p.grant("orders-db")
	_, elsewhere := p.grant("other-db")
	foreign := g
	foreign.Principal.ID = "mallory"
	revoked, dead := p.grant("orders-db")
	if _, _, err := p.approvals.Revoke(t.Context(), approvals.Revocation{Grant: revoked.ID, By: "alice", Reason: "done"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, session, token string
		want                 codes.Code
	}{
		{"no token", session1, "", codes.Unauthenticated},
		{"not a token", session1, "hunter2", codes.Unauthenticated},
		{"changed token", session1, access[:len(access)-40] + "AAAA" + access[len(access)-36:], codes.Unauthenticated},
		{"resource of another edge", session1, elsewhere, codes.PermissionDenied},
		{"grant of somebody else", session1, p.token(foreign, "orders-db"), codes.PermissionDenied},
		{"grant of another resource", session1, p.token(g, "other-db"), codes.PermissionDenied},
		{"revoked grant", session1, dead, codes.PermissionDenied},
		{"bad session id", "nonsense", access, codes.InvalidArgument},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(p.refusals())
			_, err := e.open(tt.session, tt.token)
			wantCode(t, "open", err, tt.want)
			if tt.token != "" && strings.Contains(err.Error(), tt.token) {
				t.Fatal("the refusal holds the token")
			}
			if got := len(p.refusals()); got != before+1 {
				t.Fatalf("%d refusals were recorded, want 1", got-before)
			}
		})
	}
	live, err := p.sessions.List(t.Context(), sessions.Query{All: true})
	if err != nil || len(live.Sessions) != 0 {
		t.Fatalf("sessions: %v, %v", live, err)
	}
	p.clock.advance(65 * time.Minute)
	_, err = p.newEdge("edge-a").open(session1, access)
	wantCode(t, "expired token", err, codes.PermissionDenied)
}

func TestOpenSessionNeedsAPlaceToRecord(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, access := p.grant("orders-db")
	p.objects.fail(true)
	_, err := e.open(session1, access)
	wantCode(t, "open", err, codes.Unavailable)
	if s, err := p.sessions.Get(t.Context(), session1); err != nil || s.Live() {
		t.Fatalf("session: %+v, %v", s, err)
	}
}

func TestKillReachesTheEdge(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, l, st, rev := p.connect("edge-a")
	g, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	if _, n, err := p.approvals.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "alice", Reason: "enough"}); err != nil || n != 1 {
		t.Fatalf("revoke: %d, %v", n, err)
	}
	end := await(t, "order", l.ends)
	if !slices.Equal(end.GetSessions(), []string{session1}) || end.GetBy() != "alice" || !strings.Contains(end.GetReason(), "enough") {
		t.Fatalf("order: %v", end)
	}
	l.beat(st, rev, session1) // the edge did not hear it
	end = await(t, "order again", l.ends)
	if !slices.Equal(end.GetSessions(), []string{session1}) {
		t.Fatalf("order: %v", end)
	}
}

func TestSessionsTheEdgeLostAreClosed(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, l, st, rev := p.connect("edge-a")
	_, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	live := func() bool {
		s, err := p.sessions.Get(t.Context(), session1)
		if err != nil {
			t.Fatal(err)
		}
		return s.Live()
	}
	for range 3 { // a fresh session may be missing from an older list
		l.beat(st, rev)
		await(t, "ack", l.ack)
	}
	if !live() {
		t.Fatal("a fresh session was closed")
	}
	p.clock.advance(time.Minute)
	for deadline := time.Now().Add(patience); live(); {
		if time.Now().After(deadline) {
			t.Fatal("a session that the edge does not have is still live")
		}
		l.beat(st, rev)
		await(t, "ack", l.ack)
	}
}

func TestRestartedEdgeLosesItsSessions(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", dynamic(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, access := p.grant("orders-db")
	resp, err := e.open(session1, access)
	if err != nil {
		t.Fatal(err)
	}
	role := resp.GetCredential().GetUser()
	if !strings.HasPrefix(role, broker.RolePrefix) || resp.GetCredential().GetRole() == nil {
		t.Fatalf("credential: %v", resp.GetCredential())
	}
	e.boot = "boot-2"
	l := e.link()
	await(t, "state", l.state)
	if s, _ := p.sessions.Get(t.Context(), session1); s.Live() {
		t.Fatal("the session outlived its edge's process")
	}
	p.clock.advance(time.Minute)
	sweep := await(t, "sweep", l.sweeps)
	if len(sweep.GetLeases()) != 1 || sweep.GetLeases()[0].GetRole() != role {
		t.Fatalf("sweep: %v", sweep)
	}
	rogue := p.newEdge("edge-b")
	_, err = rogue.tunnel.SettleLease(t.Context(), &edgev1.SettleLeaseRequest{Lease: sweep.GetLeases()[0].GetId()})
	wantCode(t, "settle by an edge that does not serve it", err, codes.PermissionDenied)
	if _, err := e.tunnel.SettleLease(t.Context(), &edgev1.SettleLeaseRequest{Lease: sweep.GetLeases()[0].GetId()}); err != nil {
		t.Fatal(err)
	}
	if left, err := p.broker.Unsettled(t.Context(), 0, "orders-db"); err != nil || len(left) != 0 {
		t.Fatalf("unsettled: %v, %v", left, err)
	}
}

func TestRogueEdge(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	rogue, _, _, _ := p.connect("edge-b")
	_, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, err := rogue.tunnel.ServiceCredential(ctx, &edgev1.ServiceCredentialRequest{Resource: "orders-db"})
	wantCode(t, "credential of a resource it does not serve", err, codes.PermissionDenied)
	if rec := p.wantRefusal("ServiceCredential"); rec.Resource != "orders-db" {
		t.Fatalf("record: %+v", rec)
	}
	_, err = rogue.open("ses-01hzzzzzzzzzzzzzzzzzzzzzz2", access)
	wantCode(t, "session on a resource it does not serve", err, codes.PermissionDenied)
	_, err = rogue.tunnel.CloseSession(ctx, &edgev1.CloseSessionRequest{Session: session1})
	wantCode(t, "close of another edge's session", err, codes.PermissionDenied)
	_, err = rogue.tunnel.RenewSession(ctx, &edgev1.RenewSessionRequest{Session: session1})
	wantCode(t, "renewal of another edge's session", err, codes.PermissionDenied)
	_, err = rogue.tunnel.SpendApproval(ctx, &edgev1.SpendApprovalRequest{Session: session1, Hold: "hold-x"})
	wantCode(t, "approval of another edge's session", err, codes.PermissionDenied)
	hold, err := rogue.tunnel.Hold(ctx, &edgev1.HoldRequest{Session: session1})
	if err == nil {
		_, err = hold.Recv()
	}
	wantCode(t, "hold on another edge's session", err, codes.PermissionDenied)

	ship, err := rogue.tunnel.Ship(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := ship.Send(&edgev1.ShipRequest{Boot: "b", Sequence: 1, Block: blockOf(t, "edge-b", session1, audit.KindCommand)}); err != nil {
		t.Fatal(err)
	}
	_, err = ship.Recv()
	wantCode(t, "records of another edge's session", err, codes.PermissionDenied)
	ship, err = rogue.tunnel.Ship(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := ship.Send(&edgev1.ShipRequest{Boot: "b", Sequence: 1, Block: blockOf(t, "edge-a", session1, audit.KindCommand)}); err != nil {
		t.Fatal(err)
	}
	_, err = ship.Recv()
	wantCode(t, "records of another edge", err, codes.PermissionDenied)
	p.wantRefusal("Ship")
	for rec, err := range p.records.Records(ctx, session1, false) {
		t.Fatalf("a forged record is replayed: %+v, %v", rec, err)
	}
	if s, _ := p.sessions.Get(ctx, session1); !s.Live() {
		t.Fatal("the rogue edge ended a session of another")
	}
}

// blockOf makes a block with one chain of records.
func blockOf(t *testing.T, edge, session string, kinds ...audit.Kind) []byte {
	t.Helper()
	ids := must[*audit.IDSource](t)(audit.NewIDSource(strings.NewReader("abcdefghijkl")))
	chain := must[*audit.Chain](t)(audit.NewChain(edge, session))
	var raw [][]byte
	for _, k := range kinds {
		r := &audit.Record{ID: ids.Next(time.Now()), Time: time.Now(), Kind: k}
		raw = append(raw, must[[]byte](t)(chain.Append(nil, r)))
	}
	enc := must[*audit.BlockEncoder](t)(audit.NewBlockEncoder(edge))
	return must[[]byte](t)(enc.Encode(nil, raw))
}

func TestShipIsDurableAndIdempotent(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	block := blockOf(t, "edge-a", session1, audit.KindSessionOpen, audit.KindCommand, audit.KindOutcome, audit.KindSessionClose)
	ship := func() error {
		s, err := e.tunnel.Ship(t.Context())
		if err != nil {
			return err
		}
		if err := s.Send(&edgev1.ShipRequest{Boot: e.boot, Sequence: 7, Block: block}); err != nil {
			return err
		}
		ack, err := s.Recv()
		if err == nil && ack.GetSequence() != 7 {
			t.Fatalf("ack %v", ack)
		}
		return err
	}
	p.objects.fail(true)
	wantCode(t, "ship without storage", ship(), codes.Unavailable)
	p.objects.fail(false)
	for range 3 { // as after a lost acknowledgement
		if err := ship(); err != nil {
			t.Fatal(err)
		}
	}
	var seqs []uint64
	for r, err := range p.records.Records(t.Context(), session1, true) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, r.Seq)
	}
	if !slices.Equal(seqs, []uint64{1, 2, 3, 4}) {
		t.Fatalf("replayed %v", seqs)
	}
	if err := p.edges.Remove(t.Context(), "edge-a", "alice"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "ship by a removed edge", ship(), codes.PermissionDenied)
}

func TestGrantExpiryEndsTheSessionUnlessExtended(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, l, _, _ := p.connect("edge-a")
	g, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	_, longer, err := p.approvals.Create(t.Context(), approvals.Ask{Principal: agent, Resource: "orders-db", Duration: time.Hour, Reason: "more", Extend: g.ID})
	if err != nil || longer == nil {
		t.Fatalf("extend: %v, %v", longer, err)
	}
	p.clock.advance(61 * time.Minute)
	if err := p.sweeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, _ := p.sessions.Get(t.Context(), session1); !s.Live() || !s.ExpiresAt.Equal(longer.ExpiresAt) {
		t.Fatalf("extended session: %+v", s)
	}
	p.clock.advance(61 * time.Minute)
	if err := p.sweeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, _ := p.sessions.Get(t.Context(), session1); s.Live() {
		t.Fatal("the session outlived its grant")
	}
	await(t, "order", l.ends)
}

func TestEdgeThatStaysAwayLosesItsSessions(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", dynamic(), "edge-a")
	e, l, _, _ := p.connect("edge-a")
	_, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	_ = e.conn.Close()
	await(t, "end", l.closed)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if boots, err := p.edges.Boots(t.Context()); err == nil && len(boots) == 0 {
			break
		}
	}
	for _, step := range []struct {
		after time.Duration
		live  bool
	}{{0, true}, {19 * time.Second, true}, {2 * time.Second, false}} {
		p.clock.advance(step.after)
		if err := p.sweeper.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, _ := p.sessions.Get(t.Context(), session1); s.Live() != step.live {
			t.Fatalf("after %s more: %+v", step.after, s)
		}
	}
	if left, err := p.broker.Unsettled(t.Context(), 0, "orders-db"); err != nil || len(left) != 1 {
		t.Fatalf("unsettled: %v, %v", left, err)
	}
}
