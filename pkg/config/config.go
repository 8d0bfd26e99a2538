// Package config fills a Config struct from a YAML file, the environment and
// flags (the later wins), by one description: the struct's kong tags. What it
// does not know it refuses, with the place and the nearest known name.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// MaxFile is the largest configuration file in bytes.
const MaxFile = 256 << 10

// ErrHandled: the arguments asked for help or the version, which was printed.
var ErrHandled = errors.New("help or version was printed")

// Spec describes a program.
type Spec struct {
	Name        string // as in the usage line
	Description string // one sentence
	Version     string // printed by --version

	// EnvPrefix starts every variable of this program and ends with an
	// underscore: flag --etcd-endpoints is <EnvPrefix>ETCD_ENDPOINTS.
	EnvPrefix string

	Stdout io.Writer // for help and version; default os.Stdout
}

// program is the whole command line: what every program has, and T.
type program[T any] struct {
	Config   string           `help:"Read settings from this YAML file." placeholder:"FILE"`
	Version  kong.VersionFlag `help:"Print the version and exit."`
	Settings T                `embed:""`
}

// Load returns the settings. args are the arguments without the program's
// name, environ is in the form of os.Environ.
//
// T is a struct with kong tags and may have a Validate() error method. A file
// spells a setting like its flag; nested mappings join with dashes, so
// "etcd: {endpoints: [...]}" and "etcd-endpoints: [...]" are the same. A field
// with the tags kong:"-" and file:"name" is structured and comes only from the
// file. A field with the tag secret:"" is never quoted in an error, and refused
// as an argument.
//
// Errors are *Error where they have a place, several of them joined.
func Load[T any](spec Spec, args, environ []string) (T, error) {
	var none T
	if spec.Stdout == nil {
		spec.Stdout = os.Stdout
	}
	src, err := sources[T](spec, args, environ)
	if err != nil {
		return none, err
	}
	var p program[T]
	parser, exited, err := spec.parser(&p, kong.Resolvers(src))
	if err != nil {
		return none, err
	}
	if err := refuseSecrets(parser.Model.Flags, args); err != nil {
		return none, err
	}
	fields := structured(&p.Settings)
	if err := src.check(parser.Model.Flags, fields); err != nil {
		return none, err
	}
	if err := src.decode(fields); err != nil { // first, for T's Validate sees them
		return none, err
	}
	_, err = parser.Parse(args)
	switch {
	case *exited:
		return none, ErrHandled
	case err != nil:
		return none, src.explain(err)
	}
	return p.Settings, nil
}

func (s Spec) parser(target any, options ...kong.Option) (*kong.Kong, *bool, error) {
	exited := new(bool)
	options = append(options,
		kong.Name(s.Name),
		kong.Description(s.Description),
		kong.Vars{"version": s.Version},
		kong.Writers(s.Stdout, io.Discard),
		kong.Exit(func(int) { *exited = true }),
		kong.ValueFormatter(s.helpText))
	k, err := kong.New(target, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("settings of %s: %w", s.Name, err)
	}
	return k, exited, nil
}

// helpText names the variable beside each flag.
func (s Spec) helpText(value *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(value)
	if value.Flag == nil || value.Flag.Name == "help" || value.Flag.Name == "version" {
		return text
	}
	return fmt.Sprintf("%s ($%s)", text, s.variable(value.Flag.Name))
}

// sources reads what the settings come from, which takes a first look at the
// arguments for the name of the file.
func sources[T any](spec Spec, args, environ []string) (*source, error) {
	var p program[T]
	parser, exited, err := spec.silent().parser(&p)
	if err != nil {
		return nil, err
	}
	src := &source{spec: spec, env: spec.environment(environ)}
	path := src.env[spec.variable("config")]
	if trace, err := kong.Trace(parser, args); err == nil && !*exited {
		for _, flag := range parser.Model.Flags {
			if given, ok := trace.FlagValue(flag).(string); ok && flag.Name == "config" && given != "" {
				path = given
			}
		}
	}
	if path == "" {
		return src, nil
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	src.file, err = parseFile(path, data)
	return src, err
}

// refuseSecrets keeps secrets out of the arguments, which every user of the
// machine can list.
func refuseSecrets(flags []*kong.Flag, args []string) error {
	for _, flag := range flags {
		if !flag.Tag.Has("secret") {
			continue
		}
		for _, arg := range args {
			if name, _, _ := strings.Cut(arg, "="); name == "--"+flag.Name {
				return &Error{Message: name + ": arguments are visible to others", Hint: "set it in the file or the environment"}
			}
		}
	}
	return nil
}

func (s Spec) silent() Spec {
	s.Stdout = io.Discard
	return s
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("read configuration: %v", err), Hint: "--config names a YAML file"}
	}
	defer f.Close()
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(io.LimitReader(f, MaxFile+1)); err != nil {
		return nil, &Error{Message: fmt.Sprintf("read configuration: %v", err), Hint: "--config names a YAML file"}
	}
	if buf.Len() > MaxFile {
		return nil, &Error{File: path, Message: fmt.Sprintf("larger than %d bytes", MaxFile)}
	}
	return buf.Bytes(), nil
}
