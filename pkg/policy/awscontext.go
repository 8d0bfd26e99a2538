package policy

import (
	"github.com/cedar-policy/cedar-go/types"
)

// AWSCall holds the facts of one call of the AWS API.
type AWSCall struct {
	Action    string // the IAM action, such as "s3:GetObject"; of several, the one that is asked about
	Operation string // such as "GetObject"
	Service   string // as its model names it, such as "s3"
	Region    string // that the call goes to
	DryRun    bool   // it asks for DryRun, and changes nothing

	PassedRoles []string // ARNs of the roles that the call gives to a service
	RequestTags []string // that the call sets, as "key=value"
	Params      []string // single values of the request, as "InstanceType=m5.large"; of what is nested, "Placement.Tenancy=host"
}

// Facts builds the context of every aws: question about c.
func (c AWSCall) Facts() *Facts {
	f := &Facts{family: familyCall}
	f.values[attrAction] = types.String(c.Action)
	f.values[attrOperation] = types.String(c.Operation)
	f.values[attrService] = types.String(c.Service)
	f.values[attrRegion] = types.String(c.Region)
	f.values[attrDryRun] = types.Boolean(c.DryRun)
	f.values[attrPassedRoles] = stringSet(c.PassedRoles)
	f.values[attrRequestTags] = stringSet(c.RequestTags)
	f.values[attrParams] = stringSet(c.Params)
	return f
}
