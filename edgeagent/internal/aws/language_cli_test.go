package aws

import (
	"strings"
	"testing"
)

// TestLanguagesByCLI: the aws command line is told why a statement is refused, in the service's own form.
func TestLanguagesByCLI(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, readersOnly)
	out, err := b.cli(false, "dynamodb", "execute-statement", "--statement", "DELETE FROM \"Orders\" WHERE id = 'x'")
	if err == nil || !strings.Contains(out, "AccessDenied") || !strings.Contains(out, "writ:") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = b.cli(false, "ssm", "start-session", "--target", "i-00000001")
	if err == nil || !strings.Contains(out, "send single commands with ssm send-command") {
		t.Errorf("%v: %s", err, out)
	}
	if n := len(b.reached()); n != 0 {
		t.Errorf("%d calls reached AWS", n)
	}
	if out, err = b.cli(false, "dynamodb", "execute-statement", "--statement", "SELECT * FROM \"Orders\" WHERE id = 'x'"); strings.Contains(out, "writ:") {
		t.Errorf("%v: %s", err, out)
	}
	if n := len(b.reached()); n != 1 {
		t.Errorf("%d calls reached AWS", n)
	}
}
