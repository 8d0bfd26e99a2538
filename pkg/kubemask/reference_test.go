package kubemask

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// reference masks as Masker is meant to, slowly and on top of encoding/json: no automaton, no scanner, no streaming.
type reference struct {
	cfg    Config
	fields []refField
	count  map[string]int
	notes  int
}

type refField struct {
	kind, index int
	path        Path
	bytes       bool
}

var errReference = errors.New("reference refuses")

func newReference(cfg Config) *reference {
	r := &reference{cfg: cfg, count: map[string]int{}}
	add := func(kind int, group, resource string, list []Path) {
		for i, p := range list {
			r.fields = append(r.fields, refField{kind, i, p, p.base64 || group == "" && resource == "secrets" && p.steps[0].name == "data"})
		}
	}
	add(0, cfg.Group, cfg.Resource, cfg.Fields)
	for i, k := range cfg.Others {
		add(i+1, k.Group, k.Resource, k.Fields)
	}
	return r
}

// refThing is one object: what it is and what becomes of its fields.
type refThing struct {
	role    role
	hidden  bool // all its fields are, whatever Choose says
	status  bool
	inner   bool
	choices map[int][]Choice
}

type refMember struct {
	name        string
	key, value  span
	raw         json.RawMessage
	replacement []byte
}

// members splits an object; spans are in raw.
func refMembers(raw []byte) (list []refMember) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	must(dec.Token())
	for dec.More() {
		var m refMember
		before := 1
		if len(list) > 0 {
			before = list[len(list)-1].value.end
		}
		m.name = must(dec.Token()).(string)
		m.key = span{before + bytes.IndexByte(raw[before:], '"'), int(dec.InputOffset())}
		if err := dec.Decode(&m.raw); err != nil {
			panic(err)
		}
		m.value.end = int(dec.InputOffset())
		m.value.start = m.value.end - len(m.raw)
		list = append(list, m)
	}
	return list
}

func refElements(raw []byte) (list []refMember) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	must(dec.Token())
	for dec.More() {
		var m refMember
		if err := dec.Decode(&m.raw); err != nil {
			panic(err)
		}
		m.value.end = int(dec.InputOffset())
		m.value.start = m.value.end - len(m.raw)
		list = append(list, m)
	}
	return list
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// replace puts replacements where the values were.
func replace(raw []byte, list []refMember) []byte {
	var out []byte
	done := 0
	for _, m := range list {
		if m.replacement != nil {
			out = append(append(out, raw[done:m.value.start]...), m.replacement...)
			done = m.value.end
		}
	}
	return append(out, raw[done:]...)
}

// answer masks a whole answer, which is valid JSON.
func (r *reference) answer(raw []byte, as role) (out []byte, err error) {
	defer func() {
		if e := recover(); e == errReference {
			err = errReference
		} else if e != nil {
			panic(e)
		}
	}()
	trimmed := bytes.TrimSpace(raw)
	at := bytes.Index(raw, trimmed)
	out = append(out, raw[:at]...)
	out = append(out, r.thing(trimmed, as, "", nil)...)
	return append(out, raw[at+len(trimmed):]...), nil
}

func text(raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// identify finds out what an object is.
func (r *reference) identify(list []refMember, as role, listKind string, outer *refThing) *refThing {
	t := &refThing{role: as, hidden: as != roleThing, choices: map[int][]Choice{}}
	said := map[string]string{}
	say := func(name string, raw []byte) {
		if _, twice := said[name]; twice {
			panic(errReference)
		}
		said[name] = text(raw)
	}
	for _, m := range list {
		switch {
		case m.name == "kind" || m.name == "apiVersion" || m.name == "type":
			say(m.name, m.raw)
		case m.name == "metadata" && m.raw[0] == '{':
			for _, mm := range refMembers(m.raw) {
				if mm.name == "name" || mm.name == "namespace" {
					say("."+mm.name, mm.raw)
				}
			}
		case (m.name == "items" || m.name == "rows") && m.raw[0] == '[' && as != roleRow:
			t.hidden = true
		case m.name == "object" && m.raw[0] == '{' && as != roleThing:
			if t.inner {
				panic(errReference)
			}
			t.inner = true
		}
	}
	version, kind := said["apiVersion"], said["kind"]
	if kind == "" {
		version, kind, _ = strings.Cut(listKind, " ")
	}
	group := ""
	if i := strings.Index(version, "/"); i >= 0 {
		group = version[:i]
	}
	choose := func(group, resource string) []Choice {
		if t.hidden || r.cfg.Choose == nil || r.notes > 0 {
			return nil
		}
		return r.cfg.Choose(Object{group, resource, said[".namespace"], said[".name"], said["type"]})
	}
	if outer != nil {
		t.choices, t.status = outer.choices, outer.status
	} else {
		t.choices[0] = choose(r.cfg.Group, r.cfg.Resource)
	}
	for i, k := range r.cfg.Others {
		if _, has := t.choices[i+1]; !has && (t.hidden || k.Kind == kind && k.Group == group) {
			choices := map[int][]Choice{i + 1: choose(k.Group, k.Resource)}
			for id, c := range t.choices {
				choices[id] = c
			}
			t.choices = choices
		}
	}
	t.status = t.status || (t.hidden || kind == "Status" && group == "") && r.cfg.QuietErrors
	return t
}

// thing masks one object of the API, a row or an event. outer is the object whose annotation it is in.
func (r *reference) thing(raw []byte, as role, listKind string, outer *refThing) []byte {
	list := refMembers(raw)
	t := r.identify(list, as, listKind, outer)
	said := map[string]string{}
	itemKind := func() string { // as far as it is known there
		name, isList := strings.CutSuffix(said["kind"], "List")
		if !isList {
			return ""
		}
		return said["apiVersion"] + " " + name
	}
	for i := range list {
		m := &list[i]
		c := m.raw[0]
		said[m.name] = text(m.raw)
		switch {
		case m.name == "items" && c == '[' && as != roleRow:
			m.replacement = r.things(m.raw, roleThing, itemKind())
		case m.name == "rows" && c == '[' && as != roleRow:
			m.replacement = r.things(m.raw, roleRow, itemKind())
		case m.name == "object" && c == '{' && as != roleThing:
			m.replacement = r.thing(m.raw, roleThing, "", nil)
		case m.name == "cells" && c == '[' && as == roleRow && r.cfg.Cells:
			m.replacement = r.cells(m.raw, list, t)
		case m.name == "metadata" && c == '{':
			m.replacement = r.metadata(m.raw, t)
		default:
			m.replacement = r.field(m.raw, []string{m.name}, t)
		}
	}
	return replace(raw, list)
}

func (r *reference) things(raw []byte, as role, kind string) []byte {
	list := refElements(raw)
	for i := range list {
		if list[i].raw[0] == '{' {
			list[i].replacement = r.thing(list[i].raw, as, kind, nil)
		}
	}
	return replace(raw, list)
}

func (r *reference) cells(raw []byte, row []refMember, t *refThing) []byte {
	for _, m := range row {
		if m.name == "object" && m.raw[0] == '{' {
			t = r.identify(refMembers(m.raw), roleThing, "", nil)
		}
	}
	hides := false
	for i := range r.cfg.Fields {
		c := t.choices[0]
		hides = hides || i >= len(c) || !c[i].Reveal
	}
	list := refElements(raw)
	for i := range list {
		if hides && i > 0 && string(list[i].raw) != "null" {
			list[i].replacement = []byte(`"***"`)
		}
	}
	return replace(raw, list)
}

func (r *reference) metadata(raw []byte, t *refThing) []byte {
	list := refMembers(raw)
	for i := range list {
		m := &list[i]
		keys := []string{"metadata", m.name}
		switch {
		case m.name == "annotations" && m.raw[0] == '{':
			m.replacement = r.annotations(m.raw, t)
		case m.name == "managedFields" && m.raw[0] == '[' && len(r.fields) > 0:
			m.replacement = r.managed(m.raw, t)
		default:
			m.replacement = r.field(m.raw, keys, t)
		}
	}
	return replace(raw, list)
}

func (r *reference) annotations(raw []byte, t *refThing) []byte {
	list := refMembers(raw)
	for i := range list {
		m := &list[i]
		m.replacement = r.field(m.raw, []string{"metadata", "annotations", m.name}, t)
		note := strings.TrimLeft(text(m.raw), " \t\r\n")
		isNote := m.name == lastApplied || m.raw[0] == '"' && (strings.HasPrefix(note, "{") || strings.HasPrefix(note, `\`))
		if string(m.replacement) == string(m.raw) && isNote {
			if masked := r.note(m.raw, m.name == lastApplied, t); masked != nil {
				m.replacement = masked
			}
		}
	}
	return replace(raw, list)
}

// note masks an object in an annotation; nil says that it stays as it is.
func (r *reference) note(raw []byte, kept bool, t *refThing) (out []byte) {
	content := []byte(text(raw))
	refused := func() []byte {
		if !kept {
			return nil
		}
		return []byte(`"***"`)
	}
	trimmed := bytes.TrimSpace(content)
	if raw[0] != '"' || !json.Valid(content) || len(trimmed) == 0 || trimmed[0] != '{' {
		return refused()
	}
	defer func() {
		if e := recover(); e == errReference {
			out = refused()
		} else if e != nil {
			panic(e)
		}
	}()
	r.notes++
	defer func() { r.notes-- }()
	masked := r.thing(trimmed, roleThing, "", t)
	if bytes.Equal(masked, trimmed) {
		return nil
	}
	return appendQuoted(nil, bytes.Replace(content, trimmed, masked, 1))
}
