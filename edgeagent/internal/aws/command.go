package aws

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/policy"
)

// levels are the actions that stand for AWS's access levels.
var levels = map[awsmodel.Level]policy.Action{
	awsmodel.List: policy.AWSList, awsmodel.Read: policy.AWSGet, awsmodel.Write: policy.AWSChange, awsmodel.Tagging: policy.AWSTag,
	awsmodel.Permissions: policy.AWSPermissions,
}

// actionOf is what policy is asked for an IAM action.
func actionOf(a awsmodel.Access) policy.Action {
	switch {
	case strings.HasPrefix(a.Action, "sts:AssumeRole"):
		return policy.AWSAssumeRole
	case a.Action == "iam:PassRole":
		return policy.AWSPassRole
	}
	if action, ok := levels[a.Level]; ok {
		return action
	}
	return policy.AWSUnidentified
}

// command makes what the pipeline decides.
func (x *exchange) command() *enforce.Command {
	return &enforce.Command{Subject: x.subject(), Digest: x.digest(), Patience: x.server.cfg.Patience, Text: x.rendered(), Preview: x.previewer()}
}

// subject says what the call does, in the words of policy.
func (x *exchange) subject() *enforce.Subject {
	name := x.client.account.Policy.Name
	sub := &enforce.Subject{Once: true}
	call := policy.AWSCall{
		Operation: x.call.Operation, Service: x.call.Service, Region: x.said.Scope.Region, PassedRoles: x.passed,
		DryRun: x.rehearses(), Params: facts(x.values), RequestTags: tagsOf(x.params.Value), Text: x.text.AWSText,
	}
	access := x.access
	if len(access) == 0 {
		access = []awsmodel.Access{{Action: "", Resources: []awsmodel.Resource{{Kind: awsmodel.UnknownResource}}}}
	}
	for _, a := range slices.Concat(access, x.passes()) {
		call.Action = a.Action
		ask := enforce.Ask{Facts: call.Facts()}
		actions := x.actionsOf(a)
		for _, r := range a.Resources {
			for _, action := range actions {
				ask.Questions = append(ask.Questions, policy.Question{Action: action, Entity: name.AWSResource(x.thing(a, r))})
			}
			if r.ARN != "" {
				sub.Tables = append(sub.Tables, r.ARN)
			}
		}
		sub.Asks = append(sub.Asks, ask)
		for _, action := range actions {
			sub.Actions = append(sub.Actions, string(action))
			sub.Durable = sub.Durable || !action.In(policy.AWSRead) || x.call.Mutates
		}
	}
	return sub
}

// passes are the roles that the call hands on, as IAM asks about them.
func (x *exchange) passes() (all []awsmodel.Access) {
	one := func(r awsmodel.Resource) {
		all = append(all, awsmodel.Access{Action: "iam:PassRole", Resources: []awsmodel.Resource{r}})
	}
	for _, arn := range x.passed {
		one(awsmodel.Resource{Kind: awsmodel.NamedResource, ARN: arn, Type: "role"})
	}
	if x.text.anyRole {
		one(awsmodel.Resource{Kind: awsmodel.UnknownResource})
	}
	return all
}

// actionsOf are what policy is asked for an IAM action of the call: what its text does counts as well.
func (x *exchange) actionsOf(a awsmodel.Access) []policy.Action {
	action := actionOf(a)
	switch {
	case x.keys() && (action.In(policy.AWSRead) || action == policy.AWSChange):
		action = policy.AWSAssumeRole
	case x.text.changes && action.In(policy.AWSRead):
		action = policy.AWSChange
	}
	if x.text.permissions && !action.In(policy.AWSAdmin) {
		return []policy.Action{action, policy.AWSPermissions}
	}
	return []policy.Action{action}
}

// keys says that AWS answers the call with credentials, which are good past the edge.
func (x *exchange) keys() bool {
	return slices.ContainsFunc(x.call.Secrets, func(path string) bool {
		switch path = strings.ToLower(path); path {
		case "credentials", "uploadcredentials":
			return true
		}
		return x.call.Service == "sts" || strings.HasSuffix(path, "secretaccesskey") || strings.HasSuffix(path, "artifactcredentials")
	})
}

// thing is what an IAM action is on.
func (x *exchange) thing(a awsmodel.Access, r awsmodel.Resource) policy.AWSResourceInfo {
	service, _, _ := strings.Cut(a.Action, ":")
	if service == "" {
		service = x.call.Service
	}
	o := policy.AWSResourceInfo{
		Partition: x.client.account.Partition, Service: service, Region: x.said.Scope.Region, Account: x.client.account.Account,
		ARN: r.ARN, Type: r.Type, ARNKnown: r.Kind == awsmodel.AnyResource || r.Kind == awsmodel.NamedResource && !r.Pathless,
	}
	if parts := strings.SplitN(r.ARN, ":", 6); len(parts) == 6 && parts[3] != "" {
		o.Region = parts[3]
	}
	return o
}

// digest is SHA-256 over everything that says what the call does: where it goes, its headers that mean something, and its body.
func (x *exchange) digest() (digest [audit.HashSize]byte) {
	b := make([]byte, 0, 1024)
	write := func(part string) { b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...) }
	for _, part := range []string{"writ aws v1", x.client.account.Name(), x.said.Scope.Service, x.said.Scope.Region, x.call.Operation, x.signed.Method, x.signed.Path, x.said.Query} {
		write(part)
	}
	for _, line := range meant(x.header) {
		write(line)
	}
	if !x.whole {
		write(x.said.Payload.Hash) // of a stream only its hash is known before it is sent
		return sha256.Sum256(b)
	}
	write("body")
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(b, uint64(len(x.held))))
	h.Write(x.held)
	return [audit.HashSize]byte(h.Sum(nil))
}

// unread renders a call that is not understood.
type unread string

// Recorded implements enforce.Text.
func (u unread) Recorded(bool) (string, []audit.Param) {
	line := strings.ToValidUTF8(string(u), "?")
	return line[:min(len(line), maxLine)], nil
}

// Shown implements enforce.Text; what is not understood is shown to nobody.
func (u unread) Shown() (string, []string) { return "", nil }

// maxLine bounds how much is recorded of a call that is not understood, in bytes.
const maxLine = 2000
