package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
)

// chain is what the chunks of a body are signed by: each signature covers the one before, the first that of the request.
type chain struct {
	key   *derived // nil: chunks cannot be signed
	date  string
	scope Scope
	last  [signatureLength]byte
	mac   *mac // made when first used
}

func newChain(key *derived, date string, s Scope, seed *[sha256.Size]byte) chain {
	c := chain{key: key, date: date, scope: s}
	hex.Encode(c.last[:], seed[:])
	return c
}

// chunk returns the signature in hex of the next chunk, whose data has this hash.
func (c *chain) chunk(data *[sha256.Size]byte) []byte {
	return c.next("AWS4-HMAC-SHA256-PAYLOAD\n", emptyHash+"\n", data)
}

// trailer returns the signature in hex of the trailer that has this hash.
func (c *chain) trailer(data *[sha256.Size]byte) []byte {
	return c.next("AWS4-HMAC-SHA256-TRAILER\n", "", data)
}

func (c *chain) next(kind, middle string, data *[sha256.Size]byte) []byte {
	if c.mac == nil {
		c.mac = c.key.mac()
	}
	b := append(append(c.mac.buf[:0], kind...), c.date...)
	b = append(appendScope(append(b, '\n'), c.scope, HMAC), '\n')
	b = append(append(b, c.last[:]...), '\n')
	b = append(b, middle...)
	sum := c.mac.sign(hex.AppendEncode(b, data[:]))
	hex.Encode(c.last[:], sum[:])
	return c.last[:]
}
