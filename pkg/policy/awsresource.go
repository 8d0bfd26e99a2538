package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"
)

const (
	awsResource types.EntityType = "AWSResource"
	awsField    types.EntityType = "AWSField"
)

// AWSResourceInfo says what one IAM action of a call is on. What cannot be told from the request is unknown to policy: a forbid that
// may apply to it applies, and a permit counts only if it covers whatever it may be.
type AWSResourceInfo struct {
	Partition string // such as "aws"
	Service   string // the IAM prefix of the action, such as "s3"
	Region    string // where the call goes; empty for what has none
	Account   string // that the call is made in, or that the ARN names

	// ARN is the whole of it, or "*" for an action that is on nothing in particular.
	ARN string
	// ARNKnown says that ARN and Type are what the call is on.
	ARNKnown bool
	Type     string // such as "bucket"; empty with "*"

	// Tags are "key=value".
	Tags      []string
	TagsKnown bool
}

// AWSService is everything of one AWS service in an account, `AWSService::"prod/s3"`.
func (r ResourceName) AWSService(service string) Entity {
	return Entity{resource: r, parents: []types.EntityUID{r.uid()}, cedar: types.Entity{
		UID: r.awsService(service), Parents: types.NewEntityUIDSet(r.uid()),
		Attributes: types.NewRecord(types.RecordMap{"service": types.String(service)}),
	}}
}

// AWSResource is something in an AWS account, `AWSResource::"prod/arn:aws:s3:::logs/2026"`; `AWSResource::"prod/*"` is what an action is on
// that is on nothing in particular.
func (r ResourceName) AWSResource(o AWSResourceInfo) Entity {
	e := Entity{resource: r, thing: &o, parents: make([]types.EntityUID, 0, 3)}
	e.parents = append(e.parents, r.awsService(o.Service), r.uid())
	if o.Region != "" {
		e.parents = append(e.parents, types.NewEntityUID("Region", types.String(string(r)+"/"+o.Region)))
	}
	id := string(r) + "/" + o.ARN
	if !o.ARNKnown {
		e.unknown |= unknownName
		id = unknownID(r, o)
	}
	if !o.TagsKnown {
		e.unknown |= unknownLabels
	}
	e.cedar.UID = types.NewEntityUID(awsResource, types.String(id))
	return e
}

// attributes are what is known of an AWSResource.
func (o *AWSResourceInfo) attributes() types.RecordMap {
	attrs := types.RecordMap{
		"partition": types.String(o.Partition), "service": types.String(o.Service), "region": types.String(o.Region), "account": types.String(o.Account),
	}
	if o.ARNKnown {
		attrs["arn"], attrs["type"] = types.String(o.ARN), types.String(o.Type)
	}
	if o.TagsKnown {
		attrs["tags"] = stringSet(o.Tags)
	}
	return attrs
}

// attrRole is the attribute of accounts, and of what is in them, that holds the role.
const attrRole types.String = "role"

// actedOnAs is an AWSResource with the role that acts on it, that of the account; of an account without one nothing is known, so that
// it may do all. Other entities stay as they are.
func (e *Entity) actedOnAs(account types.Entity) *Entity {
	if e.cedar.UID.Type != awsResource {
		return e
	}
	role, ok := account.Attributes.Get(attrRole)
	if !ok {
		role = (&Role{}).record()
	}
	with := *e
	with.cedar, with.thing = e.whole(), nil
	attrs := with.cedar.Attributes.Map()
	attrs[attrRole] = role
	with.cedar.Attributes = types.NewRecord(attrs)
	return &with
}

// unknownID stands for what is known of an ARN: "prod/?:aws:dynamodb:eu-west-1:111122223333". No ARN begins so.
func unknownID(r ResourceName, o AWSResourceInfo) string {
	return string(r) + "/" + strings.Join([]string{"?", o.Partition, o.Service, o.Region, o.Account}, ":")
}

// mayBeCalled compares the id of an AWSResource, of which the ARN may be unknown, with another's.
func (e *Entity) mayBeCalled(id string) bool {
	return e.unknown&unknownName != 0 || string(e.cedar.UID.ID) == id
}

// AWSField is one classified field of what an AWS operation answers, with its data classes,
// `AWSField::"prod/secretsmanager:GetSecretValue:SecretString"`.
func (r ResourceName) AWSField(service, operation, path string, classes ...string) Entity {
	parents := []types.EntityUID{r.awsService(service), r.uid()}
	for _, c := range classes {
		parents = append(parents, types.NewEntityUID("DataClass", types.String(c)))
	}
	return Entity{resource: r, parents: parents, cedar: types.Entity{
		UID:     types.NewEntityUID(awsField, types.String(string(r)+"/"+service+":"+operation+":"+path)),
		Parents: types.NewEntityUIDSet(parents...),
		Attributes: types.NewRecord(types.RecordMap{
			"service": types.String(service), "operation": types.String(operation), "path": types.String(path),
		}),
	}}
}

func (r ResourceName) awsService(service string) types.EntityUID {
	return types.NewEntityUID("AWSService", types.String(string(r)+"/"+service))
}
