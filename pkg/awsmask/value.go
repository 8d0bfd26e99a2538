package awsmask

import (
	"encoding/base64"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
	"github.com/writhq/writ/pkg/mask"
)

// What stands for hidden values that are no texts.
const (
	zeroNumber = "0"
	zeroBool   = "false"
	zeroTime   = "1970-01-01T00:00:00Z"
	zeroDate   = "Thu, 01 Jan 1970 00:00:00 GMT"
)

// text returns what a text becomes, as its type is written in texts; changed is false where it stays.
func (m *Masker) text(value []byte, a at, f found) (out []byte, changed bool) {
	if a = a.lost(); a.hide != nil {
		f.add(a.hide.name)
		return m.hidden(value, a), true
	}
	if !a.look {
		return nil, false
	}
	return m.looked(value, a, f)
}

// hidden returns what stands for a text.
func (m *Masker) hidden(value []byte, a at) []byte {
	switch kind := m.kind(a); {
	case kind == modelfile.Integer || kind == modelfile.Float || a.number:
		return []byte(zeroNumber)
	case kind == modelfile.Boolean:
		return []byte(zeroBool)
	case kind == modelfile.Timestamp:
		return hiddenTime(value)
	case kind == modelfile.Blob || a.base64:
		raw, err := base64.StdEncoding.AppendDecode(nil, value)
		if err != nil {
			raw = nil
		}
		return base64.StdEncoding.AppendEncode(nil, m.rule(raw, a))
	}
	return m.rule(value, a)
}

// hiddenTime keeps to one of the ways in which times are written.
func hiddenTime(value []byte) []byte {
	switch s := string(value); {
	case strings.Contains(s, ","):
		return []byte(zeroDate)
	case strings.Contains(s, "T"):
		return []byte(zeroTime)
	}
	return []byte(zeroNumber)
}

// rule applies the rule of a hidden text. Null, for which AWS's formats have nothing that clients would take, empties it.
func (m *Masker) rule(value []byte, a at) []byte {
	out, _ := a.hide.rule.AppendText(nil, value, m.cfg.Key)
	return out
}

// looked hides what the detector finds in a text.
func (m *Masker) looked(value []byte, a at, f found) (out []byte, changed bool) {
	packed := m.kind(a) == modelfile.Blob || a.base64
	raw := value
	if packed {
		var err error
		if raw, err = base64.StdEncoding.AppendDecode(nil, value); err != nil {
			raw, packed = value, false
		}
	}
	if out = m.redact(raw, f); out == nil {
		return nil, false
	}
	switch {
	case packed:
		out = base64.StdEncoding.AppendEncode(nil, out)
	case a.number || m.kind(a) == modelfile.Integer || m.kind(a) == modelfile.Float:
		out = []byte(zeroNumber)
	}
	return out, true
}

// redact returns a text without what the detector finds in it, nil where there is nothing.
func (m *Masker) redact(raw []byte, f found) []byte {
	var room [8]mask.Hit
	det := m.cfg.Detector
	hits := det.Scan(room[:0], raw)
	if len(hits) == 0 {
		return nil
	}
	for _, h := range hits {
		f.add(det.Name(h.Class))
	}
	return det.Redact(make([]byte, 0, len(raw)), raw)
}

// minCardDigits is how long a number is that may be a card's: shorter ones are not looked at.
const minCardDigits = 13

// figure tells whether a number is to be hidden.
func (m *Masker) figure(number []byte, a at, f found) (hide bool) {
	if a = a.lost(); a.hide != nil {
		f.add(a.hide.name)
		return true
	}
	return a.look && len(number) >= minCardDigits && m.redact(number, f) != nil
}

// edit is a part of a document, body[start:end], and what takes its place.
type edit struct {
	start, end int
	text       []byte
}

// edits are what is to be changed of a document.
type edits struct {
	list []edit
	full bool // there were more than maxEdits
}

// maxEdits bounds how many values of a document may be masked: each takes more memory than the value.
const maxEdits = 1 << 20

func (e *edits) add(start, end int, text []byte) {
	if e.full = e.full || len(e.list) == maxEdits; !e.full {
		e.list = append(e.list, edit{start, end, text})
	}
}

// apply returns the body with the edits, which are in order. Without any it is the body itself.
func apply(body []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return body
	}
	size := len(body)
	for _, e := range edits {
		size += len(e.text) - (e.end - e.start)
	}
	out, done := make([]byte, 0, size), 0
	for _, e := range edits {
		out = append(append(out, body[done:e.start]...), e.text...)
		done = e.end
	}
	return append(out, body[done:]...)
}
