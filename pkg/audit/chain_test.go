package audit

import (
	"errors"
	"slices"
	"testing"
)

func chained(t testing.TB, ids *IDSource, session string, n int) []Record {
	t.Helper()
	c, err := NewChain("edge-a", session)
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	for i := range n {
		r := typical(ids)
		if i == n-1 {
			r.Kind = KindSessionClose
		}
		b, err := c.Append(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, stored)
	}
	return records
}

func TestChainHolds(t *testing.T) {
	records := chained(t, testIDs(t), "s-1", 5)
	if err := VerifyChain(records); err != nil {
		t.Fatal(err)
	}
	var v Verifier
	for i := range records {
		if v.Closed() {
			t.Error("closed too early")
		}
		if err := v.Add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !v.Closed() || v.Head().Seq != 5 || v.Head().Hash != records[4].Hash {
		t.Errorf("head %v, closed %v", v.Head(), v.Closed())
	}
}

func TestChainNamesDamage(t *testing.T) {
	ids := testIDs(t)
	other := chained(t, ids, "s-2", 5)
	for name, tc := range map[string]struct {
		spoil func([]Record) []Record
		want  error
		seq   uint64
	}{
		"first dropped":  {func(r []Record) []Record { return r[1:] }, ErrGap, 1},
		"middle dropped": {func(r []Record) []Record { return slices.Delete(r, 2, 3) }, ErrGap, 3},
		"swapped": {func(r []Record) []Record {
			r[1], r[2] = r[2], r[1]
			return r
		}, ErrGap, 2},
		"repeated":       {func(r []Record) []Record { return slices.Insert(r, 2, r[1]) }, ErrReordered, 3},
		"altered":        {func(r []Record) []Record { r[1].Statement = "DROP TABLE t"; return r }, ErrAltered, 2},
		"hash taken off": {func(r []Record) []Record { r[1].Hash = [32]byte{}; return r }, ErrAltered, 2},
		"forged": {func(r []Record) []Record {
			return append(r[:2], chainedAfter(t, ids, r[1], "another")...)
		}, ErrAltered, 3},
		"other session":      {func(r []Record) []Record { r[3] = other[3]; return r }, ErrForeign, 4},
		"after close":        {func(r []Record) []Record { r = append(r, r[4]); r[5].Seq = 6; return r }, ErrAltered, 6},
		"invalid in between": {func(r []Record) []Record { r[0].Kind = 99; return r }, ErrAltered, 1},
	} {
		err := VerifyChain(tc.spoil(chained(t, ids, "s-1", 5)))
		var d *Damage
		if !errors.As(err, &d) || !errors.Is(err, tc.want) || d.Seq != tc.seq || d.Session == "" {
			t.Errorf("%s: got %v, want %v at %d", name, err, tc.want, tc.seq)
		}
	}
}

// chainedAfter makes a record with a good hash of its own that does not follow from the one before.
func chainedAfter(t *testing.T, ids *IDSource, prev Record, statement string) []Record {
	c, err := NewChain(prev.Edge, prev.Session)
	if err != nil {
		t.Fatal(err)
	}
	c.head = Head{Seq: prev.Seq, Hash: [32]byte{1}}
	r := typical(ids)
	r.Statement = statement
	if _, err := c.Append(nil, &r); err != nil {
		t.Fatal(err)
	}
	return []Record{r}
}

func TestCutTail(t *testing.T) {
	records := chained(t, testIDs(t), "s-1", 5)
	end := Head{Seq: 5, Hash: records[4].Hash}
	check := func(n int) error {
		var v Verifier
		for i := range n {
			if err := v.Add(&records[i]); err != nil {
				t.Fatal(err)
			}
		}
		return v.CheckHead(end)
	}
	if err := check(5); err != nil {
		t.Error(err)
	}
	for n := range 5 {
		if err := check(n); !errors.Is(err, ErrCut) {
			t.Errorf("%d of 5 records: %v", n, err)
		}
	}
	end.Hash[0]++
	if err := check(5); !errors.Is(err, ErrAltered) {
		t.Errorf("another head: %v", err)
	}
}

func TestChainStandsAfterError(t *testing.T) {
	c, err := NewChain("e", "s")
	if err != nil {
		t.Fatal(err)
	}
	ids := testIDs(t)
	bad, good := Record{}, typical(ids)
	if _, err := c.Append(nil, &bad); err == nil || c.Head() != (Head{}) {
		t.Errorf("head %v, error %v", c.Head(), err)
	}
	if _, err := c.Append(nil, &good); err != nil || good.Seq != 1 {
		t.Errorf("seq %d, error %v", good.Seq, err)
	}
	if _, err := NewChain("e", ""); err == nil {
		t.Error("a chain without a session was made")
	}
}

func TestChainAppendDoesNotAllocate(t *testing.T) {
	c, err := NewChain("edge-a", "s-1")
	if err != nil {
		t.Fatal(err)
	}
	r := typical(testIDs(t))
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.Append(buf, &r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkChainAppend(b *testing.B) {
	ids := testIDs(b)
	c, err := NewChain("edge-a", "s-01JDQ5XYZ0")
	if err != nil {
		b.Fatal(err)
	}
	r := typical(ids)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		r.ID = ids.Next(testTime)
		out, err := c.Append(buf, &r)
		if err != nil {
			b.Fatal(err)
		}
		size = len(out)
	}
	b.ReportMetric(float64(size), "B/record")
}

func BenchmarkDecode(b *testing.B) {
	r := typical(testIDs(b))
	buf, err := r.AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
