package mask

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func testCopy(t testing.TB, opts CopyOptions, det *Detector, columns ...Column) *Copy {
	t.Helper()
	for i := range columns {
		columns[i].Binary = opts.Format == CopyBinary
	}
	c, err := NewCopy(opts, testPlan(t, columns...), det)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// through sends data in chunks of n bytes.
func through(c *Copy, data string, n int) (string, error) {
	var out []byte
	for len(data) > 0 {
		k := min(n, len(data))
		var err error
		if out, err = c.Write(out, []byte(data[:k])); err != nil {
			return "", err
		}
		data = data[k:]
	}
	return string(out), c.Close()
}

func ptr[T any](v T) *T { return &v }

// binaryCopy makes a whole binary COPY of rows.
func binaryCopy(rows ...[]byte) string {
	b := append([]byte(binarySignature), make([]byte, 8)...)
	return string(append(append(b, bytes.Join(rows, nil)...), 0xff, 0xff))
}

func TestCopy(t *testing.T) {
	det := testDetector(t, Config{})
	text, secret := Column{OID: oidText}, Column{OID: oidText, Rule: rule("partial:2")}
	number, gone := Column{OID: 23}, Column{OID: oidText, Rule: rule("null")}
	for name, tc := range map[string]struct {
		opts    CopyOptions
		columns []Column
		in      string
		want    string
		changes uint64
	}{
		"text": {CopyOptions{Format: CopyText}, []Column{number, secret, text, gone},
			"1\tsecret\tplain\tx\n2\t\\N\tmail a@b.cc\t\\N\n3\t\t\t\n",
			"1\t***et\tplain\t\\N\n2\t\\N\tmail ***\t\\N\n3\t***\t\t\\N\n", 5},
		"text escapes": {CopyOptions{Format: CopyText}, []Column{secret, text, text},
			"ab\\tc\\\\\tx\\ta@b.cc\\n\\\\\\b\\f\\r\\v\ta\\x40b.c\\143\n" + "\\\\N\t\\\\.\t\\t\n",
			"***c\\\\\tx\\t***\\n\\\\\\b\\f\\r\\v\t***\n" + "***\t\\\\.\t\\t\n", 4},
		"text delimiter": {CopyOptions{Format: CopyText, Delimiter: '|'}, []Column{text, secret},
			"a@b.cc\\|x|ab\\|\\|\n", "***\\|x|***\\|\\|\n", 2},
		"text NULL that a value can look like": {CopyOptions{Format: CopyText, Null: ptr("guess")},
			[]Column{secret, {OID: oidText, Rule: rule("redact")}, text}, "guess\tguess\tguess\n", "***ss\t***\tguess\n", 2},
		"text header": {CopyOptions{Format: CopyText, Header: true}, []Column{secret, text},
			"a@b.cc\tname\nabcd\tx\n", "a@b.cc\tname\n***cd\tx\n", 1},
		"text end marker": {CopyOptions{Format: CopyText}, []Column{text}, "x\n\\.\n", "x\n\\.\n", 0},
		"no columns":      {CopyOptions{Format: CopyText}, nil, "\n\n", "\n\n", 0},
		"csv": {CopyOptions{Format: CopyCSV}, []Column{number, secret, text, gone},
			"1,secret,\"plain, quoted\",x\n2,,\"mail \"\"a@b.cc\"\"\",\n3,\"\",\"two\na@b.cc\nlines\",\"y\"\n",
			"1,***et,\"plain, quoted\",\n2,,\"mail \"\"***\"\"\",\n3,\"***\",\"two\n***\nlines\",\n", 6},
		"csv needs quotes": {CopyOptions{Format: CopyCSV, Null: ptr("***")}, []Column{{OID: oidText, Rule: rule("redact")}},
			"x\n***\n", "\"***\"\n***\n", 1},
		"csv options": {CopyOptions{Format: CopyCSV, Delimiter: ';', Quote: '\'', Escape: '\\', Null: ptr("NULL")},
			[]Column{secret, text}, "'a;\\'bcd';NULL\nNULL;'\\\\a@b.cc\\''\n", "'***cd';NULL\nNULL;'\\\\***\\''\n", 2},
		"csv header": {CopyOptions{Format: CopyCSV, Header: true}, []Column{secret}, "\"a\nb\"\nabcd\n", "\"a\nb\"\n***cd\n", 1},
		"binary": {CopyOptions{Format: CopyBinary}, []Column{number, secret, text},
			binaryCopy(row("\x00\x00\x00\x01", "secret", "x"), row(null, null, "a@b.cc")),
			binaryCopy(row("\x00\x00\x00\x01", "***et", "x"), row(null, null, "***")), 2},
		"empty binary": {CopyOptions{Format: CopyBinary}, []Column{text}, binaryCopy(), binaryCopy(), 0},
	} {
		for _, n := range []int{1, 2, 3, 7, 1000} {
			c := testCopy(t, tc.opts, det, tc.columns...)
			got, err := through(c, tc.in, n)
			if err != nil || got != tc.want || c.Changes() != tc.changes {
				t.Errorf("%s in chunks of %d: error %v, %d changes\ngot  %q\nwant %q", name, n, err, c.Changes(), got, tc.want)
			}
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	text := Column{OID: oidText}
	header := binarySignature + strings.Repeat("\x00", 8)
	for name, tc := range map[string]struct {
		format CopyFormat
		in     string
		want   error
	}{
		"text, fewer columns":       {CopyText, "x\n", ErrMalformed},
		"text, more columns":        {CopyText, "x\ty\tz\n", ErrMalformed},
		"text, half an escape":      {CopyText, "x\ty\\\n", ErrMalformed},
		"text, half a row":          {CopyText, "x\ty", ErrMalformed},
		"text, long row":            {CopyText, strings.Repeat("x", 101) + "\ty\n", ErrTooLarge},
		"text, long part of a row":  {CopyText, strings.Repeat("x", 101), ErrTooLarge},
		"csv, fewer columns":        {CopyCSV, "x\n", ErrMalformed},
		"csv, quote in a field":     {CopyCSV, "x\"y\",z\n", ErrMalformed},
		"csv, text behind a quote":  {CopyCSV, "\"x\"y,z\n", ErrMalformed},
		"csv, half a quoted row":    {CopyCSV, "\"x,y\n", ErrMalformed},
		"csv, long row":             {CopyCSV, "\"" + strings.Repeat("\n", 101), ErrTooLarge},
		"binary, nothing":           {CopyBinary, "", ErrMalformed},
		"binary, other signature":   {CopyBinary, "PGCOPY\n\xfe", ErrMalformed},
		"binary, flags":             {CopyBinary, binarySignature + "\x00\x01\x00\x00\x00\x00\x00\x00", ErrMalformed},
		"binary, extension":         {CopyBinary, binarySignature + "\x00\x00\x00\x00\x00\x00\x00\x01x", ErrMalformed},
		"binary, no trailer":        {CopyBinary, header, ErrMalformed},
		"binary, other columns":     {CopyBinary, header + string(row("x")), ErrMalformed},
		"binary, negative columns":  {CopyBinary, header + "\xff\xfe", ErrMalformed},
		"binary, negative length":   {CopyBinary, header + "\x00\x02\xff\xff\xff\xfe", ErrMalformed},
		"binary, behind trailer":    {CopyBinary, header + "\xff\xffx", ErrMalformed},
		"binary, long row":          {CopyBinary, header + "\x00\x02\x7f\x00\x00\x00" + strings.Repeat("x", 100), ErrTooLarge},
		"binary, cut in the header": {CopyBinary, header[:15], ErrMalformed},
	} {
		c := testCopy(t, CopyOptions{Format: tc.format, MaxRow: 100}, nil, text, text)
		out, err := through(c, tc.in, 1000)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		if _, again := c.Write(nil, []byte("x\ty\n")); again == nil {
			t.Errorf("%s: goes on after an error", name)
		}
	}
}

func TestCopyOptionsRefused(t *testing.T) {
	for name, opts := range map[string]CopyOptions{
		"zero":                 {},
		"negative limit":       {Format: CopyText, MaxRow: -1},
		"binary header":        {Format: CopyBinary, Header: true},
		"delimiter in null":    {Format: CopyText, Null: ptr("a\tb")},
		"line break in null":   {Format: CopyCSV, Null: ptr("a\n")},
		"quote in null":        {Format: CopyCSV, Null: ptr(`"`)},
		"newline as delimiter": {Format: CopyText, Delimiter: '\n'},
		"letter as delimiter":  {Format: CopyText, Delimiter: 'n'},
		"quote as delimiter":   {Format: CopyCSV, Delimiter: '"'},
		"wide delimiter":       {Format: CopyCSV, Delimiter: 0xe9},
		"newline as quote":     {Format: CopyCSV, Quote: '\n'},
		"newline as escape":    {Format: CopyCSV, Escape: '\n'},
	} {
		if _, err := NewCopy(opts, testPlan(t), nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := NewCopy(CopyOptions{Format: CopyText}, nil, nil); err == nil {
		t.Error("no plan: taken")
	}
	if _, err := NewCopy(CopyOptions{Format: CopyText}, testPlan(t, Column{Binary: true}), nil); err == nil {
		t.Error("a binary column in text: taken")
	}
}

// TestCSVAgainstStandardLibrary writes rows with encoding/csv and reads the masked ones back with it.
func TestCSVAgainstStandardLibrary(t *testing.T) {
	det := testDetector(t, Config{})
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom([]string{"x", "a,b", "q\"q", "two\nlines", "", " a@b.cc ", "\"a@b.cc\",\n", "é"})
		rows := rapid.SliceOfN(rapid.SliceOfN(field, 3, 3), 0, 5).Draw(t, "rows")
		var in strings.Builder
		w := csv.NewWriter(&in)
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		plan, err := NewPlan([]Column{{OID: oidText}, {OID: oidText, Rule: &Rule{Kind: Redact}}, {OID: 23}}, Key{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewCopy(CopyOptions{Format: CopyCSV, Null: ptr("NULL")}, plan, det)
		if err != nil {
			t.Fatal(err)
		}
		out, err := through(c, in.String(), rapid.IntRange(1, 20).Draw(t, "chunk"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(got) != len(rows) {
			t.Fatalf("%d rows of %d, %v: %q", len(got), len(rows), err, out)
		}
		for i, want := range rows {
			want[0], want[1] = string(det.Redact(nil, []byte(want[0]))), Redacted
			if strings.Join(got[i], "|") != strings.Join(want, "|") {
				t.Fatalf("got %q, want %q", got[i], want)
			}
		}
	})
}
