package enforce

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// Admission is a client that wants a session.
type Admission struct {
	Session     string // chosen by the pipeline
	Token       string // the access token, as the client sent it
	Protocol    string // "postgres", "kubernetes"
	ClientAddr  netip.AddrPort
	Application string // the name the client gave itself
}

// Admitted is what the control plane answered.
type Admitted struct {
	Principal policy.Principal
	Resource  policy.Resource
	Grant     string
	// Actions narrow the session to what the grant holds; empty is all that policy permits.
	Actions       []policy.Action
	ExpiresAt     time.Time
	RequestReason string
	Ticket        string
	BreakGlass    bool // the grant was asked for without approvers
	// Credential signs in upstream. It is wiped by the protocol after use.
	Credential Credential
	// ClientSecret is what the client signs its requests with, where it signs them.
	ClientSecret []byte
}

// Credential is a leased upstream credential. It lives in memory only.
type Credential struct {
	Lease     string
	User      string
	Password  []byte
	ExpiresAt time.Time
	// Role is set when the edge has to create User first and drop it at the end.
	Role *Role
	// ClientCertificate (PEM) signs in, with Password as its key (PEM).
	ClientCertificate []byte
	// TokenRequest is set when Password is good for nothing but to ask the target for a token, which then signs in.
	TokenRequest *TokenRequest
	// AWS signs requests, in the place of User and Password.
	AWS *AWSKeys
}

// AWSKeys are a temporary access key.
type AWSKeys struct {
	KeyID                string
	Secret, SessionToken []byte
}

// TokenRequest names the service account for which the target gives out a token.
type TokenRequest struct {
	Namespace, ServiceAccount string
	Audiences                 []string // empty is the target's own
}

// Role describes a database role that lives as long as a session.
type Role struct {
	MemberOf        []string
	ConnectionLimit int
	ValidUntil      time.Time
}

// Wipe overwrites what signs in. A wiped credential asks for no token either.
func (c *Credential) Wipe() {
	clear(c.Password)
	clear(c.ClientCertificate)
	c.Password, c.ClientCertificate, c.TokenRequest = nil, nil, nil
	if c.AWS != nil {
		clear(c.AWS.Secret)
		clear(c.AWS.SessionToken)
		c.AWS = nil
	}
}

// Session is one connection under one grant. Begin and End may be called from
// several goroutines.
type Session struct {
	p      *Pipeline
	id     string
	who    Admitted
	ask    Admission
	ctx    context.Context
	cancel context.CancelCauseFunc
	log    *journal

	mu       sync.Mutex
	acting   policy.Principal // who, as the newest sign-ins describe it
	role     *policy.Role     // of an AWS account, as far as it is known now
	changed  bool             // acting is another than recorded
	rules    *rules
	commands uint64
	pending  map[[audit.HashSize]byte]*pending // held commands, by digest
	expires  time.Time
	expiry   *time.Timer
	closed   bool
}

// Open identifies the client and admits it, or returns a *Denied. Both leave a record.
func (p *Pipeline) Open(ctx context.Context, ask Admission) (*Session, error) {
	ask.Session = "ses-" + strings.ToLower(ulid.MustNew(ulid.Timestamp(p.cfg.Clock()), p.cfg.Rand).String())
	s, err := p.open(ctx, ask)
	if err == nil {
		return s, nil
	}
	var denied *Denied
	if !errors.As(err, &denied) {
		denied = &Denied{Cause: CauseControl, Reason: "the session cannot be opened now", Next: "try again; if it stays so, ask whoever runs this edge"}
		p.cfg.Logger.Error("open session", "session", ask.Session, "error", err)
	}
	p.recordRefusedOpen(ask, denied)
	return nil, denied
}

func (p *Pipeline) open(ctx context.Context, ask Admission) (*Session, error) {
	if !p.cfg.Lease.Valid() {
		return nil, &Denied{Cause: CauseEnded, Reason: "this edge has no lease from the control plane", Next: "try again when the edge is connected"}
	}
	if _, _, ok := p.cfg.Policies.Current(); !ok {
		return nil, &Denied{Cause: CausePolicy, Reason: "this edge has no policy yet, so everything is denied", Next: "push a policy with: writ policy push"}
	}
	defer p.expect(ask.Session)()
	who, err := p.cfg.Control.OpenSession(ctx, ask)
	if err != nil {
		var denied *Denied
		if !errors.As(err, &denied) || denied.Cause == CauseControl {
			go p.closeRemote(ask.Session, "its opening was not answered") // it may have been opened all the same
		}
		return nil, err
	}
	s, err := p.admit(ask, who)
	if err != nil {
		who.Credential.Wipe()
		p.closeRemote(ask.Session, "refused by the edge")
		return nil, err
	}
	return s, nil
}

// admit decides session:open, registers the session and records it.
func (p *Pipeline) admit(ask Admission, who Admitted) (*Session, error) {
	log, err := p.newJournal(ask.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &Session{p: p, id: ask.Session, who: who, ask: ask, acting: who.Principal, role: who.Resource.Role, ctx: ctx, cancel: cancel, log: log, expires: who.ExpiresAt, pending: map[[audit.HashSize]byte]*pending{}}
	if err := s.decideOpen(); err != nil {
		cancel(err)
		return nil, err
	}
	if err := p.register(s); err != nil {
		cancel(err)
		return nil, err
	}
	rec := s.record(audit.KindSessionOpen)
	rec.Reason = who.RequestReason
	rec.Decision = audit.Allow
	if who.BreakGlass {
		rec.Attrs = append(rec.Attrs, audit.Attr{Name: "break_glass", Value: "true"})
	}
	if err := s.log.writeDurable(rec); err != nil {
		p.forget(s)
		cancel(err)
		return nil, &Denied{Cause: CauseRecord, Reason: "the session cannot be recorded, so it is refused"}
	}
	s.watchExpiry()
	return s, nil
}

func (p *Pipeline) register(s *Session) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, locked := p.lockFor(s.who); locked {
		return &Denied{Cause: CauseEnded, Reason: l.sentence()}
	}
	if now := p.opening[s.id]; now != nil && !equalPrincipals(s.acting, *now) {
		return errChanged
	}
	if role, known := p.roles[s.who.Resource.Name]; known && !equalRoles(s.role, role) {
		return errRole
	}
	p.live[s.id] = s
	return nil
}

// errChanged is a session whose principal changed while it was opened.
var errChanged = &Denied{Cause: CauseIdentity, Reason: "your groups changed while the session was opened", Next: "connect again"}

// errRole is a session of which it was decided by what is no longer known of its role.
var errRole = &Denied{Cause: CauseControl, Reason: "what is known of the account's role changed while the session was opened", Next: "connect again"}

func (p *Pipeline) forget(s *Session) {
	p.mu.Lock()
	delete(p.live, s.id)
	p.mu.Unlock()
}

// closeRemote closes the session in the control plane's book, which ends its credential
// lease. While the control plane is away that is tried again in the background.
func (p *Pipeline) closeRemote(session, reason string) {
	if err := p.tryCloseRemote(session, reason); err != nil {
		p.cfg.Logger.Warn("close session", "session", session, "error", err)
		go p.closeLater(session, reason)
	}
}

func (p *Pipeline) tryCloseRemote(session, reason string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.cfg.Control.CloseSession(ctx, session, reason)
}

// closeLater gives up after a minute, or when the pipeline stops: the control plane then
// closes what this edge no longer names among its sessions.
func (p *Pipeline) closeLater(session, reason string) {
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 8*time.Second) {
		select {
		case <-p.stopped:
			return
		case <-late.C:
			p.cfg.Logger.Warn("close session, giving up", "session", session)
			return
		case <-time.After(pause):
		}
		if p.tryCloseRemote(session, reason) == nil {
			return
		}
	}
}

// recordRefusedOpen leaves the record of a client that got no session.
func (p *Pipeline) recordRefusedOpen(ask Admission, d *Denied) {
	rec := &audit.Record{
		Kind: audit.KindRefusal, Decision: audit.Deny, Protocol: ask.Protocol, ClientAddr: ask.ClientAddr.String(),
		Application: ask.Application, Reason: d.Reason, PolicyIDs: d.PolicyIDs, Revision: d.Revision,
		Attrs: []audit.Attr{{Name: "refused", Value: "session"}},
	}
	if err := p.own.writeDurable(rec); err != nil {
		p.cfg.Logger.Error("record refused session", "error", err)
	}
}

// ID returns the session's id, "ses-" and a ULID.
func (s *Session) ID() string { return s.id }

// Principal returns who acts.
func (s *Session) Principal() policy.Principal { return s.who.Principal }

// Acting returns who acts as the newest sign-ins describe it.
func (s *Session) Acting() policy.Principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acting
}

// Resource returns what is acted on.
func (s *Session) Resource() policy.Resource { return s.who.Resource }

// Grant returns the grant's id.
func (s *Session) Grant() string { return s.who.Grant }

// TakeCredential hands the credential out, once.
func (s *Session) TakeCredential() Credential {
	c := s.who.Credential
	s.who.Credential = Credential{}
	return c
}

// ClientSecret is what the client signs its requests with; nil where it signs none. It must not be changed.
func (s *Session) ClientSecret() []byte { return s.who.ClientSecret }

// Context ends with the session.
func (s *Session) Context() context.Context { return s.ctx }

// Done is closed when the session is over; Err then says why.
func (s *Session) Done() <-chan struct{} { return s.ctx.Done() }

// Err returns nil while the session lives, then an *Ended or another cause.
func (s *Session) Err() error { return context.Cause(s.ctx) }

// Close ends the session for a reason of the client's or the protocol's, records it
// and gives the credential lease back. It is safe to call twice.
func (s *Session) Close(reason string) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mu.Unlock()
	s.cancel(errClosed)
	rec := s.record(audit.KindSessionClose)
	var ended *Ended
	if errors.As(s.Err(), &ended) {
		reason = ended.Error()
	}
	rec.Reason = reason
	if _, err := s.log.write(rec); err != nil {
		s.p.cfg.Logger.Error("record session end", "session", s.id, "error", err)
	}
	s.p.forget(s)
	s.p.closeRemote(s.id, reason)
}

// end stops the session; the protocol notices by Done and calls Close.
func (s *Session) end(why *Ended) { s.cancel(why) }

// usable returns why nothing may be forwarded now, or nil.
func (s *Session) usable() *Denied {
	if s.ctx.Err() != nil {
		return &Denied{Cause: CauseEnded, Reason: "the session is over: " + context.Cause(s.ctx).Error()}
	}
	s.mu.Lock()
	expired := !s.p.cfg.Clock().Before(s.expires)
	s.mu.Unlock()
	if expired { // a timer may be late, after a pause of the whole process
		s.expire()
		return &Denied{Cause: CauseEnded, Reason: "the session is over: the grant " + s.who.Grant + " expired"}
	}
	if !s.p.cfg.Lease.Valid() {
		s.end(&Ended{Reason: "the edge lost its lease from the control plane"})
		return &Denied{Cause: CauseEnded, Reason: "the session is over: the edge lost its lease from the control plane"}
	}
	return nil
}

// record starts a record with who and what this session is.
func (s *Session) record(kind audit.Kind) *audit.Record {
	return &audit.Record{
		Kind: kind, Principal: s.who.Principal.ID, PrincipalKind: s.who.Principal.Kind, OnBehalfOf: s.who.Principal.OnBehalfOf,
		Resource: string(s.who.Resource.Name), Grant: s.who.Grant, ClientAddr: s.ask.ClientAddr.String(),
		Protocol: s.ask.Protocol, Application: s.ask.Application,
	}
}

// renewAhead is how long before its end a session asks whether the grant was extended.
const renewAhead = 10 * time.Second

func (s *Session) watchExpiry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.expiry = time.AfterFunc(max(0, s.expires.Sub(s.p.cfg.Clock())-renewAhead), s.renew)
}

// renew asks for the grant's present end and ends the session when that has come.
func (s *Session) renew() {
	s.mu.Lock()
	expires := s.expires
	s.mu.Unlock()
	ctx, cancel := context.WithDeadline(s.ctx, expires)
	next, err := s.p.cfg.Control.RenewSession(ctx, s.id)
	cancel()
	if s.ctx.Err() != nil {
		return
	}
	if err == nil && next.After(expires) {
		s.mu.Lock()
		s.expires = next
		s.mu.Unlock()
		s.watchExpiry()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	again := s.renew
	left := expires.Sub(s.p.cfg.Clock())
	if left > time.Second { // it may still be extended
		left /= 2
	} else {
		again = s.expire
	}
	s.expiry = time.AfterFunc(max(0, left), again)
}

// expire ends the session at the end of its grant.
func (s *Session) expire() {
	s.end(&Ended{Reason: "the grant " + s.who.Grant + " expired"})
}
