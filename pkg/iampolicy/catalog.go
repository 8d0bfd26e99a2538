package iampolicy

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Class is why an action is privileged.
type Class string

// The classes, with how people read them.
const (
	Permissions Class = "permissions" // changes who may do what
	Pass        Class = "pass-role"   // acts with the rights of another role
	Credentials Class = "credentials" // makes or reads credentials
	Execution   Class = "execution"   // runs code with the rights of what runs it
	Sharing     Class = "sharing"     // gives data to others
	Destruction Class = "destruction" // deletes data, or what keeps it
	Guardrails  Class = "guardrails"  // turns off logging, detection or protection
	Network     Class = "network"     // opens networks
	Added       Class = "added"       // named by the operator
)

var classMeaning = map[Class]string{
	Permissions: "can change who may do what",
	Pass:        "can act with the rights of another role",
	Credentials: "can make or read credentials",
	Execution:   "can run code with the rights of what runs it",
	Sharing:     "can give data to others",
	Destruction: "can delete data, or what keeps it",
	Guardrails:  "can turn off logging, detection or protection",
	Network:     "can open networks",
	Added:       "is on the organisation's own list",
}

// Meaning is the class in words that follow the name of an action.
func (c Class) Meaning() string { return classMeaning[c] }

// entry is a privileged action, or a pattern of them.
type entry struct {
	action  string // as written
	class   Class
	key     string // in lower case
	pattern pattern
}

func newEntry(action string, class Class) entry {
	return entry{action, class, strings.ToLower(action), newActionPattern(action)}
}

// Catalog is a set of privileged actions. The zero value is empty, and refused by [Analyse].
type Catalog struct {
	names    []entry // without wildcards, sorted by key
	patterns []entry // with wildcards, sorted by key
	digest   string
}

//go:embed data/privileged.txt
var privileged string

// Default is the catalog that comes with Writ, made by scripts/iamcatalog from AWS's service authorization reference and
// reviewed rules.
func Default() Catalog {
	var c Catalog
	var class Class
	for lines := bufio.NewScanner(strings.NewReader(privileged)); lines.Scan(); {
		switch line := lines.Text(); {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			class = Class(strings.Trim(line, "[]"))
		default:
			service, names, _ := strings.Cut(line, ": ")
			for name := range strings.FieldsSeq(names) {
				c.names = append(c.names, newEntry(service+":"+name, class))
			}
		}
	}
	slices.SortFunc(c.names, func(a, b entry) int { return byKey(a, b.key) })
	c.seal()
	return c
}

// With returns the catalog with actions added, then without those that remove names. Both take patterns: an added one
// stays a pattern, a removing one takes away every entry that it covers. Refused, with [ErrCatalog] and the entry's
// name, are what is no action, what is there already, what takes nothing away, and a removal that leaves nothing.
func (c Catalog) With(add, remove []string) (Catalog, error) {
	out := Catalog{names: slices.Clone(c.names), patterns: slices.Clone(c.patterns)}
	for _, a := range add {
		if !validAction(a) {
			return Catalog{}, fmt.Errorf("%w: %q is not an action such as iam:PassRole", ErrCatalog, a)
		}
		if !out.put(a, Added) {
			return Catalog{}, fmt.Errorf("%w: %q is privileged already", ErrCatalog, a)
		}
	}
	for _, r := range remove {
		if !validAction(r) {
			return Catalog{}, fmt.Errorf("%w: %q is not an action such as iam:PassRole", ErrCatalog, r)
		}
		p, before := newActionPattern(r), out.Len()
		covered := func(e entry) bool { return p.covers(e.pattern) }
		out.names, out.patterns = slices.DeleteFunc(out.names, covered), slices.DeleteFunc(out.patterns, covered)
		if out.Len() == before {
			return Catalog{}, fmt.Errorf("%w: %q removes nothing", ErrCatalog, r)
		}
	}
	if out.Len() == 0 {
		return Catalog{}, fmt.Errorf("%w: nothing would be privileged", ErrCatalog)
	}
	out.seal()
	return out, nil
}

// put adds an entry, unless it is there.
func (c *Catalog) put(action string, class Class) bool {
	e := newEntry(action, class)
	list := &c.names
	if strings.ContainsAny(action, "*?") {
		list = &c.patterns
	}
	i, found := slices.BinarySearchFunc(*list, e.key, byKey)
	if !found {
		*list = slices.Insert(*list, i, e)
	}
	return !found
}

func byKey(e entry, key string) int { return strings.Compare(e.key, key) }

// seal works out the digest.
func (c *Catalog) seal() {
	h := sha256.New()
	for _, e := range slices.Concat(c.names, c.patterns) {
		write(h, e.key, string(e.class))
	}
	c.digest = hex.EncodeToString(h.Sum(nil))
}

// Len is the number of entries.
func (c Catalog) Len() int { return len(c.names) + len(c.patterns) }

// Digest identifies the catalog's contents.
func (c Catalog) Digest() string { return c.digest }

// Find returns the class of an action that the catalog names or has a pattern for.
func (c Catalog) Find(action string) (Class, bool) {
	key := strings.ToLower(action)
	if i, found := slices.BinarySearchFunc(c.names, key, byKey); found {
		return c.names[i].class, true
	}
	for _, e := range c.patterns {
		if e.pattern.covers(literal(key)) {
			return e.class, true
		}
	}
	return "", false
}

// Actions lists the entries of one class, as written, in order.
func (c Catalog) Actions(class Class) []string {
	var actions []string
	for _, e := range slices.Concat(c.names, c.patterns) {
		if e.class == class {
			actions = append(actions, e.action)
		}
	}
	return actions
}
