package awsmodel

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// node is a form as a tree of the names between dots.
type node struct {
	value string
	set   bool
	below map[string]*node
}

func (d *decoder) form(c Call) error {
	tree, err := d.tree(c.input.form)
	if err != nil {
		return err
	}
	f := &formDecoder{decoder: d, ec2: c.Protocol == EC2}
	v, err := f.structure(tree, c.op.input, "", 0)
	d.root = v
	return err
}

// checkForm reports what an operation without input is given.
func (d *decoder) checkForm(form []pair, _ *modelfile.Shape) {
	for _, p := range form {
		if p.name != "Action" && p.name != "Version" {
			d.report(p.name)
		}
	}
}

func (d *decoder) tree(form []pair) (*node, error) {
	root := &node{below: map[string]*node{}}
	for _, p := range form {
		if p.name == "Action" || p.name == "Version" {
			continue
		}
		n := root
		for depth, part := range strings.Split(p.name, ".") {
			if err := d.value(depth / 2); err != nil {
				return nil, err
			}
			if part == "" {
				return nil, malformed(p.name, "its name is malformed")
			}
			next := n.below[part]
			if next == nil {
				next = &node{below: map[string]*node{}}
				n.below[part] = next
			}
			n = next
		}
		n.value, n.set = p.value, true
	}
	return root, nil
}

// formDecoder reads the protocols query and ec2.
type formDecoder struct {
	*decoder
	ec2 bool
}

// name is a member's name in a form: a flattened list goes by the name of its elements, where they have one.
func (f *formDecoder) name(m *modelfile.Member) string {
	if f.ec2 {
		if m.Query != "" {
			return m.Query
		}
		if m.Wire != "" {
			return strings.ToUpper(m.Wire[:1]) + m.Wire[1:]
		}
		return m.Name
	}
	if sh := f.shape(m.Shape); sh.Kind == modelfile.ListOf && f.flat(m, sh) && sh.Wire != "" {
		return sh.Wire
	}
	return wireName(*m)
}

func (f *formDecoder) flat(m *modelfile.Member, sh *modelfile.Shape) bool {
	return (m.Flags|sh.Flags)&modelfile.Flattened != 0
}

func (f *formDecoder) structure(n *node, sh *modelfile.Shape, path string, depth int) (Value, error) {
	v := Value{Kind: Struct}
	known := make(map[string]bool, len(sh.Members))
	for i := range sh.Members {
		m := &sh.Members[i]
		name := f.name(m)
		known[name] = true
		below := n.below[name]
		if below == nil {
			continue
		}
		x, err := f.read(below, f.shape(m.Shape), f.flat(m, f.shape(m.Shape)), join(path, m.Name), depth+1)
		if err != nil {
			return v, err
		}
		v.Fields = append(v.Fields, Field{m.Name, x})
	}
	for _, name := range slices.Sorted(maps.Keys(n.below)) {
		if !known[name] {
			f.report(join(path, name))
		}
	}
	return v, nil
}

func (f *formDecoder) read(n *node, sh *modelfile.Shape, flat bool, path string, depth int) (v Value, err error) {
	if err := f.value(depth); err != nil {
		return Value{}, err
	}
	container := sh.Kind == modelfile.Structure || sh.Kind == modelfile.ListOf || sh.Kind == modelfile.MapOf
	if n.set && len(n.below) > 0 || n.set && container && n.value != "" || !n.set && !container {
		return Value{}, malformed(path, "it is of another type")
	}
	switch sh.Kind {
	case modelfile.Structure:
		v, err = f.structure(n, sh, path, depth)
	case modelfile.ListOf:
		v, err = f.list(n, sh, flat, path, depth)
	case modelfile.MapOf:
		v, err = f.entries(n, sh, flat, path, depth)
	default:
		v, err = text(n.value, sh.Kind, path)
	}
	return sensitive(v, sh), err
}

// text reads a scalar that is written as text: in a form, a header, a query or XML.
func text(s string, kind modelfile.Kind, path string) (Value, error) {
	switch kind {
	case modelfile.Integer, modelfile.Float:
		if _, err := strconv.ParseFloat(s, 64); err != nil || strings.ContainsAny(s, "xXpP_") {
			return Value{}, malformed(path, "it is no number")
		}
		return Value{Kind: Number, Text: s}, nil
	case modelfile.Boolean:
		if s != "true" && s != "false" {
			return Value{}, malformed(path, "it is neither true nor false")
		}
		return Value{Kind: Bool, Text: s}, nil
	case modelfile.Blob:
		return blob(s, path)
	case modelfile.String, modelfile.Timestamp, modelfile.Document:
		return Value{Kind: Text, Text: s}, nil
	}
	return Value{}, malformed(path, "it is of another type")
}

func (f *formDecoder) list(n *node, sh *modelfile.Shape, flat bool, path string, depth int) (Value, error) {
	v := Value{Kind: Array}
	if !flat && !f.ec2 && len(n.below) > 0 {
		wrapper := sh.Wire
		if wrapper == "" {
			wrapper = "member"
		}
		var err error
		if n, err = f.only(n, wrapper, path); err != nil || n == nil {
			return v, err
		}
	}
	elements, err := f.numbered(n, path)
	if err != nil {
		return v, err
	}
	for _, e := range elements {
		x, err := f.read(e, f.shape(sh.Elem), false, path+"[]", depth+1)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, x)
	}
	return v, nil
}

// only steps through a wrapper, and reports what stands beside it.
func (f *formDecoder) only(n *node, wrapper, path string) (*node, error) {
	for _, name := range slices.Sorted(maps.Keys(n.below)) {
		if name != wrapper {
			f.report(join(path, name))
		}
	}
	next := n.below[wrapper]
	if next != nil && next.set {
		return nil, malformed(path, "it is of another type")
	}
	return next, nil
}

// numbered returns what stands under numbers, in their order. They count from 1 without a gap, behind which some readers stop.
func (f *formDecoder) numbered(n *node, path string) ([]*node, error) {
	numbers := make([]int, 0, len(n.below))
	for name := range n.below {
		i, err := strconv.Atoi(name)
		if err != nil || i < 1 || i > len(n.below) || strconv.Itoa(i) != name {
			return nil, malformed(join(path, name), "it is no number of an element")
		}
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	out := make([]*node, len(numbers))
	for i, k := range numbers {
		out[i] = n.below[strconv.Itoa(k)]
	}
	return out, nil
}

func (f *formDecoder) entries(n *node, sh *modelfile.Shape, flat bool, path string, depth int) (Value, error) {
	v := Value{Kind: Map}
	if !flat && len(n.below) > 0 {
		var err error
		if n, err = f.only(n, "entry", path); err != nil || n == nil {
			return v, err
		}
	}
	elements, err := f.numbered(n, path)
	if err != nil {
		return v, err
	}
	key, value := or(sh.KeyWire, "key"), or(sh.Wire, "value")
	seen := map[string]bool{}
	for _, e := range elements {
		k := e.below[key]
		if k == nil || !k.set || seen[k.value] {
			return v, malformed(path, "an entry has no key, or one of another entry")
		}
		seen[k.value] = true
		for _, name := range slices.Sorted(maps.Keys(e.below)) {
			if name != key && name != value {
				f.report(join(path, name))
			}
		}
		if e.below[value] == nil {
			continue
		}
		x, err := f.read(e.below[value], f.shape(sh.Elem), false, path+"{}", depth+1)
		if err != nil {
			return v, err
		}
		v.Fields = append(v.Fields, Field{k.value, x})
	}
	return v, nil
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
