package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

func (s Spec) variable(flag string) string {
	return s.EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// injected is what Kubernetes adds to every container for a service that
// happens to be named like this program.
var injected = regexp.MustCompile(`^(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

func (s Spec) environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if rest, ok := strings.CutPrefix(name, s.EnvPrefix); ok && s.EnvPrefix != "" && !injected.MatchString(rest) {
			env[name] = value
		}
	}
	return env
}

func (s *source) checkEnvironment(flags map[string]*kong.Flag) error {
	var known []string
	for name := range flags {
		known = append(known, s.spec.variable(name))
	}
	var unknown []string
	for name := range s.env {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	var errs []error
	for _, name := range unknown {
		errs = append(errs, &Error{Message: "unknown environment variable " + name, Hint: suggest(name, known)})
	}
	return errors.Join(errs...)
}
