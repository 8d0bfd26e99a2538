package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testTime = time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC)

func testIDs(t testing.TB) *IDSource {
	t.Helper()
	ids, err := NewIDSource(bytes.NewReader([]byte("node01")))
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// typical is a record as the hot path writes it.
func typical(ids *IDSource) Record {
	return Record{
		ID: ids.Next(testTime), Time: testTime, Kind: KindCommand,
		Principal: "agent:invoice-bot", PrincipalKind: "agent", Resource: "orders-db", Grant: "g-01JDQ5",
		ClientAddr: "127.0.0.1:51234", Protocol: "postgres", Application: "pgbench",
		Command: "c-17", Statement: "SELECT abalance FROM pgbench_accounts WHERE aid = $1 AND bid = $2 LIMIT 1",
		Params: []Param{{Data: []byte("4711")}, {Null: true}},
		Digest: sha256.Sum256([]byte("x")), Decision: Allow, PolicyIDs: []string{"dev-read"}, Revision: 12,
		Actions: []string{"sql:select"}, Tables: []string{"public.pgbench_accounts"},
	}
}

// full has every field set, which TestEveryFieldIsSet checks.
func full(ids *IDSource) Record {
	r := typical(ids)
	r.Seq, r.Edge, r.Session = 9, "edge-a", "s-1"
	r.OnBehalfOf = []string{"alice", ""}
	r.Reason, r.RequestID, r.HoldID = "needs approval", "r-1", "h-1"
	r.MaskedColumns, r.RowCount, r.Bytes, r.Duration = []string{"email"}, 3, 99, time.Millisecond
	r.CommandTag, r.ErrorCode, r.ErrorMessage = "SELECT 3", "42501", "permission denied"
	r.Columns = []string{"id", "email", "blob"}
	r.Rows = [][]Value{
		{{Data: []byte("1")}, {Data: []byte("***"), Masked: true}, {Data: []byte{0xff, 0}}},
		{{Data: nil}, {Null: true, Masked: true}, {Null: true}},
		nil,
	}
	r.Attrs = []Attr{{Name: "method", Value: "ApproveRequest"}, {Name: "empty"}, {}}
	r.Trimmed, r.Prev, r.Hash = true, sha256.Sum256([]byte("p")), sha256.Sum256([]byte("h"))
	return r
}

// chunk is a piece of a stream, as a terminal's recorder writes it.
func chunk(ids *IDSource, data []byte) Record {
	return Record{
		ID: ids.Next(testTime), Time: testTime, Kind: KindStream, Command: "c5", Bytes: int64(len(data)), Duration: 1234567890,
		Params: []Param{{Data: data}}, Attrs: []Attr{{Name: "stream", Value: "stdout"}},
	}
}

func TestEveryFieldIsSet(t *testing.T) {
	v := reflect.ValueOf(full(testIDs(t)))
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set, so the tests do not cover it", v.Type().Field(i).Name)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	ids := testIDs(t)
	for _, want := range []Record{typical(ids), full(ids), chunk(ids, []byte("\x1b[1mls\r\n\xff\x00")), {ID: ids.Next(testTime), Time: testTime, Kind: KindEdge}} {
		b, err := want.AppendBinary([]byte("prefix"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b[len("prefix"):])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("decoded record differs:\n%s", diff)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*Record)
		want  error
	}{
		"zero record":        {func(r *Record) { *r = Record{} }, ErrInvalid},
		"no id":              {func(r *Record) { r.ID = RecordID{} }, ErrInvalid},
		"no kind":            {func(r *Record) { r.Kind = 0 }, ErrInvalid},
		"kind of the future": {func(r *Record) { r.Kind = 200 }, ErrInvalid},
		"no time":            {func(r *Record) { r.Time = time.Time{} }, ErrInvalid},
		"year 3000":          {func(r *Record) { r.Time = testTime.AddDate(1000, 0, 0) }, ErrInvalid},
		"unknown decision":   {func(r *Record) { r.Decision = "maybe" }, ErrInvalid},
		"negative rows":      {func(r *Record) { r.RowCount = -1 }, ErrInvalid},
		"long statement":     {func(r *Record) { r.Statement = strings.Repeat("x", MaxRecordBytes) }, ErrTooLarge},
		"long list":          {func(r *Record) { r.Tables = make([]string, maxListItems+1) }, ErrTooLarge},
	} {
		r := full(testIDs(t))
		tc.spoil(&r)
		b, err := r.AppendBinary([]byte("kept"))
		if !errors.Is(err, tc.want) || string(b) != "kept" {
			t.Errorf("%s: got %d bytes, error %v, want %v", name, len(b), err, tc.want)
		}
	}
}

func TestTextIsMadeValid(t *testing.T) {
	r := typical(testIDs(t))
	r.Statement, r.Attrs = "SELECT '\xff'", []Attr{{Name: "n\xff"}}
	b, err := r.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil || got.Statement != "SELECT '\uFFFD'" || got.Attrs[0].Name != "n\uFFFD" {
		t.Errorf("got %q, %v, error %v", got.Statement, got.Attrs, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	r := full(testIDs(t))
	good, err := r.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		// What is cut between two fields is a record, but one without its hash.
		if r, err := Decode(good[:n]); err == nil && VerifyChain([]Record{r}) == nil {
			t.Fatalf("the first %d of %d bytes pass for a record", n, len(good))
		}
	}
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	for name, b := range map[string][]byte{
		"empty":                 {},
		"trailing byte":         join(good, []byte{0}),
		"unknown field":         join(good, []byte{0xd0, 0x3e, 1}),
		"repeated field":        join(good, good[len(good)-35:]),
		"group":                 join(good, []byte{0x2b, 0x2c}),
		"order":                 join(good[18:20], good[:18], good[20:]),
		"number in a long form": join(good[:18], []byte{0x10, 0x89, 0x00}, good[20:]),
		"written-out zero":      join(good[:18], []byte{0x10, 0}, good[20:]),
		"kind over a byte":      {0x20, 0x81, 0x02},
	} {
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
	if _, err := Decode(make([]byte, MaxRecordBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("oversize: error %v", err)
	}
}

func TestTrim(t *testing.T) {
	r := typical(testIDs(t))
	r.Trim()
	if r.Trimmed {
		t.Error("a short record was trimmed")
	}
	r.Statement = strings.Repeat("\xff", 5<<20)
	r.ErrorMessage = strings.Repeat("é", 1<<20)
	r.Params = slices.Repeat([]Param{{Data: make([]byte, 1000)}}, 1<<17)
	r.Rows = slices.Repeat([][]Value{{{Data: make([]byte, 100)}}}, 1<<17)
	r.Trim()
	b, err := r.AppendBinary(nil)
	if err != nil || !r.Trimmed {
		t.Fatalf("trimmed %v, error %v", r.Trimmed, err)
	}
	if _, err := Decode(b); err != nil {
		t.Error(err)
	}
}

func TestTrimStream(t *testing.T) {
	ids := testIDs(t)
	short := chunk(ids, make([]byte, 32<<10))
	if short.Trim(); short.Trimmed || len(short.Params[0].Data) != 32<<10 {
		t.Error("a piece of 32 KiB was cut")
	}
	data := bytes.Repeat([]byte("x"), 3<<20)
	long := chunk(ids, data)
	long.Trim()
	if n := len(long.Params[0].Data); !long.Trimmed || n < 256<<10 || long.Bytes != 3<<20 {
		t.Errorf("of 3 MiB %d bytes are left, trimmed %v, bytes %d", n, long.Trimmed, long.Bytes)
	}
	if _, err := long.AppendBinary(nil); err != nil {
		t.Error(err)
	}
}

// What a piece of a terminal's stream costs besides its bytes is mostly its hash: terminal.Recorder gathers pieces for 100 ms.
func TestStreamCost(t *testing.T) {
	const pieces, most = 2000, 80
	ids := testIDs(t)
	chain, err := NewChain("edge-a", "ses-01kawr3v5m5n1d3s9e7b2y8gkp")
	if err != nil {
		t.Fatal(err)
	}
	enc, err := NewBlockEncoder("edge-a")
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	raw := 0
	for i := range pieces {
		r := chunk(ids, fmt.Appendf(nil, "line %d\r\n", i))
		r.Time = testTime.Add(time.Duration(i) * 103 * time.Millisecond)
		r.ID, r.Duration = ids.Next(r.Time), time.Duration(i)*103_000_123
		b, err := chain.Append(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		raw += len(b)
		records = append(records, b)
	}
	block, err := enc.Encode(nil, records)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a piece of 10 bytes: %d bytes encoded, %d in a block", raw/pieces, len(block)/pieces)
	if got := len(block) / pieces; got > most {
		t.Errorf("a piece costs %d bytes in a block, want at most %d", got, most)
	}
}

func TestRecordJSON(t *testing.T) {
	b, err := json.Marshal(full(testIDs(t)))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"kind": "command", "decision": "allow", "time": "2026-11-23T10:00:00.123456789Z", "duration": "1ms",
		"params": []any{"4711", nil},
		"rows": []any{
			[]any{"1", "***", map[string]any{"base64": "/wA="}}, []any{"", nil, nil}, nil,
		},
	} {
		if diff := cmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if typ := reflect.TypeFor[recordJSON](); len(got) != typ.NumField() {
		t.Errorf("%d keys of %d", len(got), typ.NumField())
	}
}

func TestKindNames(t *testing.T) {
	for k := Kind(1); k.valid(); k++ {
		if back, err := ParseKind(k.String()); err != nil || back != k || k.String() == "" {
			t.Errorf("kind %d: %q, %v", k, k, err)
		}
	}
	if _, err := ParseKind(""); err == nil {
		t.Error("the empty kind has a name")
	}
	if _, err := Kind(0).MarshalText(); err == nil {
		t.Error("the zero kind has a text form")
	}
}

func TestRecordIDs(t *testing.T) {
	ids := testIDs(t)
	now := testTime
	var last string
	for i := range 10000 {
		if i%100 == 0 {
			now = now.Add(time.Duration(rand.Intn(10)-5) * time.Millisecond)
		}
		id := ids.Next(now)
		if id.String() <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id.String()
		if back, err := ParseRecordID(last); err != nil || back != id {
			t.Fatalf("%s reads back as %s, %v", id, back, err)
		}
	}
	if id := testIDs(t).Next(testTime); !id.Time().Equal(testTime.Truncate(time.Millisecond)) {
		t.Errorf("id of %s carries %s", testTime, id.Time())
	}
	if _, err := NewIDSource(strings.NewReader("short")); err == nil {
		t.Error("a source without enough randomness was made")
	}
}
