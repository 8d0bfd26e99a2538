package iampolicy

import (
	"errors"
	"fmt"
	"testing"
)

func parse(t testing.TB, doc string) Policy {
	t.Helper()
	p, err := Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func inline(t testing.TB, doc string) Role {
	t.Helper()
	return Role{ARN: testRole, Inline: []Document{{Name: "inline", Policy: parse(t, doc)}}}
}

func TestConditions(t *testing.T) {
	here := Context{
		"a": {"x"}, "both": {"x", "y"}, "none": {}, "n": {"10"}, "yes": {"true"}, "ip": {"10.1.2.3"}, "six": {"2001:db8::1"},
		"arn": {"arn:aws:iam::1:role/a:b"}, "t": {"2026-11-23T12:00:00Z"}, "bin": {"QUI="}, "star": {"*"}, "odd": {"?"}, "Case": {"Mixed"},
		"Twice": {"x"}, "TWICE": {"y"},
	}
	for _, c := range []struct {
		operator, key, value string
		want                 Truth
	}{
		{"StringEquals", "a", `"x"`, True},
		{"StringEquals", "A", `["z","x"]`, True},
		{"StringEquals", "a", `"X"`, False},
		{"StringEquals", "a", `"*"`, False},
		{"StringEquals", "star", `"*"`, True},
		{"StringEquals", "odd", `"?"`, True},
		{"StringEquals", "none", `"x"`, False},
		{"StringEquals", "unknown", `"x"`, Unknown},
		{"StringEquals", "both", `"x"`, Unknown},
		{"StringEquals", "a", `[]`, Unknown},
		{"StringEquals", "a", `"${a}"`, True},
		{"StringEquals", "a", `"${unknown}"`, Unknown},
		{"StringEquals", "a", `["x","${unknown}"]`, True},
		{"StringEquals", "a", `"${none, 'x'}"`, True},
		{"StringEquals", "a", `"${none}"`, Unknown},
		{"StringEquals", "a", `"${star}"`, Unknown},
		{"StringEquals", "star", `"${*}"`, True},
		{"StringLike", "star", `"${*}"`, True},
		{"StringLike", "a", `"${*}"`, False},
		{"StringNotEquals", "a", `["y","z"]`, True},
		{"StringNotEquals", "a", `["y","x"]`, False},
		{"StringNotEquals", "none", `"x"`, True},
		{"StringEqualsIfExists", "none", `"x"`, True},
		{"StringEqualsIfExists", "a", `"y"`, False},
		{"StringEqualsIfExists", "unknown", `"x"`, Unknown},
		{"StringEqualsIgnoreCase", "case", `"mIXED"`, True},
		{"StringNotEqualsIgnoreCase", "case", `"mIXED"`, False},
		{"StringLike", "case", `"M?x*"`, True},
		{"StringLike", "case", `"m?x*"`, False},
		{"StringNotLike", "case", `"M*"`, False},
		{"ForAnyValue:StringEquals", "both", `"y"`, True},
		{"ForAnyValue:StringEquals", "both", `"z"`, False},
		{"ForAnyValue:StringEquals", "none", `"z"`, False},
		{"ForAnyValue:StringEqualsIfExists", "none", `"z"`, True},
		{"ForAnyValue:StringNotEquals", "none", `"z"`, False},
		{"ForAnyValue:StringNotEquals", "both", `"x"`, True},
		{"ForAllValues:StringEquals", "both", `["x","y","z"]`, True},
		{"ForAllValues:StringEquals", "both", `"x"`, False},
		{"ForAllValues:StringEquals", "none", `"x"`, True},
		{"ForAllValues:StringNotEquals", "both", `"x"`, False},
		{"ForAllValues:StringNotEquals", "both", `"z"`, True},
		{"ForAllValues:StringLike", "unknown", `"*"`, Unknown},
		{"ForAllValues:ForAnyValue:StringLike", "a", `"*"`, Unknown},
		{"NumericEquals", "n", `10`, True},
		{"NumericEquals", "n", `"10.0"`, True},
		{"NumericNotEquals", "n", `10`, False},
		{"NumericLessThan", "n", `10`, False},
		{"NumericLessThanEquals", "n", `10`, True},
		{"NumericGreaterThan", "n", `9`, True},
		{"NumericGreaterThanEquals", "n", `11`, False},
		{"NumericEquals", "n", `"1e1"`, Unknown},
		{"NumericEquals", "a", `10`, Unknown},
		{"NumericNotEquals", "none", `10`, True},
		{"DateGreaterThan", "t", `"2026-11-23T11:59:59Z"`, True},
		{"DateLessThan", "t", `"2026-11-23"`, False},
		{"DateEquals", "t", `"1795435200"`, True},
		{"DateNotEquals", "t", `"2026-11-23T13:00+01:00"`, False},
		{"DateLessThanEquals", "t", `"soon"`, Unknown},
		{"Bool", "yes", `true`, True},
		{"Bool", "yes", `"False"`, False},
		{"Bool", "a", `true`, Unknown},
		{"Bool", "none", `"false"`, False},
		{"BoolIfExists", "none", `"false"`, True},
		{"Null", "none", `true`, True},
		{"Null", "a", `"true"`, False},
		{"Null", "a", `"false"`, True},
		{"Null", "unknown", `"false"`, Unknown},
		{"Null", "a", `"x"`, Unknown},
		{"ForAllValues:Null", "a", `"false"`, Unknown},
		{"IpAddress", "ip", `"10.0.0.0/8"`, True},
		{"IpAddress", "ip", `["192.168.0.0/16","10.1.2.3"]`, True},
		{"NotIpAddress", "ip", `"10.0.0.0/8"`, False},
		{"NotIpAddress", "none", `"10.0.0.0/8"`, True},
		{"IpAddress", "six", `"2001:db8::/32"`, True},
		{"IpAddress", "six", `"10.0.0.0/8"`, False},
		{"IpAddress", "ip", `"10"`, Unknown},
		{"IpAddress", "ip", `"10.0.0.0/99"`, Unknown},
		{"IpAddress", "a", `"10.0.0.0/8"`, Unknown},
		{"ArnLike", "arn", `"arn:aws:iam::*:role/*"`, True},
		{"ArnEquals", "arn", `"arn:*:iam::?:role/a:*"`, True},
		{"ArnLike", "arn", `"arn:aws:iam::*"`, Unknown},
		{"ArnNotLike", "arn", `"arn:aws:iam::2:*"`, True},
		{"ArnLike", "a", `"arn:*:*:*:*:*"`, False},
		{"ArnLike", "a", `"a:b:c:d:e:*"`, False},
		{"StringEquals", "twice", `"x"`, Unknown},
		{"StringEquals", "Twice", `"x"`, True},
		{"BinaryEquals", "bin", `"QUI="`, True},
		{"BinaryEquals", "bin", `"QUE="`, False},
		{"BinaryEquals", "bin", `"!"`, Unknown},
		{"stringequals", "a", `"x"`, Unknown},
		{"StringMatches", "a", `"x"`, Unknown},
	} {
		t.Run(fmt.Sprint(c.operator, " ", c.key, " ", c.value), func(t *testing.T) {
			p := parse(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{%q:{%q:%s}}}}`, c.operator, c.key, c.value))
			if got := p.Statements[0].Conditions[0].holds(here, p.Version); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestEvaluate(t *testing.T) {
	const bucket = "arn:aws:s3:::b/k"
	for _, c := range []struct {
		name, statements, action, resource string
		context                            Context
		want                               Outcome
	}{
		{"nothing", `{"Effect":"Allow","Action":"s3:Put*","Resource":"*"}`, "s3:GetObject", bucket, nil, ImplicitDeny},
		{"case of actions", `{"Effect":"Allow","Action":"S3:gEt*","Resource":"*"}`, "s3:GetObject", bucket, nil, Permit},
		{"case of resources", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::B/*"}`, "s3:GetObject", bucket, nil, ImplicitDeny},
		{"one character", `{"Effect":"Allow","Action":"s3:GetObjec?","Resource":"arn:aws:s3:::?/k"}`, "s3:GetObject", bucket, nil, Permit},
		{"left out", `{"Effect":"Allow","NotAction":["iam:*","s3:Get*"],"Resource":"*"}`, "s3:GetObject", bucket, nil, ImplicitDeny},
		{"not left out", `{"Effect":"Allow","NotAction":["iam:*"],"NotResource":"arn:aws:s3:::c/*"}`, "s3:GetObject", bucket, nil, Permit},
		{"deny wins", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`, "s3:GetObject", bucket, nil, ExplicitDeny},
		{"deny of others", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::b/*"}`, "s3:GetObject", bucket, nil, Permit},
		{"deny without allow", `{"Effect":"Deny","Action":"s3:*","Resource":"*"}`, "s3:GetObject", bucket, nil, ExplicitDeny},
		{"perhaps denied", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`, "s3:GetObject", bucket, nil, Undecided},
		{"perhaps denied, not allowed", `{"Effect":"Allow","Action":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"x":"false"}}}`, "s3:GetObject", bucket, nil, ImplicitDeny},
		{"perhaps allowed", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"x":"false"}}}`, "s3:GetObject", bucket, nil, Undecided},
		{"allowed otherwise", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"x":"false"}}},{"Effect":"Allow","Action":"*","Resource":"*"}`, "s3:GetObject", bucket, nil, Permit},
		{"a variable", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*"}`, "s3:GetObject", bucket, Context{"aws:UserName": {"b"}}, Permit},
		{"a variable not known", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*"}`, "s3:GetObject", bucket, nil, Undecided},
		{"a variable with a wildcard", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*"}`, "s3:GetObject", bucket, Context{"aws:username": {"*"}}, Undecided},
		{"a star that is one", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${*}/*"}`, "s3:GetObject", bucket, nil, ImplicitDeny},
		{"over colons", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:*:k"}`, "rds:X", "arn:aws:rds:eu-west-1:1:db:k", nil, Undecided},
		{"an incomplete ARN", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:rds:*"}`, "rds:X", "arn:aws:rds:eu-west-1:1:db:k", nil, Permit},
		{"a resource with colons", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:rds:*:*:db:k"}`, "rds:X", "arn:aws:rds:eu-west-1:1:db:k", nil, Permit},
		{"no resource", `{"Effect":"Allow","Action":"*","Resource":"arn:*"}`, "ec2:DescribeInstances", "*", nil, ImplicitDeny},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := inline(t, `{"Version":"2012-10-17","Statement":[`+c.statements+`]}`)
			d, err := Evaluate(r, c.action, c.resource, c.context)
			if err != nil || d.Outcome != c.want || (len(d.Because) == 0) != (c.want == ImplicitDeny) {
				t.Errorf("%s because of %v, %v; want %s", d.Outcome, d.Because, err, c.want)
			}
		})
	}
}

// In the old version of the language a variable is text.
func TestEvaluateOldVersion(t *testing.T) {
	r := inline(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*"}}`)
	for resource, want := range map[string]Outcome{"arn:aws:s3:::b/k": ImplicitDeny, "arn:aws:s3:::${aws:username}/k": Permit} {
		if d, err := Evaluate(r, "s3:GetObject", resource, Context{"aws:username": {"b"}}); err != nil || d.Outcome != want {
			t.Errorf("%s: %s, %v", resource, d.Outcome, err)
		}
	}
}

func TestEvaluateBounds(t *testing.T) {
	s3 := Document{Name: "s3", Policy: parse(t, `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)}
	all := Document{Name: "all", Policy: parse(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)}
	none := Document{Name: "none", Policy: parse(t, `{"Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}`)}
	for name, c := range map[string]struct {
		role Role
		want Outcome
	}{
		"inside":          {Role{ARN: testRole, Inline: []Document{all}, Boundary: &s3}, Permit},
		"outside":         {Role{ARN: testRole, Inline: []Document{all}, Boundary: &none}, ExplicitDeny},
		"gives nothing":   {Role{ARN: testRole, Boundary: &all}, ImplicitDeny},
		"every level":     {Role{ARN: testRole, Inline: []Document{all}, ServiceControl: [][]Document{{all}, {none, s3}}}, ExplicitDeny},
		"a level without": {Role{ARN: testRole, Inline: []Document{all}, ServiceControl: [][]Document{{all}, {{Name: "ec2", Policy: parse(t, `{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`)}}}}, ImplicitDeny},
	} {
		d, err := Evaluate(c.role, "s3:GetObject", "arn:aws:s3:::b/k", nil)
		if err != nil || d.Outcome != c.want {
			t.Errorf("%s: %s, %v", name, d.Outcome, err)
		}
	}
}

func TestRolesThatAreRefused(t *testing.T) {
	good := Document{Name: "good", Policy: parse(t, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)}
	trust := Document{Name: "trust", Policy: parse(t, `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`)}
	for name, r := range map[string]Role{
		"no name":                   {Inline: []Document{good}},
		"a policy without a name":   {ARN: testRole, Inline: []Document{{Policy: good.Policy}}},
		"no version":                {ARN: testRole, Attached: []Document{{ARN: "arn:aws:iam::aws:policy/x", Policy: good.Policy}}},
		"not parsed":                {ARN: testRole, Inline: []Document{{Name: "x"}}},
		"a boundary not parsed":     {ARN: testRole, Inline: []Document{good}, Boundary: &Document{Name: "x"}},
		"an empty level":            {ARN: testRole, Inline: []Document{good}, ServiceControl: [][]Document{{good}, {}}},
		"a trust policy":            {ARN: testRole, Inline: []Document{good, trust}},
		"a service control, unread": {ARN: testRole, Inline: []Document{good}, ServiceControl: [][]Document{{{Name: "x"}}}},
	} {
		a, err := Analyse(r, Default())
		if !errors.Is(err, ErrRole) || !a.Privileged() {
			t.Errorf("%s: %v, privileged %t", name, err, a.Privileged())
		}
		if d, err := Evaluate(r, "s3:GetObject", "*", nil); !errors.Is(err, ErrRole) || d.Outcome != ImplicitDeny {
			t.Errorf("%s: %v, %s", name, err, d.Outcome)
		}
	}
	if a, err := Analyse(Role{ARN: testRole, Inline: []Document{good}}, Catalog{}); !errors.Is(err, ErrCatalog) || !a.Privileged() {
		t.Error(err, a.Privileged())
	}
	if a, err := Analyse(Role{ARN: testRole}, Default()); err != nil || a.Privileged() {
		t.Error("a role without policies:", err, a.Privileged())
	}
}
