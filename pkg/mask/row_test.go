package mask

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

// null is a NULL among the values of a row in tests.
const null = "\x00NULL"

func row(values ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		if v == null {
			b = binary.BigEndian.AppendUint32(b, math.MaxUint32)
			continue
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return b
}

func values(t testing.TB, b []byte) []string {
	t.Helper()
	var out []string
	at := 2
	for range binary.BigEndian.Uint16(b) {
		end, isNull, err := fieldEnd(b, at)
		if err != nil {
			t.Fatal(err)
		}
		v := null
		if !isNull {
			v = string(b[at+4 : end])
		}
		out = append(out, v)
		at = end
	}
	if at != len(b) {
		t.Fatalf("%d bytes behind the row", len(b)-at)
	}
	return out
}

func testPlan(t testing.TB, columns ...Column) *Plan {
	t.Helper()
	p, err := NewPlan(columns, testKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rule(s string) *Rule {
	r, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return &r
}

func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// one masks a single value.
func one(t *testing.T, c Column, value string, det *Detector) string {
	t.Helper()
	out, _, err := RewriteDataRow(nil, row(value), testPlan(t, c), det)
	if err != nil {
		t.Fatal(err)
	}
	return values(t, out)[0]
}

func TestMaskByType(t *testing.T) {
	const uuidText, uuidHex = "550e8400-e29b-41d4-a716-446655440000", "550e8400e29b41d4a716446655440000"
	hashedUUID := one(t, Column{Rule: rule("hash"), OID: oidUUID}, uuidText, nil)
	hashed, _ := Rule{Kind: Hash}.AppendText(nil, []byte("alice"), testKey(t))
	for _, tc := range []struct {
		oid    uint32
		binary bool
		rule   string
		value  string
		want   string
	}{
		{oidText, false, "redact", "alice", "***"}, {oidText, true, "redact", "alice", "***"},
		{oidVarchar, false, "partial:2", "alice", "***ce"}, {oidText, false, "null", "alice", null},
		{oidText, false, "hash", "alice", string(hashed)}, {oidBPChar, true, "hash", "alice   ", string(hashed)},
		{oidBPChar, false, "partial:2", "alice     ", "***ce"},
		{oidChar, false, "redact", "x", "***"}, {oidChar, true, "redact", "x", null},
		{oidXML, false, "redact", "<a/>", "***"},
		{oidJSON, false, "redact", `{"a":1}`, `"***"`}, {oidJSON, false, "partial:2", `{"a":1}`, `"***"`},
		{oidJSON, false, "hash", `alice`, `"` + string(hashed) + `"`}, {oidJSON, false, "null", `1`, null},
		{oidJSONB, true, "redact", "\x01{}", "\x01\"***\""}, {oidJSONB, false, "redact", "{}", `"***"`},
		{oidUUID, false, "redact", uuidText, null}, {oidUUID, true, "partial:4", unhex(uuidHex), null},
		{oidUUID, true, "hash", unhex(uuidHex), unhex(strings.ReplaceAll(hashedUUID, "-", ""))},
		{oidUUID, false, "hash", strings.ToUpper(uuidText), hashedUUID}, {oidUUID, true, "hash", "short", null},
		{oidUUID, false, "hash", "{" + uuidText[1:], null},
		{oidInt8, false, "redact", "42", null}, {23, true, "partial:1", "\x00\x00\x00\x2a", null},
		{oidNumeric, false, "hash", "42", null}, {1082, false, "redact", "2026-11-23", null},
		{1184, false, "hash", "2026-11-23 10:00:00+00", null}, {16, false, "redact", "t", null},
		{17, false, "redact", `\x00`, null}, {869, false, "redact", "10.0.0.1", null},
		{1009, false, "redact", "{a,b}", null}, {2249, false, "redact", "(a,b)", null}, {1007, true, "hash", "x", null},
		{99999, false, "redact", "citext", "***"}, {99999, false, "partial:2", "citext", "***xt"},
		{99999, true, "redact", "anything", null}, {0, true, "redact", "anything", null}, {0, false, "redact", "x", "***"},
	} {
		got := one(t, Column{Rule: rule(tc.rule), OID: tc.oid, Binary: tc.binary}, tc.value, nil)
		if got != tc.want {
			t.Errorf("type %d binary %v %s of %q: got %q, want %q", tc.oid, tc.binary, tc.rule, tc.value, got, tc.want)
		}
		if isJSON := tc.oid == oidJSON || tc.oid == oidJSONB; isJSON && got != null && !json.Valid([]byte(strings.TrimPrefix(got, "\x01"))) {
			t.Errorf("%q is not JSON", got)
		}
	}
	if len(hashedUUID) != 36 || hashedUUID[14] != '8' || hashedUUID == uuidText {
		t.Errorf("hashed UUID %s", hashedUUID)
	}
}

func TestDerivedShowsNothing(t *testing.T) {
	for _, tc := range []struct {
		c    Column
		want string
	}{
		{Column{OID: oidText, Derived: true}, "***"},
		{Column{OID: oidText, Derived: true, Rule: rule("partial:2")}, "***"},
		{Column{OID: oidText, Derived: true, Rule: rule("hash")}, "***"},
		{Column{OID: oidText, Derived: true, Rule: rule("null")}, null},
		{Column{OID: oidJSON, Derived: true, Rule: rule("partial:2")}, `"***"`},
		{Column{OID: oidInt8, Derived: true}, null},
		{Column{OID: oidUUID, Derived: true, Rule: rule("hash")}, null},
		{Column{OID: 1009, Derived: true}, null},
	} {
		if got := one(t, tc.c, "12345678", nil); got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.c, got, tc.want)
		}
	}
}

func TestHashWithoutKeyIsNull(t *testing.T) {
	p, err := NewPlan([]Column{{OID: oidText, Rule: rule("hash")}, {OID: oidUUID, Rule: rule("hash")},
		{OID: oidJSON, Rule: rule("hash")}}, Key{})
	if err != nil {
		t.Fatal(err)
	}
	out, n, err := RewriteDataRow(nil, row("a", "550e8400-e29b-41d4-a716-446655440000", "{}"), p, nil)
	if err != nil || n != 3 || strings.Join(values(t, out), "") != null+null+null {
		t.Errorf("%q, %d, %v", out, n, err)
	}
}

func TestDetectInRow(t *testing.T) {
	d := testDetector(t, Config{})
	card := "4111111111111111"
	int8Card := string(binary.BigEndian.AppendUint64(nil, 4111111111111111))
	float := string(binary.BigEndian.AppendUint64(nil, math.Float64bits(4111111111111111)))
	numeric := unhex("0004" + "0003" + "0000" + "0000" + "100f" + "0457" + "0457" + "0457") // 4111 1111 1111 1111
	for _, tc := range []struct {
		oid    uint32
		binary bool
		value  string
		want   string
	}{
		{oidText, false, "to " + card, "to ***"}, {oidVarchar, true, card, "***"}, {0, false, card, "***"},
		{oidText, false, "nothing", "nothing"}, {oidUnknown, false, "a@b.cc", "***"},
		{oidInt8, false, card, null}, {oidInt8, true, int8Card, null}, {oidInt8, false, "4111111111111112", "4111111111111112"},
		{oidInt8, true, "short", "short"}, {oidFloat8, true, float, null}, {oidFloat8, false, "4.111111111111111e+15", null},
		{oidFloat8, false, "1e300", "1e300"}, {oidFloat8, false, "NaN", "NaN"},
		{oidNumeric, false, card, null}, {oidNumeric, false, card + ".00", null}, {oidNumeric, false, card + ".01", card + ".01"},
		{oidNumeric, true, numeric, null}, {oidNumeric, true, numeric[:8] + "\xff\xff" + numeric[10:], numeric[:8] + "\xff\xff" + numeric[10:]},
		{oidUUID, false, "41111111-1111-1111-a716-446655440000", "41111111-1111-1111-a716-446655440000"},
		{17, false, card, card}, {1184, false, card, card}, {23, false, card, card},
		{1009, false, "{x," + card + "}", null}, {1009, true, "bin" + card, null}, {99999, true, "x" + card, null},
		{99999, false, card, "***"},
		{oidJSON, false, `{"a":"` + card + `","b":"a@b.cc"}`, `{"a":"***","b":"***"}`},
		{oidJSON, false, `{"a":` + card + `}`, `{"a":"***"}`}, {oidJSON, false, card, `"***"`},
		{oidJSON, false, `[` + card + `.0,-` + card + `,1]`, `["***","***",1]`},
		{oidJSON, false, `{"` + card + `":1}`, `{"***":1}`},
		{oidJSON, false, `{"k":"-----BEGIN PRIVATE KEY-----\nabc","n":"x"}`, `{"k":"***","n":"x"}`},
		{oidJSON, false, `["\"", "\\", "a@b.cc", "\\\"a@b.cc"]`, `["\"", "\\", "***", "\\\"***"]`},
		{oidJSON, false, `{"a":"bob\u0040b.cc"}`, `"***"`}, {oidJSON, false, `{"a":"\u00e9"}`, `{"a":"\u00e9"}`},
		{oidJSON, false, `[1,22]`, `[1,22]`},
		{oidJSONB, true, "\x01{\"a\": " + card + "}", "\x01{\"a\": \"***\"}"}, {oidJSONB, true, "\x02{}", null},
		{oidJSONB, true, "\x01{}", "\x01{}"}, {oidJSONB, true, "", null},
	} {
		got := one(t, Column{OID: tc.oid, Binary: tc.binary}, tc.value, d)
		if got != tc.want {
			t.Errorf("type %d binary %v %q: got %q, want %q", tc.oid, tc.binary, tc.value, got, tc.want)
		}
		if tc.oid == oidJSON && !json.Valid([]byte(got)) {
			t.Errorf("%q is not JSON", got)
		}
	}
	if got := one(t, Column{OID: oidInt8}, card, testDetector(t, Config{SkipNumbers: true})); got != card {
		t.Errorf("numbers are to be skipped, got %q", got)
	}
}

func TestRewriteManyColumns(t *testing.T) {
	d := testDetector(t, Config{})
	p := testPlan(t, Column{OID: 23}, Column{OID: oidText}, Column{OID: oidText, Rule: rule("partial:4")},
		Column{OID: oidText}, Column{OID: oidText, Rule: rule("redact")}, Column{OID: oidText})
	in := row("1", "x", "secret-9876", "mail a@b.cc now", null, "")
	before := bytes.Clone(in)
	out, n, err := RewriteDataRow([]byte("head"), in, p, d)
	if err != nil || n != 2 || !bytes.HasPrefix(out, []byte("head")) {
		t.Fatalf("%q, %d, %v", out, n, err)
	}
	got := strings.Join(values(t, out[4:]), "|")
	if want := "1|x|***9876|mail *** now|" + null + "|"; got != want || !bytes.Equal(in, before) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnchangedRowIsNotCopied(t *testing.T) {
	p := testPlan(t, Column{OID: oidText}, Column{OID: 23})
	in, dst := row("plain", "1"), make([]byte, 0, 100)
	out, n, err := RewriteDataRow(dst, in, p, testDetector(t, Config{}))
	if err != nil || n != 0 || &out[0] != &in[0] {
		t.Errorf("%q, %d, %v", out, n, err)
	}
}

func TestMalformedRows(t *testing.T) {
	p := testPlan(t, Column{OID: oidText, Rule: rule("redact")}, Column{OID: oidText})
	good := row("a", "b")
	bad := map[string][]byte{
		"nothing": {}, "one byte": {0}, "fewer columns": row("a"), "more columns": row("a", "b", "c"),
		"tail": append(bytes.Clone(good), 0), "negative length": append(row(null, null)[:6], 0xff, 0xff, 0xff, 0xfe),
		"huge length": append(row(null, null)[:6], 0x7f, 0xff, 0xff, 0xff),
	}
	for n := range good {
		bad["cut at "+string(rune('0'+n))] = good[:n]
	}
	for name, b := range bad {
		if out, _, err := RewriteDataRow(nil, b, p, nil); !errors.Is(err, ErrMalformed) || out != nil {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

func TestRewriteDoesNotAllocate(t *testing.T) {
	d := testDetector(t, Config{})
	p := testPlan(t, Column{OID: oidText}, Column{OID: oidText, Rule: rule("hash")}, Column{OID: oidJSON}, Column{OID: oidInt8, Binary: true})
	in := row("a@b.cc", "x", `{"a":4111111111111111}`, "12345678")
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		if _, n, err := RewriteDataRow(dst, in, p, d); err != nil || n != 3 {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
