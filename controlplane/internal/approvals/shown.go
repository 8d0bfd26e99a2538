package approvals

import (
	"math"
	"strings"

	"github.com/writhq/writ/pkg/confusable"
)

// Preview is the effect that a held command would have had when it was filed, by its edge. Counts are nil where they
// are not known.
type Preview struct {
	EstimatedRows *float64 `json:"estimated_rows,omitempty"`
	ExactRows     *int64   `json:"exact_rows,omitempty"`
	Detail        string   `json:"detail,omitempty"` // how it was found, or why not
	Plan          string   `json:"plan,omitempty"`   // in outline, without values
	Diff          string   `json:"diff,omitempty"`   // unified, masked as for the requester
}

// Flag marks what in a held command deceives the eye. Param is the number of the parameter it is in, 0 for the
// statement.
type Flag struct {
	Param  int    `json:"param,omitempty"`
	Offset int    `json:"offset"` // bytes, as is Length
	Length int    `json:"length"`
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

// Limits of what accompanies a held command, in bytes and flags. The rest is cut off.
const (
	maxFlags  = 200
	maxDetail = 2 << 10
	maxPlan   = 16 << 10
	maxDiff   = 40 << 10
)

// flags finds what deceives in the statement, and then in the parameters.
func (h Hold) flags() []Flag {
	flags := scan(nil, 0, h.Statement)
	for i, p := range h.Params {
		flags = scan(flags, i+1, p)
	}
	return flags
}

func scan(flags []Flag, param int, text string) []Flag {
	for _, f := range confusable.Scan(text, maxFlags-len(flags)) {
		flags = append(flags, Flag{Param: param, Offset: f.Offset, Length: f.Length, Kind: string(f.Kind), Detail: f.Detail})
	}
	return flags
}

// bounded is the preview without what no target answers: it comes from an edge, and must not keep a command from
// being judged.
func (p Preview) bounded() Preview {
	if p.EstimatedRows != nil && !(*p.EstimatedRows >= 0 && *p.EstimatedRows <= math.MaxFloat64) {
		p.EstimatedRows = nil
	}
	if p.ExactRows != nil && *p.ExactRows < 0 {
		p.ExactRows = nil
	}
	p.Detail, p.Plan, p.Diff = cut(p.Detail, maxDetail), cut(p.Plan, maxPlan), cut(p.Diff, maxDiff)
	return p
}

// cut keeps at most most bytes of valid UTF-8.
func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

func (d digest) preview(p Preview) {
	d.flag(p.EstimatedRows != nil)
	if p.EstimatedRows != nil {
		d.number(int64(math.Float64bits(*p.EstimatedRows)))
	}
	d.flag(p.ExactRows != nil)
	if p.ExactRows != nil {
		d.number(*p.ExactRows)
	}
	d.text(p.Detail)
	d.text(p.Plan)
	d.text(p.Diff)
}

func (d digest) flags(flags []Flag) {
	d.number(int64(len(flags)))
	for _, f := range flags {
		d.number(int64(f.Param))
		d.number(int64(f.Offset))
		d.number(int64(f.Length))
		d.text(f.Kind)
		d.text(f.Detail)
	}
}
