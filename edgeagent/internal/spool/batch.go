package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// What one flush writes is a batch. The next is begun only when it is durable, so that a crash can tear one batch at
// most, the last. Little endian:
//
//	 0  magic "WSP1"
//	 4  length of the payload
//	 8  position of this header, so that a batch in a wrong place is none
//	16  CRC-32C of the payload
//	20  CRC-32C of the 20 bytes before
//	24  payload: (length (4), record)*
const (
	batchMagic   = "WSP1"
	batchHeader  = 24
	recordHeader = 4
	maxPayload   = maxPending + MaxRecordBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch collects records behind room for the header.
type batch struct {
	base  Position
	buf   []byte
	since time.Time // when the first record came
}

func (b *batch) begin(base Position) {
	b.base = base
	b.buf = append(b.buf[:0], make([]byte, batchHeader)...)
}

// reset empties the batch, and gives the memory of a burst back.
func (b *batch) reset() {
	b.buf = b.buf[:0]
	if cap(b.buf) > 1<<20 {
		b.buf = nil
	}
}

func (b *batch) empty() bool { return len(b.buf) <= batchHeader }

func (b *batch) end() Position { return b.base + Position(len(b.buf)) }

func (b *batch) add(rec []byte) Position {
	b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(len(rec)))
	b.buf = append(b.buf, rec...)
	return b.end()
}

// seal fills the header in.
func (b *batch) seal() {
	h := b.buf[:batchHeader]
	copy(h, batchMagic)
	binary.LittleEndian.PutUint32(h[4:], uint32(len(b.buf)-batchHeader))
	binary.LittleEndian.PutUint64(h[8:], uint64(b.base))
	binary.LittleEndian.PutUint32(h[16:], crc32.Checksum(b.buf[batchHeader:], castagnoli))
	binary.LittleEndian.PutUint32(h[20:], crc32.Checksum(h[:20], castagnoli))
}

// header is a batch's header, checked.
type header struct {
	payload int
	sum     uint32
}

// readHeader reads the header that b begins with; false if there is none for that position.
func readHeader(b []byte, at Position) (header, bool) {
	if len(b) < batchHeader || string(b[:4]) != batchMagic ||
		binary.LittleEndian.Uint64(b[8:]) != uint64(at) ||
		binary.LittleEndian.Uint32(b[20:]) != crc32.Checksum(b[:20], castagnoli) {
		return header{}, false
	}
	h := header{payload: int(binary.LittleEndian.Uint32(b[4:])), sum: binary.LittleEndian.Uint32(b[16:])}
	return h, h.payload > recordHeader && h.payload <= maxPayload
}

// split cuts a payload, whose checksum holds, into its records. They share its memory.
func split(payload []byte) ([][]byte, error) {
	var records [][]byte
	for len(payload) > 0 {
		if len(payload) < recordHeader {
			return nil, fmt.Errorf("%w: record length is cut", ErrDamaged)
		}
		n := int(binary.LittleEndian.Uint32(payload))
		payload = payload[recordHeader:]
		if n == 0 || n > MaxRecordBytes || n > len(payload) {
			return nil, fmt.Errorf("%w: record of %d bytes", ErrDamaged, n)
		}
		records = append(records, payload[:n:n])
		payload = payload[n:]
	}
	return records, nil
}
