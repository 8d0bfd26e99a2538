package policy

import (
	"iter"
	"slices"
	"sync"

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
	// Params yields single values of the request, as "InstanceType=m5.large"; of what is nested, "Placement.Tenancy=host". Nil yields none.
	Params iter.Seq[string]

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

// Facts builds the context of every aws: question about c. Attributes are made when a policy reads them, so that what c holds may not change
// afterwards.
func (c AWSCall) Facts() *Facts { return &Facts{family: familyCall, call: &callFacts{call: c}} }

// callFacts makes the attributes of a call, each set once.
type callFacts struct {
	call AWSCall

	mu   sync.Mutex
	sets map[attr]types.Set
}

func (f *callFacts) value(a attr) types.Value {
	switch c := &f.call; a {
	case attrAction:
		return types.String(c.Action)
	case attrOperation:
		return types.String(c.Operation)
	case attrService:
		return types.String(c.Service)
	case attrRegion:
		return types.String(c.Region)
	case attrDryRun:
		return types.Boolean(c.DryRun)
	case attrLanguage:
		return types.String(c.Text.Language)
	case attrWholeTable:
		return types.Boolean(c.Text.WholeTable)
	case attrDocument:
		return types.String(c.Text.Document)
	case attrUnread:
		return types.Boolean(c.Text.Unread)
	}
	return f.set(a)
}

// set returns an attribute that is a set.
func (f *callFacts) set(a attr) types.Value {
	f.mu.Lock()
	defer f.mu.Unlock()
	if set, ok := f.sets[a]; ok {
		return set
	}
	list, ok := f.call.list(a)
	if !ok {
		return nil
	}
	if f.sets == nil {
		f.sets = map[attr]types.Set{}
	}
	f.sets[a] = stringSet(list)
	return f.sets[a]
}

func (c *AWSCall) list(a attr) (list []string, ok bool) {
	switch a {
	case attrPassedRoles:
		return c.PassedRoles, true
	case attrRequestTags:
		return c.RequestTags, true
	case attrParams:
		if c.Params != nil {
			list = slices.Collect(c.Params)
		}
		return list, true
	case attrStatements:
		return c.Text.Statements, true
	case attrTables:
		return c.Text.Tables, true
	case attrFunctions:
		return c.Text.Functions, true
	case attrCommands:
		return c.Text.Commands, true
	case attrResourceTypes:
		return c.Text.ResourceTypes, true
	}
	return nil, false
}
