package awsmask_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// sensitiveText stands for every sensitive text, and ordinaryText for all others.
const (
	sensitiveText = "PLANTED"
	ordinaryText  = "ordinary"
	maxSample     = 4000 // values in one answer
)

// sampler writes an answer in which everything is there that the model has.
type sampler struct {
	answer awsmodel.Answer
	b      strings.Builder
	left   int
	plants int
}

func (s *sampler) shape(i int) *modelfile.Shape { return &s.answer.Shapes[i] }

func (s *sampler) name(m *modelfile.Member) string {
	if m.Wire != "" && s.answer.Protocol != awsmodel.JSON {
		return m.Wire
	}
	return m.Name
}

// open reports whether there is room for what a shape holds. A structure is in itself twice at most.
func (s *sampler) open(i int, path []int) bool {
	n := 0
	for _, p := range path {
		if p == i {
			n++
		}
	}
	return s.left > 0 && len(path) < 20 && n < 2
}

func (s *sampler) text(sh *modelfile.Shape, sensitive bool) string {
	s.left--
	text := ordinaryText
	if sensitive || sh.Flags&modelfile.Sensitive != 0 {
		text = sensitiveText
		s.plants++
	}
	if sh.Kind == modelfile.Blob {
		return "QUJD" + text + "A"[:len(text)%2] // of base64's letters, of which four make a group
	}
	return text
}

// json writes a value of a shape.
func (s *sampler) json(i int, sensitive bool, path []int) {
	sh := s.shape(i)
	sensitive = sensitive || sh.Flags&modelfile.Sensitive != 0
	switch inner := append(path, i); sh.Kind {
	case modelfile.Structure:
		s.b.WriteByte('{')
		sep := ""
		for k := range sh.Members {
			m := &sh.Members[k]
			if (m.At == modelfile.InBody || m.At == modelfile.InPayload) && s.open(m.Shape, inner) {
				fmt.Fprintf(&s.b, "%s%q:", sep, s.name(m))
				s.json(m.Shape, sensitive, inner)
				sep = ","
			}
		}
		s.b.WriteByte('}')
	case modelfile.ListOf, modelfile.MapOf:
		ends, key := "[]", ""
		if sh.Kind == modelfile.MapOf {
			ends, key = "{}", `"key":`
		}
		s.b.WriteByte(ends[0])
		if s.open(sh.Elem, inner) {
			s.b.WriteString(key)
			s.json(sh.Elem, sensitive, inner)
		}
		s.b.WriteByte(ends[1])
	case modelfile.Integer, modelfile.Float:
		s.b.WriteString("7")
	case modelfile.Boolean:
		s.b.WriteString("true")
	case modelfile.Timestamp:
		s.b.WriteString("1700000000")
	default:
		fmt.Fprintf(&s.b, "%q", s.text(sh, sensitive))
	}
}

// xml writes what is inside of an element of a shape.
func (s *sampler) xml(i int, sensitive bool, path []int) {
	sh := s.shape(i)
	sensitive = sensitive || sh.Flags&modelfile.Sensitive != 0
	element := func(name string, shape int) {
		fmt.Fprintf(&s.b, "<%s>", name)
		s.xml(shape, sensitive, append(path, i))
		fmt.Fprintf(&s.b, "</%s>", name)
	}
	or := func(name, other string) string {
		if name == "" {
			return other
		}
		return name
	}
	switch sh.Kind {
	case modelfile.Structure:
		for k := range sh.Members {
			m := &sh.Members[k]
			inner := s.shape(m.Shape)
			if m.At != modelfile.InBody || m.Flags&modelfile.Attribute != 0 || !s.open(m.Shape, append(path, i)) {
				continue
			}
			name := s.name(m)
			switch flat := (m.Flags|inner.Flags)&modelfile.Flattened != 0; {
			case flat && inner.Kind == modelfile.ListOf:
				if m.Wire == "" && inner.Wire != "" {
					name = inner.Wire
				}
				element(name, inner.Elem)
				element(name, inner.Elem)
			default:
				element(name, m.Shape)
			}
		}
	case modelfile.ListOf:
		if s.open(sh.Elem, append(path, i)) {
			element(or(sh.Wire, "member"), sh.Elem)
		}
	case modelfile.MapOf:
		if s.open(sh.Elem, append(path, i)) {
			entry := sh.Flags&modelfile.Flattened == 0
			if entry {
				s.b.WriteString("<entry>")
			}
			fmt.Fprintf(&s.b, "<%s>key</%[1]s>", or(sh.KeyWire, "key"))
			element(or(sh.Wire, "value"), sh.Elem)
			if entry {
				s.b.WriteString("</entry>")
			}
		}
	case modelfile.Integer, modelfile.Float:
		s.b.WriteString("7")
	case modelfile.Boolean:
		s.b.WriteString("true")
	case modelfile.Timestamp:
		s.b.WriteString("2026-01-02T03:04:05Z")
	default:
		s.b.WriteString(s.text(sh, sensitive))
	}
}

// document writes the whole answer of an operation that is a document.
func (s *sampler) document(c awsmodel.Call) string {
	root := s.answer.Output - 1
	switch c.Protocol {
	case awsmodel.JSON:
		s.json(root, false, nil)
	case awsmodel.RESTJSON:
		if p := s.payload(root); p >= 0 {
			root = p
		}
		s.json(root, false, nil)
	case awsmodel.Query:
		fmt.Fprintf(&s.b, "<%[1]sResponse xmlns=\"u\"><%[1]sResult>", c.Operation)
		s.xml(root, false, nil)
		fmt.Fprintf(&s.b, "</%[1]sResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></%[1]sResponse>", c.Operation)
	default:
		if p := s.payload(root); p >= 0 {
			root = p
		}
		s.b.WriteString(`<?xml version="1.0"?><Root>`)
		s.xml(root, false, nil)
		s.b.WriteString("</Root>")
	}
	return s.b.String()
}

func (s *sampler) payload(root int) int {
	for _, m := range s.shape(root).Members {
		if m.At == modelfile.InPayload {
			return m.Shape
		}
	}
	return -1
}

// TestEveryAnswer: in the answers of all operations of all services, everything sensitive is secret or data, at any depth, and hidden as such.
func TestEveryAnswer(t *testing.T) {
	m, tried, plants := model(t), 0, 0
	for _, service := range m.Services() {
		names, err := m.Operations(service)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			c := call(t, service, name)
			if c.Protocol == awsmodel.CBOR {
				c.Protocol = awsmodel.JSON // which has the same names
			}
			answer := c.Answer()
			hide, err := awsmask.New(awsmask.Config{Answer: answer, Fields: redact(slices.Concat(c.Secrets, c.Data)...)})
			if err != nil {
				t.Fatal(err)
			}
			if form := hide.Form(); answer.Output == 0 || form == awsmask.Events || form == awsmask.Object || c.OutputBlob || c.OutputEvents {
				continue
			}
			s := &sampler{answer: answer, left: maxSample}
			body := s.document(c)
			tried, plants = tried+1, plants+s.plants
			out, _, err := hide.Document([]byte(body), false)
			switch {
			case err != nil:
				t.Errorf("%s:%s: %v: %.300s", service, name, err, body)
			case strings.Contains(string(out), sensitiveText):
				at := strings.Index(string(out), sensitiveText)
				t.Errorf("%s:%s shows ...%s", service, name, out[max(at-200, 0):min(at+20, len(out))])
			case body[0] == '{' && !json.Valid(out):
				t.Errorf("%s:%s: no JSON: %.300s", service, name, out)
			case body[0] == '<' && tokens(out) != nil:
				t.Errorf("%s:%s: no XML: %.300s", service, name, out)
			case len(c.Secrets)+len(c.Data) == 0 && string(out) != body:
				t.Errorf("%s:%s is changed", service, name)
			}
		}
	}
	t.Logf("%d answers with %d sensitive values", tried, plants)
}
