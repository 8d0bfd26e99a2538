package modelfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

// ErrFormat says that bytes are not what Encode writes.
var ErrFormat = errors.New("not a model file")

// coder writes and reads by one description of the format: each field is visited in the same order. While writing, values
// are read through the pointers; while reading, they are set.
type coder struct {
	reading bool
	in      []byte
	out     []byte
	strings []string       // reading: the table
	index   map[string]int // writing: the table
	err     error
}

// maxCount bounds lists before any space is taken for them.
const maxCount = 1 << 20

func (c *coder) fail() {
	c.err = ErrFormat
	c.in = nil
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *v)
		return
	}
	n, size := binary.Uvarint(c.in)
	if size <= 0 {
		c.fail()
		*v = 0
		return
	}
	c.in, *v = c.in[size:], n
}

func (c *coder) int(v *int) {
	n := uint64(*v)
	c.uint(&n)
	if n > maxCount*64 {
		c.fail()
		n = 0
	}
	*v = int(n)
}

func (c *coder) flags(v *uint) {
	n := int(*v)
	c.int(&n)
	*v = uint(n)
}

func (c *coder) byte(v *uint8) {
	n := int(*v)
	c.int(&n)
	if n > 255 {
		c.fail()
	}
	*v = uint8(n)
}

// raw is a string outside the table.
func (c *coder) raw(s *string) {
	n := len(*s)
	c.int(&n)
	if !c.reading {
		c.out = append(c.out, *s...)
		return
	}
	if n > len(c.in) {
		c.fail()
		return
	}
	*s, c.in = string(c.in[:n]), c.in[n:]
}

// string is a string of the table.
func (c *coder) string(s *string) {
	if !c.reading {
		i, ok := c.index[*s]
		if !ok {
			i = len(c.index)
			c.index[*s] = i
			c.strings = append(c.strings, *s)
		}
		c.int(&i)
		return
	}
	var i int
	c.int(&i)
	if i >= len(c.strings) {
		c.fail()
		return
	}
	*s = c.strings[i]
}

// list visits a slice: it makes it while reading.
func list[T any](c *coder, s *[]T, each func(*T)) {
	n := len(*s)
	c.int(&n)
	if c.reading {
		if n > len(c.in) || n > maxCount {
			c.fail()
			return
		}
		*s = make([]T, n)
		if n == 0 {
			*s = nil
		}
	}
	for i := range *s {
		if c.err != nil {
			return
		}
		each(&(*s)[i])
	}
}

// encode visits v twice: the first visit collects the strings, sorted by use of the second.
func encode(visit func(*coder)) []byte {
	first := &coder{index: map[string]int{}}
	visit(first)
	table := slices.Clone(first.strings)
	slices.Sort(table)
	second := &coder{index: make(map[string]int, len(table)), strings: table}
	for i, s := range table {
		second.index[s] = i
	}
	list(second, &table, second.raw)
	visit(second)
	return second.out
}

func decode(b []byte, visit func(*coder)) error {
	c := &coder{reading: true, in: b}
	var table []string
	list(c, &table, c.raw)
	c.strings = table
	if c.err == nil {
		visit(c)
	}
	if c.err == nil && len(c.in) > 0 {
		c.fail()
	}
	return c.err
}

// EncodeHead writes the head of a file.
func EncodeHead(f File) []byte {
	return append([]byte(magic), encode(func(c *coder) { c.file(&f) })...)
}

// DecodeHead reads what EncodeHead wrote.
func DecodeHead(b []byte) (File, error) {
	var f File
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return f, ErrFormat
	}
	return f, decode(rest, func(c *coder) { c.file(&f) })
}

// EncodeService writes a service's block, without its head.
func EncodeService(s Service) []byte {
	return encode(func(c *coder) { c.service(&s) })
}

// DecodeService reads what EncodeService wrote.
func DecodeService(b []byte, head Head) (Service, error) {
	s := Service{Head: head}
	if err := decode(b, func(c *coder) { c.service(&s) }); err != nil {
		return Service{}, err
	}
	return s, check(s)
}

// check refuses references to shapes that are not there.
func check(s Service) error {
	bad := func(i int) bool { return i >= len(s.Shapes) }
	for _, sh := range s.Shapes {
		if (sh.Kind == MapOf || sh.Kind == ListOf) && (bad(sh.Key) || bad(sh.Elem)) {
			return ErrFormat
		}
		for _, m := range sh.Members {
			if bad(m.Shape) {
				return ErrFormat
			}
		}
	}
	for _, o := range s.Operations {
		if max(o.Input, o.Output, o.Fault) > len(s.Shapes) {
			return ErrFormat
		}
	}
	return nil
}
