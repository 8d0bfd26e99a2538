// Package signin keeps the sessions of clients that sign in with every request, as HTTP clients do: requests of one program under one
// grant share a session until it was idle for long.
package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
)

// Opener asks for sessions: a *enforce.Pipeline.
type Opener interface {
	Open(ctx context.Context, ask enforce.Admission) (*enforce.Session, error)
}

// Config is what a Pool needs. Everything without a stated default is required.
type Config[T any] struct {
	Pipeline Opener
	// Keys are those that access tokens are signed with now.
	Keys func() identity.Keys
	// Max bounds the signed-in clients.
	Max int
	// Idle is how long a client is remembered between two requests.
	Idle  time.Duration
	Clock func() time.Time
	// PerToken gives each access token a session of its own, where clients sign with what goes with their token. Default: tokens of one
	// grant share one.
	PerToken bool
	// Attach makes what a protocol keeps with a session. An error ends the session.
	Attach func(*enforce.Session) (T, error)
	// Detach lets go of it, after the session has ended.
	Detach func(T)
}

// Pool holds the signed-in clients. It is safe for concurrent use.
type Pool[T any] struct {
	cfg     Config[T]
	mu      sync.Mutex
	byKey   map[clientKey]*Client[T]
	byToken map[tokenDigest]known[T]
}

// known is a token that a client is remembered by, which need not be read again.
type known[T any] struct {
	client *Client[T]
	claims token.Claims
}

// New returns a pool, or an error that names what is missing.
func New[T any](cfg Config[T]) (*Pool[T], error) {
	if cfg.Pipeline == nil || cfg.Keys == nil || cfg.Max <= 0 || cfg.Idle <= 0 || cfg.Clock == nil || cfg.Attach == nil || cfg.Detach == nil {
		return nil, errors.New("signin: everything in Config is required")
	}
	return &Pool[T]{cfg: cfg, byKey: map[clientKey]*Client[T]{}, byToken: map[tokenDigest]known[T]{}}, nil
}

// clientKey identifies a signed-in client: one program at one address under one grant. Tokens of one grant share it, since
// kubectl fetches a fresh one for every command.
type clientKey struct {
	grant, subject, audience string
	addr                     netip.Addr
	application              string
	token                    [sha256.Size]byte // zero where tokens share
}

type tokenDigest struct {
	sum         [sha256.Size]byte
	addr        netip.Addr
	application string
}

// Client is one session with what a protocol keeps beside it.
type Client[T any] struct {
	// Session is the client's.
	Session *enforce.Session
	// With is what was attached to it.
	With T

	key    clientKey
	opened chan struct{} // closed when all but what mu guards is set
	denied error         // it could not be opened
	issuer string        // of the token that opened it
	again  time.Duration // how long it may be idle

	mu     sync.Mutex
	busy   int
	idle   *time.Timer
	closed bool
	tokens []tokenDigest
}

// maxTokens bounds the tokens that a client is remembered by.
const maxTokens = 64

// SignIn finds or opens the session that a token is for. The caller calls release when its request is done. A refusal is a
// *enforce.Denied.
func (p *Pool[T]) SignIn(ctx context.Context, access string, ask enforce.Admission) (_ *Client[T], release func(), err error) {
	now := p.cfg.Clock()
	digest := tokenDigest{sha256.Sum256([]byte(access)), ask.ClientAddr.Addr().Unmap(), ask.Application}
	claims, err := p.claimed(access, digest)
	if err != nil || !now.Before(claims.Expires) {
		return p.open(ctx, p.newClient(clientKey{}, ""), tokenDigest{}, token.Claims{}, ask) // the control plane refuses it, and there is a record
	}
	key := clientKey{grant: claims.Grant, subject: claims.Subject, audience: claims.Audience, addr: digest.addr, application: digest.application}
	if p.cfg.PerToken {
		key.token = digest.sum
	}
	for {
		cl, mine, full := p.find(key, claims.Issuer, digest)
		switch {
		case full:
			return nil, nil, errFull
		case mine:
			return p.open(ctx, cl, digest, claims, ask)
		}
		select {
		case <-cl.opened:
		case <-ctx.Done():
			return nil, nil, &enforce.Denied{Cause: enforce.CauseWithdrawn, Reason: "the client gave up"}
		}
		switch {
		case cl.denied != nil: // it has left; this token may fare better
		case !cl.knows(digest) && !p.trusts(cl, access, claims, now):
			return p.open(ctx, p.newClient(clientKey{}, ""), tokenDigest{}, token.Claims{}, ask) // the control plane says why
		case cl.acquire():
			p.remember(cl, digest, claims)
			return cl, cl.release, nil
		default:
			p.leave(cl)
		}
	}
}

func (p *Pool[T]) claimed(access string, digest tokenDigest) (token.Claims, error) {
	p.mu.Lock()
	k, ok := p.byToken[digest]
	p.mu.Unlock()
	if ok {
		return k.claims, nil
	}
	return token.Claimed(access)
}

var errFull = &enforce.Denied{Cause: enforce.CauseControl, Reason: "this edge serves as many clients as it may", Next: "try again later"}

// find returns the client of a token or a key, or makes a place for one, which is then the caller's to open.
func (p *Pool[T]) find(key clientKey, issuer string, digest tokenDigest) (cl *Client[T], mine, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k, ok := p.byToken[digest]; ok {
		return k.client, false, false
	}
	if cl = p.byKey[key]; cl != nil {
		return cl, false, false
	}
	if len(p.byKey) >= p.cfg.Max {
		return nil, false, true
	}
	cl = p.newClient(key, issuer)
	p.byKey[key] = cl
	return cl, true, false
}

func (p *Pool[T]) newClient(key clientKey, issuer string) *Client[T] {
	return &Client[T]{key: key, opened: make(chan struct{}), issuer: issuer, again: p.cfg.Idle, busy: 1}
}

func (cl *Client[T]) knows(digest tokenDigest) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return slices.Contains(cl.tokens, digest)
}

// trusts verifies a token for a session that another token of the same grant has opened.
func (p *Pool[T]) trusts(cl *Client[T], access string, claims token.Claims, now time.Time) bool {
	verifier, err := token.NewVerifier(cl.issuer, p.cfg.Keys())
	if err != nil {
		return false
	}
	verified, err := verifier.Verify(access, cl.key.audience, now)
	return err == nil && verified.Grant == cl.key.grant && verified.Subject == cl.key.subject && verified == claims
}

func (p *Pool[T]) remember(cl *Client[T], digest tokenDigest, claims token.Claims) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed || len(cl.tokens) >= maxTokens || slices.Contains(cl.tokens, digest) {
		return
	}
	cl.tokens = append(cl.tokens, digest)
	p.byToken[digest] = known[T]{cl, claims}
}

// open asks the control plane for a session.
func (p *Pool[T]) open(ctx context.Context, cl *Client[T], digest tokenDigest, claims token.Claims, ask enforce.Admission) (*Client[T], func(), error) {
	defer close(cl.opened)
	if cl.denied = p.admit(ctx, cl, ask); cl.denied != nil {
		p.leave(cl)
		return nil, nil, cl.denied
	}
	if digest != (tokenDigest{}) {
		p.remember(cl, digest, claims)
	}
	go p.watch(cl)
	return cl, cl.release, nil
}

func (p *Pool[T]) admit(ctx context.Context, cl *Client[T], ask enforce.Admission) error {
	session, err := p.cfg.Pipeline.Open(ctx, ask)
	if err != nil {
		return err
	}
	if cl.With, err = p.cfg.Attach(session); err != nil {
		session.Close(err.Error())
		return err
	}
	cl.Session = session
	return nil
}

// leave forgets a client.
func (p *Pool[T]) leave(cl *Client[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byKey[cl.key] == cl {
		delete(p.byKey, cl.key)
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.closed = true
	for _, digest := range cl.tokens {
		if p.byToken[digest].client == cl {
			delete(p.byToken, digest)
		}
	}
}

// watch ends a client with its session, and its session when it was idle for long.
func (p *Pool[T]) watch(cl *Client[T]) {
	idle := make(chan struct{}, 1)
	limit := p.cfg.Idle
	cl.mu.Lock()
	cl.idle = time.AfterFunc(limit, func() {
		select {
		case idle <- struct{}{}:
		default:
		}
	})
	cl.mu.Unlock()
	for {
		select {
		case <-cl.Session.Done():
		case <-idle:
			if !cl.retire(limit) {
				continue
			}
		}
		break
	}
	p.leave(cl)
	cl.idle.Stop()
	cl.Session.Close("idle")
	p.cfg.Detach(cl.With)
}

// retire closes an idle client to new requests; false means that it is needed and looked at again later.
func (cl *Client[T]) retire(again time.Duration) bool {
	waiting := cl.Session.Waiting()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.busy > 0 || waiting {
		cl.idle.Reset(again)
		return false
	}
	cl.closed = true
	return true
}

func (cl *Client[T]) acquire() bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed || cl.Session.Err() != nil {
		return false
	}
	cl.busy++
	return true
}

func (cl *Client[T]) release() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.busy--
	if cl.busy == 0 && cl.idle != nil && !cl.closed {
		cl.idle.Reset(cl.again)
	}
}

// CloseAll ends every session; what they still do ends with them.
func (p *Pool[T]) CloseAll() {
	p.mu.Lock()
	all := make([]*Client[T], 0, len(p.byKey))
	for _, cl := range p.byKey {
		all = append(all, cl)
	}
	p.mu.Unlock()
	for _, cl := range all {
		<-cl.opened
		if cl.Session != nil {
			cl.Session.Close("the edge is shutting down")
		}
	}
}
