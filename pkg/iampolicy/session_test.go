package iampolicy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSessionPolicy(t *testing.T) {
	statement := func(action, resource string) string {
		return `{"Effect":"Allow","Action":` + action + `,"Resource":` + resource + `}`
	}
	for _, c := range []struct {
		name        string
		permissions []Permission
		want        []string
	}{
		{"one", []Permission{{[]string{"s3:GetObject"}, []string{"arn:aws:s3:::b/*"}}}, []string{statement(`"s3:GetObject"`, `"arn:aws:s3:::b/*"`)}},
		{"everything", []Permission{{[]string{"*"}, []string{"*"}}}, []string{statement(`"*"`, `"*"`)}},
		{"covered", []Permission{{[]string{"s3:Get*", "s3:getobject", "s3:GetObject?*"}, []string{"*", "arn:aws:s3:::b"}}}, []string{statement(`"s3:Get*"`, `"*"`)}},
		{"near is not the same", []Permission{{[]string{"s3:GetObject", "s3:GetObjectAcl"}, []string{"arn:aws:s3:::b", "arn:aws:s3:::b/*"}}},
			[]string{statement(`["s3:GetObject","s3:GetObjectAcl"]`, `["arn:aws:s3:::b","arn:aws:s3:::b/*"]`)}},
		{"covered over a colon only", []Permission{{[]string{"*"}, []string{"arn:aws:s3:::b", "arn:aws:s3?::b", "arn:aws:s*:b"}}}, []string{statement(`"*"`, `["arn:aws:s*:b","arn:aws:s3:::b","arn:aws:s3?::b"]`)}},
		{"incomplete ARNs", []Permission{{[]string{"*"}, []string{"arn:aws:s*", "arn:aws:s3:*"}}}, []string{statement(`"*"`, `"arn:aws:s*"`)}},
		{"the same resources", []Permission{{[]string{"s3:GetObject"}, []string{"arn:a"}}, {[]string{"s3:PutObject"}, []string{"arn:a"}}}, []string{statement(`["s3:GetObject","s3:PutObject"]`, `"arn:a"`)}},
		{"the same actions", []Permission{{[]string{"s3:GetObject"}, []string{"arn:b"}}, {[]string{"S3:getObject"}, []string{"arn:a"}}}, []string{statement(`"S3:getObject"`, `["arn:a","arn:b"]`)}},
		{"within another", []Permission{{[]string{"s3:*"}, []string{"*"}}, {[]string{"s3:PutObject", "ec2:RunInstances"}, []string{"arn:a"}}},
			[]string{statement(`"ec2:RunInstances"`, `"arn:a"`), statement(`"s3:*"`, `"*"`)}},
		{"crosswise", []Permission{{[]string{"s3:GetObject"}, []string{"arn:a"}}, {[]string{"s3:PutObject"}, []string{"arn:b"}}},
			[]string{statement(`"s3:GetObject"`, `"arn:a"`), statement(`"s3:PutObject"`, `"arn:b"`)}},
		{"plain characters", []Permission{{[]string{"s3:GetObject"}, []string{Literal("arn:aws:s3:::b/${aws:username}?*\"é𝄞")}}},
			[]string{statement(`"s3:GetObject"`, `"arn:aws:s3:::b/${$}{aws:username}${?}${*}\"\u00e9\ud834\udd1e"`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := SessionPolicy(c.permissions...)
			want := `{"Version":"2012-10-17","Statement":[` + strings.Join(c.want, ",") + `]}`
			if err != nil || string(got) != want {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
		})
	}
}

func TestSessionPolicyRefuses(t *testing.T) {
	for name, p := range map[string][]Permission{
		"nothing":              nil,
		"no actions":           {{nil, []string{"*"}}},
		"no resources":         {{[]string{"s3:*"}, nil}},
		"a second one empty":   {{[]string{"s3:*"}, []string{"*"}}, {}},
		"no action":            {{[]string{"GetObject"}, []string{"*"}}},
		"an empty action":      {{[]string{""}, []string{"*"}}},
		"no ARN":               {{[]string{"s3:*"}, []string{"b/*"}}},
		"an empty resource":    {{[]string{"s3:*"}, []string{""}}},
		"a variable":           {{[]string{"s3:*"}, []string{"arn:aws:s3:::${aws:username}"}}},
		"a variable, not shut": {{[]string{"s3:*"}, []string{"arn:aws:s3:::${"}}},
		"a hidden variable":    {{[]string{"s3:*"}, []string{"arn:aws:s3:::$${*}{aws:username}"}}},
		"a control character":  {{[]string{"s3:*"}, []string{"arn:aws:s3:::\x00"}}},
		"no text":              {{[]string{"s3:*"}, []string{"arn:aws:s3:::\xff"}}},
	} {
		if got, err := SessionPolicy(p...); !errors.Is(err, ErrScope) || got != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestSessionPolicyThatDoesNotFit(t *testing.T) {
	fits := Permission{Actions: []string{"s3:GetObject"}}
	var size *SizeError
	for i := 0; ; i++ {
		fits.Resources = append(fits.Resources, fmt.Sprintf("arn:aws:s3:::bucket-%03d/*", i))
		got, err := SessionPolicy(fits)
		if err == nil && len(got) <= MaxSessionPolicy && i < 200 {
			continue
		}
		if got != nil || !errors.As(err, &size) || !errors.Is(err, ErrTooLarge) || size.Limit != MaxSessionPolicy || size.Size <= size.Limit || size.Size > size.Limit+30 {
			t.Fatalf("%d resources: %v", i, err)
		}
		break
	}
	// What is covered costs nothing.
	fits.Resources = append(fits.Resources, "arn:aws:s3:::bucket-*")
	if got, err := SessionPolicy(fits); err != nil || strings.Contains(string(got), "bucket-000") {
		t.Errorf("%s, %v", got, err)
	}
}

// The policy allows what was asked for and nothing else, and does not depend on the order of asking.
func TestRandomSessionPolicy(t *testing.T) {
	actions := append([]string{"s3:PutObject", "ec2:RunInstances"}, worldActions...)
	resources := append([]string{"arn:aws:s3:::b/k?", "arn:aws:s3:::b/$k", "arn:aws:s3:::c"}, worldResources[1:]...)
	permission := rapid.Custom(func(t *rapid.T) Permission {
		p := Permission{Actions: rapid.SliceOfN(patternOf(actions, true), 1, 4).Draw(t, "actions")}
		for _, r := range rapid.SliceOfN(patternOf(resources, false), 1, 4).Draw(t, "resources") {
			if !strings.HasPrefix(r, "arn:") {
				r = "*"
			}
			p.Resources = append(p.Resources, r)
		}
		return p
	})
	rapid.Check(t, func(rt *rapid.T) {
		permissions := rapid.SliceOfN(permission, 1, 5).Draw(rt, "permissions")
		got, err := SessionPolicy(permissions...)
		if err != nil {
			rt.Fatal(err)
		}
		again, err := SessionPolicy(rapid.Permutation(permissions).Draw(rt, "order")...)
		if err != nil || !bytes.Equal(got, again) {
			rt.Fatalf("another order: %s, before %s, %v", again, got, err)
		}
		role := inline(t, string(got))
		for _, a := range actions {
			for _, r := range append(slices.Clone(resources), "*") {
				asked, unclear := false, false
				for _, p := range permissions {
					over, within := matchesResource(p.Resources, r)
					asked = asked || matchesAction(p.Actions, a) && over
					unclear = unclear || over != within
				}
				d, err := Evaluate(role, a, r, nil)
				if err != nil || (d.Outcome == Permit) != asked && !unclear || d.Outcome == Permit && !asked {
					rt.Fatalf("%s on %s: %s, asked for: %t, in %s, %v", a, r, d.Outcome, asked, got, err)
				}
			}
		}
	})
}

// A literal allows itself alone.
func TestRandomLiteral(t *testing.T) {
	name := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?${}é")), 0, 8, -1)
	rapid.Check(t, func(rt *rapid.T) {
		one, other := "arn:aws:s3:::"+name.Draw(rt, "one"), "arn:aws:s3:::"+name.Draw(rt, "other")
		got, err := SessionPolicy(Permission{[]string{"s3:GetObject"}, []string{Literal(one)}})
		if err != nil {
			rt.Fatal(err)
		}
		role := inline(t, string(got))
		for _, r := range []string{one, other} {
			if d, err := Evaluate(role, "s3:GetObject", r, nil); err != nil || (d.Outcome == Permit) != (r == one) {
				rt.Fatalf("%s for %s: %s, %v", r, one, d.Outcome, err)
			}
		}
	})
}
