package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits on a bundle. A larger one is refused.
const (
	maxFiles      = 500
	maxFileSize   = 1 << 20 // bytes
	maxBundleSize = 8 << 20 // bytes
	maxPolicies   = 10_000
	maxPolicySize = 16 << 10 // bytes from one semicolon to the next
	maxNesting    = 100      // brackets within brackets in a policy
	maxDots       = 16       // dots in a path such as context.tables
	maxPath       = 200      // bytes
)

// Bundle is all policies and their tests: *.cedar holds policies, *.yaml holds tests, and
// PrivilegedFile is neither. The keys of Files are clean, relative, slash-separated paths.
type Bundle struct{ Files map[string][]byte }

// Digest identifies the content of b: the same files with the same bytes give the same digest.
func (b Bundle) Digest() [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte("writ policy bundle v1\x00"))
	var size [8]byte
	write := func(part []byte) {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	for _, name := range b.names() {
		write([]byte(name))
		write(b.Files[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (b Bundle) names() []string { return slices.Sorted(maps.Keys(b.Files)) }

// check finds what is wrong with the files as such.
func (b Bundle) check() []Problem {
	var problems []Problem
	if len(b.Files) > maxFiles {
		return []Problem{{Message: fmt.Sprintf("%d files; at most %d are possible", len(b.Files), maxFiles)}}
	}
	total := 0
	for _, name := range b.names() {
		content := b.Files[name]
		total += len(content)
		message, hint := "", ""
		switch {
		case len(name) > maxPath || !cleanPath(name):
			message, hint = fmt.Sprintf("bad path %.200q", name), "use a relative path without .. or control characters"
			name = ""
		case !isPolicyFile(name) && !isTestFile(name) && name != PrivilegedFile:
			message, hint = "neither policies nor tests", "policies end in .cedar, tests in .yaml"
		case len(content) > maxFileSize:
			message = fmt.Sprintf("file is larger than %d bytes", maxFileSize)
		case !utf8.Valid(content):
			message = "file is not UTF-8 text"
		}
		if message != "" {
			problems = append(problems, Problem{File: name, Message: message, Hint: hint})
		}
	}
	if total > maxBundleSize {
		problems = append(problems, Problem{Message: fmt.Sprintf("bundle is larger than %d bytes", maxBundleSize)})
	}
	return problems
}

func cleanPath(name string) bool {
	return name != "" && name == path.Clean(name) && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") &&
		utf8.ValidString(name) && !strings.ContainsFunc(name, isControl) && !strings.Contains(name, `\`)
}

func isPolicyFile(name string) bool { return path.Ext(name) == ".cedar" }
func isTestFile(name string) bool {
	return name != PrivilegedFile && (path.Ext(name) == ".yaml" || path.Ext(name) == ".yml")
}

// significant yields the bytes of policy text that are outside strings and comments.
func significant(text []byte) iter.Seq2[int, byte] {
	return func(yield func(int, byte) bool) {
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '/' && i+1 < len(text) && text[i+1] == '/':
				for i+1 < len(text) && text[i+1] != '\n' {
					i++
				}
			case text[i] == '"':
				for i++; i < len(text) && text[i] != '"'; i++ {
					if text[i] == '\\' {
						i++
					}
				}
			case !yield(i, text[i]):
				return
			}
		}
	}
}

// tooMuch finds policy text that would cost the parser or the validator, which are recursive
// and here and there quadratic, too much: deep brackets, long paths, long policies. It
// returns the line and an empty message where there is none.
func tooMuch(text []byte) (line int, message string) {
	depth, dots, start := 0, 0, 0
	for i, c := range significant(text) {
		switch {
		case c == '(' || c == '[' || c == '{':
			depth++
			dots = 0
		case c == ')' || c == ']' || c == '}':
			depth--
			dots = 0
		case c == '.':
			dots++
		case c == ';':
			start, dots = i+1, 0
		case !isName(c):
			dots = 0
		}
		switch {
		case depth > maxNesting:
			message = fmt.Sprintf("brackets nest deeper than %d", maxNesting)
		case dots > maxDots:
			message = fmt.Sprintf("a path has more than %d dots", maxDots)
		case i-start > maxPolicySize:
			message = fmt.Sprintf("policy is longer than %d bytes", maxPolicySize)
		default:
			continue
		}
		return 1 + bytes.Count(text[:i], []byte("\n")), message
	}
	return 0, ""
}

// isName reports whether c may stand within a path, or between its parts.
func isName(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == ' ' || c == '\t' || c == '\n' || c == '\r' || c >= 0x80
}

// untilSemicolon cuts text after the first semicolon, where a policy ends.
func untilSemicolon(text []byte) string {
	for i, c := range significant(text) {
		if c == ';' {
			return string(text[:i+1])
		}
	}
	return string(text)
}
