package mask

import "bytes"

// csvRows masks COPY's CSV format, where line breaks may stand inside quotes.
type csvRows struct {
	copyRow
	seen   int  // of the row at hand: looked through up to here
	quoted bool // the state there
}

func (r *csvRows) next(b []byte) (int, error) {
	for i := r.seen; i < len(b); i++ {
		switch c := b[i]; {
		case r.quoted && c == r.opts.Escape && c != r.opts.Quote:
			if i+1 == len(b) { // what follows decides
				r.seen = i
				return 0, nil
			}
			if b[i+1] == c || b[i+1] == r.opts.Quote {
				i++
			}
		case c == r.opts.Quote:
			r.quoted = !r.quoted
		case c == '\n' && !r.quoted:
			r.seen = 0
			return i + 1, nil
		}
	}
	r.seen = len(b)
	return 0, nil
}

func (r *csvRows) finish() error { return nil }

func (r *csvRows) rewrite(dst, row []byte) ([]byte, int, bool, error) {
	line := row[:len(row)-1]
	r.changes = 0
	n, done, at := 0, 0, 0
	for {
		value, end, quoted, err := r.field(line, at)
		if err != nil {
			return nil, 0, false, err
		}
		if n < len(r.plan.columns) && (quoted || string(value) != *r.opts.Null) {
			masked, v := r.column(n, value)
			if v != asItWas {
				dst = append(dst, line[done:at]...)
				dst = r.appendField(dst, masked, v, quoted)
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

// field returns the value of the field that begins at at, and where it ends.
func (r *csvRows) field(line []byte, at int) (value []byte, end int, quoted bool, err error) {
	if at < len(line) && line[at] == r.opts.Quote {
		value, end, err = r.quotedField(line, at+1)
		return value, end, true, err
	}
	n := bytes.IndexByte(line[at:], r.opts.Delimiter)
	if n < 0 {
		n = len(line) - at
	}
	value = line[at : at+n]
	if bytes.IndexByte(value, r.opts.Quote) >= 0 {
		return nil, 0, false, malformed("a quote in the middle of a field")
	}
	return value, at + n, false, nil
}

// quotedField reads a field from behind its first quote.
func (r *csvRows) quotedField(line []byte, i int) (value []byte, end int, err error) {
	out := r.value[:0]
	for ; i < len(line); i++ {
		c := line[i]
		if c == r.opts.Escape && i+1 < len(line) && (line[i+1] == r.opts.Quote || line[i+1] == r.opts.Escape) {
			i++
			out = append(out, line[i])
			continue
		}
		if c == r.opts.Quote {
			r.value = out
			if i++; i < len(line) && line[i] != r.opts.Delimiter {
				return nil, 0, malformed("text behind a quoted field")
			}
			return out, i, nil
		}
		out = append(out, c)
	}
	return nil, 0, malformed("a quoted field does not end")
}

// appendField writes a value as CopyAttributeOutCSV in PostgreSQL's copyto.c does, in quotes where the value had them.
func (r *csvRows) appendField(dst, value []byte, v verdict, quoted bool) []byte {
	if v == nulled {
		return append(dst, *r.opts.Null...)
	}
	if !quoted && !r.needsQuotes(value) {
		return append(dst, value...)
	}
	dst = append(dst, r.opts.Quote)
	for _, c := range value {
		if c == r.opts.Quote || c == r.opts.Escape {
			dst = append(dst, r.opts.Escape)
		}
		dst = append(dst, c)
	}
	return append(dst, r.opts.Quote)
}

func (r *csvRows) needsQuotes(value []byte) bool {
	if string(value) == *r.opts.Null || string(value) == `\.` {
		return true
	}
	for _, c := range value {
		if c == r.opts.Delimiter || c == r.opts.Quote || c == '\n' || c == '\r' {
			return true
		}
	}
	return false
}
