package sigv4

import (
	"net/url"
	"slices"
	"strings"
)

// param is a query parameter. Both parts are percent-encoded in the canonical way.
type param struct{ name, value string }

// parseQuery reads a raw query in the order of the wire. Plus and semicolon are refused: some servers read them as
// a space and as a separator.
func parseQuery(raw string) ([]param, error) {
	if raw == "" {
		return nil, nil
	}
	if len(raw) > MaxQuery || strings.Count(raw, "&") >= MaxParams {
		return nil, refuse(ErrRequest, "query", "too long", "")
	}
	all := make([]param, 0, strings.Count(raw, "&")+1)
	for more := true; more; {
		var pair string
		pair, raw, more = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		if name == "" {
			return nil, refuse(ErrRequest, "query", "a parameter without a name", "")
		}
		p := param{}
		var err error
		if p.name, err = canonical(name); err != nil {
			return nil, err
		}
		if p.value, err = canonical(value); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// canonical encodes a part of a query in the one way that is signed: all but unreserved bytes as %XX in upper case.
func canonical(s string) (string, error) {
	same := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isUnreserved(c):
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return "", refuse(ErrRequest, "query", "a percent sign without two hex digits", "percent-encode it")
			}
			v := unhex(s[i+1])<<4 | unhex(s[i+2])
			same = same && !isUnreserved(v) && s[i+1] == upperHex[v>>4] && s[i+2] == upperHex[v&15]
			i += 2
		case strings.IndexByte("!$'()*,:@/?=", c) >= 0:
			same = false
		default:
			return "", refuse(ErrRequest, "query", "a byte that must be percent-encoded", "write a space as %20, a plus as %2B and a semicolon as %3B")
		}
	}
	if same {
		return s, nil
	}
	decoded, err := url.PathUnescape(s)
	if err != nil {
		return "", refuse(ErrRequest, "query", "not percent-encoded", "")
	}
	return encode(decoded), nil
}

func encode(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := range len(s) {
		if c := s[i]; isUnreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// appendQuery appends sorted parameters, but for the signature itself.
func appendQuery(b []byte, all []param, but string) []byte {
	first := true
	for _, p := range all {
		if p.name == but {
			continue
		}
		if !first {
			b = append(b, '&')
		}
		first = false
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b
}

// compareParam is the order in which parameters are signed: by encoded name, then by encoded value.
func compareParam(a, b param) int {
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	return strings.Compare(a.value, b.value)
}

func hasParam(params []param, name string) bool {
	return slices.ContainsFunc(params, func(p param) bool { return p.name == name })
}

func sorted(all []param) []param {
	if slices.IsSortedFunc(all, compareParam) {
		return all
	}
	all = slices.Clone(all)
	slices.SortFunc(all, compareParam)
	return all
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
