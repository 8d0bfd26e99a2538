package audit

import (
	"crypto/sha256"
	"errors"
	"hash"
)

// chainDomain keeps the hashes of records apart from every other use of SHA-256.
const chainDomain = "writ audit record v1\x00"

// Chain numbers the records of one session and ties each to the one before it: Hash is SHA-256 over a fixed
// prefix and the record's encoding without Hash, which contains Prev. It shows damage to what is stored; that
// nobody rewrote a whole chain is what the control plane's transparency log shows. Not safe for concurrent use.
type Chain struct {
	edge    string
	session string
	head    Head
	sum     *summer
}

// Head is where a chain stands: the last record's number and hash.
type Head struct {
	Seq  uint64
	Hash [HashSize]byte
}

// NewChain starts the chain of a session at an edge. Records of the control plane's own have the edge "".
func NewChain(edge, session string) (*Chain, error) {
	if session == "" {
		return nil, errors.New("a chain needs a session")
	}
	return &Chain{edge: edge, session: session, sum: newSummer()}, nil
}

// Append sets the record's Edge, Session, Seq, Prev and Hash and appends its binary form to dst, which is the only
// form to be stored. On an error (ErrInvalid, ErrTooLarge) the chain stands where it stood and dst is returned
// as it was. It does not allocate when dst has room.
func (c *Chain) Append(dst []byte, r *Record) ([]byte, error) {
	r.Edge, r.Session = c.edge, c.session
	r.Seq, r.Prev = c.head.Seq+1, c.head.Hash
	b, err := r.appendBody(dst)
	if err != nil {
		return dst, err
	}
	r.Hash = c.sum.of(b[len(dst):])
	c.head = Head{Seq: r.Seq, Hash: r.Hash}
	return appendHash(b, fieldHash, &r.Hash), nil
}

// Head returns where the chain stands.
func (c *Chain) Head() Head { return c.head }

// summer hashes bodies of records without allocating.
type summer struct {
	digest hash.Hash
	domain []byte
	out    []byte
}

func newSummer() *summer {
	return &summer{digest: sha256.New(), domain: []byte(chainDomain), out: make([]byte, 0, HashSize)}
}

func (s *summer) of(body []byte) [HashSize]byte {
	s.digest.Reset()
	s.digest.Write(s.domain)
	s.digest.Write(body)
	return [HashSize]byte(s.digest.Sum(s.out))
}
