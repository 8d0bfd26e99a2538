package pgwire

import (
	"bytes"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// endless repeats one chunk of whole frames.
type endless struct {
	chunk []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.chunk[e.at:])
	e.at = (e.at + n) % len(e.chunk)
	return n, nil
}

// sampleRow has 6 columns and about 100 bytes.
func sampleRow(b *testing.B) []byte {
	row, err := AppendDataRow(nil, [][]byte{[]byte("1048576"), []byte("Ada Lovelace"), []byte("ada@example.com"),
		nil, []byte("2026-11-23 10:00:00+00"), []byte("149.90")})
	if err != nil {
		b.Fatal(err)
	}
	return row
}

func BenchmarkDataRowWalk(b *testing.B) {
	body := sampleRow(b)[HeaderSize:]
	b.ReportAllocs()
	var m DataRow
	total := 0
	for b.Loop() {
		if err := m.Decode(body); err != nil {
			b.Fatal(err)
		}
		for _, v := range m.Values() {
			total += len(v)
		}
	}
}

func BenchmarkRowWalker(b *testing.B) {
	body := sampleRow(b)[HeaderSize:]
	b.ReportAllocs()
	total := 0
	for b.Loop() {
		w := WalkRow(body)
		for v, ok := w.Next(); ok; v, ok = w.Next() {
			total += len(v)
		}
		if err := w.Err(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReaderNext(b *testing.B) {
	row := sampleRow(b)
	r := ready(NewBackendReader(&endless{chunk: bytes.Repeat(row, 1000)}, Options{}))
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReaderNextPgproto3(b *testing.B) {
	row := sampleRow(b)
	r := pgproto3.NewFrontend(&endless{chunk: bytes.Repeat(row, 1000)}, io.Discard)
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Receive(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNextRun counts one row as one operation.
func BenchmarkNextRun(b *testing.B) {
	row := sampleRow(b)
	r := ready(NewBackendReader(&endless{chunk: bytes.Repeat(row, 1000)}, Options{}))
	set := NewTypeSet(TypeDataRow)
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	for left := b.N; left > 0; {
		if _, _, err := r.Peek(); err != nil {
			b.Fatal(err)
		}
		run, n := r.NextRun(set, left)
		if n == 0 {
			if _, err := r.NextFrame(); err != nil {
				b.Fatal(err)
			}
			n = 1
		}
		_, _ = io.Discard.Write(run)
		left -= n
	}
}

func BenchmarkRowBuilder(b *testing.B) {
	body := sampleRow(b)[HeaderSize:]
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		w := WalkRow(body)
		row := BeginDataRow(out[:0], w.Len())
		for v, ok := w.Next(); ok; v, ok = w.Next() {
			row.Value(v)
		}
		var err error
		if out, err = row.End(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkErrorResponseDecode(b *testing.B) {
	frame, err := (&ErrorResponse{Diagnostic{Severity: SeverityError, Code: StateInsufficientPrivilege, Message: "permission denied", Detail: "d"}}).Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var m ErrorResponse
	for b.Loop() {
		if err := m.Decode(frame[HeaderSize:]); err != nil {
			b.Fatal(err)
		}
	}
}
