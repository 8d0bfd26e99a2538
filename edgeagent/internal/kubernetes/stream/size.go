package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxSize is the longest text of a terminal's size, in bytes.
const maxSize = 256

var errSize = errors.New("malformed size of a terminal")

// terminalSize is a message on the resize channel (remotecommand.TerminalSize).
type terminalSize struct {
	Width  uint16
	Height uint16
}

func (s terminalSize) encode() []byte {
	return fmt.Appendf(nil, "{\"Width\":%d,\"Height\":%d}\n", s.Width, s.Height)
}

// sizes reads a stream of terminal sizes, which may come in pieces.
type sizes struct{ kept []byte }

// read calls got for each size that p completes.
func (s *sizes) read(p []byte, got func(terminalSize)) error {
	for len(p) > 0 {
		part := p
		at := bytes.IndexByte(p, '}')
		if at >= 0 {
			part = p[:at+1]
		}
		p = p[len(part):]
		if len(s.kept)+len(part) > maxSize {
			return errSize
		}
		s.kept = append(s.kept, part...)
		if at < 0 {
			break
		}
		size, err := decodeSize(s.kept)
		if err != nil {
			return err
		}
		s.kept = s.kept[:0]
		got(size)
	}
	if len(bytes.TrimSpace(s.kept)) == 0 {
		s.kept = s.kept[:0]
	}
	return nil
}

func decodeSize(p []byte) (terminalSize, error) {
	var size struct{ Width, Height *uint16 }
	d := json.NewDecoder(bytes.NewReader(p))
	d.DisallowUnknownFields()
	if err := d.Decode(&size); err != nil || size.Width == nil || size.Height == nil {
		return terminalSize{}, errSize
	}
	return terminalSize{Width: *size.Width, Height: *size.Height}, nil
}
