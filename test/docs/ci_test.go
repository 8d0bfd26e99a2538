package docs

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const ciScript = root + "/deployments/ci/writ-run.sh"

// The script of CI jobs is what shellcheck takes for POSIX sh. It skips on a machine without it: apt install shellcheck.
func TestCIScriptIsClean(t *testing.T) {
	checker, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is missing: apt install shellcheck")
	}
	if out, err := exec.Command(checker, "--shell=sh", ciScript).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Every input of the action is described, and every variable that it and the template set is one of the script's.
func TestCISettingsAreDescribed(t *testing.T) {
	text := func(name string) string {
		raw, err := os.ReadFile(root + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	page, script := text("/docs/ci.md"), text("/deployments/ci/writ-run.sh")
	var action struct {
		Inputs map[string]any
		Runs   struct {
			Steps []struct{ Env map[string]string }
		}
	}
	if err := yaml.Unmarshal([]byte(text("/deployments/ci/github/action.yml")), &action); err != nil || len(action.Inputs) == 0 {
		t.Fatal(err)
	}
	for name := range action.Inputs {
		if !regexp.MustCompile("(?m)^\\| .*`" + name + "`.* \\| .* \\| .* \\|$").MatchString(page) {
			t.Errorf("docs/ci.md does not describe the input %s", name)
		}
	}
	var template struct {
		Writ struct{ Variables map[string]string } `yaml:".writ"`
	}
	if err := yaml.Unmarshal([]byte(text("/deployments/ci/gitlab/writ.gitlab-ci.yml")), &template); err != nil || len(template.Writ.Variables) == 0 {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(script, "\nset -eu\n")
	for _, set := range []map[string]string{action.Runs.Steps[0].Env, template.Writ.Variables} {
		for name := range set {
			read := regexp.MustCompile(`\$\{?` + name + `\b`).MatchString(body)
			switch name {
			case "WRIT_COMMANDS": // the action's own
			case "WRIT_CA_FILE": // writ reads it
				read = true
				fallthrough
			default:
				if !read || !strings.Contains(head, name) {
					t.Errorf("writ-run.sh does not know %s", name)
				}
			}
		}
	}
}
