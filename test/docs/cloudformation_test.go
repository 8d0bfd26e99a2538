package docs

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The templates of roles are what CloudFormation takes, with actions and condition keys that AWS knows. It skips on a
// machine without the linter: pip install cfn-lint.
func TestCloudFormation(t *testing.T) {
	linter, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Skip("cfn-lint is missing: pip install cfn-lint")
	}
	templates, err := filepath.Glob(filepath.Join(root, "deployments/aws/*.yaml"))
	if err != nil || len(templates) < 3 {
		t.Fatalf("%d templates, %v", len(templates), err)
	}
	if out, err := exec.Command(linter, templates...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
