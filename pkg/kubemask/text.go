package kubemask

import (
	"encoding/base64"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/mask"
)

// unquote returns what a JSON string says. It may be part of quoted.
func unquote(quoted []byte) []byte {
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil
	}
	content := quoted[1 : len(quoted)-1]
	for _, c := range content {
		if c == '\\' {
			return appendUnescaped(make([]byte, 0, len(content)), content)
		}
	}
	return content
}

// appendUnescaped appends the content of a JSON string, whose escapes are known to be right, without them.
func appendUnescaped(dst, content []byte) []byte {
	for i := 0; i < len(content); i++ {
		if content[i] != '\\' {
			dst = append(dst, content[i])
			continue
		}
		i++
		switch c := content[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unit(content[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if i+6 < len(content) && content[i+1] == '\\' && content[i+2] == 'u' {
					low = unit(content[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unit reads four hexadecimal digits.
func unit(digits []byte) (r rune) {
	for _, c := range digits[:4] {
		r = r<<4 | rune(hexDigit(c))
	}
	return r
}

// appendQuoted appends a text as a JSON string.
func appendQuoted(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n' || c == '\r' || c == '\t':
			dst = append(dst, '\\', "tn..r"[c-'\t'])
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendMasked appends what stands for a value, of the same JSON type so that typed clients can read it. A null rule
// makes an empty text of a text, as clients drop members that are null. Numbers become 0, booleans false, objects and
// lists empty.
func appendMasked(dst, value []byte, rule mask.Rule, isBase64 bool, key mask.Key) []byte {
	switch value[0] {
	case '"':
		return appendMaskedText(dst, value, rule, isBase64, key)
	case '{':
		return append(dst, "{}"...)
	case '[':
		return append(dst, "[]"...)
	case 't', 'f':
		return append(dst, "false"...)
	case 'n':
		return append(dst, "null"...)
	}
	return append(dst, '0')
}

func appendMaskedText(dst, value []byte, rule mask.Rule, isBase64 bool, key mask.Key) []byte {
	var text []byte
	if needsText := rule.Kind == mask.Partial || rule.Kind == mask.Hash; needsText {
		text = unquote(value)
	}
	if isBase64 && text != nil {
		decoded, err := base64.StdEncoding.AppendDecode(nil, text)
		if err != nil {
			rule = mask.Rule{Kind: mask.Redact}
		}
		text = decoded
	}
	var room [64]byte
	masked := appendHidden(room[:0], text, rule, key)
	if isBase64 {
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), masked), '"')
	}
	return appendQuoted(dst, masked)
}

// appendHidden appends a text's masked form. All but the empty one begin with ***, so that one that comes back in a
// write can be told.
func appendHidden(dst, text []byte, rule mask.Rule, key mask.Key) []byte {
	switch rule.Kind {
	case mask.Null:
		return dst
	case mask.Hash:
		dst = append(dst, mask.Redacted...) // which is all without a key
	}
	dst, _ = rule.AppendText(dst, text, key)
	return dst
}
