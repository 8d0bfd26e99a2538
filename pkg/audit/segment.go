package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// A segment is a file of blocks in the object store:
//
//	header   magic "WSG1", length of the edge's name, the name
//	blocks
//	trailer  magic "WSE1", then little endian: number of blocks (8), number of records (8), id of the first
//	         and of the last record, SHA-256 of everything before these 32 bytes
const (
	segmentMagic  = "WSG1"
	trailerMagic  = "WSE1"
	trailerBytes  = 4 + 8 + 8 + 16 + 16 + HashSize
	segmentTarget = 256 << 10
)

// SegmentSummary is what a segment's trailer says.
type SegmentSummary struct {
	Edge        string
	Blocks      uint64
	Records     uint64
	First, Last RecordID
	Hash        [HashSize]byte // names the segment's content
}

// SegmentWriter writes one segment. Not safe for concurrent use.
type SegmentWriter struct {
	w       io.Writer
	enc     *BlockEncoder
	summary SegmentSummary
	digest  hash.Hash
	pending [][]byte
	size    int
	err     error
}

// NewSegmentWriter writes the header of a segment of that edge's records to w.
func NewSegmentWriter(w io.Writer, edge string) (*SegmentWriter, error) {
	enc, err := NewBlockEncoder(edge)
	if err != nil {
		return nil, err
	}
	s := &SegmentWriter{w: w, enc: enc, digest: sha256.New(), summary: SegmentSummary{Edge: edge}}
	header := append([]byte(segmentMagic), byte(len(edge)))
	return s, s.write(append(header, edge...))
}

// Write adds a binary record; it keeps a copy. Records leave in blocks of about 256 KiB.
func (s *SegmentWriter) Write(record []byte) error {
	if s.err != nil {
		return s.err
	}
	if len(record) > MaxRecordBytes {
		return fmt.Errorf("record of %d bytes: %w", len(record), ErrTooLarge)
	}
	if _, err := idOf(record); err != nil {
		return err
	}
	s.pending = append(s.pending, bytes.Clone(record))
	s.size += BlockCost(record)
	if s.size < segmentTarget {
		return nil
	}
	return s.flush()
}

// WriteBlock adds a block as it came from the edge, without compressing it again. The caller has checked it with
// a BlockDecoder.
func (s *SegmentWriter) WriteBlock(block []byte) error {
	if err := s.flush(); err != nil {
		return err
	}
	h, size, err := ReadBlockHeader(block)
	switch {
	case err != nil:
		return err
	case size != len(block):
		return corrupt("not exactly one block")
	case h.Edge != s.summary.Edge:
		return invalid("block of another edge")
	}
	return s.add(h, block)
}

// Close writes what is left and the trailer. It does not close the writer below.
func (s *SegmentWriter) Close() (SegmentSummary, error) {
	if err := s.flush(); err != nil {
		return SegmentSummary{}, err
	}
	b := append(make([]byte, 0, trailerBytes), trailerMagic...)
	b = binary.LittleEndian.AppendUint64(b, s.summary.Blocks)
	b = binary.LittleEndian.AppendUint64(b, s.summary.Records)
	b = append(append(b, s.summary.First[:]...), s.summary.Last[:]...)
	if err := s.write(b); err != nil {
		return SegmentSummary{}, err
	}
	s.digest.Sum(s.summary.Hash[:0])
	if err := s.write(s.summary.Hash[:]); err != nil {
		return SegmentSummary{}, err
	}
	s.err = errors.New("segment is closed")
	return s.summary, nil
}

func (s *SegmentWriter) flush() error {
	if s.err != nil || len(s.pending) == 0 {
		return s.err
	}
	block, err := s.enc.Encode(nil, s.pending)
	if err != nil {
		s.err = err
		return err
	}
	s.pending, s.size = s.pending[:0], 0
	h, _, err := ReadBlockHeader(block)
	if err != nil {
		s.err = err
		return err
	}
	return s.add(h, block)
}

func (s *SegmentWriter) add(h BlockHeader, block []byte) error {
	if s.summary.Blocks == 0 {
		s.summary.First = h.First
	}
	s.summary.Last = h.Last
	s.summary.Blocks++
	s.summary.Records += uint64(h.Records)
	return s.write(block)
}

func (s *SegmentWriter) write(b []byte) error {
	s.digest.Write(b)
	if _, err := s.w.Write(b); err != nil {
		s.err = fmt.Errorf("write segment: %w", err)
	}
	return s.err
}

// SegmentReader reads one segment from its front. Not safe for concurrent use.
type SegmentReader struct {
	r       *bufio.Reader
	dec     *BlockDecoder
	digest  hash.Hash
	seen    SegmentSummary
	records [][]byte
	err     error
}

// NewSegmentReader reads the header of a segment.
func NewSegmentReader(r io.Reader) (*SegmentReader, error) {
	dec, err := NewBlockDecoder()
	if err != nil {
		return nil, err
	}
	s := &SegmentReader{r: bufio.NewReaderSize(r, 64<<10), dec: dec, digest: sha256.New()}
	head, err := s.take(5)
	if err != nil {
		return nil, err
	}
	if string(head[:4]) != segmentMagic {
		return nil, corrupt("not a segment, or of a later version")
	}
	edge, err := s.take(int(head[4]))
	if err != nil {
		return nil, err
	}
	s.seen.Edge = string(edge)
	return s, nil
}

// Edge returns the edge whose records the segment holds.
func (s *SegmentReader) Edge() string { return s.seen.Edge }

// NextRaw returns the next binary record, or io.EOF once the trailer was read and agrees with all that came
// before. Other errors (ErrCorrupt, ErrTruncated, ErrTooLarge, or the reader's own) stay.
func (s *SegmentReader) NextRaw() ([]byte, error) {
	for s.err == nil && len(s.records) == 0 {
		s.err = s.readBlock()
	}
	if s.err != nil {
		return nil, s.err
	}
	rec := s.records[0]
	s.records = s.records[1:]
	return rec, nil
}

// Next is NextRaw, decoded.
func (s *SegmentReader) Next() (Record, error) {
	b, err := s.NextRaw()
	if err != nil {
		return Record{}, err
	}
	rec, err := Decode(b)
	if err != nil {
		s.err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return rec, s.err
}

// Summary returns what the trailer says, after io.EOF.
func (s *SegmentReader) Summary() SegmentSummary { return s.seen }

func (s *SegmentReader) readBlock() error {
	magic, err := s.r.Peek(4)
	if err != nil {
		return s.short(err)
	}
	if string(magic) == trailerMagic {
		return s.readTrailer()
	}
	head, err := s.r.Peek(blockFixed)
	if err != nil {
		return s.short(err)
	}
	if head, err = s.r.Peek(blockFixed + int(head[blockFixed-1])); err != nil {
		return s.short(err)
	}
	h, size, err := ReadBlockHeader(head)
	if err != nil {
		return err
	}
	if h.Edge != s.seen.Edge {
		return corrupt("block of another edge")
	}
	block, err := s.take(size)
	if err != nil {
		return err
	}
	if _, s.records, err = s.dec.Decode(block); err != nil {
		return err
	}
	if s.seen.Blocks == 0 {
		s.seen.First = h.First
	}
	s.seen.Last = h.Last
	s.seen.Blocks++
	s.seen.Records += uint64(h.Records)
	return nil
}

func (s *SegmentReader) readTrailer() error {
	b, err := s.take(trailerBytes - HashSize)
	if err != nil {
		return err
	}
	said := SegmentSummary{
		Edge:    s.seen.Edge,
		Blocks:  binary.LittleEndian.Uint64(b[4:]),
		Records: binary.LittleEndian.Uint64(b[12:]),
		First:   RecordID(b[20:36]), Last: RecordID(b[36:52]),
	}
	if said != s.seen {
		return corrupt("segment trailer does not match its blocks")
	}
	s.digest.Sum(s.seen.Hash[:0])
	sum, err := s.take(HashSize)
	if err != nil {
		return err
	}
	if [HashSize]byte(sum) != s.seen.Hash {
		return corrupt("segment hash")
	}
	if _, err := s.r.ReadByte(); err != io.EOF {
		return corrupt("bytes behind the segment's trailer")
	}
	s.dec.Close()
	return io.EOF
}

func (s *SegmentReader) take(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, s.short(err)
	}
	s.digest.Write(b)
	return b, nil
}

func (s *SegmentReader) short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: segment", ErrTruncated)
	}
	return fmt.Errorf("read segment: %w", err)
}
