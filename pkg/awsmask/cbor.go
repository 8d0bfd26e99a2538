package awsmask

import (
	"encoding/binary"
	"math"
	"strconv"
)

// cborWalk goes through a document of CBOR (RFC 8949), as rpc-v2-cbor has it, and notes what is to be changed.
type cborWalk struct {
	m     *Masker
	b     []byte
	edits edits
	found found
	deep  bool
}

// The major types of CBOR.
const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

const (
	cborIndefinite = 31
	cborBreak      = 0xff
)

// cbor masks a document.
func (m *Masker) cbor(body []byte, a at, f found) ([]byte, error) {
	if len(body) == 0 {
		return body, nil
	}
	w := &cborWalk{m: m, b: body, found: f}
	end := w.item(0, a, 0)
	switch {
	case w.deep || w.edits.full:
		return nil, ErrTooLarge
	case end != len(body):
		return nil, malformed("no CBOR")
	}
	return apply(body, w.edits.list), nil
}

// head reads the beginning of an item: its type, the low five bits and the argument.
func (w *cborWalk) head(i int) (major, info int, n uint64, next int) {
	if i >= len(w.b) {
		return 0, 0, 0, stop
	}
	major, info = int(w.b[i]>>5), int(w.b[i]&31)
	i++
	switch {
	case info < 24:
		return major, info, uint64(info), i
	case info <= 27:
		size := 1 << (info - 24)
		if len(w.b)-i < size {
			return 0, 0, 0, stop
		}
		var b [8]byte
		copy(b[8-size:], w.b[i:i+size])
		return major, info, binary.BigEndian.Uint64(b[:]), i + size
	case info == cborIndefinite && major >= cborBytes && major <= cborMap:
		return major, info, 0, i
	}
	return 0, 0, 0, stop
}

// item reads an item and returns where it ends, or stop.
func (w *cborWalk) item(i int, a at, depth int) int {
	if depth > maxDepth {
		w.deep = true
		return stop
	}
	major, info, n, next := w.head(i)
	if next < 0 {
		return stop
	}
	switch major {
	case cborUint, cborNegative:
		w.integer(i, next, major, n, a)
		return next
	case cborBytes, cborText:
		return w.string(i, next, major, info, n, a)
	case cborArray:
		inner := w.m.element(a)
		return w.items(next, info, n, func(i int) int { return w.item(i, inner, depth+1) })
	case cborMap:
		return w.items(next, info, n, func(i int) int { return w.pair(i, a, depth) })
	case cborTag:
		return w.item(next, a, depth+1)
	}
	w.simple(i, next, info, a)
	return next
}

// items reads what is in an array or map.
func (w *cborWalk) items(i, info int, n uint64, one func(int) int) int {
	for {
		if info == cborIndefinite {
			if i < len(w.b) && w.b[i] == cborBreak {
				return i + 1
			}
		} else {
			if n == 0 {
				return i
			}
			n--
		}
		if i = one(i); i < 0 {
			return stop
		}
	}
}

// pair reads a key, which is a text, and its value.
func (w *cborWalk) pair(i int, a at, depth int) int {
	major, info, n, next := w.head(i)
	if next < 0 || major != cborText {
		return stop
	}
	name, end := w.content(next, major, info, n)
	if end < 0 {
		return stop
	}
	inner := at{}
	if !a.idle() {
		inner = w.m.member(a, name)
	}
	return w.item(end, inner, depth+1)
}

// content reads what a text or bytes hold.
func (w *cborWalk) content(i, major, info int, n uint64) (content []byte, end int) {
	if info != cborIndefinite {
		if n > uint64(len(w.b)-i) {
			return nil, stop
		}
		end = i + int(n)
		return w.b[i:end], end
	}
	for {
		if i < len(w.b) && w.b[i] == cborBreak {
			return content, i + 1
		}
		m, inner, size, next := w.head(i)
		if next < 0 || m != major || inner == cborIndefinite || size > uint64(len(w.b)-next) {
			return nil, stop
		}
		i = next + int(size)
		content = append(content, w.b[next:i]...)
	}
}

func (w *cborWalk) string(start, i, major, info int, n uint64, a at) int {
	content, end := w.content(i, major, info, n)
	if end < 0 || a.idle() {
		return end
	}
	if major == cborBytes {
		a.shape, a.base64 = noShape, false // they stand here as they are
	}
	if out, changed := w.m.text(content, a, w.found); changed {
		w.edits.add(start, end, append(cborHead(nil, major, uint64(len(out))), out...))
	}
	return end
}

func (w *cborWalk) integer(start, end, major int, n uint64, a at) {
	if a.idle() {
		return
	}
	var digits []byte
	if n < math.MaxInt64 {
		digits = strconv.AppendUint(nil, n, 10)
	}
	if w.m.figure(digits, a, w.found) {
		w.edits.add(start, end, []byte{0})
	}
}

// simple masks booleans and floats; null and undefined stay.
func (w *cborWalk) simple(start, end, info int, a at) {
	if a.idle() {
		return
	}
	h := a.lost().hide
	if h == nil {
		return
	}
	zero := make([]byte, end-start)
	switch info {
	case 20, 21:
		zero[0] = 0xf4
	case 25, 26, 27:
		zero[0] = w.b[start]
	default:
		return
	}
	w.found.add(h.name)
	w.edits.add(start, end, zero)
}

// cborHead appends the beginning of an item.
func cborHead(dst []byte, major int, n uint64) []byte {
	top := byte(major << 5)
	switch {
	case n < 24:
		return append(dst, top|byte(n))
	case n <= math.MaxUint8:
		return append(dst, top|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, top|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, top|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, top|27), n)
}
