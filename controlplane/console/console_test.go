package console_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/writhq/writ/controlplane/console"
)

func built(t *testing.T) fs.FS {
	t.Helper()
	files, ok := console.Files()
	if files == nil {
		t.Fatal("no file system")
	}
	if !ok {
		t.Skip("the console is not built: make console")
	}
	return files
}

func read(t *testing.T, files fs.FS, name string) []byte {
	t.Helper()
	b, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A strict Content-Security-Policy forbids what is inline, so the page must do without.
func TestPageHasNothingInline(t *testing.T) {
	page := string(read(t, built(t), "index.html"))
	for _, pattern := range []string{`(?i)<style`, `(?i)\sstyle=`, `(?i)\son[a-z]+=`, `(?i)javascript:`, `(?i)https?://`} {
		if found := regexp.MustCompile(pattern).FindString(page); found != "" {
			t.Errorf("%q in index.html", found)
		}
	}
	for _, script := range regexp.MustCompile(`(?is)<script([^>]*)>(.*?)</script>`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(script[1], `src="/`) || strings.TrimSpace(script[2]) != "" {
			t.Errorf("script %s is not a file of the console", script[0])
		}
	}
}

func TestEveryFileOfThePageIsThere(t *testing.T) {
	files := built(t)
	named := regexp.MustCompile(`(?:src|href)="/([^"]+)"`).FindAllStringSubmatch(string(read(t, files, "index.html")), -1)
	if len(named) < 3 {
		t.Fatalf("%d files named", len(named))
	}
	for _, m := range named {
		if _, err := fs.Stat(files, m[1]); err != nil {
			t.Error(err)
		}
	}
}

func TestCompressedSiblingsAreTheSameFiles(t *testing.T) {
	files := built(t)
	siblings := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		plain, ok := strings.CutSuffix(name, ".gz")
		if err != nil || d.IsDir() || !ok {
			return err
		}
		siblings++
		r, err := gzip.NewReader(bytes.NewReader(read(t, files, name)))
		if err != nil {
			return err
		}
		got, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(got, read(t, files, plain)) {
			t.Errorf("%s is not %s", name, plain)
		}
		return err
	})
	if err != nil || siblings == 0 {
		t.Fatalf("%d siblings, %v", siblings, err)
	}
}

func TestNoSourceMapIsShipped(t *testing.T) {
	if maps, err := fs.Glob(built(t), "assets/*.map"); err != nil || len(maps) > 0 {
		t.Errorf("%v, %v", maps, err)
	}
}
