package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"runtime"
	"slices"
	"sync"
	"weak"

	"github.com/cedar-policy/cedar-go/types"
)

// plans are the specialised rules of one principal on one resource, made per action when it
// is first asked about. Evaluators of the same principal and resource share them.
type plans struct {
	set       *Set
	principal types.Entity
	resource  types.Entity

	mu       sync.RWMutex
	byAction map[Action]*plan
}

// of finds or makes the rules of an action.
func (p *plans) of(a Action) *plan {
	p.mu.RLock()
	found := p.byAction[a]
	p.mu.RUnlock()
	if found != nil {
		return found
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if found = p.byAction[a]; found == nil {
		found = p.specialise(a)
		p.byAction[a] = found
	}
	return found
}

// subject identifies a principal and a resource by everything that policies can read of them.
type subject [sha256.Size]byte

func subjectOf(p Principal, r Resource) subject {
	h := sha256.New()
	writeStrings(h, p.Kind, p.ID, p.Name, p.Email, p.Issuer, string(r.Name), r.Kind)
	writeStrings(h, slices.Sorted(slices.Values(p.Groups))...)
	writeMap(h, p.Attrs)
	writeMap(h, r.Labels)
	if r.Role != nil {
		writeStrings(h, r.Role.ARN)
		writeStrings(h, slices.Sorted(slices.Values(r.Role.privileges()))...)
	}
	return subject(h.Sum(nil))
}

func writeMap(h hash.Hash, m map[string]string) {
	flat := make([]string, 0, 2*len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		flat = append(flat, k, m[k])
	}
	writeStrings(h, flat...)
}

// writeStrings writes a count and then each string with its length, so that no two lists
// give the same bytes.
func writeStrings(h hash.Hash, list ...string) {
	buf := binary.AppendUvarint(nil, uint64(len(list)))
	for _, s := range list {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	h.Write(buf)
}

// sharing finds the plans that are in use. It holds them weakly: they go with their last
// evaluator.
type sharing struct {
	mu    sync.Mutex
	inUse map[subject]weak.Pointer[plans]
}

// get returns the plans for key, made by make where none are in use.
func (s *sharing) get(key subject, make func() *plans) *plans {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.inUse[key].Value(); p != nil {
		return p
	}
	p := make()
	if s.inUse == nil {
		s.inUse = map[subject]weak.Pointer[plans]{}
	}
	s.inUse[key] = weak.Make(p)
	runtime.AddCleanup(p, s.forget, key)
	return p
}

// forget drops a key whose plans are gone, unless new ones have taken their place.
func (s *sharing) forget(key subject) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inUse[key].Value() == nil {
		delete(s.inUse, key)
	}
}
