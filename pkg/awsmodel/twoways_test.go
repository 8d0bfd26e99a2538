package awsmodel

import (
	"errors"
	"strings"
	"testing"
)

// TestReadTwoWays: what AWS's parser could read otherwise than this one is refused, and what only looks like it is read.
func TestReadTwoWays(t *testing.T) {
	m := model(t)
	deletion := func(text string) Request {
		return Request{Method: "POST", Path: "/bkt", Query: "delete=", Service: "s3", Header: header("Content-Type", "application/xml"), Body: body(text)}
	}
	secret := func(text string) Request { return jsonCall("secretsmanager", "secretsmanager.GetSecretValue", text) }
	tags := func(text string) Request { return formCall("iam", "2010-05-08", "Action=TagUser&UserName=u&"+text) }
	const one = `<Object><Key>a</Key></Object>`
	for _, c := range []struct {
		name string
		r    Request
		ok   bool
	}{
		{"XML", deletion(`<Delete>` + one + `</Delete>`), true},
		{"a namespace for all", deletion(`<Delete xmlns="urn:x">` + one + `</Delete>`), true},
		{"a namespace by a prefix for all", deletion(`<x:Delete xmlns:x="urn:x"><x:Object><x:Key>a</x:Key></x:Object></x:Delete>`), true},
		{"another namespace inside", deletion(`<Delete xmlns:e="urn:x"><e:Object><e:Key>a</e:Key></e:Object></Delete>`), false},
		{"a prefix of no namespace", deletion(`<Delete><e:Object><Key>a</Key></e:Object></Delete>`), false},
		{"a comment in a text", deletion(`<Delete><Object><Key>a<!-- -->b</Key></Object></Delete>`), false},
		{"a processing instruction in a text", deletion(`<Delete><Object><Key>a<?x?>b</Key></Object></Delete>`), false},
		{"an entity of its own", deletion(`<!DOCTYPE d [<!ENTITY k "a">]><Delete><Object><Key>&k;</Key></Object></Delete>`), false},
		{"another encoding", deletion(`<?xml version="1.0" encoding="UTF-16"?><Delete>` + one + `</Delete>`), false},
		{"UTF-7", deletion(`<?xml version="1.0" encoding="UTF-7"?><Delete>` + one + `</Delete>`), false},
		{"two documents", deletion(`<Delete>` + one + `</Delete><Delete>` + one + `</Delete>`), false},
		{"an attribute", deletion(`<Delete Quiet="true">` + one + `</Delete>`), false},
		{"a member twice", deletion(`<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>`), false},

		{"JSON", secret(`{"SecretId":"x"}`), true},
		{"an escaped name", secret(`{"\u0053ecretId":"x"}`), true},
		{"a pair of surrogates", secret(`{"SecretId":"\ud83d\ude00\\ud800"}`), true},
		{"half a pair", secret(`{"SecretId":"\ud83d"}`), false},
		{"the other half", secret(`{"SecretId":"\ude00x"}`), false},
		{"two first halves", secret(`{"SecretId":"\uD83D\ud83d\ude00"}`), false},
		{"a half before another escape", secret(`{"SecretId":"\ud83d\n"}`), false},
		{"a name twice, once escaped", secret(`{"\u0053ecretId":"x","SecretId":"y"}`), false},
		{"a name twice, once null", secret(`{"SecretId":null,"SecretId":"y"}`), false},
		{"a number for a text", secret(`{"SecretId":1}`), false},
		{"a list for a text", secret(`{"SecretId":["x"]}`), false},
		{"a name in another case", secret(`{"secretId":"x"}`), false},
		{"a byte order mark", secret("\ufeff" + `{"SecretId":"x"}`), false},
		{"a comment", secret(`{/**/"SecretId":"x"}`), false},
		{"a comma at the end", secret(`{"SecretId":"x",}`), false},
		{"two values", secret(`{"SecretId":"x"}{"SecretId":"y"}`), false},
		{"NUL behind", secret(`{"SecretId":"x"}` + "\x00"), false},
		{"not UTF-8", secret("{\"SecretId\":\"\xff\"}"), false},

		{"a form", tags("Tags.member.1.Key=k&Tags.member.1.Value=v"), true},
		{"a list that does not begin with 1", tags("Tags.member.2.Key=k&Tags.member.2.Value=v"), false},
		{"a list with a gap", tags("Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.3.Key=k&Tags.member.3.Value=v"), false},
		{"a list from 0", tags("Tags.member.0.Key=k&Tags.member.0.Value=v"), false},
		{"a list with zeroes before numbers", tags("Tags.member.01.Key=k&Tags.member.01.Value=v"), false},
		{"a list without its wrapper", tags("Tags.1.Key=k&Tags.1.Value=v"), false},
		{"a list as one value", tags("Tags=k"), false},
		{"a parameter twice, once encoded", tags("Tags.member.1.Key=k&Tags.member.1.%4bey=l&Tags.member.1.Value=v"), false},
		{"a semicolon between parameters", tags("Tags.member.1.Key=k;Tags.member.1.Value=v"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, err := m.Identify(c.r)
			var p Params
			if err == nil {
				p, err = m.Members(call, c.r.Body)
			}
			var refused *Error
			if err != nil && !errors.As(err, &refused) {
				t.Fatal(err)
			}
			if ok := err == nil && len(p.Unknown) == 0; ok != c.ok {
				t.Errorf("%v %v", err, p.Unknown)
			}
		})
	}
}

// TestSteeringHeaders: no header goes on by which a server on the way could take the request for another's.
func TestSteeringHeaders(t *testing.T) {
	m := model(t)
	for _, name := range []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "X-Original-Host", "X-Original-Url", "X-Http-Method-Override"} {
		r := jsonCall("secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"x"}`)
		r.Header[name] = []string{"x"}
		if _, err := m.Identify(r); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAccountOfCall: the account that a call says its resources are in.
func TestAccountOfCall(t *testing.T) {
	m := model(t)
	call, p := read(t, m, jsonCall("glue", "AWSGlue.GetDatabases", `{"CatalogId":"444455556666"}`))
	if got := m.Account(call, p); got != "444455556666" {
		t.Errorf("%q", got)
	}
	call, p = read(t, m, jsonCall("organizations", "AWSOrganizationsV20161128.DescribeAccount", `{"AccountId":"444455556666"}`))
	if got := m.Account(call, p); got != "" {
		t.Errorf("%q", got)
	}
}
