package aws

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awsmodel"
)

func textOf(fields ...awsmodel.Field) awsmodel.Value {
	return awsmodel.Value{Kind: awsmodel.Struct, Fields: fields}
}

func textField(name, text string) awsmodel.Field {
	return awsmodel.Field{Name: name, Value: awsmodel.Value{Kind: awsmodel.Text, Text: text}}
}

// TestEachValueIsALine: a value is recorded and shown on its own, what says what the call does first, and what is left out is counted.
func TestEachValueIsALine(t *testing.T) {
	x := &exchange{call: awsmodel.Call{Service: "iam", Operation: "PutRolePolicy"}, client: &client{account: &Resource{Account: "111122223333"}}}
	fields := []awsmodel.Field{textField("PolicyDocument", `{"Statement":[{"Effect":"Allow"}]}`), textField("Sql", "SELECT 1"), {Name: "Secret", Value: awsmodel.Value{Kind: awsmodel.Text, Text: "s3cret", Sensitive: true}}}
	for i := range maxShownValues + 10 {
		fields = append(fields, textField(fmt.Sprintf("A%04d", i), strings.Repeat("x", 20)))
	}
	var err error
	if x.values, err = valuesOf(textOf(fields...), []string{"SELECT 1"}); err != nil {
		t.Fatal(err)
	}
	line, shown := x.rendered().Shown()
	if line != "iam:PutRolePolicy 111122223333" || len(shown) != maxShownValues+1 {
		t.Fatalf("%s, %d values", line, len(shown))
	}
	if want := "PolicyDocument={\n  \"Statement\": [\n    {\n      \"Effect\": \"Allow\"\n    }\n  ]\n}"; shown[0] != want || shown[1] != "Sql=SELECT 1" || shown[2] != "A0000="+strings.Repeat("x", 20) {
		t.Errorf("%q", shown[:3])
	}
	if want := "... (13 more)"; shown[len(shown)-1] != want {
		t.Errorf("%q, want %q", shown[len(shown)-1], want)
	}
	_, recorded := x.rendered().Recorded(false)
	if string(recorded[0].Data) != `PolicyDocument={"Statement":[{"Effect":"Allow"}]}` || len(recorded) != len(shown) {
		t.Errorf("%s, %d values", recorded[0].Data, len(recorded))
	}
	if all := slices.Collect(facts(x.values)); len(all) != maxShownValues+13 || strings.Contains(strings.Join(all, "\n"), "s3cret") {
		t.Errorf("policy sees %d values", len(all))
	}
}

// TestLongValues: a value is cut, and says so; all of them together fit; policy sees no fewer.
func TestLongValues(t *testing.T) {
	long := strings.Repeat("x", maxShownText+10)
	values, err := valuesOf(textOf(textField("A", long), textField("Doc", "{"+strings.Repeat("y", maxShownWhole))), nil)
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{values: values, client: &client{account: &Resource{}}}
	_, params := x.rendered().Recorded(false)
	all := func(params []audit.Param) (size int) {
		for _, p := range params {
			size += len(p.Data)
		}
		return size
	}
	if !strings.HasSuffix(string(params[1].Data), "x... (10 bytes more)") || !strings.HasSuffix(string(params[0].Data), "(1 bytes more)") || all(params) > maxShown {
		t.Errorf("%.60q, %.60q", params[0].Data, params[1].Data)
	}
	if got := slices.Collect(facts(values))[0]; got != "A="+long[:maxShownText]+"... (10 bytes more)" {
		t.Errorf("policy sees %.60q", got)
	}
	many := make([]awsmodel.Value, maxValues+1)
	for i := range many {
		many[i] = awsmodel.Value{Kind: awsmodel.Number, Text: fmt.Sprint(i)}
	}
	if _, err := valuesOf(textOf(awsmodel.Field{Name: "L", Value: awsmodel.Value{Kind: awsmodel.Array, Items: many}}), nil); err == nil {
		t.Error("policy would not see all of them")
	}
}

// TestLongNamesOverManyValues: the paths of values are bounded together, wherever they are made.
func TestLongNamesOverManyValues(t *testing.T) {
	many := make([]awsmodel.Value, 1000)
	for i := range many {
		many[i] = textOf(textField("S", "x"))
	}
	under := func(size int) awsmodel.Value {
		return textOf(awsmodel.Field{Name: strings.Repeat("n", size), Value: awsmodel.Value{Kind: awsmodel.Array, Items: many}})
	}
	if values, err := valuesOf(under(10_000), nil); err != nil || len(values) != 1 {
		t.Errorf("%d values, %v", len(values), err)
	}
	if _, err := valuesOf(under(100_000), nil); !errors.Is(err, awsmodel.ErrTooLarge) {
		t.Errorf("values: %v", err)
	}
	x := &exchange{call: awsmodel.Call{Mutates: true}, params: awsmodel.Params{Value: under(100_000)}}
	if _, err := permissions(x); !errors.Is(err, awsmodel.ErrTooLarge) {
		t.Errorf("policies of IAM: %v", err)
	}
}
