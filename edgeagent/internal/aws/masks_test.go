package aws

import (
	"testing"
)

// Classes that say nothing are refused, and with them the account.
func TestClassForms(t *testing.T) {
	for _, bad := range []string{"", "s", "s:O", "s:O:", "s:O:a..b", ":O:a", "s::a"} {
		if _, err := newMasks(&Resource{Classes: map[string][]string{"pii": {bad}}}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := newMasks(&Resource{Detectors: []string{"cards"}}); err == nil {
		t.Error("an unknown detector is taken")
	}
}
