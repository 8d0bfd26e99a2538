package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/config"
)

type settings struct {
	Listen   string            `default:"127.0.0.1:8443" help:"Address to listen on."`
	Lease    time.Duration     `default:"15s" help:"How long."`
	Workers  int               `default:"2" help:"How many."`
	Verbose  bool              `help:"Say more."`
	Level    string            `enum:"debug,info,warn" default:"info" help:"Log level."`
	Names    []string          `help:"Names."`
	Labels   map[string]string `help:"Labels."`
	Password string            `secret:"" help:"Password."`
	Pin      int               `secret:"" help:"Pin."`
	Etcd     etcd              `embed:"" prefix:"etcd-"`
	Targets  []target          `kong:"-" file:"targets"`
	Clock    func() time.Time  `kong:"-"`
}

type etcd struct {
	Endpoints []string      `help:"URLs."`
	Timeout   time.Duration `default:"5s" help:"Limit."`
}

type target struct {
	Name string `yaml:"name"`
	Port int    `yaml:"port"`
}

func (s settings) Validate() error {
	if len(s.Targets) > 2 {
		return fmt.Errorf("%d targets, limit 2", len(s.Targets))
	}
	return nil
}

func spec(out *bytes.Buffer) config.Spec {
	return config.Spec{Name: "writ-test", Description: "Test.", Version: "v9", EnvPrefix: "WRIT_TEST_", Stdout: out}
}

func load(t testing.TB, file string, env []string, args ...string) (settings, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "writ.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", path}, args...)
	}
	return config.Load[settings](spec(new(bytes.Buffer)), args, env)
}

func TestDefaults(t *testing.T) {
	got, err := load(t, "# nothing\n", []string{"HOME=/", "WRIT_OTHER=1"})
	if err != nil {
		t.Fatal(err)
	}
	want := settings{Listen: "127.0.0.1:8443", Lease: 15 * time.Second, Workers: 2, Level: "info", Etcd: etcd{Timeout: 5 * time.Second}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v", got)
	}
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	file := "listen: file\nlease: 1s\nworkers: 3\n"
	env := []string{"WRIT_TEST_LEASE=2s", "WRIT_TEST_WORKERS=4"}
	got, err := load(t, file, env, "--workers=5")
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != "file" || got.Lease != 2*time.Second || got.Workers != 5 {
		t.Fatalf("got %+v", got)
	}
}

func TestFile(t *testing.T) {
	got, err := load(t, `
verbose: true
names: [a, "b,c", 7]
labels: {env: prod, note: "a;b=c"}
etcd:
  endpoints:
    - https://one:2379
    - https://two:2379
etcd-timeout: 7s
password: |-
  two
  lines
targets:
  - name: orders
    port: 5432
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		Listen: "127.0.0.1:8443", Lease: 15 * time.Second, Workers: 2, Level: "info", Verbose: true,
		Names: []string{"a", "b,c", "7"}, Labels: map[string]string{"env": "prod", "note": "a;b=c"},
		Etcd:     etcd{Endpoints: []string{"https://one:2379", "https://two:2379"}, Timeout: 7 * time.Second},
		Password: "two\nlines", Targets: []target{{Name: "orders", Port: 5432}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestEmptyListOverridesNothing(t *testing.T) {
	got, err := load(t, "names: []\n", nil)
	if err != nil || len(got.Names) != 0 {
		t.Fatalf("%+v, %v", got.Names, err)
	}
}

func TestConfigFromEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "writ.yaml")
	if err := os.WriteFile(path, []byte("workers: 9"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := load(t, "", []string{"WRIT_TEST_CONFIG=" + path})
	if err != nil || got.Workers != 9 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// Kubernetes gives every container variables for the services around it.
func TestInjectedVariablesAreNotSettings(t *testing.T) {
	_, err := load(t, "", []string{
		"WRIT_TEST_SERVICE_HOST=10.0.0.1", "WRIT_TEST_SERVICE_PORT=1", "WRIT_TEST_SERVICE_PORT_GRPC=1",
		"WRIT_TEST_PORT=tcp://10.0.0.1:1", "WRIT_TEST_PORT_1_TCP_ADDR=10.0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		env  []string
		args []string
		want []string // parts of the error
	}{
		"unknown key":         {file: "listen: a\nlisen: b\n", want: []string{`writ.yaml:2:1: unknown key "lisen"`, `did you mean "listen"?`}},
		"unknown nested key":  {file: "etcd:\n  endpoint: [a]\n", want: []string{`:2:3: unknown key "endpoint"`, `did you mean "endpoints"?`}},
		"all unknown keys":    {file: "lisen: b\nworkerz: 1\n", want: []string{":1:1:", ":2:1:"}},
		"key of nothing like": {file: "etcd:\n  zzzzzzzzzz: 1\n", want: []string{"known here: endpoints, timeout"}},
		"duplicate key":       {file: "lease: 1s\nlease: 2s\n", want: []string{":2:1:", "lease"}},
		"set twice":           {file: "etcd-timeout: 1s\netcd:\n  timeout: 2s\n", want: []string{`:3:3: "etcd-timeout" is set twice`, "first in line 1"}},
		"bad duration":        {file: "lease: soon\n", want: []string{":1:8: lease:", "soon"}},
		"bad number":          {file: "workers: many\n", want: []string{":1:10: workers:", "many"}},
		"bad enum":            {file: "level: loud\n", want: []string{":1:8: level: must be one of debug, info, warn"}},
		"list for a value":    {file: "listen: [a]\n", want: []string{"listen: takes one value"}},
		"map for a value":     {file: "listen: {a: b}\n", want: []string{"listen: takes a value"}},
		"nothing for a value": {file: "listen:\n", want: []string{"listen: has no value"}},
		"list in a list":      {file: "names: [[a]]\n", want: []string{"takes a single value"}},
		"no mapping":          {file: "- a\n", want: []string{":1:1: not a mapping"}},
		"two documents":       {file: "lease: 1s\n---\nlease: 2s\n", want: []string{"a second document"}},
		"alias":               {file: "listen: &a x\nlevel: *a\n", want: []string{":1:9: a YAML anchor"}},
		"tag":                 {file: "listen: !!str x\n", want: []string{"a YAML tag"}},
		"not yaml":            {file: "listen: [a\n", want: []string{"writ.yaml:1:"}},
		"tab":                 {file: "etcd:\n\ttimeout: 1s\n", want: []string{"writ.yaml:2:"}},
		"structured unknown":  {file: "targets:\n  - name: a\n    prot: 1\n", want: []string{":3:5:", "prot"}},
		"structured type":     {file: "targets:\n  - port: x\n", want: []string{":2:11:"}},
		"own validation":      {file: "targets: [{name: a}, {name: b}, {name: c}]\n", want: []string{"3 targets, limit 2"}},
		"config in config":    {file: "config: other.yaml\n", want: []string{`unknown key "config"`}},
		"help in config":      {file: "help: true\n", want: []string{`unknown key "help"`}},
		"too large":           {file: strings.Repeat("#", config.MaxFile+1), want: []string{"larger than"}},
		"brackets":            {file: "names: " + strings.Repeat("[", 100000), want: []string{"opening brackets"}},
		"marks":               {file: "names: \n" + strings.Repeat("- ", 100000), want: []string{"nested too deeply"}},
		"unknown variable":    {env: []string{"WRIT_TEST_LISEN=a"}, want: []string{"WRIT_TEST_LISEN", `did you mean "WRIT_TEST_LISTEN"?`}},
		"bad variable":        {env: []string{"WRIT_TEST_WORKERS=many"}, want: []string{"WRIT_TEST_WORKERS: ", "many"}},
		"unknown flag":        {args: []string{"--lisen=a"}, want: []string{"--lisen", "--help"}},
		"bad flag":            {args: []string{"--workers=many"}, want: []string{"--workers", "many"}},
		"stray argument":      {args: []string{"run"}, want: []string{"run"}},
		"absent file":         {args: []string{"--config=/nonexistent.yaml"}, want: []string{"/nonexistent.yaml", "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, c.file, c.env, c.args...)
			if err == nil {
				t.Fatalf("loaded %+v", got)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if !reflect.DeepEqual(got, settings{}) {
				t.Errorf("settings beside an error: %+v", got)
			}
		})
	}
}

func TestSecretsAreNotQuoted(t *testing.T) {
	for _, run := range []func() error{
		func() error { _, err := load(t, "pin: hunter2\n", nil); return err },
		func() error { _, err := load(t, "", []string{"WRIT_TEST_PIN=hunter2"}); return err },
		func() error { _, err := load(t, "", nil, "--pin=hunter2"); return err },
		func() error { _, err := load(t, "", nil, "--pin", "hunter2"); return err },
		func() error { _, err := load(t, "", nil, "--password=hunter2"); return err },
	} {
		if err := run(); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(strings.ToLower(err.Error()), "p") {
			t.Errorf("got %v", err)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for arg, want := range map[string]string{"--help": "($WRIT_TEST_ETCD_ENDPOINTS)", "--version": "v9"} {
		var out bytes.Buffer
		_, err := config.Load[settings](spec(&out), []string{arg}, nil)
		if !errors.Is(err, config.ErrHandled) || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v\n%s", arg, err, out.String())
		}
		if n := strings.Count(out.String(), "Usage:"); n > 1 {
			t.Errorf("%s: printed %d times", arg, n)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add("listen: a\nnames: [a, b]\netcd: {timeout: 1s}\ntargets: [{name: a}]\n")
	f.Add("a: &x {b: *x}\n<<: *x\n? [a]\n: b\n")
	f.Add("\"listen\": !!binary |\n  aGk=\n---\n...\n")
	f.Add("- ? : [}{")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := load(t, text, nil)
		if err != nil && !reflect.DeepEqual(got, settings{}) {
			t.Fatalf("settings beside %v", err)
		}
		if err != nil && err.Error() == "" {
			t.Fatal("empty error")
		}
	})
}
