package iampolicy

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestParseReads(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		check     func(Policy) bool
	}{
		{"one statement", `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, func(p Policy) bool {
			return p.Version == Version2008 && len(p.Statements) == 1 && p.Statements[0].Effect == Allow
		}},
		{"lists", `{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"A","Effect":"Deny","NotAction":["a:b","c:*"],"NotResource":["arn:x","*"]}]}`, func(p Policy) bool {
			s := p.Statements[0]
			return p.Version == Version2012 && p.ID == "x" && s.Sid == "A" && s.Effect == Deny && s.Actions == nil && len(s.NotActions) == 2 && len(s.NotResources) == 2
		}},
		{"conditions", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":true},"NumericEquals":{"b":[1,"2"],"c":[]}}}}`, func(p Policy) bool {
			want := []Condition{{"Bool", "a", []string{"true"}}, {"NumericEquals", "b", []string{"1", "2"}}, {"NumericEquals", "c", nil}}
			return reflect.DeepEqual(p.Statements[0].Conditions, want)
		}},
		{"no conditions", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}}`, func(p Policy) bool {
			return p.Statements[0].onEverything()
		}},
		{"trust", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root","Service":["ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}}`, func(p Policy) bool {
			pr := p.Statements[0].Principal
			return pr != nil && !pr.Any && !pr.Not && len(pr.IDs) == 2 && pr.IDs["Service"][0] == "ec2.amazonaws.com"
		}},
		{"anyone", `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"a:b"},{"Effect":"Deny","NotPrincipal":{"AWS":["1","*"]},"Action":"a:b","Resource":"*"}]}`, func(p Policy) bool {
			return p.Statements[0].Principal.Any && p.Statements[1].Principal.Any && p.Statements[1].Principal.Not
		}},
		{"text", "\n{ \"Statement\" : [ {\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"\\u002a\"} , {\"Effect\":\"Deny\",\"Action\":\"a:b\",\"Resource\":\"*\"}]}", func(p Policy) bool {
			s := p.Statements[1]
			return s.Text == `{"Effect":"Deny","Action":"a:b","Resource":"*"}` && p.Text()[s.Start:s.End] == s.Text && s.Index == 1 && p.Statements[0].allResources()
		}},
	} {
		for _, doc := range []string{c.doc, url.PathEscape(c.doc), strings.ReplaceAll(url.QueryEscape(c.doc), "+", "%20")} {
			p, err := Parse([]byte(doc))
			if err != nil || !c.check(p) {
				t.Errorf("%s: %+v, %v", c.name, p, err)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	statement := func(rest string) string { return `{"Statement":{"Effect":"Allow",` + rest + `}}` }
	for name, doc := range map[string]string{
		"nothing":                  ``,
		"white space":              ` `,
		"not JSON":                 `{"Statement":`,
		"two documents":            statement(`"Action":"*","Resource":"*"`) + `{}`,
		"an array":                 `[]`,
		"a text":                   `"x"`,
		"no statement":             `{"Version":"2012-10-17"}`,
		"no statements":            `{"Statement":[]}`,
		"a statement that is text": `{"Statement":["x"]}`,
		"another version":          `{"Version":"2012-10-18","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		"a version that is null":   `{"Version":null,"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		"no effect":                `{"Statement":{"Action":"*","Resource":"*"}}`,
		"an effect in lower case":  `{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}`,
		"an element in lower case": statement(`"action":"*","Resource":"*"`),
		"an unknown element":       statement(`"Action":"*","Resource":"*","Actions":"*"`),
		"an unknown key":           `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"},"x":1}`,
		"an element twice":         statement(`"Action":"s3:*","Action":"*","Resource":"*"`),
		"an element twice, hidden": statement(`"Action":"s3:*","\u0041ction":"*","Resource":"*"`),
		"no action":                statement(`"Resource":"*"`),
		"no actions":               statement(`"Action":[],"Resource":"*"`),
		"both kinds of action":     statement(`"Action":"*","NotAction":"*","Resource":"*"`),
		"an action without name":   statement(`"Action":"s3","Resource":"*"`),
		"an empty action":          statement(`"Action":"","Resource":"*"`),
		"an action with a space":   statement(`"Action":"s3:Get Object","Resource":"*"`),
		"a long action":            statement(`"Action":"s3:` + strings.Repeat("a", maxAction) + `","Resource":"*"`),
		"a list in a list":         statement(`"Action":[["*"]],"Resource":"*"`),
		"an action of a number":    statement(`"Action":1,"Resource":"*"`),
		"no resource":              statement(`"Action":"*"`),
		"no resources":             statement(`"Action":"*","Resource":[]`),
		"a long resource":          statement(`"Action":"*","Resource":"` + strings.Repeat("*a", maxResource/2) + `*"`),
		"both kinds of resource":   statement(`"Action":"*","Resource":"*","NotResource":"*"`),
		"a resource of null":       statement(`"Action":"*","Resource":[null]`),
		"both kinds of principal":  statement(`"Action":"a:b","Principal":"*","NotPrincipal":"*"`),
		"a principal of text":      statement(`"Action":"a:b","Principal":"me"`),
		"a principal of no kind":   statement(`"Action":"a:b","Principal":{}`),
		"an unknown principal":     statement(`"Action":"a:b","Principal":{"aws":"*"}`),
		"conditions in a list":     statement(`"Action":"*","Resource":"*","Condition":[]`),
		"an operator without keys": statement(`"Action":"*","Resource":"*","Condition":{"Bool":{}}`),
		"an operator of text":      statement(`"Action":"*","Resource":"*","Condition":{"Bool":"x"}`),
		"a condition of null":      statement(`"Action":"*","Resource":"*","Condition":{"Bool":{"a":null}}`),
		"a condition of an object": statement(`"Action":"*","Resource":"*","Condition":{"Bool":{"a":{}}}`),
		"a key without name":       statement(`"Action":"*","Resource":"*","Condition":{"Bool":{"":"true"}}`),
		"a Sid twice":              `{"Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}]}`,
		"bytes that are not UTF-8": statement("\"Sid\":\"\xff\",\"Action\":\"*\",\"Resource\":\"*\""),
		"half a character":         statement(`"Sid":"\ud800","Action":"*","Resource":"*"`),
		"half an encoding":         `%7B%2`,
		"encoded twice":            url.PathEscape(url.PathEscape(statement(`"Action":"*","Resource":"*"`))),
	} {
		p, err := Parse([]byte(doc))
		if !errors.Is(err, ErrSyntax) || p.Statements != nil || strings.Contains(err.Error(), "Get Object") {
			t.Errorf("%s: %v, %+v", name, err, p)
		}
	}
	for name, doc := range map[string]string{
		"plain":   statement(`"Action":"*","Resource":"*"`) + strings.Repeat(" ", MaxDocument),
		"encoded": "%7B" + strings.Repeat("%20", MaxDocument),
		"decoded": "%7B" + strings.Repeat(" ", MaxDocument),
	} {
		if _, err := Parse([]byte(doc)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Limits are met before anything is made of what is over them.
func TestParseLimits(t *testing.T) {
	for doc, why := range map[string]string{
		`{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`: "nested over",
		`[` + strings.Repeat(`0,`, maxValues) + `0]`:                                  "over 50000 values",
	} {
		if _, err := Parse([]byte(doc)); !errors.Is(err, ErrSyntax) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["s3:*"],"Resource":"arn:aws:s3:::${aws:username}/*","Condition":{"Bool":{"aws:SecureTransport":true}}}]}`))
	f.Add([]byte(`%7B%22Statement%22%3A%7B%22Effect%22%3A%22Deny%22%2C%22NotAction%22%3A%22%2A%22%2C%22NotResource%22%3A%22${a, 'b'}%22%7D%7D`))
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`))
	c := Default()
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := Parse(doc)
		if err != nil {
			if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse([]byte(p.Text()))
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatal("another policy from its own text:", err)
		}
		for _, s := range p.Statements {
			if s.Text != p.Text()[s.Start:s.End] || s.Effect == 0 {
				t.Fatalf("%+v", s)
			}
		}
		r := Role{ARN: testRole, Inline: []Document{{Name: "fuzz", Policy: p}}}
		if _, err := Analyse(r, c); err != nil && !errors.Is(err, ErrRole) {
			t.Fatal(err)
		}
		if _, err := Evaluate(r, "s3:GetObject", "arn:aws:s3:::b/k", Context{"aws:username": {"u"}}); err != nil && !errors.Is(err, ErrRole) {
			t.Fatal(err)
		}
	})
}
