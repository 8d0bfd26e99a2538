package tunnel

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/pkg/identity"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// board is this replica's copy of what edges must know, and the links of the
// edges that are connected to it. Whatever changes it wakes the links that it
// concerns; a link then compares what it sent with what holds now, so that any
// number of changes cost one message.
type board struct {
	masking []byte
	now     func() time.Time

	mu        sync.Mutex
	version   uint64 // counts changes of the state
	resources []*accessv1.Resource
	roles     map[string]roles.Known // by resource
	locks     []locks.Lock
	tokens    []*edgev1.PublicKey
	signers   []*edgev1.PublicKey
	policy    *edgev1.PolicyRevision
	sessions  map[string]sessions.Session
	links     map[string]*link // by edge

	haveResources, haveRoles, haveLocks, haveKeys, haveSessions bool
}

func newBoard(masking []byte, now func() time.Time) *board {
	return &board{masking: masking, now: now, sessions: map[string]sessions.Session{}, links: map[string]*link{}}
}

// ready tells whether the first copy of everything has arrived.
func (b *board) ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.haveResources && b.haveRoles && b.haveLocks && b.haveKeys && b.haveSessions
}

func (b *board) setResources(all []resources.Resource) {
	wire := convert.Resources(all)
	slices.SortFunc(wire, func(a, c *accessv1.Resource) int { return strings.Compare(a.Name, c.Name) })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resources, b.haveResources = wire, true
	b.changed()
}

func (b *board) setRoles(all map[string]roles.Known) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.roles, b.haveRoles = all, true
	b.changed()
}

func (b *board) setLocks(all []locks.Lock) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.locks, b.haveLocks = all, true
	for edge, l := range b.links {
		if err := b.lockOn(edge); err != nil {
			l.end(err)
		}
	}
	b.changed()
}

func (b *board) setKeys(tokens, signers identity.Keys) {
	t, p := wireKeys(tokens), wireKeys(signers)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.haveKeys && sameKeys(t, b.tokens) && sameKeys(p, b.signers) {
		return
	}
	b.tokens, b.signers, b.haveKeys = t, p, true
	b.changed()
}

func sameKeys(a, b []*edgev1.PublicKey) bool {
	return slices.EqualFunc(a, b, func(x, y *edgev1.PublicKey) bool {
		return x.Id == y.Id && bytes.Equal(x.Ed25519, y.Ed25519)
	})
}

func (b *board) setPolicy(r policies.Revision) error {
	wire, err := wirePolicy(r)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.policy == nil || b.policy.Number < wire.Number {
		b.policy = wire
		b.wakeAll()
	}
	return nil
}

// changed is called with mu held when the state of edges may be another.
func (b *board) changed() {
	b.version++
	b.wakeAll()
}

func (b *board) wakeAll() {
	for _, l := range b.links {
		l.wakeUp()
	}
}

// currentPolicy returns the revision in force, nil before the first.
func (b *board) currentPolicy() *edgev1.PolicyRevision {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.policy
}

func (b *board) currentVersion() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version
}

// state makes the state of an edge, which shares its parts with others and is
// only read.
func (b *board) state(edge string) (*edgev1.State, error) {
	b.mu.Lock()
	st := &edgev1.State{Version: b.version, TokenKeys: b.tokens, PolicyKeys: b.signers, MaskingKey: b.masking}
	for _, r := range b.resources {
		if slices.Contains(r.Edges, edge) {
			st.Resources = append(st.Resources, r)
		}
	}
	st.Roles = wirePrivileges(st.Resources, b.roles)
	now := b.now()
	for _, l := range b.locks {
		if l.Active(now) {
			st.Locks = append(st.Locks, wireLock(l))
		}
	}
	b.mu.Unlock()
	slices.SortFunc(st.Locks, func(a, c *edgev1.Lock) int { return strings.Compare(a.Id, c.Id) })
	var err error
	st.Digest, err = stateDigest(st)
	return st, err
}

// served returns the names of the resources that an edge serves.
func (b *board) served(edge string) (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.resources {
		if slices.Contains(r.Edges, edge) {
			names = append(names, r.Name)
		}
	}
	return names
}

// lockOn returns the refusal of a locked edge. mu is held.
func (b *board) lockOn(edge string) error {
	now := b.now()
	for _, l := range b.locks {
		if l.Target == locks.Edge && strings.EqualFold(l.Name, edge) && l.Active(now) {
			return refuse(codes.PermissionDenied, "the edge is locked: "+l.Reason)
		}
	}
	return nil
}

// join puts the link in the place of an older one of its edge.
func (b *board) join(l *link) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.lockOn(l.edge); err != nil {
		return err
	}
	if old := b.links[l.edge]; old != nil {
		old.end(errSuperseded)
	}
	b.links[l.edge] = l
	return nil
}

func (b *board) leave(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.links[l.edge] == l {
		delete(b.links, l.edge)
	}
}

// boot returns the process start of an edge that is linked to this replica.
func (b *board) boot(edge string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.links[edge]
	if !ok {
		return "", false
	}
	return l.boot, true
}

func (b *board) stopAll(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.links {
		l.end(why)
	}
}

// enrolmentChanged cuts the link of an edge that is not the one enrolled now.
func (b *board) enrolmentChanged(e edges.Edge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.links[e.Name]; l != nil && (e.Removed || e.Enrolment != l.enrolment) {
		l.end(errVoid)
	}
}

func (b *board) setSessions(all []sessions.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fresh := make(map[string]sessions.Session, len(all))
	for _, s := range all {
		fresh[s.ID] = s
	}
	for id, s := range b.sessions {
		if _, live := fresh[id]; !live {
			b.orderEnd(s.Edge, id)
		}
	}
	b.sessions, b.haveSessions = fresh, true
	for _, s := range fresh {
		b.tellPrincipal(s)
	}
}

func (b *board) sessionOpened(s sessions.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[s.ID] = s
	b.tellPrincipal(s) // it may have changed before this replica knew of the session
}

// tellPrincipal has the session's edge told who acts in it. mu is held.
func (b *board) tellPrincipal(s sessions.Session) {
	if l := b.links[s.Edge]; l != nil {
		l.orderChange(s.ID)
	}
}

func (b *board) sessionEnded(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, ok := b.sessions[id]; ok {
		delete(b.sessions, id)
		b.orderEnd(s.Edge, id)
	}
}

func (b *board) orderEnd(edge, id string) {
	if l := b.links[edge]; l != nil {
		l.orderEnd(id)
	}
}

// at returns the live sessions of an edge, as far as this replica knows.
func (b *board) at(edge string) []sessions.Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []sessions.Session
	for _, s := range b.sessions {
		if s.Edge == edge {
			all = append(all, s)
		}
	}
	return all
}

// liveByEdge counts the live sessions of each edge, as far as this replica knows.
func (b *board) liveByEdge() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := map[string]int{}
	for _, s := range b.sessions {
		counts[s.Edge]++
	}
	return counts
}
