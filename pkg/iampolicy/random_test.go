package iampolicy

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// patternOf draws one of the words with parts of it replaced by wildcards, and its case changed where that is asked for.
func patternOf(words []string, anyCase bool) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		word := rapid.SampledFrom(words).Draw(t, "word")
		switch rapid.IntRange(0, 9).Draw(t, "how") {
		case 0:
			return "*"
		case 1, 2, 3:
			i := rapid.IntRange(strings.IndexByte(word+":", ':'), len(word)).Draw(t, "cut")
			word = word[:min(i+1, len(word))] + "*"
		case 4, 5:
			i := rapid.IntRange(0, len(word)-1).Draw(t, "from")
			j := rapid.IntRange(i, len(word)).Draw(t, "to")
			word = word[:i] + "*" + word[j:]
		case 6:
			i := rapid.IntRange(0, len(word)-1).Draw(t, "at")
			word = word[:i] + "?" + word[i+1:]
		}
		if anyCase && rapid.Bool().Draw(t, "upper") {
			word = strings.ToUpper(word)
		}
		if anyCase && !validAction(word) {
			return "*"
		}
		return word
	})
}

func drawStatement(t *rapid.T) statement {
	s := statement{Effect: rapid.SampledFrom([]string{"Allow", "Allow", "Allow", "Deny"}).Draw(t, "effect")}
	actions := rapid.SliceOfN(patternOf(worldActions, true), 1, 3).Draw(t, "actions")
	resources := []string{"*"}
	if rapid.IntRange(0, 2).Draw(t, "somewhere") == 0 {
		resources = rapid.SliceOfN(patternOf(worldResources[1:], false), 1, 2).Draw(t, "resources")
	}
	s.Action, s.Resource = actions, resources
	if rapid.IntRange(0, 3).Draw(t, "notAction") == 0 {
		s.Action, s.NotAction = nil, actions
	}
	if rapid.IntRange(0, 5).Draw(t, "notResource") == 0 {
		s.Resource, s.NotResource = nil, resources
	}
	if rapid.IntRange(0, 2).Draw(t, "conditional") == 0 {
		s.Condition = rapid.SampledFrom(worldConditions).Draw(t, "condition")
	}
	return s
}

// drawGroups draws identity policies, a boundary and a level of service control policies; the latter two may be nil.
func drawGroups(t *rapid.T) (identity, boundary, control []statement) {
	draw := func(name string, from int) []statement {
		return rapid.SliceOfN(rapid.Custom(drawStatement), from, 4).Draw(t, name)
	}
	identity = draw("identity", 1)
	if rapid.Bool().Draw(t, "bounded") {
		boundary = draw("boundary", 1)
	}
	if rapid.IntRange(0, 3).Draw(t, "controlled") == 0 {
		control = draw("control", 1)
	}
	return identity, boundary, control
}

func roleOf(t testing.TB, identity, boundary, control []statement) Role {
	r := Role{ARN: testRole}
	half := len(identity) / 2
	if half > 0 {
		r.Attached = []Document{{ARN: "arn:aws:iam::1:policy/p", Version: "v1", Policy: parse(t, document(identity[:half]))}}
	}
	r.Inline = []Document{{Name: "p", Policy: parse(t, document(identity[half:]))}}
	if boundary != nil {
		r.Boundary = &Document{Name: "b", Policy: parse(t, document(boundary))}
	}
	if control != nil {
		r.ServiceControl = [][]Document{{{Name: "s", Policy: parse(t, document(control))}}}
	}
	return r
}

func groupsOf(identity, boundary, control []statement) [][]statement {
	groups := [][]statement{identity}
	for _, g := range [][]statement{boundary, control} {
		if g != nil {
			groups = append(groups, g)
		}
	}
	return groups
}

// worldCatalog has every action of the small world, once by name and for one service as a pattern.
func worldCatalog(t testing.TB) Catalog {
	c, err := Catalog{}.With(append([]string{"S3:Get*"}, worldActions...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRandomEvaluate(t *testing.T) {
	requests := world()
	rapid.Check(t, func(rt *rapid.T) {
		identity, boundary, control := drawGroups(rt)
		r := roleOf(t, identity, boundary, control)
		for _, q := range requests {
			ok, denied, ambiguous := permitted(groupsOf(identity, boundary, control), q)
			d, err := Evaluate(r, q.action, q.resource, q.context)
			if err != nil {
				rt.Fatal(err)
			}
			want := ImplicitDeny
			if denied {
				want = ExplicitDeny
			} else if ok {
				want = Permit
			}
			if d.Outcome != want && !ambiguous {
				rt.Fatalf("%v: %s, want %s", q, d.Outcome, want)
			}
		}
	})
}

// Whatever the reference permits, the analysis names, and with the right verdict: nothing privileged goes unasked.
func TestRandomAnalyseMissesNothing(t *testing.T) {
	requests, c := world(), worldCatalog(t)
	rapid.Check(t, func(rt *rapid.T) {
		identity, boundary, control := drawGroups(rt)
		a, err := Analyse(roleOf(t, identity, boundary, control), c)
		if err != nil {
			rt.Fatal(err)
		}
		for _, q := range requests {
			ok, _, ambiguous := permitted(groupsOf(identity, boundary, control), q)
			if !ok || ambiguous {
				continue
			}
			if _, found := a.Find(q.action); !found {
				rt.Fatalf("%v is permitted and not found", q)
			}
			if _, found := a.Find("s3:Get*"); !found && strings.HasPrefix(q.action, "s3:Get") {
				rt.Fatalf("%v is permitted and its pattern not found", q)
			}
		}
	})
}

// The analysis names no more than its contract says: what a statement allows at all, every bound allows at all, and no
// statement denies everywhere and always.
func TestRandomAnalyseIsExact(t *testing.T) {
	c := worldCatalog(t)
	rapid.Check(t, func(rt *rapid.T) {
		identity, boundary, control := drawGroups(rt)
		groups := groupsOf(identity, boundary, control)
		a, err := Analyse(roleOf(t, identity, boundary, control), c)
		if err != nil {
			rt.Fatal(err)
		}
		for _, action := range worldActions {
			want, plain, everywhere := true, true, true
			for _, g := range groups {
				some, unconditional, all := broad(g, action)
				want, plain, everywhere = want && some, plain && unconditional, everywhere && all
			}
			got, found := a.Find(action)
			if found != want || found && ((got.Verdict == Allowed) != plain || got.AllResources != everywhere) {
				rt.Fatalf("%s: %+v, %t; want %t, %t, %t", action, got, found, want, plain, everywhere)
			}
			for _, b := range got.Because {
				if b.Pattern != "" && !matchesAction([]string{b.Pattern}, action) {
					rt.Fatalf("%s is not matched by %s", action, b.Pattern)
				}
				if s := a.Sources[b.Source]; !strings.Contains(s.Text, `"Effect":"Allow"`) {
					rt.Fatalf("%s because of %s", action, s.Text)
				}
			}
		}
	})
}

// broad reads statements as the analysis promises to.
func broad(group []statement, action string) (some, unconditional, everywhere bool) {
	for _, s := range group {
		about := s.NotAction == nil && matchesAction(s.Action, action) || s.NotAction != nil && !matchesAction(s.NotAction, action)
		all := slices.Contains(s.Resource, "*")
		switch {
		case !about:
		case s.Effect == "Allow":
			some, unconditional, everywhere = true, unconditional || s.Condition == nil, everywhere || all
		case s.Condition == nil && all:
			return false, false, false
		}
	}
	return some, unconditional, everywhere
}

func TestRandomChanges(t *testing.T) {
	c := worldCatalog(t)
	rapid.Check(t, func(rt *rapid.T) {
		identity, boundary, control := drawGroups(rt)
		analyse := func(identity []statement) Analysis {
			a, err := Analyse(roleOf(t, identity, boundary, control), c)
			if err != nil {
				rt.Fatal(err)
			}
			return a
		}
		names := func(a Analysis) map[string]string {
			m := map[string]string{}
			for _, p := range a.Privileges {
				m[p.Action] = p.Verdict.String()
			}
			return m
		}
		before := names(analyse(identity))
		if after := names(analyse(rapid.Permutation(identity).Draw(rt, "order"))); !reflect.DeepEqual(before, after) {
			rt.Fatalf("another order: %v, before %v", after, before)
		}
		if after := names(analyse(otherCase(identity))); !reflect.DeepEqual(before, after) {
			rt.Fatalf("another case: %v, before %v", after, before)
		}
		more := drawStatement(rt)
		more.Effect = "Deny"
		for action := range names(analyse(append(slices.Clone(identity), more))) {
			if _, ok := before[action]; !ok {
				rt.Fatalf("a Deny adds %s", action)
			}
		}
		more.Effect = "Allow"
		after := names(analyse(append(slices.Clone(identity), more)))
		for action := range before {
			if _, ok := after[action]; !ok {
				rt.Fatalf("an Allow removes %s", action)
			}
		}
	})
}

func otherCase(statements []statement) []statement {
	out := slices.Clone(statements)
	for i := range out {
		for _, list := range []*[]string{&out[i].Action, &out[i].NotAction} {
			*list = slices.Clone(*list)
			for j, a := range *list {
				(*list)[j] = strings.ToLower(a)
			}
		}
	}
	return out
}

// Patterns are compared by the texts of a small alphabet.
func TestRandomPatterns(t *testing.T) {
	var texts []string
	for n, last := 0, []string{""}; n < 5; n++ {
		texts = append(texts, last...)
		var next []string
		for _, s := range last {
			next = append(next, s+"a", s+"b")
		}
		last = next
	}
	text := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?")), 0, 5, -1)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := text.Draw(rt, "a"), text.Draw(rt, "b")
		p, q := newPattern(a), newPattern(b)
		inside, common := true, false
		for _, s := range texts {
			inP, inQ := p.covers(literal(s)), q.covers(literal(s))
			if want, _ := matchesResource([]string{a}, s); inP != want {
				rt.Fatalf("%s matches %q: %t", a, s, inP)
			}
			inside, common = inside && (inP || !inQ), common || inP && inQ
		}
		if p.covers(q) && !inside {
			rt.Fatalf("%s does not cover %s", a, b)
		}
		if common && !p.overlaps(q) || p.overlaps(q) != q.overlaps(p) {
			rt.Fatalf("%s overlaps %s", a, b)
		}
		if !p.covers(p) || !p.overlaps(p) || !newPattern("*").covers(p) {
			rt.Fatal(a)
		}
		if a == b+"*" && !p.covers(q) {
			rt.Fatalf("%s covers %s", a, b)
		}
	})
}
