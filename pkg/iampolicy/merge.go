package iampolicy

import (
	"cmp"
	"slices"
	"strings"
)

// merge says the same with fewer scopes. Each step drops something, so it ends.
func merge(scopes []scope) []scope {
	for {
		sortScopes(scopes)
		if next, ok := join(scopes); ok {
			scopes = next
			continue
		}
		if next, ok := prune(scopes); ok {
			scopes = next
			continue
		}
		return scopes
	}
}

func sortScopes(scopes []scope) {
	slices.SortFunc(scopes, func(a, b scope) int {
		return cmp.Or(cmp.Compare(a.actions.key(), b.actions.key()), cmp.Compare(a.resources.key(), b.resources.key()))
	})
}

// join makes one scope of the first two that share their resources, or their actions.
func join(scopes []scope) ([]scope, bool) {
	for i := range scopes {
		for j := i + 1; j < len(scopes); j++ {
			a, b := scopes[i], scopes[j]
			switch {
			case a.resources.key() == b.resources.key():
				a.actions = slices.Concat(a.actions, b.actions).reduced()
			case a.actions.key() == b.actions.key():
				a.resources = slices.Concat(a.resources, b.resources).reduced()
			default:
				continue
			}
			out := slices.Delete(slices.Clone(scopes), j, j+1)
			out[i] = a
			return out, true
		}
	}
	return nil, false
}

// prune takes from the first scope that has them actions which another allows on all its resources, or resources on which
// another allows all its actions.
func prune(scopes []scope) ([]scope, bool) {
	for i, s := range scopes {
		for j, other := range scopes {
			if i == j {
				continue
			}
			left := s
			if other.resources.coverAll(s.resources) {
				left.actions = slices.DeleteFunc(slices.Clone(s.actions), other.actions.cover)
			} else if other.actions.coverAll(s.actions) {
				left.resources = slices.DeleteFunc(slices.Clone(s.resources), other.resources.cover)
			}
			if len(left.actions) == len(s.actions) && len(left.resources) == len(s.resources) {
				continue
			}
			out := slices.Clone(scopes)
			if len(left.actions) == 0 || len(left.resources) == 0 {
				return slices.Delete(out, i, i+1), true
			}
			out[i] = left
			return out, true
		}
	}
	return nil, false
}

// writeSession writes the policy in characters that STS takes, without white space.
func writeSession(scopes []scope) []byte {
	var b strings.Builder
	b.WriteString(`{"Version":"` + Version2012 + `","Statement":[`)
	for i, s := range scopes {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"Effect":"Allow","Action":`)
		s.actions.write(&b)
		b.WriteString(`,"Resource":`)
		s.resources.write(&b)
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// write writes one item as text and several as a list.
func (l items) write(b *strings.Builder) {
	if len(l) == 1 {
		writeText(b, l[0].text)
		return
	}
	b.WriteByte('[')
	for i, it := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(b, it.text)
	}
	b.WriteByte(']')
}
