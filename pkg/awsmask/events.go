package awsmask

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// Events masks a stream of events, event by event. A text that comes in pieces, an event each, is looked through as one:
// what may yet become part of a hit waits for the next. After an error nothing more may be sent. Errors are ErrMalformed,
// ErrTooLarge and those of src and dst.
func (m *Masker) Events(dst io.Writer, src io.Reader) (masked []string, err error) {
	s := &stream{m: m, dst: dst, found: found{}}
	for {
		var f frame
		if f, s.buf, err = readFrame(src, s.buf, m.cfg.MaxDocument); err != nil {
			break
		}
		if err = s.event(f); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = s.flush()
	}
	return s.found.names(), err
}

// stream is a stream of events as it passes.
type stream struct {
	m     *Masker
	dst   io.Writer
	buf   []byte
	out   []byte
	found found
	held  *pieces
}

// pieces are events of one name whose payloads together are one text.
type pieces struct {
	name    string
	headers []byte
	object  *object
}

// event passes one event on.
func (s *stream) event(f frame) error {
	headers, err := splitHeaders(f.headers)
	if err != nil {
		return err
	}
	name, a, err := s.m.eventAt(headers)
	if err != nil {
		return err
	}
	payload := s.m.eventPayload(a)
	if s.held != nil && (payload == nil || s.held.name != name) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if !a.idle() {
		f.headers = s.headers(f.headers, headers, a)
	}
	switch {
	case a.idle():
	case payload == nil:
		f.payload, err = s.m.document(f.payload, a, false, s.found)
	case s.m.plain(payload.Shape):
		return s.piece(name, f, s.m.member(a, []byte(s.m.key(payload))))
	default:
		f.payload, err = s.m.document(f.payload, s.m.member(a, []byte(s.m.key(payload))), false, s.found)
	}
	if err != nil {
		return err
	}
	return s.write(f)
}

// eventAt finds where the members of an event are. One that the model does not know is malformed, since what it holds is
// not known either; errors and exceptions that it does not know have a code and a text alone, and pass.
func (m *Masker) eventAt(headers []eventHeader) (name string, a at, err error) {
	value := func(of string) string {
		if i := slices.IndexFunc(headers, func(h eventHeader) bool { return h.name == of && h.kind == headerString }); i >= 0 {
			return string(headers[i].value)
		}
		return ""
	}
	kind := value(":message-type")
	switch kind {
	case "event":
		name = value(":event-type")
	case "exception":
		name = value(":exception-type")
	case "error":
		return "", at{}, nil
	}
	root := m.enter(m.output)
	if name == "initial-response" {
		return name, root, nil
	}
	union := m.member(root, []byte(m.key(m.events)))
	sh := m.shapeOf(m.events.Shape)
	for i := range sh.Members {
		if of := &sh.Members[i]; wireName(of) == name || of.Name == name {
			return name, m.member(union, []byte(m.key(of))), nil
		}
	}
	if kind == "exception" {
		return name, at{}, nil
	}
	return "", at{}, malformed("an event of an unknown kind")
}

// eventPayload finds the member that is the whole payload of an event, nil if there is none.
func (m *Masker) eventPayload(a at) *modelfile.Member {
	if a.idle() {
		return nil
	}
	sh := m.shapeOf(int(a.shape))
	for i := range sh.Members {
		if sh.Members[i].Flags&modelfile.EventPayload != 0 {
			return &sh.Members[i]
		}
	}
	return nil
}

// headers masks those headers of an event that are members of it.
func (s *stream) headers(raw []byte, headers []eventHeader, a at) []byte {
	sh := s.m.shapeOf(int(a.shape))
	var edits []edit
	for _, h := range headers {
		i := slices.IndexFunc(sh.Members, func(of modelfile.Member) bool {
			return of.Flags&modelfile.EventHeader != 0 && (of.Name == h.name || wireName(&of) == h.name)
		})
		if i < 0 {
			continue
		}
		inner := s.m.member(a, []byte(s.m.key(&sh.Members[i])))
		if e, changed := s.header(h, inner); changed {
			edits = append(edits, e)
		}
	}
	return apply(raw, edits)
}

// header masks a header: numbers and times become zeros.
func (s *stream) header(h eventHeader, a at) (edit, bool) {
	if h.kind != headerString && h.kind != headerBytes {
		hide := a.lost().hide
		if hide == nil || len(h.value) == 0 {
			return edit{}, false
		}
		s.found.add(hide.name)
		return edit{h.start, h.end, append([]byte{h.kind}, make([]byte, len(h.value))...)}, true
	}
	if h.kind == headerBytes {
		a.shape, a.base64 = noShape, false
	}
	out, changed := s.m.text(h.value, a, s.found)
	if !changed {
		return edit{}, false
	}
	out = out[:min(len(out), math.MaxUint16)]
	return edit{h.start, h.end, append(binary.BigEndian.AppendUint16([]byte{h.kind}, uint16(len(out))), out...)}, true
}

// piece passes on an event whose payload is a text or bytes as they are.
func (s *stream) piece(name string, f frame, a at) error {
	if a = a.lost(); a.hide != nil {
		s.found.add(a.hide.name)
		a.shape, a.base64 = noShape, false
		f.payload = s.m.hidden(f.payload, a)
		return s.write(f)
	}
	if !a.look {
		return s.write(f)
	}
	if s.held == nil {
		s.held = &pieces{name: name, object: newObject(s.m.cfg.Detector, Window{})}
	}
	s.held.headers = append(s.held.headers[:0], f.headers...)
	s.out = s.held.object.write(s.out[:0], f.payload, s.found)
	if len(s.out) == 0 {
		return nil // nothing of it is certain yet
	}
	return s.write(frame{headers: f.headers, payload: append([]byte{}, s.out...)})
}

// flush passes on what waited for the next piece.
func (s *stream) flush() error {
	if s.held == nil {
		return nil
	}
	rest := s.held.object.close(nil, s.found)
	headers := s.held.headers
	s.held = nil
	if len(rest) == 0 {
		return nil
	}
	return s.write(frame{headers: headers, payload: rest})
}

func (s *stream) write(f frame) error {
	s.out = f.append(s.out[:0])
	_, err := s.dst.Write(s.out)
	return err
}
