package docs

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/writhq/writ/controlplane"
	"github.com/writhq/writ/edgeagent"
)

// The tables of settings in operations.md are generated from the code; -update rewrites them.
func TestSettingsReference(t *testing.T) {
	page := root + "/docs/operations.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for marker, table := range map[string]string{
		"writ-controlplane": settings(reflect.TypeFor[controlplane.Config](), "", "WRIT_CONTROLPLANE_"),
		"writ-edge":         settings(reflect.TypeFor[edgeagent.Config](), "", "WRIT_EDGE_"),
	} {
		want, err = between(want, "<!-- settings "+marker+" -->\n", "<!-- end -->", header+table)
		if err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case want == string(text):
	case *update:
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("docs/operations.md is stale: go test ./test/docs -update")
	}
}

const header = "| setting | variable | default | meaning |\n|---|---|---|---|\n"

// settings lists the flags of a Config in the order of its fields.
func settings(t reflect.Type, prefix, env string) string {
	var out strings.Builder
	for i := range t.NumField() {
		f := t.Field(i)
		if _, embed := f.Tag.Lookup("embed"); embed {
			out.WriteString(settings(f.Type, prefix+f.Tag.Get("prefix"), env))
			continue
		}
		if f.Tag.Get("kong") == "-" {
			continue
		}
		name := f.Tag.Get("name")
		if name == "" {
			name = dashed(f.Name)
		}
		name = prefix + name
		def := f.Tag.Get("default")
		if def != "" {
			def = "`" + def + "`"
		}
		_, secret := f.Tag.Lookup("secret")
		flag := "`--" + name + "`"
		if secret {
			flag = "`" + name + "` (not as a flag)"
		}
		fmt.Fprintf(&out, "| %s | `%s%s` | %s | %s |\n", flag, env, strings.ToUpper(strings.ReplaceAll(name, "-", "_")), def, f.Tag.Get("help"))
	}
	return out.String()
}

// dashed turns a field's name into its flag's: ListenAccess is listen-access.
func dashed(name string) string {
	var out strings.Builder
	for i, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && i > 0 && (name[i-1] < 'A' || name[i-1] > 'Z') {
			out.WriteByte('-')
		}
		out.WriteString(strings.ToLower(string(r)))
	}
	return out.String()
}

// between replaces what stands between two markers.
func between(text, begin, end, with string) (string, error) {
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("no %q", strings.TrimSpace(begin))
	}
	return before + begin + with + end + after, nil
}
