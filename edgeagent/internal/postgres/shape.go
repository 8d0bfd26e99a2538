package postgres

import (
	"bytes"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// shape is what a result looks like and how it is masked. The target loop keeps shapes, so
// that a statement that runs again and again is described and planned once.
type shape struct {
	raw    []byte // the RowDescription's body
	fields []pgwire.Field

	part  *part
	masks *enforce.Masks
	plan  *mask.Plan
}

// shapes are the latest shapes of a session's statements, by what describes them.
type shapes map[any]*shape

// maxShapes bounds what a session keeps.
const maxShapes = 1000

// of returns the shape that a description stands for. A different description makes a new
// shape: portals that are still open keep theirs.
func (s shapes) of(key any, m *pgwire.RowDescription, body []byte) *shape {
	if have := s[key]; have != nil && bytes.Equal(have.raw, body) {
		return have
	}
	if len(s) >= maxShapes {
		clear(s)
	}
	sh := &shape{raw: bytes.Clone(body), fields: fieldsOf(m)}
	s[key] = sh
	return sh
}

// planFor returns the plan of a result of this shape; formats are those that a Bind asked
// for where the description is a statement's, which knows none.
func (p *proxy) planFor(sh *shape, a *analysed, pt *part, masks *enforce.Masks, formats []pgwire.Format) (*mask.Plan, error) {
	if formats == nil && sh.masks == masks && sh.part == pt {
		return sh.plan, nil
	}
	plan, err := p.plan(a, pt, masks, sh.fields, formats)
	if err != nil || formats != nil {
		return plan, err
	}
	sh.part, sh.masks, sh.plan = pt, masks, plan
	return plan, nil
}

func fieldsOf(m *pgwire.RowDescription) []pgwire.Field {
	fields := make([]pgwire.Field, 0, m.Len())
	for _, f := range m.Fields() {
		fields = append(fields, f)
	}
	return fields
}
