// Package awsmask hides parts of what AWS answers, in each of its protocols: classified members by the model of the
// operation, and what a detector finds in customers' data. What it does not hide passes byte for byte. It is pure; what it
// cannot read it withholds.
package awsmask

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/awsmodel/modelfile"
	"github.com/writhq/writ/pkg/mask"
)

var (
	// ErrMalformed is an answer that is not of its protocol. What was not passed on yet is withheld.
	ErrMalformed = errors.New("malformed answer")
	// ErrTooLarge is a document or event over Config.MaxDocument, or one that is too deep.
	ErrTooLarge = errors.New("answer is too large")
	// ErrPath is a path that leads to nothing in the answers of the operation.
	ErrPath = errors.New("path leads to nothing in the answer")
)

// DefaultMaxDocument is how large a document or an event may be by default, in bytes.
const DefaultMaxDocument = 16 << 20

// maxDepth is how deeply values may be nested. AWS's own documents stay far below.
const maxDepth = 200

// Field is a classified part of an answer.
type Field struct {
	// Path is written with the names of the model or those on the wire, as "Item.email", "Reservations[*].Instances[*]",
	// `Tags["a.b"]`, in the model's form "Item{}", or "header:" and a name. "|base64" behind it says that a text holds bytes.
	Path string
	// Rule is how texts are hidden; null empties them. Numbers become 0 and booleans false in any case.
	Rule mask.Rule
	// Clear says that the value is shown as it is, and not looked through.
	Clear bool
}

// Config says what an operation answers, and what to hide of it.
type Config struct {
	Answer awsmodel.Answer
	Fields []Field
	// Data are the paths below which Detector looks at texts.
	Data     []string
	Detector *mask.Detector // default none
	Key      mask.Key       // for hash rules; without it they empty
	// MaxDocument is the largest document or event in bytes. Default DefaultMaxDocument.
	MaxDocument int
}

// Masker masks answers of one operation. It is safe for concurrent use.
type Masker struct {
	cfg            Config
	shapes         []modelfile.Shape
	output, fault  *node
	headers        []header
	payload        *modelfile.Member // that is the whole body, or nil
	events         *modelfile.Member // that is a stream of events, or nil
	body, faulting bool              // something of the body of an answer, or of an error, is to be hidden or looked at
}

// New returns a masker. It fails with ErrPath for a path that leads to nothing.
func New(cfg Config) (*Masker, error) {
	if cfg.MaxDocument <= 0 {
		cfg.MaxDocument = DefaultMaxDocument
	}
	m := &Masker{cfg: cfg, shapes: cfg.Answer.Shapes}
	m.output, m.fault = m.root(cfg.Answer.Output), m.root(cfg.Answer.Fault)
	for i := range cfg.Fields {
		f := &cfg.Fields[i]
		if err := m.add(f.Path, func(n *node) { n.classify(f) }); err != nil {
			return nil, err
		}
	}
	if cfg.Detector != nil {
		for _, path := range cfg.Data {
			if err := m.add(path, func(n *node) { n.look, n.name = true, path }); err != nil {
				return nil, err
			}
		}
	}
	m.findBody()
	return m, nil
}

func (m *Masker) root(plusOne int) *node {
	if plusOne == 0 {
		return &node{shape: noShape}
	}
	return &node{shape: plusOne - 1}
}

// findBody finds what the body is.
func (m *Masker) findBody() {
	sh := m.shapeOf(m.output.shape)
	for i := range sh.Members {
		member := &sh.Members[i]
		if m.shapeOf(member.Shape).Flags&modelfile.EventStream != 0 {
			m.events = member
		} else if member.At == modelfile.InPayload {
			m.payload = member
		}
	}
	m.body, m.faulting = m.output.active(false), m.fault.active(false)
}

// Idle reports whether nothing of an answer, or of an error, is to be hidden or looked at.
func (m *Masker) Idle(fault bool) bool {
	if fault {
		return !m.faulting
	}
	return !m.body && len(m.headers) == 0
}

// Form is how the body of an answer is masked.
type Form uint8

// The forms. The zero value is a document.
const (
	Document Form = iota // by Masker.Document
	Events               // by Masker.Events
	Object               // a text or bytes: by Masker.Object
	Nothing              // nothing of the body is to be hidden
)

// Form tells what the body of a success is.
func (m *Masker) Form() Form {
	switch {
	case !m.body:
		return Nothing
	case m.events != nil:
		return Events
	case m.payload != nil && m.plain(m.payload.Shape):
		return Object
	}
	return Document
}

// plain says that a payload of the shape is no document.
func (m *Masker) plain(shape int) bool {
	kind := m.shapeOf(shape).Kind
	return kind == modelfile.Blob || kind == modelfile.String
}

// found are the names of what was masked.
type found map[string]struct{}

func (f found) add(name string) { f[name] = struct{}{} }

// names lists what was masked: paths of fields, and classes of what was detected.
func (f found) names() []string {
	if len(f) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(f))
}

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// Leads reports whether a path leads to something in an operation's answers.
func Leads(a awsmodel.Answer, path string) bool {
	_, err := New(Config{Answer: a, Fields: []Field{{Path: path, Clear: true}}})
	return err == nil
}
