package manifest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const root = "../../../.."

// named makes the files and variables that a manifest names.
func named(t *testing.T, text string) Source {
	t.Helper()
	src := Source{Name: "docs", Dir: t.TempDir(), Getenv: func(string) string { return "value" }}
	for _, m := range regexp.MustCompile(`\w+_file: *([^\s,}]+)`).FindAllStringSubmatch(text, -1) {
		if err := os.WriteFile(filepath.Join(src.Dir, m[1]), []byte("value"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return src
}

func TestExamplesAreManifests(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/resources.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```yaml resources\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		examples[strings.SplitN(m[1], "\n", 2)[0]] = m[1]
	}
	if len(examples) != 3 {
		t.Fatalf("%d kinds have an example on the page", len(examples))
	}
	files, err := filepath.Glob(root + "/deployments/resources/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples[file] = string(text)
	}
	for name, text := range examples {
		if _, err := Parse([]byte(text), named(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryKeyIsDescribed(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/resources.md")
	if err != nil {
		t.Fatal(err)
	}
	common, rest, _ := strings.Cut(string(page), "## `kind: postgres`")
	database, rest, first := strings.Cut(rest, "## `kind: kubernetes`")
	cluster, account, second := strings.Cut(rest, "## `kind: aws`")
	if !first || !second {
		t.Fatal("a kind has no section")
	}
	for section, kind := range map[string]reflect.Type{database: reflect.TypeFor[postgres](), cluster: reflect.TypeFor[kubernetes](), account: reflect.TypeFor[aws]()} {
		keys(kind, "", func(key string) {
			if !strings.Contains(common, "`"+key+"`") && !strings.Contains(section, "`"+key+"`") {
				t.Errorf("%s: nothing is said about %s", kind.Name(), key)
			}
		})
	}
}

// keys calls each with every key, within credential by the names that stand beside it.
func keys(of reflect.Type, prefix string, each func(string)) {
	for i := range of.NumField() {
		f := of.Field(i)
		key, inner := prefix+f.Tag.Get("yaml"), f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case inner.Kind() != reflect.Struct:
			each(key)
		case f.Type.Kind() == reflect.Pointer: // a source of credentials
			each(key)
			keys(inner, "", each)
		default:
			keys(inner, key+".", each)
		}
	}
}
