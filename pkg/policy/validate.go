package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// validate checks r against the schema.
func (r *rule) validate(v *validate.Validator) (problems []Problem) {
	defer func() {
		if e := recover(); e != nil { // the validator is not ours
			problems = append(problems, r.problem(0, "policy cannot be validated", ""))
		}
	}()
	var messages []string
	for _, err := range flatten(v.Policy("", r.ast)) {
		messages = append(messages, err.Error())
	}
	slices.Sort(messages) // the validator's order is that of a map
	pointed := map[int]bool{}
	if uid, ok := readsNamed(r.ast); ok {
		p := r.problem(max(strings.Index(r.text, uid.String()), 0), fmt.Sprintf("%s is read, of which nothing is known", uid), "")
		p.Hint = "compare it with principal or resource, and read those"
		problems = append(problems, p)
	}
	for _, message := range append(messages, r.inert(v)...) {
		word, hint := explain(message)
		at := strings.Index(r.text, word)
		if word != "" && at >= 0 && pointed[at] {
			continue // the same for another type or action
		}
		at = max(at, 0)
		pointed[at] = pointed[at] || word != ""
		problems = append(problems, r.problem(at, message, hint))
	}
	return problems
}

// inert finds the actions in a list that can never apply to the resource scope beside them.
// The validator is content when one of the list can.
func (r *rule) inert(v *validate.Validator) (messages []string) {
	scope, ok := r.ast.Action.(internalast.ScopeTypeInSet)
	if !ok || v.Policy("", bare(r.ast, scope)) != nil {
		return nil
	}
	for _, a := range scope.Entities {
		if v.Policy("", bare(r.ast, internalast.ScopeTypeIn{Entity: a})) != nil {
			messages = append(messages, fmt.Sprintf("action `%s` is never asked about such a resource", a.ID))
		}
	}
	return messages
}

// bare is p without conditions and with another action scope.
func bare(p *internalast.Policy, scope internalast.IsActionScopeNode) *internalast.Policy {
	out := *p
	out.Action, out.Conditions = scope, nil
	return &out
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

var backquoted = regexp.MustCompile("`([^`]+)`")

// explain finds in a validator message the word to point at, and a hint.
func explain(message string) (word, hint string) {
	m := backquoted.FindStringSubmatch(message)
	if m == nil {
		if strings.Contains(message, "applicable action") {
			hint = "no action in its scope can be asked about such a resource"
		}
		return "", hint
	}
	word = m[1][strings.LastIndex(m[1], ".")+1:]
	switch {
	case strings.HasPrefix(message, "unrecognized action"):
		word = strings.Trim(strings.TrimPrefix(word, "Action::"), `"`)
		known := make([]string, 0, len(groups))
		for _, a := range Actions() {
			known = append(known, string(a))
		}
		hint = nearest("", word, known)
	case strings.HasPrefix(message, "attribute") && strings.Contains(message, "in context"):
		known := make([]string, 0, attrCount)
		for _, n := range attrNames {
			known = append(known, string(n))
		}
		if hint = nearest("context.", word, known); slices.Contains(known, word) {
			hint = "not every action in the policy's scope has it"
		}
	}
	return word, hint
}

// problem places a message at an offset in r's text.
func (r *rule) problem(offset int, message, hint string) Problem {
	pos := r.ast.Position
	before := r.text[:offset]
	p := Problem{File: r.file, Line: pos.Line + strings.Count(before, "\n"), Column: pos.Column + len([]rune(before)), Message: message, Hint: hint}
	if nl := strings.LastIndexByte(before, '\n'); nl >= 0 {
		p.Column = 1 + len([]rune(before[nl+1:]))
	}
	if r.id != "" {
		p.Message = fmt.Sprintf("policy %q: %s", r.id, message)
	}
	return p
}

// position finds the annotation in a policy's text, or its start.
func (f fault) position(text string) int {
	if f.name != "" {
		if at := regexp.MustCompile(`@\s*` + regexp.QuoteMeta(f.name) + `\b`).FindStringIndex(text); at != nil {
			return at[0]
		}
	}
	return 0
}
