package recordindex

import (
	"encoding/binary"
	"fmt"

	"github.com/writhq/writ/pkg/audit"
)

// describe appends everything of a part but its lists: from, number of entries, the last entry's hash, number of records; then, each behind
// their number, the blocks, what was retired, and the labels. Numbers are uvarints, and texts are behind their length.
func (p *part) describe(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(p.from))
	dst = binary.AppendUvarint(dst, uint64(p.to-p.from))
	dst = append(dst, p.last[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(p.blocks)))
	for _, b := range p.blocks {
		dst = appendText(appendText(dst, b.Key), b.Edge)
		dst = append(append(dst, b.First[:]...), b.Last[:]...)
		damaged := uint64(0)
		if b.Damaged {
			damaged = 1
		}
		dst = binary.AppendUvarint(dst, uint64(b.records)<<1|damaged)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.retired)))
	for _, t := range p.retired {
		dst = binary.BigEndian.AppendUint64(dst, uint64(t))
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.labels)))
	for _, l := range p.labels {
		dst = appendText(dst, l)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// parser reads a description. After an error it yields zeros.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) number(limit uint64) int {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || v > limit {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return int(v)
}

func (p *parser) bytes(n int) []byte {
	if n > len(p.b) {
		p.bad, p.b = true, nil
		return make([]byte, n)
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

// count reads how many of something follow, each of which takes size bytes or more.
func (p *parser) count(size int) int { return p.number(uint64(len(p.b) / size)) }

func (p *parser) text() string { return string(p.bytes(p.count(1))) }

const (
	maxPlace = 1 << 48
	// A record takes 18 bytes of a block of at most 3 MiB, and a part ends with the block that fills it.
	maxBlockRecords = 1 << 18
	maxPartRecords  = 1 << 19
	idSize          = len(audit.RecordID{})
)

func parseDescription(b []byte) (part, error) {
	in := &parser{b: b}
	var p part
	p.from = int64(in.number(maxPlace))
	p.to = p.from + int64(in.number(maxPlace))
	copy(p.last[:], in.bytes(len(p.last)))
	for range in.count(2*idSize + 3) {
		block := Block{Key: in.text(), Edge: in.text(), First: audit.RecordID(in.bytes(idSize)), Last: audit.RecordID(in.bytes(idSize))}
		n := in.number(2 * maxBlockRecords)
		block.start, block.records, block.Damaged = p.records, n>>1, n&1 == 1
		p.records += block.records
		p.note(block)
	}
	for range in.count(8) {
		p.retired = append(p.retired, Term(binary.BigEndian.Uint64(in.bytes(8))))
	}
	for range in.count(1) {
		p.labels = append(p.labels, in.text())
	}
	if in.bad || len(in.b) > 0 || p.records > maxPartRecords {
		return part{}, fmt.Errorf("%w: description", ErrCorrupt)
	}
	return p, nil
}
