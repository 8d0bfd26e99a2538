package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awsmodel"
)

// Bounds of what is recorded and shown of one call.
const (
	maxShown       = 128 << 10 // bytes of all values
	maxShownValues = 500
	maxShownText   = 4 << 10  // bytes of one value
	maxShownWhole  = 96 << 10 // bytes of one that says what the call does: a document, a query, a template
)

// text renders a call for records and approvers, one line for each single value. What AWS calls sensitive is left out.
type text struct {
	call    awsmodel.Call
	account string
	values  []value // what says what the call does comes first
}

func (x *exchange) rendered() *text {
	values := slices.Clone(x.values)
	slices.SortStableFunc(values, func(a, b value) int {
		switch {
		case a.whole == b.whole:
			return 0
		case a.whole:
			return -1
		}
		return 1
	})
	return &text{x.call, x.client.account.Account, values}
}

func (t *text) line() string {
	if t.call.Region == "" {
		return t.call.Service + ":" + t.call.Operation + " " + t.account
	}
	return t.call.Service + ":" + t.call.Operation + " " + t.call.Region + " " + t.account
}

// Recorded implements enforce.Text.
func (t *text) Recorded(bool) (string, []audit.Param) {
	lines := t.lines(value.plain)
	params := make([]audit.Param, len(lines))
	for i, line := range lines {
		params[i].Data = []byte(line)
	}
	return t.line(), params
}

// Shown implements enforce.Text. Documents of JSON are laid out for reading.
func (t *text) Shown() (string, []string) {
	return t.line(), t.lines(value.pretty)
}

// lines renders the values as far as they fit; the last line says how many more there are.
func (t *text) lines(render func(value) string) []string {
	var lines []string
	left := maxShown
	for i, v := range t.values {
		line := strings.ToValidUTF8(v.path+"="+cut(render(v), v.limit()), "?")
		if left -= len(line); left < 0 || i == maxShownValues {
			return append(lines, fmt.Sprintf("... (%d more)", len(t.values)-i))
		}
		lines = append(lines, line)
	}
	return lines
}

func (v value) plain() string { return v.text }

func (v value) pretty() string {
	var out bytes.Buffer
	if v.whole && json.Indent(&out, []byte(v.text), "", "  ") == nil {
		return out.String()
	}
	return v.text
}

// limit bounds what is rendered of the value.
func (v value) limit() int {
	if v.whole {
		return maxShownWhole
	}
	return maxShownText
}

// cut shortens a text, and says by how much.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + fmt.Sprintf("... (%d bytes more)", len(s)-limit)
}
