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
	if op.input == nil {
		return r
	}
	for i := range op.input.Members {
		m := &op.input.Members[i]
		required := m.Flags&modelfile.Required != 0
		switch m.At {
		case modelfile.InQuery:
			kind := a.Shapes[m.Shape].Kind
			if kind == modelfile.MapOf {
				r.free = true
				r.lists = a.Shapes[a.Shapes[m.Shape].Elem].Kind == modelfile.ListOf
			}
			r.queries[wireName(*m)] = kind == modelfile.ListOf || kind == modelfile.MapOf
			if required && kind != modelfile.MapOf && kind != modelfile.ListOf {
				r.keys = append(r.keys, wireName(*m))
			}
		case modelfile.InHeader:
			if required {
				r.headers = append(r.headers, canonical(wireName(*m)))
			}
		}
	}
	return r
}

// match returns the values of a path's labels, still encoded.
func (r *route) match(parts []string, slash, s3 bool) ([]string, bool) {
	if slash && !r.slash && !s3 && !r.greedy() {
		return nil, false
	}
	var labels []string
	for i, s := range r.segments {
		switch {
		case s.greedy:
			tail := len(r.segments) - i - 1
			if len(parts)-tail <= i {
				return nil, false
			}
			value := strings.Join(parts[i:len(parts)-tail], "/")
			if tail == 0 && slash {
				value += "/"
			}
			labels = append(labels, value)
			return labels, value != "" && matchTail(r.segments[i+1:], parts[len(parts)-tail:])
		case i >= len(parts):
			return nil, false
		case s.label:
			if parts[i] == "" {
				return nil, false
			}
			labels = append(labels, parts[i])
		case s.literal != parts[i]:
			return nil, false
		}
	}
	return labels, len(parts) == len(r.segments)
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

// weight orders the routes that match one request: literals of the path from the left, then what the query and the
// headers must have.
func (r *route) weight() []int {
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
