package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/cli"
)

// What was recorded is not written to a terminal as it is.
func TestNoCSVToATerminal(t *testing.T) {
	var diag bytes.Buffer
	code := cli.Run(t.Context(), cli.Env{Stderr: &diag, Width: 80}, []string{"audit", "search", "--format", "csv"})
	if code != 2 || !strings.Contains(diag.String(), "csv does not go to a terminal") {
		t.Errorf("exit %d: %s", code, diag.String())
	}
}
