package resources

import (
	"strings"
	"sync"

	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/awsmodel"
)

// models are what AWS's operations answer.
var models = sync.OnceValues(awsmodel.Open)

// wrongMember says what is wrong with the place of a data class in what AWS answers. A place that no answer has is wrong: what an account
// believes to be hidden must be.
func wrongMember(member string) (what, fix string) {
	service, rest, _ := strings.Cut(member, ":")
	operation, path, _ := strings.Cut(rest, ":")
	if !memberForm.MatchString(service + ":" + operation) {
		return "not a member of an answer", `write it as "service:Operation:path", such as "dynamodb:GetItem:Item.Email"`
	}
	if err := awsmask.CheckPath(path); err != nil {
		return "cannot be masked: " + err.Error(), `write names between dots, * for each of a map, [*] for each of a list, ["a.b"] for a name with dots`
	}
	m, err := models()
	if err != nil {
		return "cannot be checked: " + err.Error(), "ask whoever keeps Writ"
	}
	operations := []string{operation}
	if operation == "*" {
		if operations, err = m.Operations(service); err != nil {
			return "cannot be checked: " + err.Error(), "ask whoever keeps Writ"
		}
	}
	for _, name := range operations {
		call, err := m.Answers(service, name)
		if err == nil && !call.IsZero() && awsmask.Leads(call.Answer(), path) {
			return "", ""
		}
	}
	return "in no answer of AWS", "name services, operations and members as AWS's models do, such as dynamodb:GetItem:Item.Email"
}
