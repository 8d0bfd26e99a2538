// Package awsconfig puts profiles of accounts that are reached through edges into the file that AWS's tools read, and takes
// them out again. Every line that is not of such a profile stays as it is.
package awsconfig

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Errors of a file that is left as it is.
var (
	// ErrFormat is a file that is no configuration of AWS's tools, or too large.
	ErrFormat = errors.New("not an AWS config file that can be edited")
	// ErrTaken is a profile of that name which is somebody else's.
	ErrTaken = errors.New("the profile is there and is not writ's")
	// ErrValue is a profile that cannot be written down so that every tool reads the same.
	ErrValue = errors.New("not a value for an AWS config file")
)

// prefix begins the names of profiles unless another is asked for.
const prefix = "writ-"

// Name is what a resource's profile is called by default.
func Name(resource string) string { return prefix + resource }

// Profile is how tools come to one account.
type Profile struct {
	Name     string
	Process  []string // the program that prints keys, and its arguments; they begin with Process(...)
	CABundle string   // a file; empty where the edge is not a proxy
	Endpoint string   // a URL; empty where the edge is a proxy
	Region   string   // empty keeps what the profile says
}

// process begins the arguments of the program; by it a profile is known as writ's.
var process = []string{"writ", "aws", "credentials"}

// Process is the program that prints keys for a resource.
func Process(resource string, more ...string) []string {
	return append(append(slices.Clone(process), resource), more...)
}

// managed are the settings that Put writes, and managedS3 those within s3; the others of a profile are the user's.
var (
	managed   = []string{"credential_process", "ca_bundle", "endpoint_url"}
	managedS3 = []string{"signature_version", "addressing_style"}
)

// File is a config file while it is edited.
type File struct{ sections []section }

// Put adds the profile, or replaces the former one of that name. It fails with ErrTaken rather than change a profile of
// something else.
func (f *File) Put(p Profile) error {
	if err := p.check(); err != nil {
		return err
	}
	at := f.find(p.Name)
	former := section{header: "[profile " + p.Name + "]\n", name: p.Name}
	switch {
	case len(at) > 1:
		return fmt.Errorf("%w: profile %q is there twice", ErrFormat, p.Name)
	case len(at) == 1:
		former = f.sections[at[0]]
		if _, ok := former.resource(); !ok {
			return fmt.Errorf("%w: %q", ErrTaken, p.Name)
		}
	case p.Name == "default":
		former.header = "[default]\n"
	}
	next := p.section(former)
	if len(at) == 1 {
		f.sections[at[0]] = next
		return nil
	}
	f.separate()
	f.sections = append(f.sections, next)
	return nil
}

// Remove takes out the profiles of a resource, or all of writ's where resource is empty, and returns their names.
func (f *File) Remove(resource string) []string {
	var names []string
	var kept File
	for _, s := range f.sections {
		if of, ok := s.resource(); !ok || resource != "" && of != resource {
			kept.keep(s)
			continue
		}
		names = append(names, s.name)
		kept.add(s.tail())
	}
	f.sections = kept.sections
	return names
}

// Has says whether there is a profile of that name.
func (f *File) Has(name string) bool { return len(f.find(name)) > 0 }

// Get returns a setting of a profile, "" where there is none.
func (f *File) Get(name, key string) string {
	for _, i := range f.find(name) {
		if v, ok := f.sections[i].get(key); ok {
			return v
		}
	}
	return ""
}

func (f *File) find(name string) []int {
	var at []int
	for i, s := range f.sections {
		if s.name == name && name != "" {
			at = append(at, i)
		}
	}
	return at
}

// separate ends the file with a whole line and an empty one.
func (f *File) separate() {
	if len(f.sections) == 0 {
		return
	}
	last := &f.sections[len(f.sections)-1]
	text := last.header + strings.Join(last.lines, "")
	last.end()
	if text != "" && !strings.HasSuffix(text, "\n\n") {
		last.lines = append(last.lines, "\n")
	}
}

var (
	// ValidName is what a profile may be called: what every tool takes without quotes.
	ValidName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	// plain is what reads the same to a shell, to the tools that split a command by themselves, and to their parsers, with
	// quotes where it has brackets.
	plain = regexp.MustCompile(`^[A-Za-z0-9_./:@=,+\[\]-]+$`)
)

func (p Profile) check() error {
	if !ValidName.MatchString(p.Name) {
		return fmt.Errorf("%w: profile %q", ErrValue, p.Name)
	}
	for _, word := range slices.Concat(p.Process, []string{p.Endpoint, p.Region}) {
		if word != "" && !plain.MatchString(word) {
			return fmt.Errorf("%w: %q", ErrValue, word)
		}
	}
	// A file name may hold blanks, which no tool takes for the end of a value.
	if strings.ContainsAny(p.CABundle, "\r\n\x00#;") || strings.TrimSpace(p.CABundle) != p.CABundle {
		return fmt.Errorf("%w: %q", ErrValue, p.CABundle)
	}
	return nil
}

// section makes the profile out of its former self: what is not managed stays.
func (p Profile) section(former section) section {
	next := section{header: former.header, name: p.Name}
	add := func(key, value string) {
		if value != "" {
			next.lines = append(next.lines, key+" = "+value+"\n")
		}
	}
	add("credential_process", command(p.Process))
	add("ca_bundle", p.CABundle)
	add("endpoint_url", p.Endpoint)
	add("region", p.Region)
	// Presigned URLs of older tools are of Version 2 unless they are told, and an edge refuses those.
	next.lines = append(next.lines, "s3 =\n", "    signature_version = s3v4\n")
	if p.Endpoint != "" {
		next.lines = append(next.lines, "    addressing_style = path\n")
	}
	s3, others := former.rest(p.Region != "")
	next.lines = slices.Concat(next.lines, s3, others)
	next.end()
	return next
}

// command joins words for a shell; an address of IPv6 has brackets, which would be a pattern to it.
func command(words []string) string {
	quoted := slices.Clone(words)
	for i, w := range quoted {
		if strings.ContainsAny(w, "[]") {
			quoted[i] = "'" + w + "'"
		}
	}
	return strings.Join(quoted, " ")
}
