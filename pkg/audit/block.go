package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

// A block is what an edge ships and what a segment is made of: binary records, compressed together, behind a
// header that can be read without decompressing. All numbers are little endian:
//
//	 0  magic "WBK1"
//	 4  CRC-32C of everything after these 8 bytes
//	 8  length of the payload
//	12  length of the records before compression
//	16  number of records
//	20  id of the first record
//	36  id of the last record
//	52  length of the edge's name, then the name
//	    payload: one zstd frame of (uvarint length, record)*
const (
	blockMagic  = "WBK1"
	blockFixed  = 53
	maxEdgeName = 255
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// BlockHeader says what a block holds.
type BlockHeader struct {
	Edge        string
	First, Last RecordID // ids of the first and last record, in the order they were appended
	Records     int
	RawBytes    int // the records with their lengths, before compression
	StoredBytes int // the payload
}

// BlockEncoder makes blocks for one edge. Not safe for concurrent use.
type BlockEncoder struct {
	edge string
	zstd *zstd.Encoder
	raw  []byte
}

// NewBlockEncoder returns an encoder of blocks that name that edge; the control plane's own have the edge "".
func NewBlockEncoder(edge string) (*BlockEncoder, error) {
	if len(edge) > maxEdgeName {
		return nil, fmt.Errorf("edge name of %d bytes: %w", len(edge), ErrTooLarge)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("make block encoder: %w", err)
	}
	return &BlockEncoder{edge: edge, zstd: enc}, nil
}

// Encode appends a block of the given binary records, at least one, to dst. It fails with ErrInvalid for what is
// no record and with ErrTooLarge over MaxBlockBytes; BlockCost tells beforehand.
func (e *BlockEncoder) Encode(dst []byte, records [][]byte) ([]byte, error) {
	if len(records) == 0 {
		return dst, invalid("a block needs a record")
	}
	e.raw = e.raw[:0]
	for _, rec := range records {
		if _, err := idOf(rec); err != nil {
			return dst, err
		}
		if len(e.raw)+BlockCost(rec) > MaxBlockBytes {
			return dst, fmt.Errorf("block of over %d bytes: %w", MaxBlockBytes, ErrTooLarge)
		}
		e.raw = protowire.AppendBytes(e.raw, rec)
	}
	first, _ := idOf(records[0])
	last, _ := idOf(records[len(records)-1])
	return e.seal(dst, len(records), first, last), nil
}

// seal appends the header and the compressed payload of e.raw.
func (e *BlockEncoder) seal(dst []byte, records int, first, last RecordID) []byte {
	start := len(dst)
	dst = append(dst, blockMagic...)
	dst = append(dst, make([]byte, 8)...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.raw)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(records))
	dst = append(append(dst, first[:]...), last[:]...)
	dst = append(append(dst, byte(len(e.edge))), e.edge...)
	payload := len(dst)
	dst = e.zstd.EncodeAll(e.raw, dst)
	block := dst[start:]
	binary.LittleEndian.PutUint32(block[8:], uint32(len(dst)-payload))
	binary.LittleEndian.PutUint32(block[4:], crc32.Checksum(block[8:], castagnoli))
	return dst
}

// BlockCost is what a record adds to a block's raw size, of which MaxBlockBytes is the limit.
func BlockCost(record []byte) int { return protowire.SizeBytes(len(record)) }

// idOf reads the id at the front of a binary record.
func idOf(record []byte) (RecordID, error) {
	if len(record) < 18 || record[0] != byte(fieldID<<3)|byte(protowire.BytesType) || record[1] != 16 {
		return RecordID{}, invalid("does not begin with a record id")
	}
	return RecordID(record[2:18]), nil
}

// Damage to a block or a segment, for errors.Is.
var (
	// ErrCorrupt is a block or segment whose bytes are not what was written.
	ErrCorrupt = errors.New("corrupt audit data")
	// ErrTruncated is a block or segment that stops before its end.
	ErrTruncated = errors.New("truncated audit data")
)

func corrupt(what string) error { return fmt.Errorf("%w: %s", ErrCorrupt, what) }

// ReadBlockHeader reads the header of the block at the front of b and the block's whole length. It checks the
// limits but not the checksum. ErrTruncated means that b does not hold the whole header.
func ReadBlockHeader(b []byte) (h BlockHeader, size int, err error) {
	if len(b) < blockFixed || len(b) < blockFixed+int(b[blockFixed-1]) {
		return h, 0, fmt.Errorf("%w: block header", ErrTruncated)
	}
	if string(b[:4]) != blockMagic {
		return h, 0, corrupt("not a block, or of a later version")
	}
	h.StoredBytes = int(binary.LittleEndian.Uint32(b[8:]))
	h.RawBytes = int(binary.LittleEndian.Uint32(b[12:]))
	h.Records = int(binary.LittleEndian.Uint32(b[16:]))
	h.First, h.Last = RecordID(b[20:36]), RecordID(b[36:52])
	payload := blockFixed + int(b[blockFixed-1])
	h.Edge = string(b[blockFixed:payload])
	switch {
	case h.RawBytes > MaxBlockBytes || h.StoredBytes > MaxBlockBytes+MaxBlockBytes/8:
		return h, 0, fmt.Errorf("block: %w", ErrTooLarge)
	case h.Records == 0 || h.Records > h.RawBytes:
		return h, 0, corrupt("block header with an impossible count")
	}
	return h, payload + h.StoredBytes, nil
}

// BlockDecoder reads blocks. Not safe for concurrent use. Close it to give its memory back.
type BlockDecoder struct {
	zstd *zstd.Decoder
}

// NewBlockDecoder returns a decoder.
func NewBlockDecoder() (*BlockDecoder, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBlockBytes))
	if err != nil {
		return nil, fmt.Errorf("make block decoder: %w", err)
	}
	return &BlockDecoder{zstd: dec}, nil
}

// Close gives the decoder's memory back.
func (d *BlockDecoder) Close() { d.zstd.Close() }

// Decode reads the one block that b is and returns its binary records, which Decode turns into values. The records
// do not share memory with b. Errors are ErrCorrupt, ErrTruncated and ErrTooLarge.
func (d *BlockDecoder) Decode(b []byte) (BlockHeader, [][]byte, error) {
	h, size, err := ReadBlockHeader(b)
	if err != nil {
		return h, nil, err
	}
	switch {
	case len(b) < size:
		return h, nil, fmt.Errorf("%w: block of %d bytes has %d", ErrTruncated, size, len(b))
	case len(b) > size:
		return h, nil, corrupt("bytes behind a block")
	case crc32.Checksum(b[8:], castagnoli) != binary.LittleEndian.Uint32(b[4:]):
		return h, nil, corrupt("block checksum")
	}
	raw, err := d.zstd.DecodeAll(b[size-h.StoredBytes:], make([]byte, 0, h.RawBytes))
	if err != nil {
		return h, nil, fmt.Errorf("%w: block payload: %w", ErrCorrupt, err)
	}
	if len(raw) != h.RawBytes {
		return h, nil, corrupt("block payload of another length")
	}
	records, err := splitRecords(raw, h)
	return h, records, err
}

// Records is Decode, with the records decoded. A record that is malformed is an error that says which.
func (d *BlockDecoder) Records(b []byte) (BlockHeader, []Record, error) {
	h, raw, err := d.Decode(b)
	if err != nil {
		return h, nil, err
	}
	records := make([]Record, len(raw))
	for i := range raw {
		if records[i], err = Decode(raw[i]); err != nil {
			return h, nil, fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	return h, records, nil
}

func splitRecords(raw []byte, h BlockHeader) ([][]byte, error) {
	records := make([][]byte, 0, min(h.Records, len(raw)/18+1))
	for len(raw) > 0 {
		rec, n := protowire.ConsumeBytes(raw)
		if n < 0 {
			return nil, corrupt("record length")
		}
		if _, err := idOf(rec); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		records = append(records, rec[:len(rec):len(rec)])
		raw = raw[n:]
	}
	if len(records) != h.Records {
		return nil, corrupt("block with another number of records")
	}
	first, _ := idOf(records[0])
	last, _ := idOf(records[len(records)-1])
	if first != h.First || last != h.Last {
		return nil, corrupt("block with other records than its header names")
	}
	return records, nil
}
