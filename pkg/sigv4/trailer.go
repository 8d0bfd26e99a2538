package sigv4

import (
	"errors"
	"io"
	"slices"
	"strings"
)

const trailerSignature = "x-amz-trailer-signature"

// readTrailer reads to the end of the body, all of which is handed out at once: nothing may follow it.
func (c *chunkedBody) readTrailer() error {
	var seen []string
	signed, bare := "", false
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		start := len(c.buf)
		c.buf = append(c.buf, line...)
		text, crlf := strings.CutSuffix(string(line), "\r\n")
		if !crlf {
			text = strings.TrimSuffix(text, "\n")
		}
		name, value, colon := strings.Cut(text, ":")
		switch {
		case text == "" && crlf && bare:
			bare = false // ends lines that end in LF alone, as minio-go writes them
			continue
		case text == "" && crlf && c.mode != SignedTrailer:
			return c.end(seen)
		case c.mode == SignedTrailer && crlf && !bare && name == trailerSignature:
			return c.endSigned(seen, signed, start+len(name)+1, value)
		}
		if !colon || !c.trailerAllowed(name, value, seen) {
			return badChunk("the trailer", "a line that X-Amz-Trailer does not announce, or malformed")
		}
		seen, bare = append(seen, name), !crlf
		signed += name + ":" + strings.Trim(value, " ") + "\n"
	}
}

func (c *chunkedBody) trailerAllowed(name, value string, seen []string) bool {
	return slices.Contains(c.announced, name) && !slices.Contains(seen, name) && isText(value)
}

// endSigned verifies the trailer and signs it anew. The signature is in buf at a place.
func (c *chunkedBody) endSigned(seen []string, signed string, at int, signature string) error {
	if !isHash(signature) {
		return badChunk("the trailer", "its signature is malformed")
	}
	sum := c.sum([]byte(signed))
	if err := c.resign(at, (*chain).trailer, &sum); err != nil {
		return err
	}
	var end [2]byte
	if err := c.readCRLF(end[:]); err != nil {
		return err
	}
	c.buf = append(c.buf, end[:]...)
	return c.end(seen)
}

func (c *chunkedBody) end(seen []string) error {
	if len(seen) != len(c.announced) {
		return badChunk("the trailer", "not what X-Amz-Trailer announces")
	}
	if _, err := c.src.ReadByte(); err == nil {
		return badChunk("the body", "goes on after its end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	c.emit(c.buf)
	return io.EOF
}
