package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"hash"
	"io"
	"slices"
)

const (
	// MaxChunk is how many bytes a signed chunk may have, since it is held until its signature is verified. SDKs send
	// chunks of 64 KiB to 128 KiB.
	MaxChunk = 1 << 20
	// maxLine is for a chunk's header and for a line of a trailer.
	maxLine = 1 << 10
)

const (
	chunkExtension  = ";chunk-signature="
	signatureLength = 2 * sha256.Size
)

// chunkedBody reads the content coding aws-chunked: `size[;chunk-signature=…] CRLF data CRLF`, the last of size 0, then a
// trailer, then an empty line. What it returns comes from buf first, then from the source as far as stream goes.
// Source: the S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple
// Chunks" and "... Including Trailing Headers".
type chunkedBody struct {
	src       *bufio.Reader
	mode      Mode
	in, out   *chain // nil where chunks are not signed; out is nil when decoding
	hash      hash.Hash
	tee       io.Writer
	decode    bool // return the payload only
	left      int64
	announced []string

	step   func() error // what follows once ready and stream are empty
	buf    []byte
	ready  []byte
	stream int64
	err    error
}

func (c *chunkedBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.ready) == 0 && c.stream == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.err = c.step()
	}
	if len(c.ready) > 0 {
		n := copy(p, c.ready)
		c.ready = c.ready[n:]
		return n, nil
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.stream)])
	c.stream -= int64(n)
	if _, teeErr := c.tee.Write(p[:n]); teeErr != nil {
		err = teeErr
	}
	if err != nil {
		c.stream, c.err = 0, early(err)
	}
	return n, c.err
}

// early is the error for a source that ends before the body does.
func early(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badChunk("the body", "ends early")
	}
	return err
}

func badChunk(part, why string) error { return refuse(ErrChunk, part, why, "") }

// line returns the next line with its end, valid until the next read.
func (c *chunkedBody) line() ([]byte, error) {
	line, err := c.src.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || len(line) > maxLine:
		return nil, badChunk("a chunk", "a line too long")
	case err != nil:
		return nil, early(err)
	}
	return line, nil
}

func (c *chunkedBody) readHeader() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	c.buf = append(c.buf[:0], line...)
	size, err := c.parseHeader(c.buf)
	if err != nil {
		return err
	}
	if size > c.left || size == 0 && c.left > 0 {
		return badChunk("the chunks", "not of the length in X-Amz-Decoded-Content-Length")
	}
	c.left -= size
	switch {
	case c.in != nil:
		return c.readSigned(int(min(size, MaxChunk+1)))
	case size == 0:
		return c.readTrailer()
	}
	c.stream, c.step = size, c.readDataEnd
	c.emit(c.buf)
	return nil
}

// emit hands out framing, which is left out of the payload.
func (c *chunkedBody) emit(b []byte) {
	if !c.decode {
		c.ready = b
	}
}

// parseHeader returns the size. The signature, if there is one, is what comes right before the line end.
func (c *chunkedBody) parseHeader(line []byte) (size int64, err error) {
	head, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if c.in != nil && ok {
		n := len(head) - signatureLength - len(chunkExtension)
		ok = n > 0 && string(head[n:n+len(chunkExtension)]) == chunkExtension && isHash(string(head[n+len(chunkExtension):]))
		head = head[:max(n, 0)]
	}
	if !ok || len(head) == 0 || len(head) > 15 || head[0] == '0' && len(head) > 1 {
		return 0, badChunk("a chunk", "its header is not a size in hex with the extension that its kind has")
	}
	for _, d := range head {
		if !isHex(d) {
			return 0, badChunk("a chunk", "its size is not in hex")
		}
		size = size<<4 | int64(unhex(d))
	}
	return size, nil
}

// readDataEnd follows the data of an unsigned chunk.
func (c *chunkedBody) readDataEnd() error {
	c.buf = append(c.buf[:0], 0, 0)
	if err := c.readCRLF(c.buf); err != nil {
		return err
	}
	c.step = c.readHeader
	c.emit(c.buf)
	return nil
}

func (c *chunkedBody) readCRLF(p []byte) error {
	if _, err := io.ReadFull(c.src, p); err != nil {
		return early(err)
	}
	if string(p) != "\r\n" {
		return badChunk("a chunk", "its data is not followed by a line end")
	}
	return nil
}

// readSigned reads a chunk whole, verifies it and signs it anew. Its header is in buf.
func (c *chunkedBody) readSigned(size int) error {
	if size > MaxChunk {
		return badChunk("a chunk", "over 1 MiB")
	}
	header := len(c.buf)
	at := header - len("\r\n") - signatureLength
	if size > 0 {
		c.buf = slices.Grow(c.buf, size+2)[:header+size+2]
		if _, err := io.ReadFull(c.src, c.buf[header:header+size]); err != nil {
			return early(err)
		}
		if err := c.readCRLF(c.buf[header+size:]); err != nil {
			return err
		}
	}
	data := c.buf[header : header+size]
	sum := c.sum(data)
	if err := c.resign(at, (*chain).chunk, &sum); err != nil {
		return err
	}
	if size == 0 {
		return c.readTrailer()
	}
	if _, err := c.tee.Write(data); err != nil {
		return err
	}
	if c.ready = c.buf; c.decode {
		c.ready = data
	}
	return nil
}

// resign replaces the signature at a place of buf by our own, if it is the one that is due.
func (c *chunkedBody) resign(at int, next func(*chain, *[sha256.Size]byte) []byte, sum *[sha256.Size]byte) error {
	signature := c.buf[at : at+signatureLength]
	if subtle.ConstantTimeCompare(signature, next(c.in, sum)) != 1 {
		return refuse(ErrChunkSignature, "a chunk", "its signature does not match", "")
	}
	if c.out != nil {
		copy(signature, next(c.out, sum))
	}
	return nil
}

func (c *chunkedBody) sum(b []byte) (sum [sha256.Size]byte) {
	c.hash.Reset()
	c.hash.Write(b)
	c.hash.Sum(sum[:0])
	return sum
}
