package output_test

import (
	"bytes"
	"testing"

	"github.com/writhq/writ/pkg/cli/internal/output"
)

// TestParam: a value of several lines passes for no other value.
func TestParam(t *testing.T) {
	var out bytes.Buffer
	p, err := output.New(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Param("  ", "Name=a\nType=String\x1b"); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "  Name=a\n  | Type=String\\u{1b}\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
