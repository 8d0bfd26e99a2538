package protobody

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

//go:embed types.txt
var written string

// builtin are the messages that the types of k8s.io/api are made of, and that JSON writes in another way.
const builtin = `
type envelope
1 typeMeta typemeta
2 raw bytes
3 contentEncoding ?string
4 contentType ?string
type typemeta
1 apiVersion ?string
2 kind ?string
type time
1 seconds int64
2 nanos int32
type microtime
1 seconds int64
2 nanos int32
type duration
1 duration int64
type quantity
1 string string
type intorstring
1 type int64
2 intVal int32
3 strVal string
type json
1 raw bytes
`

// message is a type of the table.
type message struct {
	name   string
	fields map[int32]field
}

// field is a field of a message. The name "." says that the value's own fields stand in the object, or that a list is all
// there is to it.
type field struct {
	name    string
	list    bool
	mapped  bool     // by text
	omit    bool     // JSON leaves it out when it is zero
	scalar  string   // "" for a message
	message *message // nil for a scalar
}

// types is the table: messages by name, and kinds by "apiVersion kind".
type types struct {
	messages map[string]*message
	kinds    map[string]*message
}

var load = sync.OnceValue(func() *types {
	t := &types{messages: map[string]*message{}, kinds: map[string]*message{}}
	var m *message
	for line := range strings.Lines(builtin + written) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2 || words[0] == "#":
		case words[0] == "kind":
			t.kinds[words[1]+" "+words[2]] = t.message(words[3])
		case words[0] == "type":
			m = t.message(words[1])
		default:
			t.field(m, words)
		}
	}
	return t
})

func (t *types) message(name string) *message {
	m := t.messages[name]
	if m == nil {
		m = &message{name: name, fields: map[int32]field{}}
		t.messages[name] = m
	}
	return m
}

func (t *types) field(m *message, words []string) {
	number, _ := strconv.Atoi(words[0])
	f := field{name: words[1]}
	typ := words[2]
	typ, f.omit = strings.CutPrefix(typ, "?")
	typ, f.list = strings.CutPrefix(typ, "[]")
	typ, f.mapped = strings.CutPrefix(typ, "{}")
	switch typ {
	case "string", "bool", "int32", "int64", "float64", "bytes":
		f.scalar = typ
	default:
		f.message = t.message(typ)
	}
	m.fields[int32(number)] = f
}
