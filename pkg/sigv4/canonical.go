package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
)

// buffers hold canonical requests, which are needed only to be hashed.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 2048)} }}

// canon is all that is signed of a request.
type canon struct {
	method, path, service, host string
	params                      []param // sorted
	but                         string  // the parameter left out, or ""
	fields                      []field // sorted by name, "host" among them
	payload                     string
}

// hash returns the SHA-256 of the canonical request.
func (c *canon) hash() ([sha256.Size]byte, error) {
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	b := append(append(buf.b[:0], c.method...), '\n')
	b = append(appendPath(b, c.path, c.service), '\n')
	b = append(appendQuery(b, c.params, c.but), '\n')
	var err error
	for _, f := range c.fields {
		if b, err = c.appendField(b, f); err != nil {
			return [sha256.Size]byte{}, err
		}
	}
	b = append(b, '\n')
	b = append(appendNames(b, c.fields), '\n')
	b = append(b, c.payload...)
	buf.b = b
	return sha256.Sum256(b), nil
}

func (c *canon) appendField(b []byte, f field) ([]byte, error) {
	b = append(appendLower(b, f.name), ':')
	if f.name == "host" {
		return append(append(b, c.host...), '\n'), nil
	}
	for i, v := range f.values {
		if i > 0 {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = appendTrimmed(b, v); !ok {
			return nil, refuse(ErrRequest, "header "+http.CanonicalHeaderKey(f.name), "a tab or another control character in its value", "")
		}
	}
	return append(b, '\n'), nil
}

// appendTrimmed appends a value without spaces at its ends and with single ones inside, quoted or not. Control
// characters are refused: signers do not agree about tabs.
func appendTrimmed(b []byte, v string) ([]byte, bool) {
	v = strings.Trim(v, " ")
	for i := range len(v) {
		if v[i] < ' ' || v[i] == 0x7f {
			return b, false
		}
	}
	for {
		i := strings.Index(v, "  ")
		if i < 0 {
			return append(b, v...), true
		}
		b = append(b, v[:i+1]...)
		v = strings.TrimLeft(v[i:], " ")
	}
}

func appendNames(b []byte, fields []field) []byte {
	for i, f := range fields {
		if i > 0 {
			b = append(b, ';')
		}
		b = appendLower(b, f.name)
	}
	return b
}

func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, lower(s[i]))
	}
	return b
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// compareFold compares names as if they were in lower case.
func compareFold(a, b field) int {
	for i := range min(len(a.name), len(b.name)) {
		if x, y := lower(a.name[i]), lower(b.name[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a.name) - len(b.name)
}

// equalFold compares a header's name with one in lower case.
func equalFold(name, low string) bool {
	if len(name) != len(low) {
		return false
	}
	for i := range len(name) {
		if lower(name[i]) != low[i] {
			return false
		}
	}
	return true
}

// appendToSign appends the string whose signature goes on the wire.
func appendToSign(b []byte, a Algorithm, date string, s Scope, request *[sha256.Size]byte) []byte {
	b = append(append(b, a...), '\n')
	b = append(append(b, date...), '\n')
	b = append(appendScope(b, s, a), '\n')
	return hex.AppendEncode(b, request[:])
}
