// Package docs checks what the documentation shows: examples load with the real loaders, and the reference of settings
// is that of the code.
package docs

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/writhq/writ/controlplane"
	"github.com/writhq/writ/edgeagent"
	"github.com/writhq/writ/pkg/config"
	"github.com/writhq/writ/pkg/policy"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documentation")

const root = "../.."

// load reads one file of settings as the named daemon does.
func load(daemon, file string) error {
	args := []string{"--config", file}
	if daemon == "writ-edge" {
		_, err := config.Load[edgeagent.Config](config.Spec{Name: daemon, EnvPrefix: "WRIT_EDGE_", Stdout: io.Discard}, args, nil)
		return err
	}
	_, err := config.Load[controlplane.Config](config.Spec{Name: daemon, EnvPrefix: "WRIT_CONTROLPLANE_", Stdout: io.Discard}, args, nil)
	return err
}

func daemonOf(name string) string {
	if strings.Contains(name, "edge") {
		return "writ-edge"
	}
	return "writ-controlplane"
}

func TestExampleConfigurationsLoad(t *testing.T) {
	files, err := filepath.Glob(root + "/deployments/config/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if err := load(daemonOf(filepath.Base(file)), file); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The settings within Kubernetes ConfigMaps are settings too.
func TestKubernetesConfigurationsLoad(t *testing.T) {
	files, err := filepath.Glob(root + "/deployments/kubernetes/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	found := 0
	for _, file := range files {
		for _, doc := range documents(t, file) {
			if doc["kind"] != "ConfigMap" {
				continue
			}
			for name, text := range doc["data"].(map[string]any) {
				found++
				path := filepath.Join(t.TempDir(), name)
				if err := os.WriteFile(path, []byte(text.(string)), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := load(daemonOf(name), path); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
	if found != 2 {
		t.Errorf("%d configurations found", found)
	}
}

func documents(t *testing.T, file string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var docs []map[string]any
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var doc map[string]any
		err := dec.Decode(&doc)
		if err == io.EOF {
			return docs
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		docs = append(docs, doc)
	}
}

// block is one fenced block of a page: its info string and its text.
type block struct {
	page, info, text string
}

func blocks(t *testing.T) []block {
	t.Helper()
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	fence := regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")
	var found []block
	for _, page := range append(pages, root+"/README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllSubmatch(text, -1) {
			found = append(found, block{filepath.Base(page), string(m[1]), string(m[2])})
		}
	}
	return found
}

// Blocks marked ```yaml controlplane and ```yaml edge are settings, ```cedar are policies, ```yaml tests are tests of a
// bundle.
func TestBlocksOfThePagesAreValid(t *testing.T) {
	kinds := map[string]int{}
	for _, b := range blocks(t) {
		kinds[b.info]++
		var err error
		switch b.info {
		case "yaml controlplane", "yaml edge":
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err = os.WriteFile(file, []byte(b.text), 0o600); err == nil {
				err = load(daemonOf(b.info), file)
			}
		case "cedar":
			_, err = policy.Compile(policy.Bundle{Files: map[string][]byte{"page.cedar": []byte(b.text)}})
		case "yaml tests":
			bundle := policy.Starter()
			bundle.Files["page_test.yaml"] = []byte(b.text)
			err = passing(bundle)
		}
		if err != nil {
			t.Errorf("%s: block %q: %v\n%s", b.page, b.info, err, b.text)
		}
	}
	for _, kind := range []string{"yaml controlplane", "yaml edge", "cedar", "yaml tests"} {
		if kinds[kind] == 0 {
			t.Errorf("no block %q was checked", kind)
		}
	}
}

func passing(b policy.Bundle) error {
	results, err := policy.TestBundle(b)
	if err != nil {
		return err
	}
	for _, r := range results {
		if !r.Passed {
			return fmt.Errorf("%s:%d: %s: want %s, got %s", r.File, r.Line, r.Name, r.Want, r.Got)
		}
	}
	return nil
}

// What a page names as a file of the repository is there.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, page := range append(pages, root+"/README.md", root+"/CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), string(m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", filepath.Base(page), m[1], err)
			}
		}
	}
}

// Every setting of an issuer is described.
func TestIssuerSettingsAreDescribed(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	issuer := reflect.TypeFor[controlplane.Issuer]()
	for i := range issuer.NumField() {
		name, _, _ := strings.Cut(issuer.Field(i).Tag.Get("yaml"), ",")
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("operations.md does not describe the issuer's %s", name)
		}
	}
}
