package kubernetes

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/token"
)

// clientKey identifies a signed-in client: one program at one address under one grant. Tokens of one grant share it, since
// kubectl fetches a fresh one for every command.
type clientKey struct {
	grant, subject, audience string
	addr                     netip.Addr
	application              string
}

type tokenDigest struct {
	sum         [sha256.Size]byte
	addr        netip.Addr
	application string
}

// client is one session with its way to the API server.
type client struct {
	key     clientKey
	opened  chan struct{} // closed when the fields below are set
	denied  error         // it could not be opened
	issuer  string        // of the token that opened it
	session *enforce.Session
	cluster *cluster
	out     *outbound

	mu     sync.Mutex
	busy   int
	idle   *time.Timer
	closed bool
	tokens []tokenDigest
	// subjects are the reads that were asked for, by what they read.
	subjects map[string]*enforce.Subject
}

// clients are the signed-in clients.
type clients struct {
	server  *Server
	mu      sync.Mutex
	byKey   map[clientKey]*client
	byToken map[tokenDigest]*client
}

// maxTokens bounds the tokens that a client is remembered by.
const maxTokens = 64

// signIn finds or opens the session that a token is for. The caller calls release when its request is done. A refusal is a
// *enforce.Denied.
func (c *clients) signIn(ctx context.Context, access string, ask enforce.Admission) (_ *client, release func(), err error) {
	now := c.server.cfg.Clock()
	claims, err := token.Claimed(access)
	if err != nil || !now.Before(claims.Expires) {
		return c.open(ctx, newClient(clientKey{}, ""), tokenDigest{}, ask) // the control plane refuses it, and there is a record
	}
	key := clientKey{claims.Grant, claims.Subject, claims.Audience, ask.ClientAddr.Addr().Unmap(), ask.Application}
	digest := tokenDigest{sha256.Sum256([]byte(access)), key.addr, key.application}
	for {
		cl, mine, full := c.find(key, claims.Issuer, digest)
		switch {
		case full:
			return nil, nil, errFull
		case mine:
			return c.open(ctx, cl, digest, ask)
		}
		select {
		case <-cl.opened:
		case <-ctx.Done():
			return nil, nil, &enforce.Denied{Cause: enforce.CauseWithdrawn, Reason: "the client gave up"}
		}
		switch {
		case cl.denied != nil: // it has left; this token may fare better
		case !cl.knows(digest) && !c.trusts(cl, access, claims, now):
			return c.open(ctx, newClient(clientKey{}, ""), tokenDigest{}, ask) // the control plane says why
		case cl.acquire():
			c.remember(cl, digest)
			return cl, cl.release, nil
		default:
			c.leave(cl)
		}
	}
}

var errFull = &enforce.Denied{Cause: enforce.CauseControl, Reason: "this edge serves as many clients as it may", Next: "try again later"}

// find returns the client of a token or a key, or makes a place for one, which is then the caller's to open.
func (c *clients) find(key clientKey, issuer string, digest tokenDigest) (cl *client, mine, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl = c.byToken[digest]; cl != nil {
		return cl, false, false
	}
	if cl = c.byKey[key]; cl != nil {
		return cl, false, false
	}
	if len(c.byKey) >= c.server.cfg.MaxSessions {
		return nil, false, true
	}
	cl = newClient(key, issuer)
	c.byKey[key] = cl
	return cl, true, false
}

func newClient(key clientKey, issuer string) *client {
	return &client{key: key, opened: make(chan struct{}), issuer: issuer, busy: 1}
}

func (cl *client) knows(digest tokenDigest) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return slices.Contains(cl.tokens, digest)
}

// trusts verifies a token for a session that another token of the same grant has opened.
func (c *clients) trusts(cl *client, access string, claims token.Claims, now time.Time) bool {
	verifier, err := token.NewVerifier(cl.issuer, c.server.cfg.Keys())
	if err != nil {
		return false
	}
	verified, err := verifier.Verify(access, cl.key.audience, now)
	return err == nil && verified.Grant == cl.key.grant && verified.Subject == cl.key.subject && verified == claims
}

func (c *clients) remember(cl *client, digest tokenDigest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed || len(cl.tokens) >= maxTokens {
		return
	}
	cl.tokens = append(cl.tokens, digest)
	c.byToken[digest] = cl
}

// open asks the control plane for a session.
func (c *clients) open(ctx context.Context, cl *client, digest tokenDigest, ask enforce.Admission) (*client, func(), error) {
	defer close(cl.opened)
	if cl.denied = c.admit(ctx, cl, ask); cl.denied != nil {
		c.leave(cl)
		return nil, nil, cl.denied
	}
	if digest != (tokenDigest{}) {
		c.remember(cl, digest)
	}
	go c.watch(cl)
	return cl, cl.release, nil
}

func (c *clients) admit(ctx context.Context, cl *client, ask enforce.Admission) error {
	session, err := c.server.cfg.Pipeline.Open(ctx, ask)
	if err != nil {
		return err
	}
	cl.cluster = c.server.clusters.get(string(session.Resource().Name))
	if cl.cluster == nil {
		session.Close("the edge does not serve the cluster")
		return &enforce.Denied{Cause: enforce.CauseControl, Reason: "this edge does not serve the cluster", Next: "connect to an edge that does"}
	}
	cl.session, cl.out = session, newOutbound(c.server, session, cl.cluster)
	return nil
}

// leave forgets a client.
func (c *clients) leave(cl *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[cl.key] == cl {
		delete(c.byKey, cl.key)
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.closed = true
	for _, digest := range cl.tokens {
		if c.byToken[digest] == cl {
			delete(c.byToken, digest)
		}
	}
}

// watch ends a client with its session, and its session when it was idle for long.
func (c *clients) watch(cl *client) {
	idle := make(chan struct{}, 1)
	limit := c.server.cfg.Idle
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
		case <-cl.session.Done():
		case <-idle:
			if !cl.retire(limit) {
				continue
			}
		}
		break
	}
	c.leave(cl)
	cl.idle.Stop()
	cl.session.Close("idle")
	cl.out.close()
}

// retire closes an idle client to new requests; false means that it is needed and looked at again later.
func (cl *client) retire(again time.Duration) bool {
	waiting := cl.session.Waiting()
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.busy > 0 || waiting {
		cl.idle.Reset(again)
		return false
	}
	cl.closed = true
	return true
}

func (cl *client) acquire() bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.closed || cl.session.Err() != nil {
		return false
	}
	cl.busy++
	return true
}

func (cl *client) release() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	cl.busy--
	if cl.busy == 0 && cl.idle != nil && !cl.closed {
		cl.idle.Reset(cl.out.server.cfg.Idle)
	}
}

// closeAll ends every session; what they still do ends with them.
func (c *clients) closeAll() {
	c.mu.Lock()
	all := make([]*client, 0, len(c.byKey))
	for _, cl := range c.byKey {
		all = append(all, cl)
	}
	c.mu.Unlock()
	for _, cl := range all {
		<-cl.opened
		if cl.session != nil {
			cl.session.Close("the edge is shutting down")
		}
	}
}
