package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
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

	privileged PrivilegedActions
}

// rule is one policy.
type rule struct {
	obligations
	file     string
	text     string // its source
	ast      *internalast.Policy
	reads    attrSet
	open     unknowns // what it reads that may be unknown to a k8s: question
	fallible bool     // evaluating it may fail, however complete the context is
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
		if name == PrivilegedFile {
			var found *Problem
			if s.privileged, found = readPrivileged(name, b.Files[name]); found != nil {
				problems = append(problems, *found)
			}
		}
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

// Depends says what any policy on action a reads of a single execution, and of what may be unknown when it is asked about.
func (s *Set) Depends(a Action) Depends {
	var reads attrSet
	var open unknowns
	for _, r := range s.byAction[a] {
		reads |= r.reads
		open |= r.open
	}
	return reads.depends() | (open & a.unknowable()).depends()
}

// CheckZones refuses a bundle that names a time zone which the time zone database here does not have. Compile does not
// ask for it: edges carry no such database, and never need one. The error is a *BundleError.
func (s *Set) CheckZones() error {
	var problems []Problem
	for _, r := range s.rules {
		if err := r.hours.CheckZones(); err != nil {
			at := fault{name: annotHours}.position(r.text)
			problems = append(problems, r.problem(at, fmt.Sprintf("@%s: %v", annotHours, err),
				`use a name such as "Europe/Berlin" or "UTC"`))
		}
	}
	return refusal(problems)
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
	values, flags := unknownsOf(eval.PolicyToNode(r.ast).AsIsNode())
	r.open = values | flags
	r.fallible = mayFail(r.ast)
	s.rules = append(s.rules, r)
	return problems
}
