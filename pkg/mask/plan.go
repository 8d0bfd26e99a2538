package mask

import "fmt"

// Column is one column of a result, as PostgreSQL's RowDescription or a COPY has it.
type Column struct {
	Rule    *Rule  // nil: the column is not masked, only looked through
	OID     uint32 // of the type; 0 where it is not known and the format is text
	Binary  bool   // format code 1
	Derived bool   // computed from a masked column: nothing of it is shown, whatever the rule
	Clear   bool   // known to be shown as it is: not even looked through; a Rule or Derived goes before
}

// Plan is what to do with each column of a result. It is made once per result and is safe for concurrent use.
type Plan struct {
	columns []planned
	key     Key
	masks   bool
}

type planned struct {
	rule   Rule
	masked bool
	family family
	binary bool
}

// MaxColumns is the most columns a row message can have.
const MaxColumns = 1<<16 - 1

// NewPlan returns the plan for a result. A hash rule without a key gives NULL.
func NewPlan(columns []Column, key Key) (*Plan, error) {
	if len(columns) > MaxColumns {
		return nil, fmt.Errorf("mask plan of %d columns", len(columns))
	}
	p := &Plan{columns: make([]planned, len(columns)), key: key}
	for i, c := range columns {
		p.columns[i] = plan(c)
		p.masks = p.masks || p.columns[i].masked
	}
	return p, nil
}

func plan(c Column) planned {
	p := planned{family: familyOf(c.OID), binary: c.Binary}
	if c.Rule == nil && !c.Derived {
		if c.Clear {
			p.family = familyOther
		}
		return p
	}
	p.masked = true
	if c.Rule != nil {
		p.rule = *c.Rule
	}
	if c.Derived && (c.Rule == nil || p.rule.Kind != Null) {
		p.rule = Rule{Kind: Redact}
	}
	p.rule = p.rule.fit(p.family, c)
	return p
}

// fit returns the rule that leaves values of a type valid in their format.
func (r Rule) fit(f family, c Column) Rule {
	switch f {
	case familyText, familyPadded:
		if c.OID != oidChar || !c.Binary {
			return r
		}
	case familyJSON, familyJSONB:
		if r.Kind == Partial {
			return Rule{Kind: Redact}
		}
		return r
	case familyUUID:
		if r.Kind == Hash {
			return r
		}
	case familyUser:
		if !c.Binary {
			return r
		}
	}
	return Rule{Kind: Null}
}

// Masks tells whether any column is masked by rule.
func (p *Plan) Masks() bool { return p.masks }

// Columns returns the number of columns.
func (p *Plan) Columns() int { return len(p.columns) }

// verdict is what became of a value.
type verdict uint8

const (
	asItWas verdict = iota
	changed
	nulled
)

// find says what is to become of a value, which is not NULL, with the hits that decided it.
func (p *Plan) find(hits []Hit, value []byte, c *planned, det *Detector) ([]Hit, verdict) {
	switch {
	case c.masked && c.rule.Kind == Null:
		return hits, nulled
	case c.masked:
		return hits, changed
	case det == nil:
		return hits, asItWas
	}
	return det.find(hits, value, c)
}

// write appends what a value is changed to, after find said that it is to be; the verdict may be nulled yet.
func (p *Plan) write(dst, value []byte, hits []Hit, c *planned, det *Detector) ([]byte, verdict) {
	if c.masked {
		return p.mask(dst, value, c)
	}
	return det.write(dst, value, hits, c), changed
}

func (p *Plan) mask(dst, value []byte, c *planned) ([]byte, verdict) {
	out, null := dst, false
	switch c.family {
	case familyUUID:
		out, null = p.hashUUID(dst, value, c.binary)
	case familyJSON, familyJSONB:
		if c.family == familyJSONB && c.binary {
			out = append(out, jsonbVersion)
		}
		out = append(out, '"')
		if out, null = c.rule.appendText(out, value, &p.key); !null {
			out = append(out, '"')
		}
	case familyPadded:
		for len(value) > 0 && value[len(value)-1] == ' ' {
			value = value[:len(value)-1]
		}
		fallthrough
	default:
		out, null = c.rule.appendText(dst, value, &p.key)
	}
	if null {
		return dst, nulled
	}
	return out, changed
}

// Idle reports whether no value of the result has to be looked at, so that rows may pass as they are.
func (p *Plan) Idle(det *Detector) bool {
	if p.masks {
		return false
	}
	for i := range p.columns {
		if f := p.columns[i].family; det != nil && f != familyOther && f != familyUUID {
			return false
		}
	}
	return true
}
