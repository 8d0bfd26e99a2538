package protobody

import (
	"slices"
	"testing"
)

// No type holds itself, and every type is written down: what is read is as deep as the types are.
func TestTypesEnd(t *testing.T) {
	var follow func(m *message, within []*message)
	done := map[*message]bool{}
	follow = func(m *message, within []*message) {
		if slices.Contains(within, m) {
			t.Errorf("%s holds itself", m.name)
			return
		}
		if done[m] {
			return
		}
		for _, f := range m.fields {
			if f.message != nil {
				follow(f.message, append(within, m))
			}
		}
		done[m] = true
	}
	table := load()
	for _, m := range table.messages {
		follow(m, nil)
	}
	if len(table.kinds) < 150 || len(table.messages) < 700 || len(table.kinds) > len(table.messages) {
		t.Errorf("%d kinds of %d messages", len(table.kinds), len(table.messages))
	}
	for kind, m := range table.kinds {
		if len(m.fields) == 0 {
			t.Errorf("%s has no fields", kind)
		}
	}
}
