package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func TestRoleShowsItsStatements(t *testing.T) {
	var many []string
	for i := range 10 {
		many = append(many, fmt.Sprint("rds:Delete", i))
	}
	role := &accessv1.RoleAnalysis{
		RoleArn: "arn:aws:iam::123456789012:role/deploy", Known: true, Privileged: true, ActionCount: 11, Actions: many,
		Policies: []*accessv1.RolePolicy{{Use: "attached", Name: "RDS", Arn: "arn:aws:iam::aws:policy/RDS", Version: "v14"}, {Use: "inline", Name: "deploy"}},
		Statements: []*accessv1.RoleStatement{
			{Use: "attached", Policy: "RDS", PolicyArn: "arn:aws:iam::aws:policy/RDS", Version: "v14", AllResources: true, Text: `{"Effect":"Allow"}`,
				Actions: []*accessv1.PrivilegedActions{{Class: "destruction", Actions: many}, {Class: "credentials", Actions: many[:1]}}},
			{Use: "inline", Policy: "deploy", Index: 2, Sid: "Deploy", Conditional: true, Text: "{\n\"Effect\":\"Allow\x1b[2K\"}",
				Actions: []*accessv1.PrivilegedActions{{Class: "pass-role", Actions: []string{"iam:PassRole"}}}},
		},
	}
	var out bytes.Buffer
	p, err := output.New(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Fields(roleFields(role)...); err != nil {
		t.Fatal(err)
	}
	if err := showRole(p, role); err != nil {
		t.Fatal(err)
	}
	want := `role is:       privileged: 11 actions
policies read:
  | attached arn:aws:iam::aws:policy/RDS v14
  | inline deploy
boundary:      none
arn:aws:iam::123456789012:role/deploy is privileged by:
  attached arn:aws:iam::aws:policy/RDS v14, statement 0, on all resources
    destruction rds:Delete0, rds:Delete1, rds:Delete2, rds:Delete3, rds:Delete4, rds:Delete5, rds:Delete6, rds:Delete7 and 2 more
    credentials rds:Delete0
    | {"Effect":"Allow"}
  inline deploy, statement 2 (Deploy), under conditions, on some resources
    pass-role iam:PassRole
    | {
    | "Effect":"Allow\u{1b}[2K"}
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for text, r := range map[string]*accessv1.RoleAnalysis{
		"": nil, "not privileged": {Known: true}, "counts as privileged: AWS does not let Writ read its policies": {Privileged: true, Problem: "AWS does not let Writ read its policies"},
	} {
		if got := roleText(r); got != text {
			t.Errorf("%v: %q", r, got)
		}
		if err := showRole(p, r); err != nil || strings.Contains(out.String()[len(want):], "by:") {
			t.Errorf("%v: %v", r, err)
		}
	}
}
