package web

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// indexFile is the page that every address of the console shows.
const indexFile = "index.html"

// hashed are files whose name changes with their content.
var hashed = regexp.MustCompile(`^assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+$`)

// contentTypes are those that the console may consist of.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
	".json": "application/json", ".webmanifest": "application/manifest+json",
}

// encodings are the forms in which a file may lie beside itself, the best first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// file is one file with its forms; the plain one is under "".
type file struct {
	contentType string
	cache       string
	forms       map[string]form
}

type form struct {
	body []byte
	etag string
}

// files are the console's, by name. They are few and in memory, so that no address reaches anything else.
type files struct{ byName map[string]file }

// newFiles reads the console. nil is one that was not built.
func newFiles(console fs.FS) (*files, error) {
	f := &files{byName: map[string]file{}}
	if console == nil {
		return f, nil
	}
	err := fs.WalkDir(console, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || compressed(name) {
			return err
		}
		kind, ok := contentTypes[path.Ext(name)]
		if !ok {
			return nil // not for browsers, such as a source map
		}
		f.byName[name], err = readFile(console, name, kind)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read console: %w", err)
	}
	if _, ok := f.byName[indexFile]; !ok {
		return nil, errors.New("read console: it has no index.html")
	}
	return f, nil
}

func compressed(name string) bool {
	for _, e := range encodings {
		if strings.HasSuffix(name, e.suffix) {
			return true
		}
	}
	return false
}

func readFile(console fs.FS, name, kind string) (file, error) {
	f := file{contentType: kind, cache: "no-cache", forms: map[string]form{}}
	switch {
	case path.Ext(name) == ".html":
		f.cache = "no-store"
	case hashed.MatchString(name):
		f.cache = "public, max-age=31536000, immutable"
	}
	body, err := fs.ReadFile(console, name)
	if err != nil {
		return f, err
	}
	f.forms[""] = newForm(body)
	for _, e := range encodings {
		body, err := fs.ReadFile(console, name+e.suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return f, err
		}
		f.forms[e.name] = newForm(body)
	}
	return f, nil
}

func newForm(body []byte) form {
	sum := sha256.Sum256(body)
	return form{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// ServeHTTP serves a file, or the console's page for an address of the console. What looks like a file and is none is
// not found, so that an old page does not take the new one for its script.
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r) // as for a call of a service that is not there
		return
	}
	if len(f.byName) == 0 {
		unbuilt.write(w, http.StatusNotFound)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	found, ok := f.byName[name]
	if !ok && (strings.HasPrefix(name, "assets/") || path.Dir(name) == "." && contentTypes[path.Ext(name)] != "") {
		http.NotFound(w, r)
		return
	}
	if !ok {
		found = f.byName[indexFile]
	}
	found.serve(w, r)
}

// unbuilt says how to get a console. The control plane works without it.
var unbuilt = page{
	Title: "The console is not in this build", Text: "The control plane runs, and the command line works. To build it with the console, with Node at hand:",
	Command: "make console build",
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	name := f.choose(r.Header.Get("Accept-Encoding"))
	chosen := f.forms[name]
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("Vary", "Accept-Encoding")
	if f.cache != "no-store" {
		h.Set("ETag", chosen.etag)
		if r.Header.Get("If-None-Match") == chosen.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if name != "" {
		h.Set("Content-Encoding", name)
	}
	h.Set("Content-Length", strconv.Itoa(len(chosen.body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(chosen.body) // the reader may have gone
	}
}

// choose returns the best form that the browser takes.
func (f file) choose(accepted string) string {
	for _, e := range encodings {
		if _, there := f.forms[e.name]; there && accepts(accepted, e.name) {
			return e.name
		}
	}
	return ""
}

// accepts reads an Accept-Encoding header (RFC 9110, section 12.5.3); a weight of 0 refuses.
func accepts(header, name string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), name) {
			continue
		}
		weight, weighed := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
		if !weighed {
			return true
		}
		q, err := strconv.ParseFloat(weight, 64)
		return err == nil && q > 0
	}
	return false
}
