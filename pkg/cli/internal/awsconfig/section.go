package awsconfig

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxFile bounds a config file, in bytes.
const maxFile = 4 << 20

// section is a header and the lines below it, each with its line end. The first section of a file has no header.
type section struct {
	header string
	name   string // of the profile; empty for what is no profile
	lines  []string
}

// Parse reads a config file, or, with credentials, a file of keys, whose headers are the names alone. It fails with
// ErrFormat.
func Parse(content []byte, credentials bool) (*File, error) {
	if len(content) > maxFile || !utf8.Valid(content) || slices.Contains(content, 0) {
		return nil, fmt.Errorf("%w: it is no text, or larger than %d bytes", ErrFormat, maxFile)
	}
	f := new(File)
	current := section{}
	for line := range strings.Lines(string(content)) {
		title, ok, err := header(line)
		if err != nil {
			return nil, err
		}
		if !ok {
			current.lines = append(current.lines, line)
			continue
		}
		f.keep(current)
		current = section{header: line, name: profileOf(title, credentials)}
	}
	f.keep(current)
	return f, nil
}

func (f *File) keep(s section) {
	if s.header != "" || len(s.lines) > 0 {
		f.sections = append(f.sections, s)
	}
}

// Bytes is the file as it is to be written.
func (f *File) Bytes() []byte {
	var out []byte
	for _, s := range f.sections {
		out = append(out, s.header...)
		for _, line := range s.lines {
			out = append(out, line...)
		}
	}
	return out
}

// header returns the title of a line that begins a section.
func header(line string) (string, bool, error) {
	if !strings.HasPrefix(line, "[") {
		if t := strings.TrimSpace(line); strings.HasPrefix(t, "[") && !strings.Contains(t, "=") {
			return "", false, fmt.Errorf("%w: blanks before %q", ErrFormat, t)
		}
		return "", false, nil
	}
	title, after, ok := strings.Cut(line[1:], "]")
	after = strings.TrimSpace(after)
	if !ok || after != "" && after[0] != '#' && after[0] != ';' {
		return "", false, fmt.Errorf("%w: the header %q", ErrFormat, strings.TrimSpace(line))
	}
	return strings.TrimSpace(title), true, nil
}

// profileOf returns the name of the profile that a title begins.
func profileOf(title string, credentials bool) string {
	if credentials || title == "default" {
		return title
	}
	name, ok := strings.CutPrefix(title, "profile")
	if !ok || name == strings.TrimLeft(name, " \t") {
		return ""
	}
	return strings.Trim(strings.TrimSpace(name), `"'`)
}

// add puts lines behind the last section.
func (f *File) add(lines []string) {
	if len(f.sections) == 0 {
		f.keep(section{lines: lines})
		return
	}
	last := &f.sections[len(f.sections)-1]
	last.lines = append(last.lines, lines...)
}

// end ends the section's last line.
func (s *section) end() {
	last := &s.header
	if len(s.lines) > 0 {
		last = &s.lines[len(s.lines)-1]
	}
	if !strings.HasSuffix(*last, "\n") {
		*last += "\n"
	}
}

// setting returns the key and the value of a line. What is indented belongs to the setting before it.
func setting(line string) (key, value string, ok bool) {
	if strings.TrimSpace(line) == "" || strings.ContainsAny(line[:1], " \t#;") {
		return "", "", false
	}
	key, value, ok = strings.Cut(line, "=")
	return strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value), ok
}

func (s *section) get(key string) (string, bool) {
	for _, line := range s.lines {
		if k, v, ok := setting(line); ok && k == key {
			return v, true
		}
	}
	return "", false
}

// resource says for which resource a profile is, if it is writ's.
func (s *section) resource() (string, bool) {
	command, _ := s.get("credential_process")
	words := strings.Fields(command)
	if s.name == "" || len(words) <= len(process) || !slices.Equal(words[:len(process)], process) {
		return "", false
	}
	return words[len(process)], true
}

// rest is what the user has set besides: lines within the setting s3, and others. With region, that is left out too.
func (s *section) rest(region bool) (s3, others []string) {
	current := managed[0] // of lines before the first setting, those that are indented belong to nothing
	for _, line := range s.lines {
		key, _, ok := setting(line)
		if ok {
			current = key
		}
		switch {
		case remark(line):
			others = append(others, line)
		case current == "s3":
			if name, _, found := strings.Cut(strings.TrimSpace(line), "="); !ok && found && !slices.Contains(managedS3, strings.TrimSpace(name)) {
				s3 = append(s3, line)
			}
		case !slices.Contains(managed, current) && (!region || current != "region"):
			others = append(others, line)
		}
	}
	return s3, others
}

// remark says whether a line is empty or a comment.
func remark(line string) bool {
	text := strings.TrimSpace(line)
	return text == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";")
}

// tail is the blank and comment lines at the end, which are about what comes next.
func (s *section) tail() []string {
	at := len(s.lines)
	for at > 0 && remark(s.lines[at-1]) {
		at--
	}
	for at < len(s.lines) && strings.TrimSpace(s.lines[at]) == "" {
		at++
	}
	return s.lines[at:]
}
