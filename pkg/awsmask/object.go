package awsmask

import (
	"bytes"
	"errors"
	"io"

	"github.com/writhq/writ/pkg/mask"
)

const (
	// BlockSize is by what objects are looked at, in bytes: a block with a zero byte is binary, and a hit that lies in
	// binary blocks alone passes.
	BlockSize = 64 << 10
	// Margin is how much before and behind a part of an object is needed so that the part is masked as it is in the whole.
	Margin = 2 * BlockSize

	hitTail = 512       // longer than anything with spaces in it that is found, but keys
	maxWord = BlockSize // the longest word or key that is waited for
	star    = '*'
)

// Window says which part of an object came, and which of it was asked for, by offsets in the object. The zero value is
// all of it.
type Window struct {
	Start    int64 // of what came
	From, To int64 // what passes; To 0 is to the end
}

// Object masks the text or bytes that are a whole body: each byte of what the detector finds becomes a star, so that sizes
// and offsets stay. It needs constant memory. It returns what was detected, and how much was written.
func (m *Masker) Object(dst io.Writer, src io.Reader, w Window) (masked []string, n int64, err error) {
	f, o := found{}, newObject(m.cfg.Detector, w)
	o.blocks = true
	in, out := make([]byte, BlockSize), []byte(nil)
	for {
		k, rerr := src.Read(in)
		if out = o.write(out[:0], in[:k], f); len(out) > 0 {
			k, err := dst.Write(out)
			if n += int64(k); err != nil {
				return f.names(), n, err
			}
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			return f.names(), n, rerr
		}
	}
	k, err := dst.Write(o.close(out[:0], f))
	return f.names(), n + int64(k), err
}

// Hidden returns what stands for an object that is hidden as a whole, and the name of its field; ok is false for others.
func (m *Masker) Hidden(document bool) (placeholder []byte, name string, ok bool) {
	if m.payload == nil || !m.plain(m.payload.Shape) {
		return nil, "", false
	}
	a := m.member(m.enter(m.output), []byte(m.key(m.payload)))
	if a.hide == nil {
		return nil, "", false
	}
	a.shape, a.base64 = noShape, false
	placeholder = m.hidden(nil, a)
	if document {
		placeholder = quote(placeholder)
	}
	return placeholder, a.hide.name, true
}

// object is a long text or bytes as they pass.
type object struct {
	det    *mask.Detector
	window Window
	blocks bool // zero bytes tell binary blocks

	buf     []byte
	base    int64          // offset of buf[0]
	binary  map[int64]bool // blocks that are complete and not passed yet
	hits    []mask.Hit     // in buf
	pending []pendingHit   // found before, in what was not passed yet
}

// pendingHit is a hit by offsets in the object.
type pendingHit struct {
	start, end int64
	class      mask.Class
}

func newObject(det *mask.Detector, w Window) *object {
	return &object{det: det, window: w, base: w.Start, binary: map[int64]bool{}}
}

// write takes a piece and appends what is certain by now, masked.
func (o *object) write(dst, piece []byte, f found) []byte {
	for len(piece) > 0 {
		n := len(piece)
		if o.blocks {
			n = min(n, int(BlockSize-(o.base+int64(len(o.buf)))%BlockSize))
		}
		o.buf, piece = append(o.buf, piece[:n]...), piece[n:]
		if !o.blocks || (o.base+int64(len(o.buf)))%BlockSize == 0 {
			dst = o.pass(dst, false, f)
		}
	}
	return dst
}

// close appends the rest, masked.
func (o *object) close(dst []byte, f found) []byte { return o.pass(dst, true, f) }

// pass appends what is certain of the buffer, masked; all of it at the end.
func (o *object) pass(dst []byte, end bool, f found) []byte {
	o.hits = o.hits[:0]
	if o.sniff() {
		o.hits = o.det.Scan(o.hits, o.buf)
	}
	at := len(o.buf)
	if !end {
		at = o.certain()
	}
	o.note(f)
	from := len(dst)
	dst = append(dst, o.buf[:at]...)
	o.stars(dst[from:])
	dst = o.trim(dst, from)
	o.shift(at)
	return dst
}

// sniff looks which of the buffer's blocks are binary, and reports whether any is not.
func (o *object) sniff() (text bool) {
	if !o.blocks {
		return true
	}
	for at := 0; at < len(o.buf); {
		block := (o.base + int64(at)) / BlockSize
		end := min(len(o.buf), int((block+1)*BlockSize-o.base))
		if _, known := o.binary[block]; !known {
			o.binary[block] = bytes.IndexByte(o.buf[at:end], 0) >= 0
		}
		text = text || !o.binary[block]
		at = end
	}
	return text
}

// certain returns up to where it is certain what is a hit: between two words, in no hit.
func (o *object) certain() int {
	least := max(len(o.buf)-hitTail, 0)
	at := least
	for at > 0 && isWord(o.buf[at-1]) {
		at--
	}
	for _, h := range o.hits {
		if h.Start < at && h.End > at {
			at = h.Start
		}
	}
	if len(o.buf)-at > maxWord+hitTail {
		return least // no hit is as long; what was found of this one stays found
	}
	return at
}

// note remembers the hits that count.
func (o *object) note(f found) {
	var last mask.Class
	for _, h := range o.hits {
		p := pendingHit{o.base + int64(h.Start), o.base + int64(h.End), h.Class}
		if o.inBinary(p) {
			continue
		}
		o.pending = append(o.pending, p)
		if h.Class != last && p.end > o.window.From && (o.window.To == 0 || p.start < o.window.To) {
			last = h.Class
			f.add(o.det.Name(last))
		}
	}
}

func (o *object) inBinary(p pendingHit) bool {
	if !o.blocks {
		return false
	}
	for block := p.start / BlockSize; block <= (p.end-1)/BlockSize; block++ {
		if !o.binary[block] {
			return false
		}
	}
	return true
}

// stars hides the hits in what passes, which begins at base.
func (o *object) stars(b []byte) {
	for _, p := range o.pending {
		from, to := max(p.start-o.base, 0), min(p.end-o.base, int64(len(b)))
		for i := from; i < to; i++ {
			b[i] = star
		}
	}
}

// trim leaves of dst[from:], which begins at base, what was asked for.
func (o *object) trim(dst []byte, from int) []byte {
	n := int64(len(dst) - from)
	first, last := min(max(o.window.From-o.base, 0), n), n
	if o.window.To > 0 {
		last = min(max(o.window.To-o.base, first), n)
	}
	kept := copy(dst[from:], dst[from+int(first):from+int(last)])
	return dst[:from+kept]
}

// shift forgets what has passed.
func (o *object) shift(at int) {
	o.buf = o.buf[:copy(o.buf, o.buf[at:])]
	o.base += int64(at)
	kept := o.pending[:0]
	for _, p := range o.pending {
		if p.end > o.base {
			kept = append(kept, p)
		}
	}
	o.pending = kept
	for block := range o.binary {
		if (block+1)*BlockSize <= o.base {
			delete(o.binary, block)
		}
	}
}

// isWord tells the bytes that may stand in a hit that is longer than hitTail.
func isWord(c byte) bool {
	return c|0x20-'a' < 26 || c-'0' < 10 || c >= 0x80 || bytes.IndexByte([]byte("._%+-@/=~"), c) >= 0
}
