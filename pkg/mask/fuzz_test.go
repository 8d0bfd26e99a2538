package mask

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzScan(f *testing.F) {
	d := testDetector(f, Config{Custom: []Pattern{{Name: "badge", Regexp: `BADGE-[0-9]+`, Literal: "BADGE-"}}})
	for _, s := range []string{
		"alice@example.com", "4111 1111 1111 1111", testJWT, testPEM, "AKIAIOSFODNN7EXAMPLE " + testSecret,
		"DE89 3704 0044 0532 0130 00", "+1 (415) 555-2671 (415) 555-2671", "123-45-6789", "BADGE-4711@b.cc", "ghp_" + strings.Repeat("a", 36),
	} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, chunk uint8) {
		last := 0
		for _, h := range d.Scan(nil, b) {
			if h.Start < last || h.End <= h.Start || h.End > len(b) || d.Name(h.Class) == "none" {
				t.Fatalf("hit %+v in %d bytes, the one before ends at %d", h, len(b), last)
			}
			last = h.End
		}
		s := d.NewStream()
		var got []byte
		var err error
		for rest := b; len(rest) > 0; {
			n := min(len(rest), int(chunk)+1)
			if got, err = s.Write(got, rest[:n]); err != nil {
				t.Skip(err)
			}
			rest = rest[n:]
		}
		if got, err = s.Close(got); err != nil {
			t.Fatal(err)
		}
		if want := d.Redact(nil, b); len(b) < streamTail && !bytes.Equal(got, want) {
			t.Fatalf("streamed %q, whole %q", got, want)
		}
	})
}

func FuzzJSON(f *testing.F) {
	d := testDetector(f, Config{})
	plan := testPlan(f, Column{OID: oidJSON})
	f.Add([]byte(`{"a":4111111111111111,"b":"a@b.cc","c":["\"",{"d":"\u0040"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, n, err := RewriteDataRow(nil, row(string(b)), plan, d)
		if err != nil {
			t.Fatal(err)
		}
		if got := values(t, out)[0]; n > 0 && json.Valid(b) && !json.Valid([]byte(got)) {
			t.Fatalf("%q is JSON, %q is not", b, got)
		}
	})
}

func FuzzDataRow(f *testing.F) {
	d := testDetector(f, Config{})
	plan := testPlan(f, Column{OID: oidText}, Column{OID: oidText, Rule: rule("partial:4")}, Column{OID: oidJSONB, Binary: true},
		Column{OID: oidNumeric, Binary: true}, Column{OID: oidUUID, Binary: true, Rule: rule("hash")})
	f.Add(row("a@b.cc", "secret-1234", "\x01{}", "\x00\x00\x00\x00\x00\x00\x00\x00", strings.Repeat("u", 16)))
	f.Add(row(null, null, null, null, null))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		out, n, err := RewriteDataRow(nil, b, plan, d)
		if !bytes.Equal(b, before) {
			t.Fatal("the row was written to")
		}
		if err != nil {
			return
		}
		got, was := values(t, out), values(t, b)
		if len(got) != len(was) || n == 0 && !bytes.Equal(out, b) {
			t.Fatalf("%q becomes %q", was, got)
		}
		if was[1] != null && !strings.HasPrefix(got[1], Redacted) {
			t.Fatalf("masked column has %q", got[1])
		}
	})
}

func fuzzCopy(f *testing.F, opts CopyOptions) {
	d := testDetector(f, Config{})
	columns := []Column{{OID: oidText}, {OID: oidText, Rule: rule("redact")}}
	f.Fuzz(func(t *testing.T, b []byte, chunk uint8) {
		whole, err := through(testCopy(t, opts, d, columns...), string(b), len(b)+1)
		parts, perr := through(testCopy(t, opts, d, columns...), string(b), int(chunk)+1)
		if (err == nil) != (perr == nil) || whole != parts {
			t.Fatalf("whole %q, %v\nin parts %q, %v", whole, err, parts, perr)
		}
		if err != nil {
			return
		}
		again, err := through(testCopy(t, opts, nil, columns...), whole, len(whole)+1)
		if err != nil || again != whole {
			t.Fatalf("%q becomes %q, which reads as %q, %v", b, whole, again, err)
		}
	})
}

func FuzzCopyText(f *testing.F) {
	f.Add([]byte("x\\ta@b.cc\tsecret\n\\N\t\\N\n\\x41\\101\t\\\\\n"), uint8(2))
	fuzzCopy(f, CopyOptions{Format: CopyText})
}

func FuzzCopyCSV(f *testing.F) {
	f.Add([]byte("\"x\n\"\"a@b.cc\",secret\n,\n\"\",\"y\"\n"), uint8(2))
	fuzzCopy(f, CopyOptions{Format: CopyCSV})
}

func FuzzCopyCSVEscape(f *testing.F) {
	f.Add([]byte("\"x\n\\\"a@b.cc\",secret\n,\n\"\\\\\",\"y\"\n"), uint8(2))
	fuzzCopy(f, CopyOptions{Format: CopyCSV, Escape: '\\', Null: ptr("NULL")})
}

func FuzzCopyBinary(f *testing.F) {
	f.Add([]byte(binaryCopy(row("a@b.cc", "secret"), row(null, null))), uint8(2))
	fuzzCopy(f, CopyOptions{Format: CopyBinary})
}
