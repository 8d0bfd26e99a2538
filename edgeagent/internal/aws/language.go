package aws

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/policy"
)

// reading is what the text inside a call says.
type reading struct {
	policy.AWSText
	access      []awsmodel.Access // in the place of what the model says
	changes     bool              // it changes something, whatever level IAM gives the action
	permissions bool              // it may change who may do what
	roles       []string          // ARNs or names of roles that it hands on
	anyRole     bool              // it hands on roles that cannot be told
}

// reader reads the text of one operation.
type reader func(*exchange) (reading, error)

// readers are the operations whose text is read, by service and operation. An operation that the model marks with a language and that is
// not here is refused.
var readers = map[string]reader{
	"dynamodb:ExecuteStatement":      partiQL("Statement"),
	"dynamodb:BatchExecuteStatement": partiQL("Statements[].Statement"),
	"dynamodb:ExecuteTransaction":    partiQL("TransactStatements[].Statement"),

	"rds-data:ExecuteStatement":           statements("sql", dialect{named: true}),
	"rds-data:BatchExecuteStatement":      statements("sql", dialect{named: true}),
	"redshift-data:ExecuteStatement":      statements("Sql", dialect{named: true, quotes: true}),
	"redshift-data:BatchExecuteStatement": statements("Sqls[]", dialect{named: true, quotes: true}),
	"athena:StartQueryExecution":          statements("QueryString", dialect{marks: true, quotes: true}),
	"athena:CreateNamedQuery":             statements("QueryString", dialect{marks: true, quotes: true}),
	"athena:UpdateNamedQuery":             statements("QueryString", dialect{marks: true, quotes: true}),
	"athena:CreatePreparedStatement":      statements("QueryStatement", dialect{marks: true, quotes: true}),
	"athena:UpdatePreparedStatement":      statements("QueryStatement", dialect{marks: true, quotes: true}),

	"timestream-query:Query":                query("QueryString"),
	"timestream-query:PrepareQuery":         query("QueryString"),
	"timestream-query:CreateScheduledQuery": query("QueryString"),
	"s3:SelectObjectContent":                query("Expression"),
	"config:SelectResourceConfig":           query("Expression"),
	"config:SelectAggregateResourceConfig":  query("Expression"),
	"cloudtrail:StartQuery":                 query("QueryStatement"),
	"iotsitewise:ExecuteQuery":              query("queryStatement"),
	"logs:StartQuery":                       insights,
	"logs:CreateScheduledQuery":             insights,
	"logs:UpdateScheduledQuery":             insights,

	"ssm:SendCommand":                       runs("DocumentName", "Parameters"),
	"ssm:StartAutomationExecution":          runs("DocumentName", "Parameters"),
	"ssm:CreateAssociation":                 runs("Name", "Parameters"),
	"ssm:UpdateAssociation":                 runs("Name", "Parameters"),
	"ssm:RegisterTaskWithMaintenanceWindow": runs("TaskArn", "TaskInvocationParameters.RunCommand.Parameters"),
	"ssm:UpdateMaintenanceWindowTask":       runs("TaskArn", "TaskInvocationParameters.RunCommand.Parameters"),
	"ssm:CreateDocument":                    document,
	"ssm:UpdateDocument":                    document,
	"ssm:StartSession":                      interactive,
	"ssm:ResumeSession":                     interactive,
	"ecs:ExecuteCommand":                    interactive,
	"codebuild:StartCommandExecution":       commandIn("command"),
	"codebuild:StartSandboxConnection":      interactive,
	"emr:AddJobFlowSteps":                   steps,
	"emr:RunJobFlow":                        steps,
	"ssm:CreateAssociationBatch":            refused("name one association at a time"),
	"ssm:StartChangeRequestExecution":       refused("start the automation itself"),
	"codebuild:StartBuild":                  build,
	"codebuild:StartBuildBatch":             build,

	"cloudformation:CreateStack":                   template("TemplateBody"),
	"cloudformation:UpdateStack":                   template("TemplateBody"),
	"cloudformation:CreateChangeSet":               template("TemplateBody"),
	"cloudformation:CreateStackSet":                template("TemplateBody"),
	"cloudformation:UpdateStackSet":                template("TemplateBody"),
	"cloudformation:ExecuteChangeSet":              elsewhere,
	"cloudformation:CreateStackInstances":          elsewhere,
	"cloudformation:UpdateStackInstances":          elsewhere,
	"cloudformation:CreateStackRefactor":           elsewhere,
	"serverlessrepo:CreateCloudFormationChangeSet": elsewhere,
	"cloudformation:ExecuteStackRefactor":          elsewhere,
	"config:PutConformancePack":                    template("TemplateBody"),
	"config:PutOrganizationConformancePack":        template("TemplateBody"),
	"cloudcontrol:CreateResource":                  control("DesiredState"),
	"cloudcontrol:UpdateResource":                  control("PatchDocument"),
	"cloudcontrol:DeleteResource":                  control(""),

	"stepfunctions:CreateStateMachine": states,
	"stepfunctions:UpdateStateMachine": states,
	"stepfunctions:TestState":          states,
}

// read reads the text inside the call, if it has one.
func (x *exchange) read() error {
	read, known := readers[x.call.Service+":"+x.call.Operation]
	switch {
	case known:
	case x.call.Service == "s3" && x.call.Operation == "RestoreObject":
		read = restore
	case x.call.Language != "" && x.call.Language != "iam-policy":
		return x.unreadText("it carries "+x.call.Language+", which is not read", "use an operation that says what it does")
	default:
		read = permissions
	}
	var err error
	if x.text, err = read(x); err != nil {
		return err
	}
	if x.text.access != nil {
		x.access = x.text.access
	}
	if x.text.Language == "" {
		x.text.Language = x.call.Language
	}
	return nil
}

// unreadText refuses the call for its text.
func (x *exchange) unreadText(why, fix string) error {
	return &awsmodel.Error{Kind: awsmodel.ErrUnsupported, Part: "operation " + x.call.Operation, Why: why, Fix: fix}
}

// maxTexts bounds the texts of one call together, in bytes.
const maxTexts = 256 << 10

// texts returns the texts at a path of members: at least one, and one for each element of a list.
func (x *exchange) texts(path string) ([]string, error) {
	texts := x.params.Strings(path)
	if list, _, ok := strings.Cut(path, "[]"); ok && len(x.params.All(list+"[]")) != len(texts) {
		return nil, x.unreadText("an element of "+list+" has no text", "give each a statement")
	}
	size := 0
	for _, t := range texts {
		size += len(t)
	}
	x.told = append(x.told, texts...)
	switch {
	case len(texts) == 0:
		return nil, x.unreadText(path+" is missing", "")
	case size > maxTexts:
		return nil, x.unreadText("its text is too long", "send less at a time")
	}
	return texts, nil
}

// refused refuses with what to do instead.
func refused(fix string) reader {
	return func(x *exchange) (reading, error) {
		return reading{}, x.unreadText("it carries "+x.call.Language+", which is not read", fix)
	}
}

// interactive refuses what opens a shell: what is typed there goes by another way, which nobody decides or records.
func interactive(x *exchange) (reading, error) {
	return reading{}, x.unreadText("it opens a session past the edge, where nothing is decided or recorded", "send single commands with ssm send-command")
}

// permissions finds policies of IAM among the members of a call that changes something. Who sets one changes permissions, whatever level IAM
// gives the action.
func permissions(x *exchange) (reading, error) {
	var r reading
	if !x.call.Mutates {
		return r, nil
	}
	attribute := strings.Contains(x.params.Get("AttributeName").Text, "olicy") // of a topic: its value stands beside it
	err := flatten(x.params.Value, func(path string, v awsmodel.Value) {
		last := path[strings.LastIndexByte(path, '.')+1:]
		named := strings.Contains(last, "olicy") || strings.Contains(last, "olicies") || last == "AttributeValue" && attribute || x.call.Language != ""
		r.permissions = r.permissions || named && isPolicy(v)
	})
	return r, err
}

// isPolicy says that a value is a document of JSON with statements, or one that cannot be read.
func isPolicy(v awsmodel.Value) bool {
	if !isDocument(v) {
		return false
	}
	root, err := readTree(v.Text)
	return err != nil || slices.ContainsFunc(root.keys, func(key string) bool { return strings.EqualFold(key, "Statement") })
}

// isDocument says that a value is a document of JSON.
func isDocument(v awsmodel.Value) bool {
	return v.Kind == awsmodel.Text && strings.HasPrefix(strings.TrimLeft(v.Text, " \t\r\n"), "{")
}
