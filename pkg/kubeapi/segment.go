package kubeapi

import (
	"fmt"
	"strings"
)

// segment is one part of a path, decoded.
type segment struct {
	at   int // from 1
	text string
}

func (s segment) refuse(why, fix string) error {
	return refuse(ErrPath, fmt.Sprintf("path segment %d", s.at), why, fix)
}

// checkName holds a name of an object to what the API server takes in a path
// (k8s.io/apimachinery/pkg/api/validation/path), less what reads differently in other programs.
func (s segment) checkName() error {
	switch {
	case len(s.text) > MaxName:
		return s.refuse(fmt.Sprintf("a name of over %d bytes", MaxName), "")
	case strings.TrimSpace(s.text) != s.text:
		return s.refuse("a name that begins or ends with a space", "")
	}
	return nil
}

// splitPath takes a path apart. The root has no segments.
func splitPath(escaped string) ([]segment, error) {
	if len(escaped) > MaxPath {
		return nil, refuse(ErrPath, "path", fmt.Sprintf("over %d bytes", MaxPath), "")
	}
	if !strings.HasPrefix(escaped, "/") {
		return nil, refuse(ErrPath, "path", "does not begin with a slash", "send the path alone")
	}
	if escaped == "/" {
		return nil, nil
	}
	var segments []segment
	for i, raw := range strings.Split(escaped[1:], "/") {
		s, err := readSegment(i+1, raw)
		if err != nil {
			return nil, err
		}
		segments = append(segments, s)
	}
	return segments, nil
}

func readSegment(at int, raw string) (segment, error) {
	s := segment{at: at}
	if raw == "" {
		return s, s.refuse("empty", "send no double slash")
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			decoded, ok := unhex(raw[i+1:])
			if !ok {
				return s, s.refuse("broken percent-encoding", "")
			}
			if isUnreserved(decoded) {
				return s, s.refuse("percent-encodes a plain character", "send letters, digits and -._~ as they are")
			}
			c, i = decoded, i+2
		} else if c == '?' || c == '#' || c == ' ' {
			return s, s.refuse("a character that must be percent-encoded", "")
		}
		if why := badByte(c); why != "" {
			return s, s.refuse(why, "")
		}
		b.WriteByte(c)
	}
	s.text = b.String()
	if s.text == "." || s.text == ".." {
		return s, s.refuse("a dot segment", "send the canonical path")
	}
	return s, nil
}

// badByte says why a decoded byte may stand in no segment.
func badByte(c byte) string {
	switch {
	case c < ' ' || c == 0x7f:
		return "a control character"
	case c > 0x7f:
		return "a character outside ASCII"
	case c == '/' || c == '%':
		return "an encoded slash or percent sign"
	case c == '\\' || c == ';' || c == '?' || c == '#':
		return `one of \ ; ? #`
	}
	return ""
}

func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, ok1 := hexDigit(s[0])
	lo, ok2 := hexDigit(s[1])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// isUnreserved reports what RFC 3986 wants unescaped.
func isUnreserved(c byte) bool {
	return isLower(c) || isDigit(c) || 'A' <= c && c <= 'Z' || strings.IndexByte("-._~", c) >= 0
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// joinPath escapes segments in the one way that is canonical here: what RFC 3986 allows in a segment stands as it is.
func joinPath(segments []segment) string {
	if len(segments) == 0 {
		return "/"
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		for i := 0; i < len(s.text); i++ {
			if c := s.text[i]; isUnreserved(c) || strings.IndexByte("!$&'()*+,=:@", c) >= 0 {
				b.WriteByte(c)
			} else {
				b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			}
		}
	}
	return b.String()
}

// isLabel reports DNS labels (RFC 1123) in lower case.
func isLabel(s string) bool {
	if len(s) == 0 || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isLower(s[i]) && !isDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// isSubdomain reports DNS names (RFC 1123) in lower case.
func isSubdomain(s string) bool {
	if len(s) > MaxName {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isPlainSegment(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isLower(s[i]) && !isDigit(s[i]) && strings.IndexByte("-._~", s[i]) < 0 {
			return false
		}
	}
	return true
}
