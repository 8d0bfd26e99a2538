package audit

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

func FuzzDecode(f *testing.F) {
	ids := testIDs(f)
	for _, r := range []Record{typical(ids), full(ids), chunk(ids, []byte("\x1b[2J\xc3"))} {
		b, err := r.AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		again, err := r.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted %x, writes %x, error %v", b, again, err)
		}
		if _, err := r.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzBlock(f *testing.F) {
	enc, err := NewBlockEncoder("edge-a")
	if err != nil {
		f.Fatal(err)
	}
	block, err := enc.Encode(nil, binaries(f, chained(f, testIDs(f), "s-1", 3)))
	if err != nil {
		f.Fatal(err)
	}
	dec, err := NewBlockDecoder()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 8 { // get past the checksum, to what an edge that lies could send
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
		}
		h, records, err := dec.Decode(b)
		if err == nil && len(records) != h.Records {
			t.Fatalf("%d records, header says %d", len(records), h.Records)
		}
	})
}

func FuzzSegment(f *testing.F) {
	b, _ := segment(f, binaries(f, chained(f, testIDs(f), "s-1", 3)))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, sum, err := readSegment(b)
		if err == nil && uint64(len(got)) != sum.Records {
			t.Fatalf("%d records, trailer says %d", len(got), sum.Records)
		}
	})
}
