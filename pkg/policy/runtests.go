package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Result is the outcome of one test of a bundle.
type Result struct {
	File   string
	Line   int
	Name   string
	Passed bool
	Want   string
	Got    string
	Detail string // the reason of the decision, or why the test cannot be run
}

// TestBundle compiles the policies of b and runs all its tests, in the order of the files.
// Unlike Compile it returns the results of failing tests instead of refusing; the error is a
// *BundleError for policies that do not compile and test files that cannot be read.
func TestBundle(b Bundle) ([]Result, error) {
	s, err := compilePolicies(b)
	if err != nil {
		return nil, err
	}
	var results []Result
	var problems []Problem
	for _, name := range b.names() {
		if !isTestFile(name) {
			continue
		}
		found, err := RunTests(s, name, b.Files[name])
		var refused *BundleError
		if errors.As(err, &refused) {
			problems = append(problems, refused.Problems...)
		}
		results = append(results, found...)
	}
	return results, refusal(problems)
}

// RunTests runs the tests in text, the content of the file name, against s. The error is a
// *BundleError where the file cannot be read.
func RunTests(s *Set, name string, text []byte) ([]Result, error) {
	f, problem := parseTestFile(name, text)
	if problem != nil {
		return nil, refusal([]Problem{*problem})
	}
	results := make([]Result, 0, len(f.Tests))
	for i := range f.Tests {
		c := &f.Tests[i]
		r := Result{File: name, Line: f.lines[i], Name: c.Name, Want: c.want()}
		if err := f.run(s, c, &r); err != nil {
			r.Passed, r.Got, r.Detail = false, "error", err.Error()
		}
		results = append(results, r)
	}
	return results, nil
}

// testProblems are the failing tests of a file.
func (s *Set) testProblems(name string, text []byte) []Problem {
	results, err := RunTests(s, name, text)
	var refused *BundleError
	if errors.As(err, &refused) {
		return refused.Problems
	}
	var problems []Problem
	for _, r := range results {
		if r.Passed {
			continue
		}
		problems = append(problems, Problem{
			File: r.File, Line: r.Line,
			Message: fmt.Sprintf("test %q: want %s, got %s", r.Name, r.Want, r.Got), Hint: r.Detail,
		})
	}
	return problems
}

// run decides one test and compares.
func (f *testFile) run(s *Set, c *testCase, r *Result) error {
	if err := c.check(s); err != nil {
		return err
	}
	e, err := f.evaluator(s, c)
	if err != nil {
		return err
	}
	m, err := c.With.moment()
	if err != nil {
		return err
	}
	actions := c.actions()
	facts, err := c.facts(actions[0])
	if err != nil {
		return err
	}
	entity, err := c.about(actions)
	if err != nil {
		return err
	}
	if c.Expect == "mask" || c.Expect == "reveal" {
		masking := e.Reveal(m, facts, entity)
		r.Got, r.Passed = c.compareMasking(masking)
		return nil
	}
	questions := make([]Question, len(actions))
	for i, a := range actions {
		questions[i] = Question{Action: a, Entity: entity, Equality: c.With.Statement.Equality}
	}
	m.Approvals = inAskedHours(m.Approvals, e.Decide(Moment{Now: m.Now, InTransaction: m.InTransaction, Rows: m.Rows}, facts, questions...))
	d := e.Decide(m, facts, questions...)
	r.Got, r.Passed = c.compare(d)
	r.Detail = d.Reason
	return nil
}

// inAskedHours takes the approvals that a test gives as given in the hours that policy asks for.
func inAskedHours(given []Approval, asked Decision) []Approval {
	for i := range given {
		for _, w := range asked.Approvals {
			if w.Group == given[i].Group {
				given[i].Hours = w.Hours
			}
		}
	}
	return given
}

// check refuses a test that cannot mean what it says.
func (c *testCase) check(s *Set) error {
	actions := c.actions()
	masking := c.Expect == "mask" || c.Expect == "reveal"
	switch {
	case c.Name == "":
		return errors.New("test has no name")
	case (c.Action == "") == (len(c.Actions) == 0):
		return errors.New("give either action or actions")
	case !masking && c.Expect != "allow" && c.Expect != "deny" && c.Expect != "hold":
		return errors.New("expect is one of allow, deny, hold, reveal or mask")
	case masking != (len(actions) == 1 && actions[0].reveals()):
		return fmt.Errorf("expect reveal or mask goes with action %s, %s or %s and no other", SQLReveal, K8sReveal, AWSReveal)
	case (c.Mask != "") != (c.Expect == "mask"):
		return errors.New("mask goes with expect: mask")
	case len(c.Approvals) > 0 && c.Expect != "hold":
		return errors.New("approvals go with expect: hold; those already given go into with.approvals")
	}
	for _, a := range actions {
		if !a.Askable() {
			return fmt.Errorf("unknown action %q", a)
		}
		if a.family() != actions[0].family() {
			return fmt.Errorf("%s and %s are never asked together", actions[0], a)
		}
	}
	for _, id := range c.Policies {
		if s.byID[id] == nil {
			return fmt.Errorf("unknown policy %q", id)
		}
	}
	return nil
}

func (c *testCase) actions() []Action {
	if c.Action != "" {
		return []Action{Action(c.Action)}
	}
	out := make([]Action, len(c.Actions))
	for i, a := range c.Actions {
		out[i] = Action(a)
	}
	return out
}

func (f *testFile) evaluator(s *Set, c *testCase) (*Evaluator, error) {
	who, err := f.principal(c.Principal)
	if err != nil {
		return nil, err
	}
	r, ok := f.Resources[c.Resource]
	if !ok {
		return nil, fmt.Errorf("unknown resource %q", c.Resource)
	}
	o, err := c.With.origin()
	if err != nil {
		return nil, err
	}
	return s.For(who, Resource{Name: ResourceName(c.Resource), Kind: r.Kind, Labels: r.Labels, Role: r.Role.role()}, o)
}

// principal is the one that the file names so, with those it acts for.
func (f *testFile) principal(name string) (Principal, error) {
	p, ok := f.Principals[name]
	if !ok {
		return Principal{}, fmt.Errorf("unknown principal %q", name)
	}
	out := Principal{
		Kind: p.Kind, ID: cmp.Or(p.ID, name), Name: p.Name, Email: p.Email, Issuer: p.Issuer,
		Groups: p.Groups, Attrs: p.Attrs, OnBehalfOf: slices.Clone(p.OnBehalfOf),
	}
	for _, d := range p.ActsFor {
		if len(f.Principals[d].ActsFor) > 0 {
			return out, fmt.Errorf("principal %q acts for %q, who acts for others: name them all in acts_for of %q", name, d, name)
		}
		behind, err := f.principal(d)
		if err != nil {
			return out, fmt.Errorf("principal %q: acts_for: %w", name, err)
		}
		if !slices.Contains(out.OnBehalfOf, behind.ID) {
			out.OnBehalfOf = append(out.OnBehalfOf, behind.ID)
		}
		out.Delegators = append(out.Delegators, behind)
	}
	return out, nil
}

// about builds what the test asks about.
func (c *testCase) about(actions []Action) (Entity, error) {
	e, err := c.entity()
	if key := firstSet(c.Account); key != "" && actions[0].family() != familyCall {
		return e, fmt.Errorf("%s goes with aws: actions", key)
	}
	switch actions[0].family() {
	case familyAPI:
	case familyCall:
		return c.aws(actions)
	default:
		if key := firstSet(c.Cluster); err == nil && key != "" {
			err = fmt.Errorf("%s goes with k8s: actions", key)
		}
		return e, err
	}
	if key := firstSet(c.Database); key != "" {
		return e, fmt.Errorf("%s goes with sql: actions", key)
	}
	for _, a := range actions {
		if e, err = c.kubernetes(a); err != nil {
			return e, err
		}
	}
	return e, nil
}

// entity builds what the test asks about, apart from what is in a cluster.
func (c *testCase) entity() (Entity, error) {
	r, d := ResourceName(c.Resource), c.Database
	kind, text := "", ""
	for _, k := range []struct{ kind, text string }{
		{"schema", d.Schema}, {"table", d.Table}, {"column", d.Column}, {"function", d.Function}, {"setting", d.Setting},
	} {
		if k.text == "" {
			continue
		}
		if kind != "" {
			return Entity{}, fmt.Errorf("give one of %s and %s", kind, k.kind)
		}
		kind, text = k.kind, k.text
	}
	if kind == "" {
		return r.Itself(), nil
	}
	parts := map[string]int{"schema": 1, "table": 2, "column": 3, "function": 2, "setting": 0}[kind]
	path, ok := undotted(text)
	if parts > 0 && (!ok || len(path) != parts) {
		return Entity{}, fmt.Errorf("%s %q is not of the form %s", kind, text, strings.Join([]string{"schema", "name", "column"}[:parts], "."))
	}
	switch kind {
	case "schema":
		return r.Schema(path[0]), nil
	case "table":
		return r.Table(path[0], path[1], TableInfo{System: d.System}), nil
	case "column":
		return r.Column(path[0], path[1], path[2], TableInfo{System: d.System}, c.Classes...), nil
	case "function":
		return r.Function(path[0], path[1], FunctionInfo{Builtin: d.Builtin, Opaque: d.Opaque, Dangerous: d.Dangerous}), nil
	}
	return r.Setting(text), nil
}

// want is the expectation as Result shows it.
func (c *testCase) want() string {
	approvals, err := parseApprovalList(c.Approvals)
	text := c.Expect
	switch {
	case err != nil:
		text += " needing " + strings.Join(c.Approvals, ", ")
	case len(approvals) > 0:
		text += " needing " + approversText(approvals)
	}
	if c.Mask != "" {
		text += " " + c.Mask
	}
	return text + byPolicies(c.Policies)
}

// approversText leaves the hours out: a test says who must agree.
func approversText(as []Approval) string {
	parts := make([]string, len(as))
	for i, a := range as {
		parts[i] = a.who()
	}
	return strings.Join(parts, ", ")
}

func (c *testCase) compare(d Decision) (got string, passed bool) {
	got = d.Effect.String()
	if len(c.Approvals) > 0 && d.Effect == Hold {
		got += " needing " + approversText(d.Approvals)
	}
	if c.Policies != nil {
		got += byPolicies(append([]string{}, d.PolicyIDs...))
	}
	return got, got == c.want()
}

func (c *testCase) compareMasking(m Masking) (got string, passed bool) {
	got = "reveal"
	if m.Kind != MaskReveal {
		got = "mask " + m.Mask.String()
	}
	if c.Policies != nil {
		got += byPolicies(append([]string{}, m.PolicyIDs...))
	}
	return got, got == c.want()
}

// byPolicies names the policies that determine a verdict. A nil list says nothing; an empty
// one says that no policy does.
func byPolicies(ids []string) string {
	if ids == nil {
		return ""
	}
	if len(ids) == 0 {
		return " by no policy"
	}
	return " by " + strings.Join(slices.Sorted(slices.Values(ids)), ", ")
}
