package cloudtrail

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrFormat is a file that is no log file of CloudTrail.
var ErrFormat = errors.New("not a log file of CloudTrail")

// Limits on what is read. AWS bounds an event to 1 MB.
const (
	maxEvent = 4 << 20 // bytes of JSON, of one event
	maxFile  = 4 << 30 // bytes of JSON, of one file
)

// Read calls each for every event of a session of a role in a log file, {"Records": [...]}, plain or compressed, in the
// order of the file, and returns how many events of any kind there were. It holds one event at a time. Errors are ErrFormat,
// and those of r and each.
func Read(r io.Reader, each func(Event) error) (events int, err error) {
	plain, err := unpacked(r)
	if err != nil {
		return 0, err
	}
	limit := &limited{r: plain, file: maxFile}
	d := json.NewDecoder(limit)
	open := func(want json.Delim) error {
		limit.next()
		if token, err := d.Token(); err != nil || token != want {
			return unreadable(err)
		}
		return nil
	}
	if err := open('{'); err != nil {
		return 0, err
	}
	found := false
	for limit.next(); d.More(); limit.next() {
		name, err := d.Token()
		switch {
		case err != nil:
			return events, unreadable(err)
		case name != "Records":
			var other json.RawMessage
			if err := d.Decode(&other); err != nil {
				return events, unreadable(err)
			}
			continue
		case found:
			return events, fmt.Errorf("%w: it has Records twice", ErrFormat)
		}
		found = true
		if err := open('['); err != nil {
			return events, err
		}
		if events, err = readRecords(d, limit, each); err != nil {
			return events, err
		}
		if err := open(']'); err != nil {
			return events, err
		}
	}
	if err := open('}'); err != nil {
		return events, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || !found {
		return events, fmt.Errorf("%w: it has no Records, or more than those", ErrFormat)
	}
	return events, nil
}

func readRecords(d *json.Decoder, limit *limited, each func(Event) error) (events int, err error) {
	for limit.next(); d.More(); limit.next() {
		var r record
		if err := d.Decode(&r); err != nil {
			return events, unreadable(err)
		}
		events++
		if e, ok := r.event(); ok {
			if err := each(e); err != nil {
				return events, err
			}
		}
	}
	return events, nil
}

// unreadable tells a file that is cut or wrong from one that cannot be read.
func unreadable(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil, errors.As(err, &syntax), errors.As(err, &kind):
		return ErrFormat
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it is cut short", ErrFormat)
	}
	return fmt.Errorf("%w: %w", ErrFormat, err)
}

// unpacked knows a compressed file by its first bytes.
func unpacked(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if magic, err := b.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return z, nil
}

// limited stops reading where one value, or the whole, is larger than anything that AWS writes.
type limited struct {
	r           io.Reader
	value, file int64 // bytes that may still be read
}

var errTooLarge = errors.New("too large")

// next begins a value.
func (l *limited) next() { l.value = maxEvent }

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	most := min(int64(len(p)), l.value, l.file)
	if most == 0 && len(p) > 0 {
		return 0, errTooLarge
	}
	n, err := l.r.Read(p[:most])
	l.value, l.file = l.value-int64(n), l.file-int64(n)
	return n, err
}
