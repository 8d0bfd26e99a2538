package kubemask

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/mask"
)

// managed masks the names of members in managedFields that hold values.
func (r *reference) managed(raw []byte, t *refThing) []byte {
	entries := refElements(raw)
	for i := range entries {
		if entries[i].raw[0] != '{' {
			continue
		}
		list := refMembers(entries[i].raw)
		for k := range list {
			if list[k].name == "fieldsV1" && list[k].raw[0] == '{' {
				list[k].replacement = r.fieldSet(list[k].raw, nil, t)
			}
		}
		entries[i].replacement = replace(entries[i].raw, list)
	}
	return replace(raw, entries)
}

const anElement = "\x00element"

func (r *reference) fieldSet(raw []byte, keys []string, t *refThing) []byte {
	var out []byte
	done := 0
	for _, m := range refMembers(raw) {
		step := anElement
		name, isField := strings.CutPrefix(m.name, "f:")
		if isField {
			step = name
		}
		at := append(slices.Clone(keys), step)
		if value, ok := strings.CutPrefix(m.name, "v:"); ok && r.inSet(at, value, t) {
			out = append(append(out, raw[done:m.key.start]...), `"v:\"***\""`...)
			done = m.key.end
		}
		if value, ok := strings.CutPrefix(m.name, "k:"); ok && r.inSet(at, value, t) {
			out = append(append(out, raw[done:m.key.start]...), `"k:{}"`...)
			done = m.key.end
		}
		if m.raw[0] == '{' {
			out = append(append(out, raw[done:m.value.start]...), r.fieldSet(m.raw, at, t)...)
			done = m.value.end
		}
	}
	return append(out, raw[done:]...)
}

// inSet tells whether an element, or a part of it, is a hidden value.
func (r *reference) inSet(at []string, value string, t *refThing) bool {
	if !json.Valid([]byte(value)) {
		if r.mayMatch(at) {
			panic(errReference)
		}
		return false
	}
	for n := range at {
		if _, hidden := r.rule(at[:n+1], t); hidden {
			return true
		}
	}
	before := r.count
	r.count = map[string]int{}
	r.field([]byte(value), at, t)
	n := len(r.count)
	r.count = before
	return n > 0
}

// mayMatch tells whether at is a field or part of one or may have one in it.
func (r *reference) mayMatch(at []string) bool {
	for _, f := range r.fields {
		for n := range at {
			if matches(f.path.steps, at[:n+1]) {
				return true
			}
		}
		for n := range f.path.steps {
			if matches(f.path.steps[:n+1], at) {
				return true
			}
		}
	}
	return false
}

// field masks what is classified in a value that keys lead to.
func (r *reference) field(raw []byte, keys []string, t *refThing) []byte {
	if rule, hidden := r.rule(keys, t); hidden {
		r.count["x"]++
		return r.hidden(raw, rule.rule, rule.bytes)
	}
	if t.status && !t.inner && raw[0] == '"' && (slices.Equal(keys, []string{"message"}) ||
		len(keys) == 4 && keys[0] == "details" && keys[1] == "causes" && (keys[3] == "message" || keys[3] == "field")) {
		return r.quiet(raw)
	}
	var list []refMember
	switch raw[0] {
	case '{':
		list = refMembers(raw)
	case '[':
		list = refElements(raw)
	default:
		return raw
	}
	for i := range list {
		name := list[i].name
		if raw[0] == '[' {
			name = anElement
		}
		list[i].replacement = r.field(list[i].raw, append(slices.Clone(keys), name), t)
	}
	return replace(raw, list)
}

func (r *reference) quiet(raw []byte) []byte {
	s := text(raw)
	at := len(s)
	for _, words := range []string{"Invalid value:", "Unsupported value:", "Duplicate value:", "Not found:", "valueUnstructured{Value:", "cannot unmarshal number "} {
		if i := strings.Index(s, words); i >= 0 {
			at = min(at, i+len(words))
		}
	}
	said := string(appendUnselected(nil, []byte(s[:at]))) // has a test of its own
	if at < len(s) {
		said += " ***"
	}
	if said == s {
		return raw
	}
	return appendQuoted(nil, []byte(said))
}

type refRule struct {
	rule  mask.Rule
	bytes bool
}

// rule returns how a value that keys lead to is hidden.
func (r *reference) rule(keys []string, t *refThing) (found refRule, hidden bool) {
	if t.inner {
		return found, false
	}
	for _, f := range r.fields {
		choices, applies := t.choices[f.kind]
		if !applies || !matches(f.path.steps, keys) {
			continue
		}
		c := Choice{}
		if f.index < len(choices) {
			c = choices[f.index]
		}
		switch {
		case c.Reveal:
		case !hidden:
			found, hidden = refRule{c.Rule, f.bytes}, true
		default:
			found.rule = mask.Stricter(found.rule, c.Rule)
		}
	}
	return found, hidden
}

// matches tells whether steps lead exactly where keys do.
func matches(steps []step, keys []string) bool {
	if len(steps) == 0 || len(keys) == 0 {
		return len(steps) == 0 && len(keys) == 0
	}
	if steps[0].any {
		return matches(steps[1:], keys[1:])
	}
	name := ""
	for i, st := range steps {
		if st.any {
			return false
		}
		if name += st.name; name == keys[0] && matches(steps[i+1:], keys[1:]) {
			return true
		}
		name += "."
	}
	return false
}

// hidden returns what stands for a value.
func (r *reference) hidden(raw []byte, rule mask.Rule, isBytes bool) []byte {
	switch raw[0] {
	case '{', '[':
		return []byte{raw[0], raw[0] + 2}
	case 't', 'f':
		return []byte("false")
	case 'n':
		return raw
	case '"':
	default:
		return []byte("0")
	}
	s := text(raw)
	if isBytes {
		decoded, err := base64.StdEncoding.DecodeString(s)
		if s = string(decoded); err != nil && rule.Kind != mask.Null {
			rule = mask.Rule{Kind: mask.Redact}
		}
	}
	masked, _ := rule.AppendText(nil, []byte(s), r.cfg.Key)
	switch {
	case rule.Kind == mask.Hash:
		masked = append([]byte("***"), masked...)
	case rule.Kind == mask.Null:
		masked = nil
	}
	if isBytes {
		return fmt.Appendf(nil, "%q", base64.StdEncoding.EncodeToString(masked))
	}
	return appendQuoted(nil, masked)
}
