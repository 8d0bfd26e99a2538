package awsconfig_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/cli/internal/awsconfig"
)

var prod = awsconfig.Profile{
	Name: "writ-prod", Process: awsconfig.Process("prod", "--server", "https://writ.example:8443"), CABundle: "/home/k i/.aws/writ/writ-prod.pem", Region: "eu-west-1",
}

const prodText = `[profile writ-prod]
credential_process = writ aws credentials prod --server https://writ.example:8443
ca_bundle = /home/k i/.aws/writ/writ-prod.pem
region = eu-west-1
s3 =
    signature_version = s3v4
`

func parse(t *testing.T, text string) *awsconfig.File {
	t.Helper()
	f, err := awsconfig.Parse([]byte(text), false)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPut(t *testing.T) {
	theirs := "# mine\n[default]\nregion = x\n\n[profile a]\ns3 =\n  max_concurrent_requests = 2\noutput=json ; no\n"
	endpoint := prod
	endpoint.CABundle, endpoint.Region, endpoint.Endpoint = "", "", "http://[::1]:7443"
	endpoint.Process = awsconfig.Process("prod", "--edge", "[::1]:7443")
	endpointText := "[profile writ-prod]\ncredential_process = writ aws credentials prod --edge '[::1]:7443'\nendpoint_url = http://[::1]:7443\n" +
		"s3 =\n    signature_version = s3v4\n    addressing_style = path\n"
	def := prod
	def.Name = "default"
	for name, c := range map[string]struct {
		before string
		put    awsconfig.Profile
		want   string
	}{
		"into nothing":         {"", prod, prodText},
		"behind others":        {theirs, prod, theirs + "\n" + prodText},
		"behind a cut line":    {"[default]", prod, "[default]\n\n" + prodText},
		"again":                {prodText, prod, prodText},
		"as the default":       {"", def, strings.Replace(prodText, "[profile writ-prod]", "[default]", 1)},
		"the other way":        {prodText, endpoint, endpointText + "region = eu-west-1\n"},
		"and back":             {endpointText, prod, prodText},
		"what the user added":  {prodText + "    use_accelerate_endpoint = true\noutput = json\n# next\n[profile b]\nx=1\n", prod, prodText + "    use_accelerate_endpoint = true\noutput = json\n# next\n[profile b]\nx=1\n"},
		"indented for nothing": {strings.Replace(prodText, "\n", "\n  endpoint_url = http://evil\n", 1), prod, prodText},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, c.before)
			if err := f.Put(c.put); err != nil {
				t.Fatal(err)
			}
			if got := string(f.Bytes()); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestPutRefuses(t *testing.T) {
	named := func(change func(*awsconfig.Profile)) awsconfig.Profile {
		p := prod
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		before string
		put    awsconfig.Profile
		want   error
	}{
		"somebody's":           {"[profile writ-prod]\nregion = x\n", prod, awsconfig.ErrTaken},
		"somebody's default":   {"[default]\n", named(func(p *awsconfig.Profile) { p.Name = "default" }), awsconfig.ErrTaken},
		"another program's":    {"[profile writ-prod]\ncredential_process = writ-x aws credentials prod\n", prod, awsconfig.ErrTaken},
		"twice there":          {prodText + prodText, prod, awsconfig.ErrFormat},
		"a name that escapes":  {"", named(func(p *awsconfig.Profile) { p.Name = "x]\n[default" }), awsconfig.ErrValue},
		"no name":              {"", named(func(p *awsconfig.Profile) { p.Name = "" }), awsconfig.ErrValue},
		"a word for a shell":   {"", named(func(p *awsconfig.Profile) { p.Process = awsconfig.Process("prod;id") }), awsconfig.ErrValue},
		"a word with a blank":  {"", named(func(p *awsconfig.Profile) { p.Process = awsconfig.Process("prod", "--grant", "a b") }), awsconfig.ErrValue},
		"an endpoint of two":   {"", named(func(p *awsconfig.Profile) { p.Endpoint = "http://a\nregion = b" }), awsconfig.ErrValue},
		"a bundle of two":      {"", named(func(p *awsconfig.Profile) { p.CABundle = "/a\n/b" }), awsconfig.ErrValue},
		"a region of two":      {"", named(func(p *awsconfig.Profile) { p.Region = "a b" }), awsconfig.ErrValue},
		"a bundle with a mark": {"", named(func(p *awsconfig.Profile) { p.CABundle = "/a #b" }), awsconfig.ErrValue},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, c.before)
			if err := f.Put(c.put); !errors.Is(err, c.want) || string(f.Bytes()) != c.before {
				t.Errorf("got %v and %q", err, f.Bytes())
			}
		})
	}
}

func TestRemove(t *testing.T) {
	other := strings.NewReplacer("writ-prod", "shop", "credentials prod", "credentials shop").Replace(prodText)
	text := "[default]\nregion = x\n\n" + prodText + "\n# of b\n[profile b]\ny=1\n\n" + other
	f := parse(t, text)
	if got := f.Remove("prod"); !slices.Equal(got, []string{"writ-prod"}) {
		t.Errorf("took %q", got)
	}
	if got, want := string(f.Bytes()), "[default]\nregion = x\n\n# of b\n[profile b]\ny=1\n\n"+other; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := f.Remove(""); !slices.Equal(got, []string{"shop"}) || strings.Contains(string(f.Bytes()), "writ") {
		t.Errorf("took %q, left %q", got, f.Bytes())
	}
	if got := f.Remove(""); len(got) != 0 {
		t.Errorf("took %q of others", got)
	}
}

func TestGet(t *testing.T) {
	f := parse(t, "[default]\nRegion = eu-west-1\n[profile \"a b\"]\nregion=r\n[services default]\nregion=z\n")
	for profile, want := range map[string]string{"default": "eu-west-1", "a b": "r", "services default": "", "": ""} {
		if got := f.Get(profile, "region"); got != want {
			t.Errorf("%s: %q", profile, got)
		}
	}
	keys, err := awsconfig.Parse([]byte("[prod]\naws_access_key_id=x\n"), true)
	if err != nil || !keys.Has("prod") || keys.Has("default") {
		t.Errorf("%v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"[default\n", "[a] b\n", "x = 1\n  [default]\n", "a\x00b", "\xff\xfe", strings.Repeat("#", 4<<20+1)} {
		if _, err := awsconfig.Parse([]byte(text), false); !errors.Is(err, awsconfig.ErrFormat) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestEdit(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "new", "config")
	if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(real, []byte("[default]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	put := func(f *awsconfig.File) error { return f.Put(prod) }
	if err := awsconfig.Edit(link, put); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(real); err != nil || string(text) != "[default]\n\n"+prodText {
		t.Errorf("%v: %q", err, text)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
	refusal := errors.New("no")
	if err := awsconfig.Edit(real, func(f *awsconfig.File) error { f.Remove(""); return refusal }); !errors.Is(err, refusal) {
		t.Error(err)
	}
	if text, _ := os.ReadFile(real); !strings.HasSuffix(string(text), prodText) {
		t.Errorf("a refused edit was written: %q", text)
	}
}

// TestEditKeepsWhatOthersWrite has somebody else write while the file is edited.
func TestEditKeepsWhatOthersWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config")
	times, others := 0, 1
	edit := func(f *awsconfig.File) error {
		if times++; times <= others {
			if err := os.WriteFile(name, []byte(strings.Repeat("# theirs\n", times)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return f.Put(prod)
	}
	if err := awsconfig.Edit(name, edit); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(name); string(text) != "# theirs\n\n"+prodText {
		t.Errorf("got %q", text)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	times, others = 0, 100
	if err := awsconfig.Edit(name, edit); !errors.Is(err, awsconfig.ErrChanged) {
		t.Error(err)
	}
}

// FuzzParse: a file is written as it was read, and an edit leaves every other profile as it is.
func FuzzParse(f *testing.F) {
	f.Add([]byte("[default]\nregion = x\n# c\n[profile a]\ns3 =\n  x = 1\n"))
	f.Add([]byte(prodText))
	f.Add([]byte("\r\n;\n[profile \"x y\"]\r\na\n[services s]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := awsconfig.Parse(content, false)
		if err != nil {
			return
		}
		if !bytes.Equal(file.Bytes(), content) {
			t.Fatalf("%q became %q", content, file.Bytes())
		}
		p := prod
		p.Name = "fuzz"
		if file.Put(p) != nil {
			return
		}
		again, err := awsconfig.Parse(file.Bytes(), false)
		if err != nil || again.Get("fuzz", "credential_process") != strings.Join(p.Process, " ") {
			t.Fatalf("%v: %q", err, file.Bytes())
		}
		again.Remove("prod")
		if again.Has("fuzz") {
			t.Fatalf("left in %q", again.Bytes())
		}
		before, err := awsconfig.Parse(content, false)
		if err != nil {
			t.Fatal(err)
		}
		before.Remove("prod")
		if got, want := bytes.TrimRight(again.Bytes(), "\n"), bytes.TrimRight(before.Bytes(), "\n"); !bytes.Equal(got, want) {
			t.Fatalf("%q became %q", want, got)
		}
	})
}
