package enforce

import (
	"maps"
	"slices"

	"github.com/writhq/writ/pkg/policy"
)

// SetRoles says what is known of the roles in which sessions act, by resource: their next commands are decided by it. What is not in roles
// keeps what its session was opened with.
func (p *Pipeline) SetRoles(roles map[policy.ResourceName]*policy.Role) {
	p.mu.Lock()
	p.roles = roles
	all := slices.Collect(maps.Values(p.live))
	p.mu.Unlock()
	for _, s := range all {
		if role, ok := roles[s.who.Resource.Name]; ok {
			s.actsIn(role)
		}
	}
}

// actsIn has the session's next command decided by what is known of its role.
func (s *Session) actsIn(role *policy.Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !equalRoles(s.role, role) {
		s.role, s.rules = role, nil
	}
}

// equalRoles reports whether policy sees no difference.
func equalRoles(a, b *policy.Role) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ARN == b.ARN && (a.Privileges == nil) == (b.Privileges == nil) && slices.Equal(a.Privileges, b.Privileges)
}
