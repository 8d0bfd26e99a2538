package awsmodel

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// route is how an operation of a REST protocol is addressed.
type route struct {
	op       *operation
	segments []segment
	slash    bool            // the template ends with a slash
	fixed    []pair          // of the template's query
	keys     []string        // required parameters of the query
	headers  []string        // required headers, in canonical form
	queries  map[string]bool // parameters of the query; true may be repeated
	free     bool            // a map takes every parameter
	lists    bool            // and each may be repeated
	weight   []int           // orders the routes that match one request
}

// segment is a part of the path between slashes.
type segment struct {
	literal string
	label   bool
	greedy  bool
}

// routes are a service's operations, by method and by the first segment when that is a literal.
type routes map[routeKey][]*route

type routeKey struct{ method, first string }

func newRoutes(a *api) routes {
	rs := routes{}
	for i := range a.Operations {
		r := a.byName[a.Operations[i].Name].route
		k := routeKey{method: r.op.Method}
		if len(r.segments) > 0 && !r.segments[0].label {
			k.first = r.segments[0].literal
		}
		rs[k] = append(rs[k], r)
	}
	return rs
}

func newRoute(a *api, op *operation) *route {
	r := &route{op: op, queries: map[string]bool{}}
	path, query, _ := strings.Cut(op.URI, "?")
	r.slash = len(path) > 1 && strings.HasSuffix(path, "/")
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		switch {
		case part == "":
		case strings.HasPrefix(part, "{"):
			r.segments = append(r.segments, segment{label: true, literal: strings.Trim(part, "{}+"), greedy: strings.HasSuffix(part, "+}")})
		default:
			r.segments = append(r.segments, segment{literal: part})
		}
	}
	r.fixed, _ = parsePairs(query, false)
	if op.input != nil {
		r.addMembers(a)
	}
	r.weight = r.weigh()
	return r
}

// addMembers takes what the members say of the query and the headers.
func (r *route) addMembers(a *api) {
	for i := range r.op.input.Members {
		m := &r.op.input.Members[i]
		required := m.Flags&modelfile.Required != 0
		switch kind := a.Shapes[m.Shape].Kind; {
		case m.At == modelfile.InQuery && kind == modelfile.MapOf:
			r.free = true
			r.lists = a.Shapes[a.Shapes[m.Shape].Elem].Kind == modelfile.ListOf
			r.queries[wireName(*m)] = true
		case m.At == modelfile.InQuery:
			r.queries[wireName(*m)] = kind == modelfile.ListOf
			if required && kind != modelfile.ListOf {
				r.keys = append(r.keys, wireName(*m))
			}
		case m.At == modelfile.InHeader && required:
			r.headers = append(r.headers, canonical(wireName(*m)))
		}
	}
}

// match says whether a path, parted at its slashes, is the route's.
func (r *route) match(parts []string, slash, s3 bool) bool {
	if slash && !r.slash && !s3 && !r.greedy() {
		return false
	}
	for i, s := range r.segments {
		switch {
		case s.greedy:
			tail := len(r.segments) - i - 1
			n := len(parts) - tail
			return n > i && (parts[i] != "" || n > i+1) && matchTail(r.segments[i+1:], parts[n:])
		case i >= len(parts), s.label && parts[i] == "", !s.label && s.literal != parts[i]:
			return false
		}
	}
	return len(parts) == len(r.segments)
}

// labels returns the values of a matching path's labels, still encoded.
func (r *route) labels(parts []string, slash bool) []string {
	var out []string
	for i, s := range r.segments {
		switch {
		case s.greedy:
			tail := len(r.segments) - i - 1
			value := strings.Join(parts[i:len(parts)-tail], "/")
			if tail == 0 && slash {
				value += "/"
			}
			return append(out, value)
		case s.label:
			out = append(out, parts[i])
		}
	}
	return out
}

func (r *route) greedy() bool {
	n := len(r.segments)
	return n > 0 && r.segments[n-1].greedy
}

func matchTail(segments []segment, parts []string) bool {
	for i, s := range segments {
		if s.label || s.literal != parts[i] {
			return false
		}
	}
	return true
}

// takes says whether the query and the headers are those of the operation: what is required is there, and nothing else.
func (r *route) takes(query []pair, in *input) bool {
	for _, f := range r.fixed {
		if !slices.Contains(query, f) {
			return false
		}
	}
	for _, k := range r.keys {
		if !slices.ContainsFunc(query, func(p pair) bool { return p.name == k }) {
			return false
		}
	}
	for _, h := range r.headers {
		if len(in.header[h]) == 0 && !slices.ContainsFunc(in.hoist, func(p pair) bool { return canonical(p.name) == h }) {
			return false
		}
	}
	return true
}

// unknownQuery returns the first parameter that is none of the operation's, or stands there twice.
func (r *route) unknownQuery(query []pair) (string, bool) {
	for i, p := range query {
		repeats, known := r.queries[p.name]
		switch {
		case slices.ContainsFunc(r.fixed, func(f pair) bool { return f.name == p.name }):
			known = slices.Contains(r.fixed, p)
		case p.name == "x-id":
			known = p.value == r.op.Name
		case r.free && !known:
			repeats, known = r.lists, true
		}
		if !known {
			return p.name, true
		}
		if repeats {
			continue
		}
		if slices.ContainsFunc(query[:i], func(q pair) bool { return q.name == p.name }) {
			return p.name, true
		}
	}
	return "", false
}

// weigh orders the routes that match one request: literals of the path from the left, then what the query and the headers
// must have.
func (r *route) weigh() []int {
	w := make([]int, 0, len(r.segments)+1)
	for _, s := range r.segments {
		switch {
		case s.greedy:
			w = append(w, 0)
		case s.label:
			w = append(w, 1)
		default:
			w = append(w, 2)
		}
	}
	return append(w, len(r.fixed)+len(r.keys)+len(r.headers))
}
