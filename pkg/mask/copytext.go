package mask

import "bytes"

// textRows masks COPY's text format: one line a row, escapes with a backslash.
type textRows struct {
	copyRow
	seen    int  // of the row at hand: no line break up to here
	escapes bool // the row at hand has some
}

func (r *textRows) next(b []byte) (int, error) {
	n := bytes.IndexByte(b[r.seen:], '\n')
	if n < 0 {
		r.seen = len(b)
		return 0, nil
	}
	n += r.seen + 1
	r.seen = 0
	return n, nil
}

func (r *textRows) finish() error { return nil }

func (r *textRows) rewrite(dst, row []byte) ([]byte, int, bool, error) {
	line := row[:len(row)-1]
	if string(line) == `\.` { // the end marker of protocol version 2
		return append(dst, row...), 0, false, nil
	}
	r.changes = 0
	r.escapes = bytes.IndexByte(line, '\\') >= 0
	n, done, at := 0, 0, 0
	for {
		end, escaped := r.fieldEnd(line, at)
		if end < 0 {
			return nil, 0, false, malformed("a backslash ends the row")
		}
		raw := line[at:end]
		if n < len(r.plan.columns) && !r.isNull(raw, n) {
			masked, v := r.column(n, r.plain(raw, escaped))
			if v != asItWas {
				dst = append(dst, line[done:at]...)
				dst = r.appendField(dst, masked, v)
				done = end
			}
		}
		n++
		if end == len(line) {
			break
		}
		at = end + 1
	}
	if err := r.count(n, len(line) == 0); err != nil {
		return nil, 0, false, err
	}
	return append(dst, row[done:]...), r.changes, true, nil
}

// isNull tells whether a field is NULL. With a NULL of the client's choice a value can look the same, so that a masked
// column would tell whether it holds a guessed value: there nothing is NULL.
func (r *textRows) isNull(raw []byte, column int) bool {
	return string(raw) == *r.opts.Null && (*r.opts.Null == `\N` || !r.plan.columns[column].masked)
}

// fieldEnd returns where the field that begins at at ends, -1 if that is after half an escape.
func (r *textRows) fieldEnd(line []byte, at int) (end int, escaped bool) {
	if !r.escapes {
		if n := bytes.IndexByte(line[at:], r.opts.Delimiter); n >= 0 {
			return at + n, false
		}
		return len(line), false
	}
	for i := at; i < len(line); i++ {
		switch line[i] {
		case r.opts.Delimiter:
			return i, escaped
		case '\\':
			escaped = true
			if i++; i == len(line) {
				return -1, true
			}
		}
	}
	return len(line), escaped
}

// plain returns the value a field stands for, by the rules of CopyReadAttributesText in PostgreSQL's copyfromparse.c.
func (r *textRows) plain(raw []byte, escaped bool) []byte {
	if !escaped {
		return raw
	}
	out := r.value[:0]
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '\\' {
			i++
			var n int
			c, n = unescapeText(raw[i:])
			i += n - 1
		}
		out = append(out, c)
	}
	r.value = out
	return out
}

// unescapeText returns the character of the escape whose letter b begins with, and its length without the backslash.
func unescapeText(b []byte) (byte, int) {
	switch c := b[0]; {
	case c == 'b':
		return '\b', 1
	case c == 'f':
		return '\f', 1
	case c == 'n':
		return '\n', 1
	case c == 'r':
		return '\r', 1
	case c == 't':
		return '\t', 1
	case c == 'v':
		return '\v', 1
	case c-'0' < 8:
		v, n := 0, 0
		for n < 3 && n < len(b) && b[n]-'0' < 8 {
			v, n = v*8+int(b[n]-'0'), n+1
		}
		return byte(v), n
	case c == 'x':
		v, n := 0, 1
		for n < 3 && n < len(b) && hexDigit(b[n]) >= 0 {
			v, n = v*16+hexDigit(b[n]), n+1
		}
		if n == 1 {
			return 'x', 1
		}
		return byte(v), n
	default:
		return c, 1
	}
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20-'a' < 6:
		return int(c|0x20-'a') + 10
	}
	return -1
}

// appendField writes a value as CopyAttributeOutText in PostgreSQL's copyto.c does.
func (r *textRows) appendField(dst, value []byte, v verdict) []byte {
	if v == nulled {
		return append(dst, *r.opts.Null...)
	}
	for _, c := range value {
		switch c {
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\v':
			dst = append(dst, `\v`...)
		case '\\', r.opts.Delimiter:
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
