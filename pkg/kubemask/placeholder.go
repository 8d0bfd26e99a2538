package kubemask

import (
	"bytes"
	"encoding/base64"

	"github.com/writhq/writ/pkg/mask"
)

// HasPlaceholder reports whether a write would store what stands for a hidden value in a classified field: a text that
// begins with ***, also in base 64, and where Choose hides with a null rule also the empty text. body is an object, a
// merge patch or a JSON patch, as JSON. What is not understood has one.
func (m *Masker) HasPlaceholder(body []byte) bool {
	s := scanner{m: m, b: bytes.TrimSpace(body)}
	if len(s.b) == 0 {
		return true
	}
	if s.b[0] == '[' {
		return s.patchHasPlaceholder()
	}
	if s.whole() < 0 {
		return true
	}
	return s.hasPlaceholder()
}

// hasPlaceholder looks through the hits of a text.
func (s *scanner) hasPlaceholder() bool {
	for i := range s.hits {
		h := &s.hits[i]
		value := s.b[h.start:h.end]
		switch h.what {
		case hitField:
			if s.isPlaceholder(value, h) {
				return true
			}
		case hitNote:
			inner := scanner{m: s.m, b: unquote(value), notes: s.notes + 1}
			if h.kept && hidden(inner.b) || s.notes < maxNotes && inner.whole() >= 0 && inner.hasPlaceholder() {
				return true
			}
		}
	}
	return false
}

func (s *scanner) isPlaceholder(value []byte, h *hit) bool {
	rule, f := s.rule(h)
	switch value[0] {
	case '"':
	case '{', '[':
		return f != nil && len(bytes.TrimSpace(value[1:len(value)-1])) == 0
	case 'n', 't':
		return false
	default:
		return f != nil && (string(value) == "0" || value[0] == 'f')
	}
	text := unquote(value)
	if hidden(text) || len(text) == 0 && f != nil && rule.Kind == mask.Null {
		return true
	}
	decoded, err := base64.StdEncoding.AppendDecode(nil, text)
	return err == nil && hidden(decoded)
}

func hidden(text []byte) bool { return bytes.HasPrefix(text, []byte(mask.Redacted)) }
