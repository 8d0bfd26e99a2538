package policy

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits on a test file, which keep the YAML parser's work small.
const (
	maxTestFile    = 256 << 10 // bytes
	maxTestLine    = 2000      // bytes
	maxTestNesting = 20        // brackets within brackets
	maxTests       = 5000
)

// testFile is one *.yaml of a bundle.
type testFile struct {
	Principals map[string]testPrincipal `yaml:"principals"`
	Resources  map[string]testResource  `yaml:"resources"`
	Tests      []testCase               `yaml:"tests"`

	lines []int // the line of each test
}

type testPrincipal struct {
	Kind       string            `yaml:"kind"`
	ID         string            `yaml:"id"`
	Name       string            `yaml:"name"`
	Email      string            `yaml:"email"`
	Issuer     string            `yaml:"issuer"`
	Groups     []string          `yaml:"groups"`
	Attrs      map[string]string `yaml:"attrs"`
	OnBehalfOf []string          `yaml:"on_behalf_of"`
	ActsFor    []string          `yaml:"acts_for"` // other principals of the file, who proved who they are
}

type testResource struct {
	Kind   string            `yaml:"kind"`
	Labels map[string]string `yaml:"labels"`
	Role   *testRole         `yaml:"role"` // of an AWS account
}

// testCase asks one or more actions about one entity. At most one of Schema, Table, Column, Function, Setting, Object, Path
// and ARN is set, and Field only with Object or for aws:reveal; none is the resource itself.
type testCase struct {
	Name      string   `yaml:"name"`
	Principal string   `yaml:"principal"`
	Resource  string   `yaml:"resource"`
	Action    string   `yaml:"action"`
	Actions   []string `yaml:"actions"`

	Database testEntity `yaml:",inline"`
	Cluster  testObject `yaml:",inline"`
	Account  testThing  `yaml:",inline"`
	Classes  []string   `yaml:"classes"` // of a column or a field

	With testContext `yaml:"with"`

	Expect    string   `yaml:"expect"`
	Policies  []string `yaml:"policies"`
	Approvals []string `yaml:"approvals"`
	Mask      string   `yaml:"mask"`
}

// testEntity is something in a database.
type testEntity struct {
	Schema   string `yaml:"schema"`
	Table    string `yaml:"table"`
	Column   string `yaml:"column"`
	Function string `yaml:"function"`
	Setting  string `yaml:"setting"`

	System    bool `yaml:"system"`
	Builtin   bool `yaml:"builtin"`
	Opaque    bool `yaml:"opaque"`
	Dangerous bool `yaml:"dangerous"`
}

// testContext sets what differs from the defaults: Monday 2026-01-05 12:00 UTC, no WHERE, an unknown number of rows, a known
// body, everything else empty or false.
type testContext struct {
	Statement testStatement `yaml:",inline"`
	Request   testRequest   `yaml:",inline"`
	Call      testCall      `yaml:",inline"`

	At          string   `yaml:"at"`
	Application string   `yaml:"application"`
	ClientIP    string   `yaml:"client_ip"`
	Reason      string   `yaml:"reason"`
	Ticket      string   `yaml:"ticket"`
	BreakGlass  bool     `yaml:"break_glass"`
	Duration    string   `yaml:"duration"`
	Actions     []string `yaml:"actions"`
	Approvals   []string `yaml:"approvals"`
}

// testStatement is what a test may say of an SQL statement.
type testStatement struct {
	Kind          string   `yaml:"kind"`
	Where         bool     `yaml:"where"`
	Rows          *int64   `yaml:"rows"`
	InTransaction bool     `yaml:"in_transaction"`
	Multi         bool     `yaml:"multi"`
	Dynamic       bool     `yaml:"dynamic"`
	Equality      bool     `yaml:"equality"`
	Tables        []string `yaml:"tables"`
	Columns       []string `yaml:"columns"`
	Functions     []string `yaml:"functions"`
}

// parseTestFile reads a test file strictly: unknown and repeated keys are problems.
func parseTestFile(name string, text []byte) (f *testFile, problem *Problem) {
	defer func() {
		if r := recover(); r != nil { // the parser is not ours
			f, problem = nil, &Problem{File: name, Message: "tests cannot be read"}
		}
	}()
	if line, message := unreadable(text); message != "" {
		return nil, &Problem{File: name, Line: line, Message: message}
	}
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlProblem(name, err)
	}
	if len(doc.Docs) > 1 {
		return nil, &Problem{File: name, Message: "more than one YAML document"}
	}
	f = &testFile{}
	if len(doc.Docs) == 0 || doc.Docs[0].Body == nil {
		return f, nil
	}
	body := doc.Docs[0].Body
	if line := referenceLine(body); line > 0 {
		return nil, &Problem{File: name, Line: line, Message: "anchors, aliases, tags and merges are not allowed"}
	}
	if err := yaml.NodeToValue(body, f, yaml.Strict()); err != nil {
		return nil, yamlProblem(name, err)
	}
	if len(f.Tests) > maxTests {
		return nil, &Problem{File: name, Message: fmt.Sprintf("%d tests; at most %d are possible", len(f.Tests), maxTests)}
	}
	f.lines = testLines(body, len(f.Tests))
	return f, nil
}

// unreadable finds text that is too large or too deep to be parsed.
func unreadable(text []byte) (line int, message string) {
	if len(text) > maxTestFile {
		return 0, fmt.Sprintf("test file is larger than %d bytes", maxTestFile)
	}
	depth := 0
	for i, l := range bytes.Split(text, []byte("\n")) {
		if len(l) > maxTestLine {
			return i + 1, fmt.Sprintf("line is longer than %d bytes", maxTestLine)
		}
		for _, c := range l {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
			if depth > maxTestNesting {
				return i + 1, fmt.Sprintf("brackets nest deeper than %d", maxTestNesting)
			}
		}
	}
	return 0, ""
}

// yamlProblem takes the position out of a YAML error.
func yamlProblem(name string, err error) *Problem {
	p := &Problem{File: name, Message: "yaml: " + strings.SplitN(err.Error(), "\n", 2)[0]}
	var located yaml.Error
	if errors.As(err, &located) {
		p.Message = "yaml: " + located.GetMessage()
		if t := located.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}

type lineFinder func(ast.Node) ast.Visitor

// Visit implements ast.Visitor.
func (f lineFinder) Visit(n ast.Node) ast.Visitor { return f(n) }

// referenceLine is the line of the first anchor, alias, tag or merge key, 0 without one.
func referenceLine(body ast.Node) int {
	line := 0
	var visit lineFinder
	visit = func(n ast.Node) ast.Visitor {
		switch n.(type) {
		case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
			if line == 0 {
				line = max(nodeLine(n), 1)
			}
		}
		return visit
	}
	ast.Walk(visit, body)
	return line
}

func nodeLine(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// testLines finds the line on which each of n tests begins.
func testLines(body ast.Node, n int) []int {
	lines := make([]int, n)
	values := []*ast.MappingValueNode{}
	switch b := body.(type) {
	case *ast.MappingNode:
		values = b.Values
	case *ast.MappingValueNode:
		values = append(values, b)
	}
	for _, v := range values {
		seq, ok := v.Value.(*ast.SequenceNode)
		if !ok || v.Key.String() != "tests" {
			continue
		}
		for i, item := range seq.Values {
			if i < n {
				lines[i] = nodeLine(item)
			}
		}
	}
	return lines
}

// defaultTestTime is a Monday.
var defaultTestTime = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func (c testContext) moment() (Moment, error) {
	m := Moment{Now: defaultTestTime, InTransaction: c.Statement.InTransaction}
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			return m, fmt.Errorf("with.at %q is not of the form 2026-01-05T12:00:00Z", c.At)
		}
		m.Now = at
	}
	if rows := c.Statement.Rows; rows != nil {
		if *rows < 0 {
			return m, errors.New("with.rows is negative; leave it out where the number is unknown")
		}
		m.Rows = KnownRows(*rows)
	}
	var err error
	if m.Approvals, err = parseApprovalList(c.Approvals); err != nil {
		return m, fmt.Errorf("with.approvals: %w", err)
	}
	return m, nil
}

func (c testContext) origin() (Origin, error) {
	o := Origin{Application: c.Application, Reason: c.Reason, Ticket: c.Ticket, BreakGlass: c.BreakGlass}
	if c.ClientIP == "" {
		return o, nil
	}
	ip, err := netip.ParseAddr(c.ClientIP)
	if err != nil {
		return o, fmt.Errorf("with.client_ip %q is not an address", c.ClientIP)
	}
	o.ClientIP = ip
	return o, nil
}

// facts are those of an action that is not k8s:.
func (c testContext) facts(fam family) (*Facts, error) {
	if fam == familyStatement {
		s := c.Statement
		return Statement{
			Kind: s.Kind, Where: s.Where, Multi: s.Multi, Dynamic: s.Dynamic, Tables: s.Tables, Columns: s.Columns, Functions: s.Functions,
		}.Facts(), nil
	}
	asked := Asked{}
	for _, a := range c.Actions {
		if !Action(a).Known() {
			return nil, fmt.Errorf("with.actions: unknown action %q", a)
		}
		asked.Actions = append(asked.Actions, Action(a))
	}
	if c.Duration != "" {
		var err error
		if asked.Duration, err = time.ParseDuration(c.Duration); err != nil {
			return nil, fmt.Errorf("with.duration %q is not of the form 30m", c.Duration)
		}
	}
	if fam == familyOpening {
		return openingFacts, nil
	}
	return asked.Facts(), nil
}

func parseApprovalList(in []string) ([]Approval, error) {
	var out []Approval
	for _, text := range in {
		as, err := ParseApprovals(text)
		if err != nil {
			return nil, err
		}
		out = unite(out, as)
	}
	return out, nil
}
