package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// chain is what the chunks of a body are signed by: each signature covers the one before, the first that of the request.
type chain struct {
	key  [sha256.Size]byte
	tail string // date and scope, with line ends
	last [2 * sha256.Size]byte
	mac  hash.Hash // made when first used
	buf  []byte
}

func newChain(key [sha256.Size]byte, date string, s Scope, seed [sha256.Size]byte) chain {
	c := chain{key: key, tail: date + "\n" + string(appendScope(nil, s, HMAC)) + "\n"}
	hex.Encode(c.last[:], seed[:])
	return c
}

func (c *chain) set() bool { return c.tail != "" }

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
		c.mac = hmac.New(sha256.New, c.key[:])
	}
	b := append(append(c.buf[:0], kind...), c.tail...)
	b = append(append(b, c.last[:]...), '\n')
	b = append(b, middle...)
	b = hex.AppendEncode(b, data[:])
	c.mac.Reset()
	c.mac.Write(b)
	var sum [sha256.Size]byte
	c.mac.Sum(sum[:0])
	hex.Encode(c.last[:], sum[:])
	c.buf = b
	return c.last[:]
}
