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

	Text AWSText
}

// AWSText holds what the text inside a call says: a query, a template, the name of a document that is run. The zero value is a call
// without one.
type AWSText struct {
	Language      string   // such as "sql"
	Statements    []string // what its statements do: "select", "delete", "ddl"
	Tables        []string // that they name, as written
	Functions     []string // that they call
	WholeTable    bool     // one of them reads or changes a table without a WHERE
	Document      string   // of Systems Manager: its name
	Commands      []string // that are run on machines
	ResourceTypes []string // that a template has, such as "AWS::S3::Bucket"
	Unread        bool     // something that decides what the call does is not in it, such as a template by its URL
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
	f.values[attrLanguage] = types.String(c.Text.Language)
	f.values[attrStatements] = stringSet(c.Text.Statements)
	f.values[attrTables] = stringSet(c.Text.Tables)
	f.values[attrFunctions] = stringSet(c.Text.Functions)
	f.values[attrWholeTable] = types.Boolean(c.Text.WholeTable)
	f.values[attrDocument] = types.String(c.Text.Document)
	f.values[attrCommands] = stringSet(c.Text.Commands)
	f.values[attrResourceTypes] = stringSet(c.Text.ResourceTypes)
	f.values[attrUnread] = types.Boolean(c.Text.Unread)
	return f
}
