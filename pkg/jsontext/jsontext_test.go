package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/jsontext"
)

func TestScalars(t *testing.T) {
	for text, want := range map[string]int{
		"true": 4, "false ": 5, "null,": 4, "0": 1, "-0": 2, "10": 2, "1.5e9}": 5, "1E+3]": 4, "-1.25e-3": 8,
		"": jsontext.Stop, "-": jsontext.Stop, "01": jsontext.Stop, "1.": jsontext.Stop, ".5": jsontext.Stop, "1e": jsontext.Stop, "+1": jsontext.Stop, "tru": jsontext.Stop, "True": jsontext.Stop,
		"NaN": jsontext.Stop, "0x1": jsontext.Stop, "1:": jsontext.Stop, `1"a"`: jsontext.Stop, "nullx": jsontext.Stop, "1\u00a0": jsontext.Stop, "1\f": jsontext.Stop,
	} {
		if got := jsontext.Text(text).Scalar(0); got != want {
			t.Errorf("%q ends at %d, want %d", text, got, want)
		}
	}
}

func TestStrings(t *testing.T) {
	for _, c := range []struct {
		text  string
		end   int
		plain bool
	}{
		{`""`, 2, true}, {`"a" `, 3, true}, {`"a long one, over eight bytes"`, 30, true}, {`"\n"`, 4, false}, {`"\u00e9"`, 8, false}, {`"\"`, jsontext.Stop, false},
		{`"`, jsontext.Stop, false}, {`"a`, jsontext.Stop, false}, {"\"a\nb\"", jsontext.Stop, false}, {`"\x"`, jsontext.Stop, false}, {`"\u00g0"`, jsontext.Stop, false}, {`"\u00"`, jsontext.Stop, false},
		{"\"a\x00\"", jsontext.Stop, false}, {"\"\x7f\"", 3, true}, {`"\/"`, 4, false}, {`"\'"`, jsontext.Stop, false},
	} {
		if end, plain := jsontext.Text(c.text).Quoted(0); end != c.end || plain != c.plain {
			t.Errorf("%s ends at %d, plain %v; want %d, %v", c.text, end, plain, c.end, c.plain)
		}
	}
}

// FuzzText compares single strings and scalars with encoding/json.
func FuzzText(f *testing.F) {
	for _, s := range []string{`"a\u00e9b"`, `-1.5E+30`, "true", `"\ud800"`, "\"\xff\"", "01", "1 ", "\"12345678\\\"\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := jsontext.Text(s)
		if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") || b.Space(0) != 0 {
			return
		}
		end := 0
		if strings.HasPrefix(s, `"`) {
			end, _ = b.Quoted(0)
		} else {
			end = b.Scalar(0)
		}
		if whole := end >= 0 && b.Space(end) == len(s); whole != json.Valid(b) {
			t.Errorf("%q ends at %d of %d", s, end, len(s))
		}
	})
}
