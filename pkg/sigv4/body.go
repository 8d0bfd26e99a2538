package sigv4

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// NewBody returns a body as it is to be sent upstream under to: of the same length, with signed chunks signed anew. It
// reports an error before the last byte where the body is not the one that was signed, so that the upstream never has
// all of it. Unsigned chunks pass without being buffered, signed ones are held whole, up to [MaxChunk].
//
// tee, if not nil, is written the payload, decoded and (if chunks are signed) verified, before it is returned.
// A payload that is hashed as a whole is known to be the signed one only at the end.
func NewBody(src io.Reader, v *Verified, to *Signed, tee io.Writer) (io.Reader, error) {
	if v == nil || to == nil || to.ContentSHA256 != v.payload {
		return nil, errors.New("body: not signed for the upstream with the payload hash that was verified")
	}
	if m := v.Payload.Mode; (m == SignedChunks || m == SignedTrailer) && (v.chain.key == nil || to.chain.key == nil) {
		return nil, errors.New("body: chunks can be signed with " + string(HMAC) + " only")
	}
	out := to.chain
	return newBody(src, v, &out, tee)
}

// NewPayload returns the payload of a body, decoded and verified. It reports an error before the last byte where the body
// is not the one that was signed.
func NewPayload(src io.Reader, v *Verified) (io.Reader, error) {
	if v == nil {
		return nil, errors.New("body: not verified")
	}
	return newBody(src, v, nil, nil)
}

// CheckBody holds a body that was read whole to the hash that was signed, where one was: in the modes Absent and Hashed.
func (v *Verified) CheckBody(body []byte) error {
	if v == nil || v.Payload.Mode != Hashed && v.Payload.Mode != Absent {
		return errors.New("body: no hash of it was signed")
	}
	sum := sha256.Sum256(body)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	if subtle.ConstantTimeCompare(text[:], []byte(v.payload)) != 1 {
		return errContent()
	}
	return nil
}

func errContent() error {
	return refuse(ErrContent, "body", "its hash is not the one that was signed", "")
}

func newBody(src io.Reader, v *Verified, out *chain, tee io.Writer) (io.Reader, error) {
	if tee == nil {
		tee = io.Discard
	}
	switch v.Payload.Mode {
	case Unsigned:
		return io.TeeReader(src, tee), nil
	case Hashed, Absent:
		want, err := hex.DecodeString(v.payload)
		if err != nil {
			return nil, err
		}
		return &hashedBody{src: io.TeeReader(src, tee), want: want, hash: sha256.New()}, nil
	case UnsignedChunks, SignedChunks, SignedTrailer:
		b := &chunkedBody{
			src: bufio.NewReaderSize(src, 32<<10), mode: v.Payload.Mode, tee: tee,
			decode: out == nil, left: v.Payload.Decoded, announced: v.Payload.Trailer,
		}
		if b.mode != UnsignedChunks {
			in := v.chain
			b.in, b.out, b.hash = &in, out, sha256.New()
		}
		b.step = b.readHeader
		return b, nil
	}
	return nil, errors.New("body: unknown mode")
}

// hashedBody keeps the last byte back until the hash is known.
type hashedBody struct {
	src     io.Reader
	want    []byte
	hash    hash.Hash
	last    byte
	holding bool
	one     [1]byte
	pending error // of the source, once it has ended
	err     error
}

func (h *hashedBody) Read(p []byte) (int, error) {
	if len(p) == 0 || h.err != nil {
		return 0, h.err
	}
	for h.pending == nil {
		if n := h.fill(p); n > 0 {
			return n, nil
		}
	}
	h.err = h.pending
	if h.err != io.EOF {
		return 0, h.err
	}
	if subtle.ConstantTimeCompare(h.hash.Sum(nil), h.want) != 1 {
		h.err = errContent()
		return 0, h.err
	}
	if !h.holding {
		return 0, io.EOF
	}
	p[0] = h.last
	return 1, nil
}

// fill reads from the source, and returns how many bytes are there besides the one kept back.
func (h *hashedBody) fill(p []byte) (n int) {
	space := p[1:]
	if len(space) == 0 || !h.holding {
		space = h.one[:]
	}
	n, h.pending = h.src.Read(space)
	if n == 0 {
		return 0
	}
	h.hash.Write(space[:n])
	last := space[n-1]
	if !h.holding {
		h.last, h.holding = last, true
		return 0
	}
	p[0], h.last = h.last, last
	return n
}
