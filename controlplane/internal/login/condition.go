package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Condition demands something of one claim. One of Equals, OneOf and Glob says what; a claim that is absent, or no
// string, number or boolean, does not hold, and neither does an e-mail address that its issuer did not verify.
type Condition struct {
	// Claim is its name, or, with a slash first, the path to one inside another (RFC 6901): /kubernetes.io/namespace.
	Claim string `yaml:"claim"`
	// Equals is the one value. Letters have their case.
	Equals string `yaml:"equals,omitempty"`
	// OneOf lists the values.
	OneOf []string `yaml:"one_of,omitempty"`
	// Glob is a value in which * stands for one or more characters, but none of / : @. It does not begin with *.
	Glob string `yaml:"glob,omitempty"`
}

// GroupRule gives groups to the tokens for which all of When holds.
type GroupRule struct {
	Groups []string    `yaml:"groups"`
	When   []Condition `yaml:"when"`
}

const (
	separators = "/:@" // what a * never stands for
	maxStars   = 4
)

// check refuses a condition that says nothing, or more than it seems to.
func (c Condition) check() error {
	given := 0
	for _, set := range []bool{c.Equals != "", len(c.OneOf) > 0, c.Glob != ""} {
		if set {
			given++
		}
	}
	switch {
	case c.Claim == "" || c.Claim == "/":
		return errors.New("claim: empty; name the claim")
	case given != 1:
		return fmt.Errorf("claim %q: give one of equals, one_of and glob, not empty", c.Claim)
	case slices.Contains(c.OneOf, ""):
		return fmt.Errorf("claim %q: one_of: a value is empty", c.Claim)
	case strings.Contains(c.Equals, "*") || slices.ContainsFunc(c.OneOf, func(v string) bool { return strings.Contains(v, "*") }):
		return fmt.Errorf("claim %q: a * is only a pattern in glob", c.Claim)
	case c.Glob == "":
		return nil
	case strings.HasPrefix(c.Glob, "*"):
		return fmt.Errorf("claim %q: glob: %q begins with *, so anybody's value that ends so would do; begin with what is yours", c.Claim, c.Glob)
	case !strings.Contains(c.Glob, "*"):
		return fmt.Errorf("claim %q: glob: %q has no *; use equals", c.Claim, c.Glob)
	case strings.Contains(c.Glob, "**") || strings.Count(c.Glob, "*") > maxStars:
		return fmt.Errorf("claim %q: glob: %q: a * stands for one part, and there are at most %d", c.Claim, c.Glob, maxStars)
	}
	return nil
}

// values are the alternatives; a glob is its pattern.
func (c Condition) values() []string {
	switch {
	case c.Glob != "":
		return []string{c.Glob}
	case c.Equals != "":
		return []string{c.Equals}
	}
	return c.OneOf
}

// holds reports whether the claims meet the condition. One that was not checked never holds.
func (c Condition) holds(all claims) bool {
	got, ok := all.scalar(c.Claim)
	if !ok || got == "" {
		return false
	}
	if _, verified := all.email(); c.Claim == "email" && !verified {
		return false
	}
	switch {
	case c.Equals != "":
		return got == c.Equals
	case len(c.OneOf) > 0:
		return slices.Contains(c.OneOf, got)
	}
	return c.Glob != "" && globMatches(c.Glob, got)
}

func globMatches(pattern, s string) bool {
	literal, rest, star := strings.Cut(pattern, "*")
	tail, ok := strings.CutPrefix(s, literal)
	if !ok || !star {
		return ok && tail == ""
	}
	for i := range len(tail) {
		if strings.IndexByte(separators, tail[i]) >= 0 {
			return false
		}
		if globMatches(rest, tail[i+1:]) {
			return true
		}
	}
	return false
}

// demands are all that a token must meet: Require and Conditions.
func (is Issuer) demands() []Condition {
	var all []Condition
	for _, claim := range slices.Sorted(maps.Keys(is.Require)) {
		all = append(all, Condition{Claim: claim, Equals: is.Require[claim]})
	}
	return append(all, is.Conditions...)
}

// checkConditions refuses conditions and rules that cannot be meant.
func (is Issuer) checkConditions() error {
	demands := is.demands()
	for _, c := range is.Conditions {
		if err := c.check(); err != nil {
			return fmt.Errorf("conditions: %w", err)
		}
	}
	if err := is.checkPreset(demands); err != nil {
		return err
	}
	for i, rule := range is.GroupRules {
		if err := is.checkRule(rule, demands); err != nil {
			return fmt.Errorf("group_rules[%d]: %w", i, err)
		}
	}
	return nil
}

func (is Issuer) checkRule(rule GroupRule, demands []Condition) error {
	switch {
	case len(rule.Groups) == 0 || slices.ContainsFunc(rule.Groups, func(g string) bool { return !validName(g) }):
		return errors.New("groups: name at least one")
	case len(rule.When) == 0:
		return errors.New("when: empty; what every token gets belongs in the issuer's groups")
	}
	for _, c := range rule.When {
		if err := c.check(); err != nil {
			return fmt.Errorf("when: %w", err)
		}
	}
	return is.checkPresetRule(slices.Concat(demands, rule.When))
}

// admits refuses a token that does not meet what the issuer's tokens must.
func (is Issuer) admits(c claims) error {
	if err := is.presetAdmits(c); err != nil {
		return err
	}
	for _, d := range is.demands() {
		if !d.holds(c) {
			return fmt.Errorf("%w: its claim %q is not what this issuer's tokens must have", ErrProof, d.Claim)
		}
	}
	return nil
}

// ruled are the groups of the rules that hold.
func (is Issuer) ruled(c claims) []string {
	var groups []string
	for _, rule := range is.GroupRules {
		if len(rule.When) > 0 && !slices.ContainsFunc(rule.When, func(d Condition) bool { return !d.holds(c) }) {
			groups = append(groups, rule.Groups...)
		}
	}
	return groups
}

// raw finds a claim by its name or its path.
func (c claims) raw(name string) (json.RawMessage, bool) {
	path, nested := strings.CutPrefix(name, "/")
	if !nested {
		raw, ok := c[name]
		return raw, ok
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	at := c
	parts := strings.Split(path, "/")
	for i, part := range parts {
		raw, ok := at[unescape.Replace(part)]
		if !ok || i == len(parts)-1 {
			return raw, ok
		}
		at = nil
		if json.Unmarshal(raw, &at) != nil {
			return nil, false
		}
	}
	return nil, false
}
