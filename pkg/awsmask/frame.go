package awsmask

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// frame is a message of application/vnd.amazon.eventstream: a prelude of 12 bytes (length of all, length of headers, and
// their CRC-32), headers, payload, and the CRC-32 of all before it.
type frame struct {
	headers []byte
	payload []byte
}

const (
	preludeSize   = 12
	frameOverhead = preludeSize + 4
	maxHeaders    = 128 << 10 // the largest that AWS's SDKs take
)

// readFrame reads a message into buf, which grows as needed; the frame is valid until the next. io.EOF is the end of the
// stream between two messages.
func readFrame(src io.Reader, buf []byte, maxPayload int) (frame, []byte, error) {
	buf = append(buf[:0], make([]byte, preludeSize)...)
	if _, err := io.ReadFull(src, buf); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = malformed("an event that ends too early")
		}
		return frame{}, buf, err
	}
	total, headers := binary.BigEndian.Uint32(buf), binary.BigEndian.Uint32(buf[4:])
	switch {
	case crc32.ChecksumIEEE(buf[:8]) != binary.BigEndian.Uint32(buf[8:]):
		return frame{}, buf, malformed("the prelude of an event has another checksum")
	case headers > maxHeaders || uint64(total) > uint64(headers)+uint64(maxPayload)+frameOverhead:
		return frame{}, buf, fmt.Errorf("%w: an event over %d bytes", ErrTooLarge, maxPayload)
	case uint64(total) < uint64(headers)+frameOverhead:
		return frame{}, buf, malformed("an event is shorter than it says")
	}
	buf = append(buf, make([]byte, int(total)-preludeSize)...)
	if _, err := io.ReadFull(src, buf[preludeSize:]); err != nil {
		return frame{}, buf, fmt.Errorf("%w: %w", malformed("an event that ends too early"), err)
	}
	body, sum := buf[:len(buf)-4], binary.BigEndian.Uint32(buf[len(buf)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return frame{}, buf, malformed("an event has another checksum")
	}
	at := preludeSize + int(headers)
	return frame{headers: body[preludeSize:at], payload: body[at:]}, buf, nil
}

// append appends the message as it is sent.
func (f frame) append(dst []byte) []byte {
	from := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(f.headers)+len(f.payload)+frameOverhead))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(f.headers)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[from:]))
	dst = append(append(dst, f.headers...), f.payload...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[from:]))
}

// eventHeader is a header of a message: b[start:end] is its value with what stands before it, without the name.
type eventHeader struct {
	name       string
	kind       byte
	value      []byte
	start, end int
}

// The types of headers whose values are of many bytes, and the sizes of the others.
const (
	headerBytes  = 6
	headerString = 7
)

var headerSizes = [...]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}

// splitHeaders reads the headers of a message. A name that stands there twice is malformed.
func splitHeaders(b []byte) ([]eventHeader, error) {
	bad := malformed("the headers of an event")
	var all []eventHeader
	seen := map[string]bool{}
	for i := 0; i < len(b); {
		size := int(b[i])
		if size == 0 || len(b)-i < size+2 {
			return nil, bad
		}
		h := eventHeader{name: string(b[i+1 : i+1+size]), kind: b[i+1+size], start: i + 1 + size}
		i += size + 2
		n := 0
		switch {
		case h.kind == headerBytes || h.kind == headerString:
			if len(b)-i < 2 {
				return nil, bad
			}
			n = int(binary.BigEndian.Uint16(b[i:]))
			i += 2
		case int(h.kind) < len(headerSizes):
			n = headerSizes[h.kind]
		default:
			return nil, bad
		}
		if len(b)-i < n || seen[h.name] {
			return nil, bad
		}
		seen[h.name] = true
		h.value, h.end = b[i:i+n], i+n
		i += n
		all = append(all, h)
	}
	return all, nil
}
