// Package kubemask hides classified fields in the answers of a Kubernetes API server as they pass. Whatever it does not
// hide passes byte for byte. It is pure; what it cannot read it withholds.
package kubemask

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/mask"
)

var (
	// ErrMalformed is an answer that is no JSON, or not of the shape answers have. The rest of it is withheld.
	ErrMalformed = errors.New("malformed answer")
	// ErrTooLarge is an object over Config.MaxObject. It and what follows are withheld.
	ErrTooLarge = errors.New("object is too large")
	// ErrWithheld is a failure of the masker itself, which is a bug. What was being masked is withheld.
	ErrWithheld = errors.New("masking failed")
)

// DefaultMaxObject is how large an object may be by default, in bytes.
const DefaultMaxObject = 16 << 20

// maxMaxObject keeps offsets in 32 bits.
const maxMaxObject = 1 << 30

// Object says whose value it is, as far as the answer tells. Namespace and Name are empty for an object without
// metadata, such as a row of a Table that came without its object.
type Object struct {
	Group, Resource, Namespace, Name string
	Type                             string // the member "type", as Secrets have one
}

// Choice is what becomes of one classified field of one object. The zero Choice hides most.
type Choice struct {
	Reveal bool
	Rule   mask.Rule
	Class  string // carried for the caller; not looked at
}

// Kind is a kind of object that is known by what it says of itself.
type Kind struct {
	Group, Kind, Resource string
	Fields                []Path
}

// Config says what was asked for and what to hide.
type Config struct {
	// Group and Resource are what was asked for. Resource is required.
	Group, Resource string
	// Fields are the classified fields of Resource. They apply to every object of the answer, whatever it says it is.
	Fields []Path
	// Others are kinds that may turn up in a mixed List or an annotation. An object that says it is one of them is
	// masked by its Fields too.
	Others []Kind
	// Choose returns the choices for one object in the order of the Fields of its Group and Resource; what is missing is
	// hidden. Called at most once for an object and kind, and not for objects without a classified field. Default hides all.
	Choose func(Object) []Choice
	// Cells hides all cells but the first of a Table's rows unless all Fields of the row's object are revealed, for
	// resources whose printer columns may show one.
	Cells bool
	// QuietErrors hides the values that a Status quotes.
	QuietErrors bool
	// Detector looks at all other string values outside of metadata, and at annotations. Default none.
	Detector *mask.Detector
	// Key is for hash rules. Without it they redact.
	Key mask.Key
	// MaxObject is the largest object, or row, or event in bytes. Default DefaultMaxObject.
	MaxObject int
}

// Masker masks the answers to one kind of request. Safe for concurrent use if Choose is.
type Masker struct {
	cfg    Config
	fields []field
	root   *node
	stream bool // the elements of items and rows may be looked at one by one
	gather int  // bytes of masked text before it is written
}

// field is a classified field of one kind.
type field struct {
	kind  int // 0 is what was asked for, from 1 on Config.Others
	index int // in the Fields of its kind
	path  Path
	name  string // of path
	bytes bool   // its texts are base 64
	quiet bool   // a text of a Status, where only quoted values are hidden
}

// statusKind is the kind of the fields of a Status.
const statusKind = -1

// New returns a masker, or an error for what no answer could be masked by.
func New(cfg Config) (*Masker, error) {
	switch {
	case cfg.Resource == "":
		return nil, errors.New("kubemask: no resource")
	case cfg.MaxObject < 0 || cfg.MaxObject > maxMaxObject:
		return nil, fmt.Errorf("kubemask: largest object of %d bytes, want 0 to %d", cfg.MaxObject, maxMaxObject)
	case cfg.MaxObject == 0:
		cfg.MaxObject = DefaultMaxObject
	}
	m := &Masker{cfg: cfg, stream: true, gather: 64 << 10}
	if err := m.add(0, cfg.Group, cfg.Resource, cfg.Fields); err != nil {
		return nil, err
	}
	for i, k := range cfg.Others {
		if k.Kind == "" || k.Resource == "" {
			return nil, errors.New("kubemask: a kind without its name or resource")
		}
		if err := m.add(i+1, k.Group, k.Resource, k.Fields); err != nil {
			return nil, err
		}
	}
	if cfg.QuietErrors {
		for _, steps := range quietPaths {
			p := Path{steps: steps}
			m.fields = append(m.fields, field{kind: statusKind, path: p, name: p.String(), quiet: true})
		}
	}
	var err error
	m.root, err = compile(m.fields)
	return m, err
}

func (m *Masker) add(kind int, group, resource string, paths []Path) error {
	for i, p := range paths {
		if err := p.maskable(); err != nil {
			return fmt.Errorf("kubemask: field %q of %s: %w", p, resource, err)
		}
		if first := p.steps[0].name; first == "items" || first == "rows" || strings.HasPrefix(first, "items.") || strings.HasPrefix(first, "rows.") {
			m.stream = false
		}
		m.fields = append(m.fields, field{kind: kind, index: i, path: p, name: p.String(), bytes: p.base64 || isBytes(group, resource, p)})
	}
	return nil
}

// With returns a masker that asks choose; everything else is m's. It costs next to nothing.
func (m *Masker) With(choose func(Object) []Choice) *Masker {
	with := *m
	with.cfg.Choose = choose
	return &with
}

// Idle reports whether there is nothing to hide, so that answers may pass as they are.
func (m *Masker) Idle() bool { return len(m.fields) == 0 && m.cfg.Detector == nil }

// Report says what happened to an answer.
type Report struct {
	Masked map[string]int // masked values by field; what a Detector found by its class, cells as "cells"
	Items  int64          // objects, rows or events that passed
	Bytes  int64          // written; 0 after an error says that an answer of one's own may still be given
}

// Fields returns the names of the masked fields, sorted.
func (r Report) Fields() []string {
	names := make([]string, 0, len(r.Masked))
	for name := range r.Masked {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
