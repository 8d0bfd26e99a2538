package awsmask

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// xmlWalk goes through a document of XML and notes what is to be changed.
type xmlWalk struct {
	m     *Masker
	root  at
	fault bool
	edits edits
	found found
	open  []element
	done  bool // the root has ended
}

// element is an element that is open.
type element struct {
	name  string
	role  role
	at    at
	start int    // of its content
	inner int    // elements in it
	text  []byte // of its content, where it is looked at
	key   *string
	keyed bool
}

// role is what an element is by the protocol.
type role uint8

const (
	roleValue   role = iota
	roleWrapper      // around the members: the root, a result, an error
	roleEntry        // of a map: at is the map's
	roleKey          // of a map
)

// xml masks a document.
func (m *Masker) xml(body []byte, a at, fault bool, f found) ([]byte, error) {
	w := &xmlWalk{m: m, root: a, fault: fault, found: f}
	in := xml.NewDecoder(bytes.NewReader(body))
	for {
		before := int(in.InputOffset())
		t, err := in.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, malformed("no XML")
		}
		if err := w.token(t, before, int(in.InputOffset())); err != nil {
			return nil, err
		}
	}
	if len(w.open) > 0 || !w.done && len(bytes.TrimSpace(body)) > 0 {
		return nil, malformed("XML that ends too early")
	}
	if w.edits.full {
		return nil, ErrTooLarge
	}
	return apply(body, w.edits.list), nil
}

func (w *xmlWalk) token(t xml.Token, before, after int) error {
	switch t := t.(type) {
	case xml.StartElement:
		return w.begin(t.Name.Local, fullName(t.Name), after)
	case xml.EndElement:
		return w.end(fullName(t.Name), before)
	case xml.CharData:
		if len(w.open) == 0 {
			if len(bytes.TrimSpace(t)) > 0 {
				return malformed("text outside of the XML")
			}
			return nil
		}
		if e := &w.open[len(w.open)-1]; e.role == roleKey || !e.at.idle() {
			e.text = append(e.text, t...)
		}
	case xml.ProcInst:
		if t.Target != "xml" || len(w.open) > 0 || w.done {
			return malformed("a processing instruction in the XML")
		}
	case xml.Directive:
		return malformed("a document type in the XML")
	}
	return nil
}

func fullName(n xml.Name) string { return n.Space + ":" + n.Local }

func (w *xmlWalk) begin(local, full string, after int) error {
	if w.done {
		return malformed("a second root in the XML")
	}
	if len(w.open) >= maxDepth {
		return ErrTooLarge
	}
	e := element{name: full, start: after}
	if len(w.open) == 0 {
		e.role, e.at = w.top()
	} else {
		parent := &w.open[len(w.open)-1]
		parent.inner++
		if len(bytes.TrimSpace(parent.text)) > 0 {
			return malformed("text between elements of the XML")
		}
		parent.text = parent.text[:0]
		if err := w.under(parent, &e, local); err != nil {
			return err
		}
	}
	w.open = append(w.open, e)
	return nil
}

// top is what the root is.
func (w *xmlWalk) top() (role, at) {
	if p := w.m.payload; p != nil && !w.fault && w.m.cfg.Answer.Protocol == modelfile.RESTXML {
		return roleValue, w.m.member(w.root, []byte(wireName(p)))
	}
	return roleWrapper, w.root
}

// under finds what an element is in its parent.
func (w *xmlWalk) under(parent, e *element, local string) error {
	if parent.at.idle() && parent.role != roleKey {
		return nil
	}
	switch parent.role {
	case roleKey:
		return malformed("an element in a key of the XML")
	case roleEntry:
		return w.entry(parent, e, local)
	case roleWrapper:
		if wraps(local, w.fault) && w.memberOf(parent.at, local) == nil {
			e.role, e.at = roleWrapper, parent.at
			return nil
		}
	}
	sh := w.m.shapeOf(int(parent.at.shape))
	switch {
	case sh.Kind == modelfile.ListOf:
		e.at = w.m.element(parent.at)
	case sh.Kind == modelfile.MapOf:
		e.role, e.at = roleEntry, parent.at
	default:
		w.memberUnder(parent, e, local)
	}
	return nil
}

// wraps tells the elements that stand around members: <CreateUserResult>, and <Error> with what is around it.
func wraps(local string, fault bool) bool {
	if fault {
		return local == "Error" || local == "Errors"
	}
	return strings.HasSuffix(local, "Result")
}

// memberOf finds the member that an element is, nil if it is none.
func (w *xmlWalk) memberOf(a at, local string) *modelfile.Member {
	sh := w.m.shapeOf(int(a.shape))
	for i := range sh.Members {
		of := &sh.Members[i]
		name := wireName(of)
		if _, after, ok := strings.Cut(name, ":"); ok {
			name = after
		}
		if name == local || w.flat(of) && w.m.shapeOf(of.Shape).Wire == local && w.m.shapeOf(of.Shape).Kind == modelfile.ListOf {
			return of
		}
	}
	return nil
}

func (w *xmlWalk) flat(of *modelfile.Member) bool {
	return (of.Flags|w.m.shapeOf(of.Shape).Flags)&modelfile.Flattened != 0
}

func (w *xmlWalk) memberUnder(parent, e *element, local string) {
	of := w.memberOf(parent.at, local)
	if of == nil {
		e.at = w.m.member(parent.at, []byte(local))
		return
	}
	e.at = w.m.member(parent.at, []byte(wireName(of)))
	if w.flat(of) && !e.at.idle() {
		switch w.m.shapeOf(of.Shape).Kind {
		case modelfile.ListOf:
			e.at = w.m.element(e.at)
		case modelfile.MapOf:
			e.role = roleEntry
		}
	}
}

// entry finds the key or value in an entry of a map.
func (w *xmlWalk) entry(parent, e *element, local string) error {
	sh := w.m.shapeOf(int(parent.at.shape))
	switch local {
	case cmp.Or(sh.KeyWire, "key"):
		if parent.keyed {
			return malformed("two keys in an entry of the XML")
		}
		parent.keyed, parent.key = true, new(string)
		e.role, e.key = roleKey, parent.key
	case cmp.Or(sh.Wire, "value"):
		if parent.key == nil {
			return malformed("a value before its key in the XML")
		}
		e.at = w.m.member(parent.at, []byte(*parent.key))
	default:
		return malformed("an entry of the XML that is none")
	}
	return nil
}

func (w *xmlWalk) end(full string, before int) error {
	if len(w.open) == 0 {
		return malformed("no XML")
	}
	e := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	if e.name != full {
		return malformed("elements of the XML that are not nested")
	}
	w.done = len(w.open) == 0
	switch {
	case e.role == roleKey:
		*e.key = string(e.text)
	case e.role == roleEntry || e.at.idle():
	case e.inner > 0:
		if len(bytes.TrimSpace(e.text)) > 0 {
			return malformed("text between elements of the XML")
		}
	case len(bytes.TrimSpace(e.text)) == 0: // which is how an empty structure is written
	case e.role == roleWrapper:
		return malformed("text where elements are meant in the XML")
	default:
		w.value(e, before)
	}
	return nil
}

// value masks the text of an element.
func (w *xmlWalk) value(e element, end int) {
	if out, changed := w.m.text(e.text, e.at, w.found); changed {
		w.edits.add(e.start, end, escapeXML(out))
	}
}

func escapeXML(text []byte) []byte {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, text) // a buffer takes everything
	return b.Bytes()
}
