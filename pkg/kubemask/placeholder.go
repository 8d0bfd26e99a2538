package kubemask

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/writhq/writ/pkg/mask"
)

// HasPlaceholder reports whether a write would store what stands for a hidden value in a classified field: a text that
// begins with ***, also in base 64, and where Choose hides with a null rule also the empty text. body is an object, a
// merge patch or a JSON patch, as JSON. What is not understood has one.
func (m *Masker) HasPlaceholder(body []byte) (has bool) {
	defer func() {
		if recover() != nil {
			has = true
		}
	}()
	s := scanner{m: m, b: bytes.Trim(body, " \t\r\n")}
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
		case hitSet:
			if bytes.Equal(value, appendMaskedStep(nil, value)) {
				return true
			}
		case hitNote:
			inner, end := s.inside(value, h.obj)
			if h.kept && hidden(inner.b) || end >= 0 && inner.hasPlaceholder() {
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

// patchHasPlaceholder looks through the values of a JSON patch (RFC 6902).
func (s *scanner) patchHasPlaceholder() bool {
	has := false
	end := s.elements(0, func(i int) int {
		if s.b[i] != '{' {
			return stop
		}
		var path, value span
		end := s.each(i, func(name []byte, _, i int) int {
			at := &span{}
			switch string(name) {
			case "path":
				at = &path
			case "value":
				at = &value
			}
			if at.end > 0 {
				return stop // each reader takes another of two
			}
			end := s.skip(i)
			*at = span{i, end}
			return end
		})
		has = has || end >= 0 && value.end > 0 && s.puts(string(s.string(path)), value)
		return end
	})
	return has || end != len(s.b)
}

// puts tells whether an operation that puts a value at path stores a placeholder. The value is looked at as what it
// would be: in an object made of the path's steps.
func (s *scanner) puts(path string, value span) bool {
	steps, ok := pointerSteps(path)
	if !ok {
		return true
	}
	var b bytes.Buffer
	for _, name := range steps {
		b.WriteByte('{')
		b.Write(appendQuoted(nil, []byte(name)))
		b.WriteByte(':')
	}
	b.Write(s.b[value.start:value.end])
	b.WriteString(strings.Repeat("}", len(steps)))
	inner := scanner{m: s.m, b: b.Bytes()}
	return inner.whole() < 0 || inner.hasPlaceholder()
}
