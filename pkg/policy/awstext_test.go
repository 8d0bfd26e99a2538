package policy

import "testing"

// TestAgentsMayOnlySelect: one line keeps agents to reading, through whichever of AWS's data APIs.
func TestAgentsMayOnlySelect(t *testing.T) {
	set, err := Compile(Bundle{Files: map[string][]byte{"p.cedar": []byte(`
@id("all") permit (principal, action in Action::"aws:all", resource);
@id("select-only") forbid (principal in Group::"agents", action in Action::"aws:all", resource) when { context.language == "sql" } unless { context.statements == ["select"] };
`)}})
	if err != nil {
		t.Fatal(err)
	}
	name := ResourceName("prod")
	on := name.AWSResource(AWSResourceInfo{Partition: "aws", Service: "rds-data", Account: "111122223333", ARN: "arn:aws:rds:eu-west-1:111122223333:cluster:shop", ARNKnown: true})
	for what, c := range map[string]struct {
		text AWSText
		want Effect
	}{
		"a query":                    {AWSText{Language: "sql", Statements: []string{"select"}, Tables: []string{"orders"}}, Allow},
		"two queries":                {AWSText{Language: "sql", Statements: []string{"select", "select"}}, Allow},
		"a change":                   {AWSText{Language: "sql", Statements: []string{"update"}}, Deny},
		"a change beside a query":    {AWSText{Language: "sql", Statements: []string{"select", "delete"}}, Deny},
		"a query that calls":         {AWSText{Language: "sql", Statements: []string{"call", "select"}}, Deny},
		"nothing that is understood": {AWSText{Language: "sql"}, Deny},
		"no SQL":                     {AWSText{}, Allow},
	} {
		e, err := set.For(Principal{Kind: KindAgent, ID: "bot", Groups: []string{"agents"}}, Resource{Name: name, Kind: "aws"}, Origin{})
		if err != nil {
			t.Fatal(err)
		}
		facts := AWSCall{Action: "rds-data:ExecuteStatement", Operation: "ExecuteStatement", Service: "rds-data", Text: c.text}.Facts()
		d := e.Decide(Moment{Now: noon}, facts, Question{Action: AWSChange, Entity: on})
		if d.Effect != c.want {
			t.Errorf("%s: %v, want %v", what, d.Effect, c.want)
		}
	}
}
