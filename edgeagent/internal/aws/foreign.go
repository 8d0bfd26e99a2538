package aws

import (
	"regexp"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
)

// ownerMembers are members by which a call says in whose account its resource is and of which the model does not know that.
var ownerMembers = map[string][]string{
	"codeartifact": {"domainOwner"}, "appmesh": {"meshOwner"}, "sqs": {"QueueOwnerAWSAccountId"}, "signer": {"profileOwner", "jobOwner"}, "ecr": {"registryIds[]"},
	"sts": {"TargetPrincipal"},
}

// ownAccount refuses what is in another account, and finds the roles that are passed on.
func (x *exchange) ownAccount() error {
	own := x.client.account.Account
	untold := len(x.access) == 0
	for _, a := range x.access {
		for _, r := range a.Resources {
			if owner := accountOf(r.ARN); owner != "" && owner != own && owner != "aws" {
				return foreign(r.ARN)
			}
			untold = untold || r.Kind != awsmodel.NamedResource
		}
	}
	said := []string{x.server.cfg.Model.Account(x.call, x.params)}
	for _, member := range ownerMembers[x.call.Service] {
		said = append(said, x.params.Strings(member)...)
	}
	if untold {
		said = append(said, x.accounts(x.params.Value)...)
	}
	for _, account := range said {
		if account != "" && account != own {
			return foreign("what it names is of account " + clip(account))
		}
	}
	return x.passRoles()
}

// passRoles finds the roles that the call passes on.
func (x *exchange) passRoles() error {
	var roles []string
	for _, role := range x.server.cfg.Model.Roles(x.call, x.params) {
		roles = append(roles, x.roleARN(role))
	}
	for _, arn := range append(roles, x.text.roles...) {
		if owner := accountOf(arn); owner != x.client.account.Account {
			return foreign(arn)
		}
		x.passed = append(x.passed, arn)
	}
	return nil
}

// roleARN is the ARN of a role, or of an instance profile, which may hold a role of any name.
func (x *exchange) roleARN(role awsmodel.Role) string {
	if strings.HasPrefix(role.Value, "arn:") {
		return role.Value
	}
	kind := ":role/"
	if strings.Contains(strings.ToLower(role.Path), "instanceprofile") {
		kind = ":instance-profile/"
	}
	return "arn:" + x.client.account.Partition + ":iam::" + x.client.account.Account + kind + strings.TrimPrefix(role.Value, "/")
}

// accounts are those that the names in a value are of: its ARNs of the call's services, and the shorter forms of some.
func (x *exchange) accounts(v awsmodel.Value) (found []string) {
	for _, f := range v.Fields {
		if v.Kind == awsmodel.Map {
			found = append(found, x.accountIn(f.Name))
		}
		found = append(found, x.accounts(f.Value)...)
	}
	for _, item := range v.Items {
		found = append(found, x.accounts(item)...)
	}
	if v.Kind == awsmodel.Text {
		found = append(found, x.accountIn(v.Text))
	}
	return found
}

var (
	partialARN = regexp.MustCompile(`^(?:[a-z0-9-]+:)?(\d{12}):`)      // of a function, with its region or without
	queueOwner = regexp.MustCompile(`(?:^|/)(\d{12})/[\w.-]{1,80}/*$`) // in a queue's URL
)

// accountIn is the account of one name, "" where it says none.
func (x *exchange) accountIn(name string) string {
	if len(name) >= 4 && strings.EqualFold(name[:4], "arn:") {
		parts := strings.SplitN(name, ":", 6)
		if len(parts) == 6 && x.uses(parts[2]) && isAccount(parts[4]) {
			return parts[4]
		}
		return ""
	}
	form := map[string]*regexp.Regexp{"lambda": partialARN, "sqs": queueOwner}[x.call.Service]
	if form == nil {
		return ""
	}
	if m := form.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// uses says that the call needs an action of a service.
func (x *exchange) uses(service string) bool {
	return strings.EqualFold(service, x.call.Prefix) || slices.ContainsFunc(x.access, func(a awsmodel.Access) bool {
		prefix, _, _ := strings.Cut(a.Action, ":")
		return strings.EqualFold(service, prefix)
	})
}

func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }
