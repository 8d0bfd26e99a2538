package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// walker visits what a shape holds, with the path of wire names or of members.
type walker struct {
	model *model
	wire  bool
	seen  map[string]bool
	cut   func(path, shape string) // is told where the visit does not go on; nil is nobody
}

// maxPaths bounds what one operation may list, and maxDepth how deep a path goes.
const (
	maxPaths = 200
	maxDepth = 12
)

// visit calls each with the path, the name and the shape of every member below a shape. Recursion is followed once.
func (w *walker) visit(shapeName, path string, depth int, each func(path, member string, sh shape) bool) {
	sh := w.model.Shapes[shapeName]
	if depth > maxDepth || w.seen[shapeName] {
		if w.cut != nil {
			w.cut(path, shapeName)
		}
		return
	}
	if sh.Type == "structure" {
		w.seen[shapeName] = true
		defer delete(w.seen, shapeName)
	}
	switch sh.Type {
	case "list":
		w.element(sh.Member.Shape, path+"[]", depth, each)
	case "map":
		w.element(sh.Value.Shape, path+"{}", depth, each)
	case "structure":
		for _, name := range slices.Sorted(maps.Keys(sh.Members)) {
			m := sh.Members[name]
			next := name
			if w.wire && m.LocationName != "" {
				next = m.LocationName
			}
			if w.wire && (m.Location == "header" || m.Location == "headers") {
				next = "header:" + next
			}
			if path != "" {
				next = path + "." + next
			}
			if each(next, name, w.model.Shapes[m.Shape]) {
				w.visit(m.Shape, next, depth+1, each)
			}
		}
	}
}

func (w *walker) element(shapeName, path string, depth int, each func(path, member string, sh shape) bool) {
	if each(path, "", w.model.Shapes[shapeName]) {
		w.visit(shapeName, path, depth+1, each)
	}
}

// role matches the names of members that hold a role which a service is to act as.
var role = regexp.MustCompile(`(?i)^(.*role|.*role_?arn|.*role_?id|.*instanceprofile(name|arn)?|.*rolename|roles?|.*rolearns?)$`)

// roles lists the members that pass a role on. The services that manage roles name them without passing them.
func (b *builder) roles(s *service, op operation, w *walker) []string {
	if row, ok := b.tables.row("roles", s.id, op.Name); ok {
		return row
	}
	if _, ok := b.tables.row("roles", s.id, "none"); ok {
		return nil
	}
	var out []string
	w.seen, w.wire = map[string]bool{}, false
	w.visit(op.Input.Shape, "", 0, func(path, member string, sh shape) bool {
		if len(out) >= maxPaths {
			return false
		}
		if !role.MatchString(member) || len(sh.Enum) > 0 {
			return true
		}
		switch {
		case sh.Type == "string":
			out = append(out, path)
		case sh.Type == "list" && b.isStringList(s, sh):
			out = append(out, path+"[]")
		case sh.Type == "structure" && strings.HasSuffix(strings.ToLower(member), "instanceprofile"):
			for _, n := range []string{"Arn", "Name"} {
				if _, ok := sh.Members[n]; ok {
					out = append(out, path+"."+n)
				}
			}
			return false
		}
		return true
	})
	return out
}

func (b *builder) isStringList(s *service, sh shape) bool {
	return s.model.Shapes[sh.Member.Shape].Type == "string"
}

// secret matches the names of members that hold a secret, whether or not the model says so.
var secret = regexp.MustCompile(`(?i)(password|passphrase|secret|secret_?(string|binary|key|access_?key)|private_?key|auth_?token|access_?token|refresh_?token|session_?token|bearer_?token|user_?data|api_?key|pre_?shared_?key)$`)

func secretName(member string, sh shape) bool {
	return (sh.Type == "string" || sh.Type == "blob") && len(sh.Enum) == 0 && secret.MatchString(member)
}

// marked lists the members of answers and errors that a table names, or that are meant by what they are. What holds such a
// member deeper than the visit goes is listed as a whole.
func (b *builder) marked(s *service, op operation, w *walker, table string, meant func(path, member string, sh shape) bool) []string {
	var out []string
	is := func(path, member string, sh shape) bool {
		named := member != "" && len(b.tables.rows(table, s.id, "*", member)) > 0
		return named || meant(path, member, sh)
	}
	each := func(path, member string, sh shape) bool {
		if is(path, member, sh) {
			out = append(out, path)
			return false
		}
		return true
	}
	w.seen, w.wire = map[string]bool{}, true
	w.cut = func(path, shapeName string) {
		below := func(member string, sh shape) bool { return is(path, member, sh) }
		if holds(w.model, shapeName, map[string]bool{}, below) {
			out = append(out, path)
		}
	}
	if op.Output != nil {
		all := is("", "", s.model.Shapes[op.Output.Shape])
		w.visit(op.Output.Shape, "", 0, func(path, member string, sh shape) bool {
			further := each(path, member, sh)
			if further && all {
				out = append(out, path)
			}
			return further && !all
		})
	}
	if fault := faultOf(s, op); fault != "" {
		w.visit(fault, "", 0, each)
	}
	w.cut = nil
	if row, ok := b.tables.row(table, s.id, op.Name); ok {
		out = append(out, row...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// within reports whether a path is one of others, or leads through it.
func within(path string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool {
		rest, ok := strings.CutPrefix(path, strings.TrimSuffix(other, "|base64"))
		return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[{"))
	})
}

// holds reports whether something is in a shape or below it.
func holds(m *model, shapeName string, seen map[string]bool, is func(member string, sh shape) bool) bool {
	if seen[shapeName] {
		return false
	}
	seen[shapeName] = true
	sh := m.Shapes[shapeName]
	if is("", sh) {
		return true
	}
	for _, r := range []ref{sh.Member, sh.Value} {
		if r.Shape != "" && holds(m, r.Shape, seen, is) {
			return true
		}
	}
	for name, r := range sh.Members {
		if is(name, m.Shapes[r.Shape]) || holds(m, r.Shape, seen, is) {
			return true
		}
	}
	return false
}
