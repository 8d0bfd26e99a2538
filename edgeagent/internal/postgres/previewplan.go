package postgres

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// planNode is what is read of EXPLAIN (FORMAT JSON): no conditions and no values, which the rest of it holds.
type planNode struct {
	Type         string     `json:"Node Type"`
	Operation    string     `json:"Operation"`
	Relationship string     `json:"Parent Relationship"`
	Relation     string     `json:"Relation Name"`
	Index        string     `json:"Index Name"`
	Rows         float64    `json:"Plan Rows"`
	Plans        []planNode `json:"Plans"`
}

// Limits of a plan in outline.
const (
	maxPlanLines = 60
	maxPlanDepth = 20
)

// parsePlan returns the plans of a statement, of which rewrite rules can make several.
func parsePlan(text string) ([]planNode, error) {
	var out []struct {
		Plan *planNode `json:"Plan"`
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, fmt.Errorf("parse plan: %w", err)
	}
	var plans []planNode
	for _, o := range out {
		if o.Plan != nil {
			plans = append(plans, *o.Plan)
		}
	}
	return plans, nil
}

// estimated is how many rows the planner expects to change, or to return where nothing changes.
func estimated(plans []planNode) (rows float64) {
	for i := range plans {
		if n, writes := plans[i].changes(); writes {
			rows += n
		} else if len(plans) == 1 {
			rows = plans[i].Rows
		}
	}
	return rows
}

// changes sums what every node that changes a table is fed with.
func (n *planNode) changes() (rows float64, writes bool) {
	for i := range n.Plans {
		child := &n.Plans[i]
		if n.Type == "ModifyTable" && (child.Relationship == "Outer" || child.Relationship == "Member") {
			rows, writes = rows+child.Rows, true
		}
		more, deeper := child.changes()
		rows, writes = rows+more, writes || deeper
	}
	return rows, writes
}

// outline renders plans, a line for each step.
func outline(plans []planNode) string {
	var lines []string
	for i := range plans {
		lines = plans[i].outline(lines, 0)
	}
	if len(lines) > maxPlanLines {
		lines = append(lines[:maxPlanLines], "...")
	}
	return strings.Join(lines, "\n")
}

func (n *planNode) outline(lines []string, depth int) []string {
	if depth > maxPlanDepth || len(lines) > maxPlanLines {
		return lines
	}
	what := n.Type
	if n.Type == "ModifyTable" {
		what = n.Operation
	}
	line := strings.Repeat("  ", depth) + what
	if n.Relation != "" {
		line += " on " + n.Relation
	}
	if n.Index != "" {
		line += " using " + n.Index
	}
	if n.Type != "ModifyTable" {
		line += fmt.Sprintf(" (rows about %.0f)", n.Rows)
	}
	lines = append(lines, line)
	for i := range n.Plans {
		lines = n.Plans[i].outline(lines, depth+1)
	}
	return lines
}

// failures words why a look failed, by the target's code; its message could quote values.
var failures = map[pgwire.SQLState]string{
	pgwire.StateQueryCanceled: "it took too long", "55P03": "a lock is in the way", "42501": "the session's role may not read it",
	"25006": "it would write", "25P02": "what came before it failed",
}

func failure(code pgwire.SQLState) string {
	if why, ok := failures[code]; ok {
		return why
	}
	return "the target refused (SQLSTATE " + string(code) + ")"
}

// result is what the looks found.
func (v *viewing) result(block bool) (out enforce.Preview) {
	if v.estimate != nil && v.estimate.code == "" {
		if plans, err := parsePlan(v.estimate.value()); err == nil && len(plans) > 0 {
			rows := estimated(plans)
			out.EstimatedRows, out.Plan = &rows, outline(plans)
		}
	}
	if v.count != nil && v.count.code == "" {
		var rows int64
		if _, err := fmt.Sscan(v.count.value(), &rows); err == nil {
			out.ExactRows = &rows
		}
	}
	v.missed(v.estimate, out.EstimatedRows != nil, "not estimated: ")
	v.missed(v.count, out.ExactRows != nil, "not counted: ")
	found := "seen with the session's own rights"
	if block {
		found += " and within its transaction, uncommitted changes included"
	}
	if out.EstimatedRows == nil && out.ExactRows == nil {
		found = "no preview"
	}
	out.Detail = strings.Join(append([]string{found}, v.notes...), "; ")
	return out
}

func (v *viewing) missed(s *sight, found bool, what string) {
	if s != nil && !found {
		v.notes = append(v.notes, what+failure(s.code))
	}
}
