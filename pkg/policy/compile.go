package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// Set is a compiled bundle. It never changes and is safe for concurrent use. The zero Set
// denies everything; it must not be copied.
type Set struct {
	digest   [32]byte
	rules    []*rule // sorted by id
	byID     map[string]*rule
	byAction map[Action][]*rule // the rules whose scope lets the action in
	sharing  sharing
}

// rule is one policy.
type rule struct {
	obligations
	file     string
	text     string // its source
	ast      *internalast.Policy
	reads    attrSet
	fallible bool // evaluating it may fail, however complete the context is
}

// Compile checks b and makes it ready to decide: syntax, schema (strict), annotations, and
// then the bundle's own tests, of which every one must pass. It is all or nothing: the
// error is a *BundleError that lists every problem found. An empty bundle compiles, and denies.
func Compile(b Bundle) (*Set, error) {
	s, err := compilePolicies(b)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	for _, name := range b.names() {
		if isTestFile(name) {
			problems = append(problems, s.testProblems(name, b.Files[name])...)
		}
	}
	if err := refusal(problems); err != nil {
		return nil, err
	}
	return s, nil
}

// compilePolicies is Compile without running the tests.
func compilePolicies(b Bundle) (*Set, error) {
	if err := refusal(b.check()); err != nil {
		return nil, err
	}
	sch, err := loadSchema()
	if err != nil {
		return nil, err
	}
	validator := validate.New(sch, validate.WithStrict())
	s := &Set{digest: b.Digest(), byID: map[string]*rule{}}
	var problems []Problem
	for _, name := range b.names() {
		if !isPolicyFile(name) {
			continue
		}
		rules, found := parseFile(name, b.Files[name])
		problems = append(problems, found...)
		for _, r := range rules {
			problems = append(problems, s.add(r, validator)...)
		}
	}
	if len(s.rules) > maxPolicies {
		problems = append(problems, Problem{Message: fmt.Sprintf("%d policies; at most %d are possible", len(s.rules), maxPolicies)})
	}
	if err := refusal(problems); err != nil {
		return nil, err
	}
	slices.SortFunc(s.rules, func(a, b *rule) int { return cmp.Compare(a.id, b.id) })
	s.index()
	return s, nil
}

// Digest is the digest of the bundle that s was compiled from.
func (s *Set) Digest() [32]byte { return s.digest }

// Len is the number of policies.
func (s *Set) Len() int { return len(s.rules) }

// Depends says what any policy on action a reads of a single execution.
func (s *Set) Depends(a Action) Depends {
	var reads attrSet
	for _, r := range s.byAction[a] {
		reads |= r.reads
	}
	return reads.depends()
}

// parseFile splits a file into policies. A syntax error ends the file.
func parseFile(name string, text []byte) (rules []*rule, problems []Problem) {
	defer func() {
		if r := recover(); r != nil { // the parser is not ours
			rules, problems = nil, []Problem{{File: name, Message: "policies cannot be read"}}
		}
	}()
	if line, message := tooMuch(text); message != "" {
		return nil, []Problem{{File: name, Line: line, Message: message}}
	}
	list, err := cedar.NewPolicyListFromBytes(name, text)
	if err != nil {
		return nil, []Problem{syntaxProblem(name, text, err)}
	}
	for _, p := range list {
		rules = append(rules, &rule{
			file: name,
			text: untilSemicolon(text[p.Position().Offset:]),
			ast:  (*internalast.Policy)(p.AST()),
		})
	}
	return rules, nil
}

var (
	inputPosition = regexp.MustCompile(`<input>:(\d+):(\d+):? ?`)
	quotedToken   = regexp.MustCompile(`^parse error at ("(?:[^"\\]|\\.)*")?: ?`)
	wrongToken    = regexp.MustCompile(`^(?:exact got (\S*) want (\S+)|unexpected effect: (\S+))$`)
)

// syntaxProblem takes the position out of a parser error. For some errors the parser names
// the token after the wrong one; then the position is moved back.
func syntaxProblem(name string, text []byte, err error) Problem {
	message := strings.TrimPrefix(err.Error(), "parser error: ")
	p := Problem{File: name, Line: 1, Column: 1}
	if m := inputPosition.FindStringSubmatch(message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		message = inputPosition.ReplaceAllString(message, "")
	}
	message = quotedToken.ReplaceAllString(message, "")
	m := wrongToken.FindStringSubmatch(message)
	switch {
	case m == nil:
	case m[3] != "":
		p.moveBack(text, m[3])
		message = fmt.Sprintf("expected permit or forbid, found %q", m[3])
	case m[1] == "":
		message = fmt.Sprintf("expected %q, found the end of the file", m[2])
	default:
		p.moveBack(text, m[1])
		message = fmt.Sprintf("expected %q, found %q", m[2], m[1])
	}
	p.Message = "syntax: " + message
	return p
}

// moveBack moves p to the last token before it.
func (p *Problem) moveBack(text []byte, token string) {
	offset, line := 0, 1
	for line < p.Line {
		nl := bytes.IndexByte(text[offset:], '\n')
		if nl < 0 {
			return
		}
		offset += nl + 1
		line++
	}
	for range p.Column - 1 {
		_, size := utf8.DecodeRune(text[offset:])
		offset += size
	}
	at := bytes.LastIndex(text[:min(offset, len(text))], []byte(token))
	if at < 0 {
		return
	}
	before := text[:at]
	p.Line = 1 + bytes.Count(before, []byte("\n"))
	p.Column = 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

// add checks one policy and keeps it.
func (s *Set) add(r *rule, v *validate.Validator) []Problem {
	var problems []Problem
	var faults []fault
	r.obligations, faults = readAnnotations(r.ast)
	for _, f := range faults {
		problems = append(problems, r.problem(f.position(r.text), f.message, f.hint))
	}
	if other, ok := s.byID[r.id]; ok && r.id != "" {
		problems = append(problems, r.problem(fault{name: annotID}.position(r.text), fmt.Sprintf("duplicate @id %q", r.id),
			fmt.Sprintf("first used in %s:%d", other.file, other.ast.Position.Line)))
	} else {
		s.byID[r.id] = r
	}
	problems = append(problems, r.validate(v)...)
	r.reads, _, _ = contextReads(r.ast)
	r.fallible = mayFail(r.ast)
	s.rules = append(s.rules, r)
	return problems
}

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

// mayFail reports whether a valid policy may still fail when it is evaluated: integers and
// dates overflow, and entities that are named in a policy have no attributes here.
func mayFail(p *internalast.Policy) bool {
	found := false
	for _, c := range p.Conditions {
		internalast.Inspect(internalast.NewNode(c.Body), func(n internalast.IsNode) bool {
			switch t := n.(type) {
			case internalast.NodeTypeAdd, internalast.NodeTypeSub, internalast.NodeTypeMult, internalast.NodeTypeNegate,
				internalast.NodeTypeExtensionCall, internalast.NodeTypeGetTag:
				found = true
			case internalast.NodeTypeAccess:
				_, plain := t.Arg.(internalast.NodeTypeVariable)
				found = found || !plain
			}
			return !found
		})
	}
	return found
}
