package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// problemsOf compiles a bundle that must be refused.
func problemsOf(t *testing.T, b Bundle) []Problem {
	t.Helper()
	s, err := Compile(b)
	var refused *BundleError
	if !errors.As(err, &refused) || s != nil {
		t.Fatalf("Compile = %v, %v; want a *BundleError", s, err)
	}
	return refused.Problems
}

func TestProblemsArePlaced(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"missing bracket", `@id("a") permit (principal, action, resource) when { context.approved ;`,
			`p.cedar:1:71: syntax: expected "}", found ";"`},
		{"end of file", `@id("a") permit (principal, action, resource)`,
			`p.cedar:1:46: syntax: expected ";", found the end of the file`},
		{"neither effect", "@id(\"a\")\nallow (principal, action, resource);",
			`p.cedar:2:1: syntax: expected permit or forbid, found "allow"`},
		{"open string", `@id("a) permit (principal, action, resource);`,
			`p.cedar:1:5: syntax: literal not terminated`},
		{"no id", "\n  permit (principal, action == Action::\"sql:select\", resource);",
			`p.cedar:2:3: policy has no @id (put @id("a-short-name") before it)`},
		{"bad id", `@id("a b") permit (principal, action == Action::"sql:select", resource);`,
			`p.cedar:1:1: @id: bad id "a b" (use 1 to 64 letters, digits, dots, dashes, colons or underscores)`},
		{"id twice", "@id(\"a\") permit (principal, action == Action::\"sql:select\", resource);\n@id(\"a\") permit (principal, action == Action::\"sql:show\", resource);",
			`p.cedar:2:1: policy "a": duplicate @id "a" (first used in p.cedar:1)`},
		{"unknown annotation", "@id(\"a\")\n  @aproval(\"1 of dba\") forbid (principal, action == Action::\"sql:select\", resource);",
			`p.cedar:2:3: policy "a": unknown annotation @aproval (did you mean @approval?)`},
		{"unknown action", `@id("a") permit (principal, action == Action::"sql:selct", resource);`,
			"p.cedar:1:48: policy \"a\": unrecognized action `Action::\"sql:selct\"` (did you mean sql:select?)"},
		{"unknown attribute", "@id(\"a\") permit (principal, action == Action::\"sql:delete\", resource)\nwhen { context.row > 3 };",
			"p.cedar:2:16: policy \"a\": attribute `row` in context for Action::\"sql:delete\" not found (did you mean context.rows?)"},
		{"attribute of another action", `@id("a") permit (principal, action == Action::"session:open", resource) when { context.rows > 3 };`,
			"p.cedar:1:88: policy \"a\": attribute `rows` in context for Action::\"session:open\" not found (not every action in the policy's scope has it)"},
		{"misspelt type", `@id("a") permit (principal in Grup::"x", action == Action::"sql:select", resource);`,
			"p.cedar:1:31: policy \"a\": unrecognized entity type `Grup`"},
		{"wrong type", `@id("a") permit (principal, action == Action::"sql:delete", resource) when { context.rows == "3" };`,
			`p.cedar:1:1: policy "a": the types Long and String are not compatible`},
		{"action that never applies", `@id("a") permit (principal, action == Action::"sql:select", resource in DataClass::"pii");`,
			`p.cedar:1:1: policy "a": unable to find an applicable action given the policy scope constraints (no action in its scope can be asked about such a resource)`},
		{"one of a list never applies", `@id("a") forbid (principal, action in [Action::"sql:reveal", Action::"sql:select"], resource in DataClass::"pii");`,
			"p.cedar:1:71: policy \"a\": action `sql:select` is never asked about such a resource"},
		{"attribute of a named entity", `@id("a") permit (principal, action == Action::"sql:delete", resource) when { principal.email == Person::"boss".email };`,
			`p.cedar:1:97: policy "a": Person::"boss" is read, of which nothing is known (compare it with principal or resource, and read those)`},
		{"where a named entity is", `@id("a") permit (principal, action == Action::"k8s:list", resource) when { Object::"r//pods/a/x" in Namespace::"r/a" };`,
			`p.cedar:1:76: policy "a": Object::"r//pods/a/x" is read, of which nothing is known (compare it with principal or resource, and read those)`},
		{"named entity by a choice", `@id("a") permit (principal, action == Action::"sql:delete", resource) when { (if context.where then principal else Agent::"a") in Group::"g" };`,
			`p.cedar:1:116: policy "a": Agent::"a" is read, of which nothing is known (compare it with principal or resource, and read those)`},
		{"named entity in a record", `@id("a") permit (principal, action == Action::"sql:delete", resource) when { {e: Agent::"a"}.e.hasTag("x") };`,
			`p.cedar:1:82: policy "a": Agent::"a" is read, of which nothing is known (compare it with principal or resource, and read those)`},
		{"approval on a permit", `@id("a") @approval("1 of dba") permit (principal, action == Action::"sql:delete", resource);`,
			`p.cedar:1:10: policy "a": @approval on a permit: a second permit would drop it (write a forbid with unless { context.approved })`},
		{"approval that cannot be given", `@id("a") @approval("1 of dba") forbid (principal, action == Action::"sql:delete", resource);`,
			`p.cedar:1:10: policy "a": @approval has no effect: the policy does not read context.approved (end it with unless { context.approved })`},
		{"approved without approval", `@id("a") permit (principal, action == Action::"sql:delete", resource) when { context.approved };`,
			`p.cedar:1:1: policy "a": context.approved is read by a policy without @approval (add @approval("1 of some-group"))`},
		{"hours", `@id("a") @approval("1 of dba") @approval_hours("9 to 5") forbid (principal, action == Action::"sql:delete", resource) unless { context.approved };`,
			`p.cedar:1:32: policy "a": @approval_hours: "5" is not a time zone (days, hours and a time zone, for example "Mon-Fri 08:00-18:00 Europe/Berlin")`},
		{"no hours", `@id("a") @approval("1 of dba") @approval_hours("") forbid (principal, action == Action::"sql:delete", resource) unless { context.approved };`,
			`p.cedar:1:32: policy "a": @approval_hours: empty (days, hours and a time zone, for example "Mon-Fri 08:00-18:00 Europe/Berlin")`},
		{"hours of nothing", `@id("a") @approval_hours("Mon 08:00-09:00 UTC") forbid (principal, action == Action::"sql:delete", resource);`,
			`p.cedar:1:10: policy "a": @approval_hours without @approval (add @approval)`},
		{"approvers", `@id("a") @approval("two of dba") forbid (principal, action == Action::"sql:delete", resource) unless { context.approved };`,
			`p.cedar:1:10: policy "a": @approval: "two of dba" is not of the form "2 of dba" (for example @approval("2 of dba") or @approval("1 of dba, 1 of security"))`},
		{"mask on a permit", `@id("a") @mask("hash") permit (principal, action == Action::"sql:reveal", resource);`,
			`p.cedar:1:10: policy "a": @mask on a permit: a permitted column is shown in clear (write a forbid on Action::"sql:reveal", Action::"k8s:reveal" or Action::"aws:reveal")`},
		{"mask that forbids more", `@id("a") @mask("hash") forbid (principal, action, resource in DataClass::"pii");`,
			`p.cedar:1:10: policy "a": @mask on a policy that also forbids other actions (limit it to action == Action::"sql:reveal", Action::"k8s:reveal" or Action::"aws:reveal")`},
		{"mask of no kind", `@id("a") @mask("partial:x") forbid (principal, action == Action::"sql:reveal", resource);`,
			`p.cedar:1:10: policy "a": @mask: bad mask "partial:x" (one of "redact", "null", "hash" or "partial:4")`},
		{"mask that reveals", `@id("a") @mask("reveal") forbid (principal, action == Action::"sql:reveal", resource);`,
			`p.cedar:1:10: policy "a": @mask: bad mask "reveal" (one of "redact", "null", "hash" or "partial:4")`},
		{"timeout alone", `@id("a") @hold_timeout("5m") forbid (principal, action == Action::"sql:delete", resource);`,
			`p.cedar:1:10: policy "a": @hold_timeout without @approval (add @approval)`},
		{"timeout of days", `@id("a") @hold_timeout("50h") @approval("1 of dba") forbid (principal, action == Action::"sql:delete", resource) unless { context.approved };`,
			`p.cedar:1:10: policy "a": @hold_timeout: bad duration "50h" (a duration from 1s to 24h, for example "10m")`},
		{"rows on a forbid", `@id("a") @rows("5") forbid (principal, action == Action::"sql:delete", resource);`,
			`p.cedar:1:10: policy "a": @rows on a forbid (put it on the permit)`},
		{"no rows", `@id("a") @rows("0") permit (principal, action == Action::"sql:select", resource);`,
			`p.cedar:1:10: policy "a": @rows: bad row limit "0" (a number of rows, for example "1000")`},
		{"record nothing", `@id("a") @record("none") permit (principal, action == Action::"sql:select", resource);`,
			`p.cedar:1:10: policy "a": @record: bad record level "none" (one of "digest", "statement" or "rows")`},
		{"undo", `@id("a") @undo("always") permit (principal, action == Action::"sql:update", resource);`,
			`p.cedar:1:10: policy "a": @undo: bad undo level "always" (one of "try" or "required")`},
		{"reason of two lines", `@id("a") @reason("a\nb") permit (principal, action == Action::"sql:update", resource);`,
			`p.cedar:1:10: policy "a": @reason: bad reason (one line of 1 to 200 characters)`},
		{"deep nesting", "\n" + strings.Repeat("(", 200), `p.cedar:2: brackets nest deeper than 100`},
		{"long path", `@id("a") permit (principal, action, resource) when { context has a` + strings.Repeat(". a\n", 20) + `};`,
			`p.cedar:17: a path has more than 16 dots`},
		{"long policy", "\n" + `@id("a") permit (principal, action, resource) when { ` + strings.Repeat("context.delegated || ", 1000) + `true };`,
			`p.cedar:2: policy is longer than 16384 bytes`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := problemsOf(t, oneFile(tt.text))
			for _, p := range problems {
				if p.String() == tt.want {
					return
				}
			}
			t.Errorf("got %v\nwant %s", problems, tt.want)
		})
	}
}

func TestBadFiles(t *testing.T) {
	tests := []struct {
		name string
		path string
		text string
		want string
	}{
		{"parent", "../p.cedar", "", "bad path"},
		{"absolute", "/p.cedar", "", "bad path"},
		{"not clean", "a/./p.cedar", "", "bad path"},
		{"backslash", `a\p.cedar`, "", "bad path"},
		{"line break", "a\n.cedar", "", "bad path"},
		{"other kind", "p.rego", "", "neither policies nor tests"},
		{"not text", "p.cedar", "\xff\xfe", "not UTF-8"},
		{"large", "p.cedar", strings.Repeat(" ", maxFileSize+1), "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := problemsOf(t, Bundle{Files: map[string][]byte{tt.path: []byte(tt.text)}})
			if !strings.Contains(problems[0].String(), tt.want) {
				t.Errorf("got %v, want %s", problems, tt.want)
			}
		})
	}
	many := Bundle{Files: map[string][]byte{}}
	for i := range maxFiles + 1 {
		many.Files[fmt.Sprintf("%d.cedar", i)] = nil
	}
	problemsOf(t, many)
	big := Bundle{Files: map[string][]byte{}}
	for i := range maxBundleSize/maxFileSize + 1 {
		big.Files[fmt.Sprintf("%d.cedar", i)] = []byte(strings.Repeat(" ", maxFileSize))
	}
	problemsOf(t, big)
}

// TestBundleIsWholeOrNothing: one bad policy among good ones, in any file, refuses all, and
// every file's problems are listed.
func TestBundleIsWholeOrNothing(t *testing.T) {
	good := `@id("good") permit (principal, action == Action::"sql:select", resource);`
	b := Bundle{Files: map[string][]byte{
		"a.cedar": []byte(good),
		"b.cedar": []byte(`@id("bad") permit (principal, action == Action::"sql:slect", resource);`),
		"c.cedar": []byte("broken"),
		"d.cedar": []byte(strings.Replace(good, "permit", "forbid", 1)),
	}}
	files := map[string]bool{}
	for _, p := range problemsOf(t, b) {
		files[p.File] = true
	}
	for _, want := range []string{"b.cedar", "c.cedar", "d.cedar"} {
		if !files[want] {
			t.Errorf("no problem reported in %s", want)
		}
	}
}

// TestFailingTestRefusesTheBundle: the policies compile, the bundle's own test fails.
func TestFailingTestRefusesTheBundle(t *testing.T) {
	b := Starter()
	if _, err := Compile(b); err != nil {
		t.Fatal(err)
	}
	b.Files["statements.cedar"] = []byte(strings.Replace(string(b.Files["statements.cedar"]), `@id("agents-read")`+"\npermit", `@id("agents-read")`+"\nforbid", 1))
	problems := problemsOf(t, b)
	if problems[0].File != "starter_test.yaml" || problems[0].Line == 0 || !strings.Contains(problems[0].Message, `test "an agent reads": want allow`) {
		t.Errorf("got %v", problems)
	}
}

func TestErrorIsBounded(t *testing.T) {
	err := &BundleError{Problems: make([]Problem, 5000)}
	if lines := strings.Count(err.Error(), "\n"); lines != maxShown+1 {
		t.Errorf("%d lines", lines)
	}
}

func TestDigest(t *testing.T) {
	a := Bundle{Files: map[string][]byte{"a.cedar": []byte("x"), "b.cedar": []byte("y")}}
	same := Bundle{Files: map[string][]byte{"b.cedar": []byte("y"), "a.cedar": []byte("x")}}
	if a.Digest() != same.Digest() {
		t.Error("the order of files changes the digest")
	}
	for name, other := range map[string]Bundle{
		"content": {Files: map[string][]byte{"a.cedar": []byte("x"), "b.cedar": []byte("z")}},
		"moved":   {Files: map[string][]byte{"a.cedar": []byte("xb.cedary")}},
		"renamed": {Files: map[string][]byte{"a.cedar": []byte("x"), "c.cedar": []byte("y")}},
		"empty":   {},
	} {
		if a.Digest() == other.Digest() {
			t.Errorf("%s: same digest", name)
		}
	}
	s, err := Compile(Starter())
	if err != nil || s.Digest() != Starter().Digest() {
		t.Errorf("Set.Digest differs from Bundle.Digest, err %v", err)
	}
}

func TestDiff(t *testing.T) {
	a := oneFile(`@id("keep") permit (principal, action == Action::"sql:select", resource); // comment
@id("change") permit (principal, action == Action::"sql:insert", resource);
@id("drop") permit (principal, action == Action::"sql:show", resource);`)
	b := Bundle{Files: map[string][]byte{
		"new.cedar": []byte(`@id("change") permit (principal, action == Action::"sql:update", resource);
// moved
@id("keep") permit (principal, action == Action::"sql:select", resource);
@id("more") permit (principal, action == Action::"sql:set", resource);`),
	}}
	changes, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, string(c.Kind)+" "+c.ID)
		if (c.Before == "") != (c.Kind == Added) || (c.After == "") != (c.Kind == Removed) {
			t.Errorf("%+v", c)
		}
	}
	if want := "changed change, removed drop, added more"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if _, err := Diff(a, oneFile("broken")); err == nil {
		t.Error("a broken bundle was compared")
	}
}
