package kubemask

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// node is where one stands after some steps from an object's root: all paths that can still be completed, as one
// state. nil is that there are none.
type node struct {
	fields []int // the fields that are complete here
	edges  []edge
	any    *node // for every other name, and for elements
}

type edge struct {
	name string
	to   *node
}

// maxNodes bounds what overlapping wildcards can multiply to.
const maxNodes = 4096

// next returns where a member's name leads.
func (n *node) next(name []byte) *node {
	if n == nil {
		return nil
	}
	for i := range n.edges {
		if string(name) == n.edges[i].name {
			return n.edges[i].to
		}
	}
	return n.any
}

// elements returns where an element of a list leads.
func (n *node) elements() *node {
	if n == nil {
		return nil
	}
	return n.any
}

// position is a field's path with the steps before at done.
type position struct{ field, at int }

type compiler struct {
	fields []field
	nodes  map[string]*node
}

func compile(fields []field) (*node, error) {
	c := compiler{fields: fields, nodes: map[string]*node{}}
	start := make([]position, len(fields))
	for i := range fields {
		start[i].field = i
	}
	root := c.node(start)
	if len(c.nodes) >= maxNodes {
		return nil, errors.New("kubemask: too many fields with overlapping wildcards")
	}
	return root, nil
}

func (c *compiler) node(at []position) *node {
	if len(at) == 0 || len(c.nodes) >= maxNodes {
		return nil
	}
	id := identify(at)
	if n := c.nodes[id]; n != nil {
		return n
	}
	n := &node{}
	c.nodes[id] = n
	for _, p := range at {
		if p.at == len(c.fields[p.field].path.steps) {
			n.fields = append(n.fields, p.field)
		}
	}
	for _, name := range c.names(at) {
		n.edges = append(n.edges, edge{name: name, to: c.node(c.step(at, name))})
	}
	n.any = c.node(c.step(at, ""))
	return n
}

func identify(at []position) string {
	var b strings.Builder
	for _, p := range at {
		b.WriteString(strconv.Itoa(p.field) + "." + strconv.Itoa(p.at) + " ")
	}
	return b.String()
}

// names returns all names that lead somewhere from at, those written as several names included.
func (c *compiler) names(at []position) []string {
	var names []string
	for _, p := range at {
		c.joined(p, func(name string, _ position) { names = append(names, name) })
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// step returns where name leads from at; the empty name is any that no path has.
func (c *compiler) step(at []position, name string) []position {
	var to []position
	for _, p := range at {
		steps := c.fields[p.field].path.steps
		if p.at < len(steps) && steps[p.at].any {
			to = append(to, position{p.field, p.at + 1})
		}
		if name != "" {
			c.joined(p, func(joined string, end position) {
				if joined == name {
					to = append(to, end)
				}
			})
		}
	}
	slices.SortFunc(to, func(a, b position) int {
		if a.field != b.field {
			return a.field - b.field
		}
		return a.at - b.at
	})
	return slices.Compact(to)
}

// joined calls f with the name at p and with each run of names from there on, joined by dots.
func (c *compiler) joined(p position, f func(name string, end position)) {
	name := ""
	for k := p.at; k < len(c.fields[p.field].path.steps); k++ {
		st := c.fields[p.field].path.steps[k]
		if st.any {
			return
		}
		if k > p.at {
			name += "."
		}
		name += st.name
		f(name, position{p.field, k + 1})
	}
}
