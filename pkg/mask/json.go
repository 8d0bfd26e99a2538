package mask

import (
	"bytes"
	"encoding/hex"
	"slices"
)

// jsonbVersion is the first byte of a jsonb value in binary format (jsonb_send in PostgreSQL's jsonb.c).
const jsonbVersion = 1

const redactedJSON = `"` + Redacted + `"`

// findJSON finds hits in a JSON value. Changed without a hit means that escapes hide something, somewhere.
func (d *Detector) findJSON(hits []Hit, value []byte, c *planned) ([]Hit, verdict) {
	if c.binary && c.family == familyJSONB && (len(value) == 0 || value[0] != jsonbVersion) {
		return hits, nulled // a version nobody knows cannot be looked through
	}
	hits = d.Scan(hits, value)
	if escaped(value) && len(d.Scan(nil, unescape(value))) > len(hits) {
		return hits[:0], changed
	}
	if len(hits) == 0 {
		return hits, asItWas
	}
	return hits, changed
}

// writeJSON masks hits so that the text stays JSON: inside a string the hit alone, and a number as a whole.
func (d *Detector) writeJSON(dst, value []byte, hits []Hit, c *planned) []byte {
	if c.binary && c.family == familyJSONB {
		dst, value = append(dst, jsonbVersion), value[1:]
		for i := range hits {
			hits[i].Start, hits[i].End = hits[i].Start-1, hits[i].End-1
		}
	}
	if len(hits) == 0 {
		return append(dst, redactedJSON...)
	}
	w := jsonWalk{text: value}
	done := 0
	for _, h := range hits {
		if h.Start = max(h.Start, done); h.End <= done {
			continue
		}
		start, end, inString := w.token(h.Start)
		if inString {
			h.End = min(h.End, end)
			dst = append(dst, value[done:h.Start]...)
			dst = d.appendInString(dst, value[h.Start:h.End], h.Class)
			done = h.End
			continue
		}
		dst = append(append(dst, value[done:max(done, start)]...), redactedJSON...)
		done = end
	}
	return append(dst, value[done:]...)
}

// appendInString appends a masked hit; what a partial mask keeps must not be half of an escape.
func (d *Detector) appendInString(dst, hit []byte, class Class) []byte {
	rule := d.rules[class]
	if rule.Kind == Partial && bytes.IndexByte(hit, '\\') >= 0 {
		rule = Rule{Kind: Redact}
	}
	dst, _ = rule.appendText(dst, hit, &d.key)
	return dst
}

// jsonWalk goes through a JSON text once and tells strings from what is between them.
type jsonWalk struct {
	text []byte
	at   int
}

// token returns the string's content or the bare token around i. Calls come with growing i.
func (w *jsonWalk) token(i int) (start, end int, inString bool) {
	for w.at <= i {
		quote := bytes.IndexByte(w.text[w.at:], '"')
		if quote < 0 || w.at+quote >= i {
			break
		}
		open := w.at + quote
		end := stringEnd(w.text, open+1)
		if i < end {
			return open + 1, end, true
		}
		w.at = min(end+1, len(w.text))
	}
	start, end = i, i
	for start > w.at && !isJSONBreak(w.text[start-1]) {
		start--
	}
	for end < len(w.text) && !isJSONBreak(w.text[end]) {
		end++
	}
	return start, max(end, i+1), false
}

// stringEnd returns where the quote is that ends the string whose content begins at i, or the end of text.
func stringEnd(text []byte, i int) int {
	for ; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}

func isJSONBreak(c byte) bool {
	return slices.Contains([]byte(" \t\r\n,:[]{}\""), c)
}

// escaped tells whether ASCII characters may be written as escapes, which hide them from a scan.
func escaped(text []byte) bool {
	return bytes.IndexByte(text, '\\') >= 0 &&
		(bytes.Contains(text, []byte(`\u00`)) || bytes.Contains(text, []byte(`\/`)))
}

// unescape resolves the escapes that escaped looks for.
func unescape(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		var c [1]byte
		switch {
		case text[i+1] == '/':
			out = append(out, '/')
			i++
		case i+6 <= len(text) && string(text[i+1:i+4]) == "u00" && decodes(c[:], text[i+4:i+6]):
			out = append(out, c[0])
			i += 5
		default:
			out = append(out, text[i], text[i+1])
			i++
		}
	}
	return out
}

func decodes(dst, digits []byte) bool {
	_, err := hex.Decode(dst, digits)
	return err == nil
}
