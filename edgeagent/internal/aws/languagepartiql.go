package aws

import (
	"slices"

	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/partiql"
)

// partiActions are the IAM actions of PartiQL's statements, as the service authorization reference has them.
var partiActions = map[partiql.Kind]awsmodel.Access{
	partiql.Select: {Action: "dynamodb:PartiQLSelect", Level: awsmodel.Read},
	partiql.Exists: {Action: "dynamodb:PartiQLSelect", Level: awsmodel.Read},
	partiql.Insert: {Action: "dynamodb:PartiQLInsert", Level: awsmodel.Write},
	partiql.Update: {Action: "dynamodb:PartiQLUpdate", Level: awsmodel.Write},
	partiql.Delete: {Action: "dynamodb:PartiQLDelete", Level: awsmodel.Write},
}

// partiQL reads the statements at a path of members.
func partiQL(path string) reader {
	return func(x *exchange) (reading, error) {
		texts, err := x.texts(path)
		if err != nil {
			return reading{}, err
		}
		var r reading
		for _, text := range texts {
			s, err := partiql.Parse(text)
			if err != nil {
				return reading{}, x.unreadText(err.Error(), "write it as DynamoDB's reference does")
			}
			access, ok := partiActions[s.Kind]
			if !ok {
				return reading{}, x.unreadText("the statement is none that is known", "")
			}
			r.Statements = append(r.Statements, s.Kind.String())
			r.Tables = append(r.Tables, s.Table)
			r.WholeTable = r.WholeTable || !s.Where && s.Kind != partiql.Insert
			access.Resources = x.tableAndIndex(s)
			r.add(access)
		}
		return r, nil
	}
}

// add puts an action and its resources beside the others.
func (r *reading) add(a awsmodel.Access) {
	i := slices.IndexFunc(r.access, func(have awsmodel.Access) bool { return have.Action == a.Action })
	if i < 0 {
		r.access = append(r.access, a)
		return
	}
	for _, res := range a.Resources {
		if !slices.Contains(r.access[i].Resources, res) {
			r.access[i].Resources = append(r.access[i].Resources, res)
		}
	}
}

// tableAndIndex is what a statement is on: the table, whose items come out, and the index through which they are found.
func (x *exchange) tableAndIndex(s partiql.Statement) []awsmodel.Resource {
	arn := s.Table
	if accountOf(arn) == "" {
		arn = "arn:" + x.client.account.Partition + ":dynamodb:" + x.said.Scope.Region + ":" + x.client.account.Account + ":table/" + s.Table
	}
	all := []awsmodel.Resource{{Kind: awsmodel.NamedResource, ARN: arn, Type: "table"}}
	if s.Index != "" {
		all = append(all, awsmodel.Resource{Kind: awsmodel.NamedResource, ARN: arn + "/index/" + s.Index, Type: "index"})
	}
	return all
}
