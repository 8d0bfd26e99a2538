package audit

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func binaries(t testing.TB, records []Record) [][]byte {
	t.Helper()
	var out [][]byte
	for i := range records {
		b, err := records[i].AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func segment(t testing.TB, records [][]byte) ([]byte, SegmentSummary) {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewSegmentWriter(&buf, "edge-a")
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), sum
}

func readSegment(b []byte) ([]Record, SegmentSummary, error) {
	r, err := NewSegmentReader(bytes.NewReader(b))
	if err != nil {
		return nil, SegmentSummary{}, err
	}
	var out []Record
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return out, r.Summary(), nil
		}
		if err != nil {
			return out, SegmentSummary{}, err
		}
		out = append(out, rec)
	}
}

func TestSegmentRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 3000} {
		want := chained(t, testIDs(t), "s-1", n)
		b, sum := segment(t, binaries(t, want))
		got, read, err := readSegment(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if read != sum || sum.Records != uint64(n) || sum.Edge != "edge-a" {
			t.Errorf("written %+v, read %+v", sum, read)
		}
		if n == 3000 && sum.Blocks < 2 {
			t.Errorf("%d blocks", sum.Blocks)
		}
	}
}

func TestSegmentTakesShippedBlocks(t *testing.T) {
	want := chained(t, testIDs(t), "s-1", 4)
	raw := binaries(t, want)
	enc, err := NewBlockEncoder("edge-a")
	if err != nil {
		t.Fatal(err)
	}
	block, err := enc.Encode(nil, raw[:3])
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w, err := NewSegmentWriter(&buf, "edge-a")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteBlock(block), w.Write(raw[3])); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteBlock(block[:len(block)-1]); err == nil {
		t.Error("took half a block")
	}
	foreign, err := NewBlockEncoder("edge-b")
	if err != nil {
		t.Fatal(err)
	}
	other, err := foreign.Encode(nil, raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteBlock(other); !errors.Is(err, ErrInvalid) {
		t.Errorf("block of another edge: %v", err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _, err := readSegment(buf.Bytes()); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("error %v: %s", err, cmp.Diff(want, got))
	}
}

// TestSegmentDamage flips every byte and cuts at every length: nothing of it may go unseen.
func TestSegmentDamage(t *testing.T) {
	b, _ := segment(t, binaries(t, chained(t, testIDs(t), "s-1", 5)))
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 0x10
		if _, _, err := readSegment(bad); !isDamage(err) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if _, _, err := readSegment(b[:i]); !errors.Is(err, ErrTruncated) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if _, _, err := readSegment(append(bytes.Clone(b), 0)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("byte behind the end: %v", err)
	}
}

func isDamage(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrTruncated) || errors.Is(err, ErrTooLarge)
}

func TestBlockRefuses(t *testing.T) {
	enc, err := NewBlockEncoder("edge-a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enc.Encode(nil, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("no records: %v", err)
	}
	if _, err := enc.Encode(nil, [][]byte{[]byte("not a record at all")}); !errors.Is(err, ErrInvalid) {
		t.Errorf("no record: %v", err)
	}
	big := make([]byte, MaxRecordBytes)
	r := typical(testIDs(t))
	head, err := r.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	copy(big, head)
	if _, err := enc.Encode(nil, [][]byte{big, big}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many bytes: %v", err)
	}
	if _, err := NewBlockEncoder(string(make([]byte, 256))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("long edge name: %v", err)
	}
}
