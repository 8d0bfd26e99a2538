package kubemask

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrPath is a field path that ParsePath does not understand.
var ErrPath = errors.New("bad field path")

const (
	maxPathSteps = 32
	maxPathBytes = 1024
	base64Suffix = "|base64"
)

// Path is a field path: names, .* for each member of a map, [*] for each element of a list. A wildcard stands for
// members and elements alike.
type Path struct {
	steps  []step
	base64 bool
}

// step is a name, or any name or element.
type step struct {
	name    string
	any     bool
	element bool // written [*]
}

// ParsePath reads a path such as data.*, spec.containers[*].env[*].value or data["tls.crt"]. A name with dots may also
// be written as names: data.tls.crt finds both. The suffix |base64 says that the field holds bytes, as the API's own
// fields of that kind are known to.
func ParsePath(s string) (Path, error) {
	fail := func(why string) (Path, error) { return Path{}, fmt.Errorf("%w %q: %s", ErrPath, s, why) }
	if len(s) > maxPathBytes {
		return Path{}, fmt.Errorf("%w: over %d bytes", ErrPath, maxPathBytes)
	}
	var p Path
	rest, isBase64 := strings.CutSuffix(s, base64Suffix)
	p.base64 = isBase64
	for first := true; rest != "" || first; first = false {
		var st step
		var err error
		if st, rest, err = parseStep(rest, first); err != nil {
			return fail(err.Error())
		}
		if p.steps = append(p.steps, st); len(p.steps) > maxPathSteps {
			return fail(fmt.Sprintf("more than %d steps", maxPathSteps))
		}
	}
	return p, nil
}

func parseStep(s string, first bool) (step, string, error) {
	if strings.HasPrefix(s, "[*]") {
		return step{any: true, element: true}, s[3:], nil
	}
	if strings.HasPrefix(s, `["`) {
		return parseQuoted(s[1:])
	}
	if !first {
		if s[0] != '.' {
			return step{}, "", errors.New(`want .name, .*, [*] or ["name"]`)
		}
		s = s[1:]
	}
	n := strings.IndexAny(s, ".[")
	if n < 0 {
		n = len(s)
	}
	switch name := s[:n]; {
	case name == "*":
		return step{any: true}, s[n:], nil
	case name == "":
		return step{}, "", errors.New("an empty name")
	case !plainName(name):
		return step{}, "", errors.New(`a name with special characters; write ["name"]`)
	default:
		return step{name: name}, s[n:], nil
	}
}

// parseQuoted reads "name"] where name is a JSON string.
func parseQuoted(s string) (step, string, error) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			var name string
			if json.Unmarshal([]byte(s[:i+1]), &name) != nil || !strings.HasPrefix(s[i+1:], "]") {
				return step{}, "", errors.New(`want ["name"]`)
			}
			if name == "" {
				return step{}, "", errors.New("an empty name")
			}
			return step{name: name}, s[i+2:], nil
		}
	}
	return step{}, "", errors.New(`want ["name"]`)
}

// plainName tells whether a name may stand in a path without quotes.
func plainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`.[]"*|\{}$,`, c) && c != '$'
	})
}

// String returns the form that ParsePath reads.
func (p Path) String() string {
	var b strings.Builder
	for i, st := range p.steps {
		switch {
		case st.any && st.element:
			b.WriteString("[*]")
		case !st.any && !plainName(st.name):
			quoted, _ := json.Marshal(st.name) // a string can always be written
			b.WriteString("[" + string(quoted) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			if st.any {
				b.WriteByte('*')
			} else {
				b.WriteString(st.name)
			}
		}
	}
	if p.base64 {
		b.WriteString(base64Suffix)
	}
	return b.String()
}

// maskable refuses paths over what clients and the masker know objects by.
func (p Path) maskable() error {
	switch {
	case len(p.steps) == 0:
		return errors.New("it is empty")
	case p.steps[0].any, p.steps[0].name == "kind", p.steps[0].name == "apiVersion":
		return errors.New("objects are known by it")
	case p.steps[0].name != "metadata":
		return nil
	case len(p.steps) > 1 && (p.steps[1].name == "annotations" || p.steps[1].name == "labels"):
		return nil
	}
	return errors.New("of metadata only labels and annotations can be masked")
}

// byteFields are the fields of the API's own types that hold bytes, which JSON has in base 64.
var byteFields = []struct{ group, resource, prefix string }{
	{"", "secrets", "data"},
	{"", "configmaps", "binaryData"},
	{"certificates.k8s.io", "certificatesigningrequests", "spec.request"},
	{"certificates.k8s.io", "certificatesigningrequests", "status.certificate"},
	{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", "webhooks[*].clientConfig.caBundle"},
	{"admissionregistration.k8s.io", "validatingwebhookconfigurations", "webhooks[*].clientConfig.caBundle"},
	{"apiregistration.k8s.io", "apiservices", "spec.caBundle"},
}

func isBytes(group, resource string, p Path) bool {
	text := p.String()
	for _, f := range byteFields {
		if f.group == group && f.resource == resource && strings.HasPrefix(text, f.prefix) &&
			(len(text) == len(f.prefix) || strings.IndexByte(".[|", text[len(f.prefix)]) >= 0) {
			return true
		}
	}
	return false
}
