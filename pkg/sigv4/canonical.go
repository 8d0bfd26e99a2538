package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
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
	names                       []string
	values                      func(name string) []string
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
	for _, name := range c.names {
		if b, err = c.appendHeader(b, name); err != nil {
			return [sha256.Size]byte{}, err
		}
	}
	b = append(b, '\n')
	b = append(appendNames(b, c.names), '\n')
	b = append(b, c.payload...)
	buf.b = b
	return sha256.Sum256(b), nil
}

func (c *canon) appendHeader(b []byte, name string) ([]byte, error) {
	b = append(append(b, name...), ':')
	if name == "host" {
		return append(append(b, c.host...), '\n'), nil
	}
	values := c.values(name)
	if len(values) == 0 {
		return nil, refuse(ErrRequest, "header "+http.CanonicalHeaderKey(name), "signed, but not sent", "")
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = appendTrimmed(b, v); !ok {
			return nil, refuse(ErrRequest, "header "+http.CanonicalHeaderKey(name), "a tab or another control character in its value", "")
		}
	}
	return append(b, '\n'), nil
}

// appendTrimmed appends a value without spaces at its ends and with single ones inside, quoted or not. Control
// characters are refused: signers do not agree about tabs.
func appendTrimmed(b []byte, v string) ([]byte, bool) {
	start, space := len(b), false
	for i := range len(v) {
		switch c := v[i]; {
		case c < ' ' || c == 0x7f:
			return b, false
		case c == ' ':
			space = true
		default:
			if space && len(b) > start {
				b = append(b, ' ')
			}
			space = false
			b = append(b, c)
		}
	}
	return b, true
}

func appendNames(b []byte, names []string) []byte {
	for i, name := range names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	return b
}

// stringToSign returns the string whose signature goes on the wire.
func stringToSign(b []byte, a Algorithm, date string, s Scope, request [sha256.Size]byte) []byte {
	b = append(append(b, a...), '\n')
	b = append(append(b, date...), '\n')
	b = append(appendScope(b, s, a), '\n')
	return hex.AppendEncode(b, request[:])
}

func mac(key *[sha256.Size]byte, message []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(message)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}
