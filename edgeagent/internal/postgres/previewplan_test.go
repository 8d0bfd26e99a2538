package postgres

import (
	"strings"
	"testing"
)

const deletePlan = `[{"Plan": {"Node Type": "ModifyTable", "Operation": "Delete", "Relation Name": "orders", "Plan Rows": 0, "Plans": [
 {"Node Type": "Hash Join", "Parent Relationship": "Outer", "Plan Rows": 12, "Hash Cond": "(a.ssn = '123-45-6789')", "Plans": [
  {"Node Type": "Index Scan", "Parent Relationship": "Outer", "Relation Name": "orders", "Index Name": "orders_pkey", "Plan Rows": 300, "Filter": "(note = 'secret')"}]},
 {"Node Type": "Seq Scan", "Parent Relationship": "InitPlan", "Relation Name": "other", "Plan Rows": 5}]}}]`

func TestPlanInOutline(t *testing.T) {
	plans, err := parsePlan(deletePlan)
	if err != nil {
		t.Fatal(err)
	}
	want := "Delete on orders\n  Hash Join (rows about 12)\n    Index Scan on orders using orders_pkey (rows about 300)\n  Seq Scan on other (rows about 5)"
	if got := outline(plans); got != want || estimated(plans) != 12 {
		t.Fatalf("%g rows:\n%s", estimated(plans), got)
	}
	plans, _ = parsePlan(`[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 7}}]`)
	if estimated(plans) != 7 {
		t.Fatal(estimated(plans))
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(deletePlan)
	f.Add(`["Utility Statement"]`)
	f.Add(`[{"Plan": {"Plans": [` + strings.Repeat(`{"Plans": [`, 50))
	f.Fuzz(func(t *testing.T, text string) {
		plans, err := parsePlan(text)
		if err != nil {
			return
		}
		estimated(plans)
		if n := strings.Count(outline(plans), "\n"); n > maxPlanLines+strings.Count(text, "\\n") {
			t.Fatalf("%d lines", n)
		}
	})
}
