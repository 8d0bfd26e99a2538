package iampolicy

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// What follows says what policies mean a second time, slowly: by regular expressions, and by asking about every request of a
// small world.

// statement is one statement of a random policy.
type statement struct {
	Effect                                   string
	Action, NotAction, Resource, NotResource []string                       `json:",omitempty"`
	Condition                                map[string]map[string][]string `json:",omitempty"`
}

// request is one request of the small world. All that its conditions may ask about is known.
type request struct {
	action, resource string
	context          Context
}

var (
	worldActions   = []string{"iam:PassRole", "iam:GetRole", "s3:PutBucketPolicy", "s3:GetObject", "s3:GetBucket", "rds:DeleteDBInstance"}
	worldResources = []string{"*", "arn:aws:s3:::b", "arn:aws:s3:::b/k", "arn:aws:iam::1:role/r", "arn:aws:rds:eu:1:db:one", "arn:aws:rds:us:1:db:two"}
	worldContexts  = []Context{
		{"k:text": {"x"}, "k:flag": {"true"}, "k:many": {"p", "q"}},
		{"k:text": {"xy"}, "k:flag": {"false"}, "k:many": {"q"}},
		{"k:text": {}, "k:flag": {}, "k:many": {}},
	}
	worldConditions = []map[string]map[string][]string{
		{"StringEquals": {"k:text": {"x", "z"}}},
		{"StringNotEquals": {"K:Text": {"x"}}},
		{"StringLikeIfExists": {"k:text": {"x?"}}},
		{"Bool": {"k:flag": {"true"}}},
		{"Null": {"k:flag": {"false"}}},
		{"ForAnyValue:StringEquals": {"k:many": {"p"}}},
		{"ForAllValues:StringEquals": {"k:many": {"q"}}, "Bool": {"k:flag": {"false"}}},
	}
)

func world() []request {
	var all []request
	for _, a := range worldActions {
		for _, r := range worldResources {
			for _, c := range worldContexts {
				all = append(all, request{a, r, c})
			}
		}
	}
	return all
}

func document(statements []statement) string {
	b, err := json.Marshal(map[string]any{"Version": Version2012, "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// compiled keeps regular expressions; tests run one after another.
var compiled = map[string]*regexp.Regexp{}

func matches(expression, s string) bool {
	if compiled[expression] == nil {
		compiled[expression] = regexp.MustCompile(expression)
	}
	return compiled[expression].MatchString(s)
}

// expression writes a pattern as a regular expression in which any stands for *.
func expression(pattern, any string) string {
	return strings.NewReplacer(`\*`, any, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
}

func matchesAction(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return matches(`(?is)^`+expression(p, `.*`)+`$`, action)
	})
}

// matchesResource says whether a resource is named, in two readings: wildcards that reach over colons, and those that do not.
func matchesResource(patterns []string, resource string) (over, within bool) {
	for _, p := range patterns {
		o := matches(`(?s)^`+expression(p, `.*`)+`$`, resource)
		over = over || o
		if !strings.HasPrefix(resource, "arn:") || strings.Trim(p, "*") == "" {
			within = within || o
			continue
		}
		parts, last := strings.SplitN(p, ":", 6), ""
		for len(parts) < 6 {
			parts = append(parts, "*")
		}
		last, parts = parts[5], parts[:5]
		e := strings.ReplaceAll(expression(strings.Join(parts, ":"), `[^:]*`), `.`, `[^:]`)
		// A dot of the names would have been quoted; there are none in this world.
		within = within || matches(`(?s)^`+e+`:`+expression(last, `.*`)+`$`, resource)
	}
	return over, within
}

// holds answers the conditions of the small world by hand.
func holds(condition map[string]map[string][]string, c Context) bool {
	text, flag, many := c["k:text"], c["k:flag"], c["k:many"]
	for operator := range condition {
		var met bool
		switch operator {
		case "StringEquals":
			met = slices.Equal(text, []string{"x"})
		case "StringNotEquals":
			met = !slices.Equal(text, []string{"x"})
		case "StringLikeIfExists":
			met = len(text) == 0 || text[0] == "xy"
		case "Bool":
			met = slices.Equal(flag, condition[operator]["k:flag"])
		case "Null":
			met = len(flag) > 0
		case "ForAnyValue:StringEquals":
			met = slices.Contains(many, "p")
		case "ForAllValues:StringEquals":
			met = !slices.Contains(many, "p")
		}
		if !met {
			return false
		}
	}
	return true
}

// applies says whether a statement is about a request, in both readings.
func (s statement) applies(r request) (over, within bool) {
	if s.NotAction != nil && matchesAction(s.NotAction, r.action) || s.NotAction == nil && !matchesAction(s.Action, r.action) {
		return false, false
	}
	if !holds(s.Condition, r.context) {
		return false, false
	}
	if s.NotResource != nil {
		over, within = matchesResource(s.NotResource, r.resource)
		return !over, !within
	}
	return matchesResource(s.Resource, r.resource)
}

// verdict says what a group of statements says to a request: whether one allows and whether one denies, in one reading,
// and whether the other reading of any statement differs.
func verdict(group []statement, r request) (allows, denies, ambiguous bool) {
	for _, s := range group {
		over, within := s.applies(r)
		ambiguous = ambiguous || over != within
		if s.Effect == "Allow" {
			allows = allows || over
		} else {
			denies = denies || over
		}
	}
	return allows, denies, ambiguous
}

// permitted says what AWS says to a request that each group must allow and none deny.
func permitted(groups [][]statement, r request) (ok, denied, ambiguous bool) {
	ok = true
	for _, g := range groups {
		allows, denies, unclear := verdict(g, r)
		ok, denied, ambiguous = ok && allows, denied || denies, ambiguous || unclear
	}
	return ok && !denied, denied, ambiguous
}
