package aws

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/test/mototest"
)

// readersOnly lets sessions read, and of what is in calls only what each line says.
const readersOnly = `@id("read") permit (principal, action in [Action::"session:open", Action::"aws:read"], resource);
@id("select") permit (principal, action == Action::"aws:change", resource) when { context.language == "sql" && context.statements == ["select"] };
@id("insert") permit (principal, action == Action::"aws:change", resource) when { context.action == "dynamodb:PartiQLInsert" && resource.arn like "*:table/Orders" };
@id("scan") forbid (principal, action, resource is AWSResource) when { context.language == "partiql" && context.whole_table };
@id("uptime") permit (principal, action == Action::"aws:change", resource) when { context.document == "AWS-RunShellScript" && ["uptime", "df -h"].containsAll(context.commands) };
@id("plain") permit (principal, action == Action::"aws:change", resource) when { context.language == "ssm-document" && !context.unread && context.commands.isEmpty() };
@id("buckets") permit (principal, action == Action::"aws:change", resource) when { context.language == "cloudformation" && !context.unread && ["AWS::S3::Bucket", "AWS::Lambda::Function"].containsAll(context.resource_types) };
@id("role") permit (principal, action == Action::"aws:pass_role", resource) when { resource.arn like "*:role/app" };
`

func jsonCall(service, target string, body any) attempt {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return attempt{method: "POST", path: "/", service: service, body: string(text), header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}}
}

type obj = map[string]any

func dynamo(op string, body obj) attempt {
	a := jsonCall("dynamodb", "DynamoDB_20120810."+op, body)
	a.header.Set("Content-Type", jsonType)
	return a
}

func partiOf(statements ...string) []obj {
	var out []obj
	for _, s := range statements {
		out = append(out, obj{"Statement": s})
	}
	return out
}

func dataAPI(sql string) attempt {
	text, err := json.Marshal(obj{"resourceArn": "arn:aws:rds:eu-west-1:123456789012:cluster:shop", "secretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-abcdef", "sql": sql})
	if err != nil {
		panic(err)
	}
	return attempt{method: "POST", path: "/Execute", service: "rds-data", body: string(text), header: http.Header{"Content-Type": {"application/json"}}}
}

func athena(sql string) attempt {
	return jsonCall("athena", "AmazonAthena.StartQueryExecution", obj{"QueryString": sql, "ClientRequestToken": strings.Repeat("x", 32)})
}

func redshift(sqls ...string) attempt {
	return jsonCall("redshift-data", "RedshiftData.BatchExecuteStatement", obj{"Sqls": sqls, "Database": "d", "WorkgroupName": "w"})
}

func ssm(op string, body obj) attempt { return jsonCall("ssm", "AmazonSSM."+op, body) }

func stack(form string) attempt {
	return attempt{method: "POST", path: "/", service: "cloudformation", body: "Version=2010-05-15&StackName=s&" + form, header: http.Header{"Content-Type": {formType}}}
}

// TestLanguages: what the text inside a call does is decided; what is not understood, and a batch with one item that is denied, does not
// reach AWS.
func TestLanguages(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, readersOnly)
	shell := func(document string, commands ...string) attempt {
		return ssm("SendCommand", obj{"DocumentName": document, "InstanceIds": []string{"i-00000001"}, "Parameters": obj{"commands": commands}})
	}
	for name, c := range map[string]struct {
		attempt
		passes bool
	}{
		"PartiQL SELECT":                  {dynamo("ExecuteStatement", obj{"Statement": `SELECT * FROM "Orders" WHERE id = 'x'`}), true},
		"PartiQL INSERT":                  {dynamo("ExecuteStatement", obj{"Statement": `INSERT INTO Orders VALUE {'id': 'x'}`}), true},
		"PartiQL INSERT into another":     {dynamo("ExecuteStatement", obj{"Statement": `INSERT INTO Others VALUE {'id': 'x'}`}), false},
		"PartiQL scan":                    {dynamo("ExecuteStatement", obj{"Statement": `SELECT * FROM Orders`}), false},
		"PartiQL DELETE":                  {dynamo("ExecuteStatement", obj{"Statement": `DELETE FROM Orders WHERE id = 'x'`}), false},
		"PartiQL DELETE behind a comment": {dynamo("ExecuteStatement", obj{"Statement": "-- SELECT\nDELETE FROM Orders WHERE id = 'x'"}), false},
		"PartiQL UPDATE":                  {dynamo("ExecuteStatement", obj{"Statement": `update "Orders" set a = 1 where id = 'x'`}), false},
		"PartiQL of another account":      {dynamo("ExecuteStatement", obj{"Statement": `SELECT * FROM "arn:aws:dynamodb:eu-west-1:999999999999:table/Orders" WHERE id = 'x'`}), false},
		"PartiQL that is not understood":  {dynamo("ExecuteStatement", obj{"Statement": `SELECT * FROM Orders WHERE id = 'x'; DELETE FROM Orders`}), false},
		"a batch of reads":                {dynamo("BatchExecuteStatement", obj{"Statements": partiOf(`SELECT * FROM Orders WHERE id = 'x'`, `SELECT * FROM Orders WHERE id = 'y'`)}), true},
		"a batch with one denied item":    {dynamo("BatchExecuteStatement", obj{"Statements": partiOf(`SELECT * FROM Orders WHERE id = 'x'`, `DELETE FROM Orders WHERE id = 'y'`)}), false},
		"a batch with an empty item":      {dynamo("BatchExecuteStatement", obj{"Statements": []obj{{"Statement": `SELECT * FROM Orders WHERE id = 'x'`}, {"Parameters": []obj{}}}}), false},
		"a transaction that deletes":      {dynamo("ExecuteTransaction", obj{"TransactStatements": partiOf(`EXISTS(SELECT * FROM Orders WHERE id = 'x')`, `DELETE FROM Orders WHERE id = 'y'`)}), false},

		"Data API SELECT":                {dataAPI("SELECT id, count(*) FROM orders WHERE id = :id GROUP BY id"), true},
		"Data API DROP":                  {dataAPI("DROP TABLE orders"), false},
		"Data API DELETE":                {dataAPI("delete from orders where id = 1"), false},
		"Data API DELETE in a WITH":      {dataAPI("WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d"), false},
		"Data API SELECT of a function":  {dataAPI("SELECT lambda_sync('f', '{}')"), false},
		"Data API SELECT INTO":           {dataAPI("SELECT * INTO copies FROM orders"), false},
		"Data API executable comment":    {dataAPI("SELECT 1 /*! ; DROP TABLE orders */"), false},
		"Data API backslash":             {dataAPI(`SELECT '\'; DROP TABLE orders -- '`), false},
		"Data API two statements":        {dataAPI("SELECT 1; DROP TABLE orders"), false},
		"Data API double quotes":         {dataAPI(`SELECT "a'b" FROM orders; -- '`), false},
		"Data API setting":               {dataAPI("SET search_path TO evil"), false},
		"Data API EXPLAIN ANALYZE":       {dataAPI("EXPLAIN ANALYZE DELETE FROM orders"), false},
		"Data API DO":                    {dataAPI("DO 'begin delete from orders; end'"), false},
		"Redshift batch":                 {redshift("SELECT 1", `SELECT * FROM "Orders"`), true},
		"Redshift batch with one change": {redshift("SELECT 1", "TRUNCATE orders"), false},
		"Redshift UNLOAD":                {redshift("UNLOAD ('select 1') TO 's3://b/' IAM_ROLE default"), false},
		"Athena SELECT":                  {athena(`SELECT * FROM "db"."t" WHERE a = ?`), true},
		"Athena CTAS":                    {athena("CREATE TABLE x AS SELECT * FROM t"), false},
		"Athena UNLOAD":                  {athena("UNLOAD (SELECT 1) TO 's3://b/'"), false},
		"Athena EXECUTE":                 {athena("EXECUTE p"), false},

		"SSM command that is listed":     {shell("AWS-RunShellScript", "uptime"), true},
		"SSM command that is not":        {shell("AWS-RunShellScript", "uptime", "rm -rf /"), false},
		"SSM document without commands":  {shell("AWS-RunShellScript"), true},
		"SSM other document":             {shell("Mine", "uptime"), false},
		"SSM session":                    {ssm("StartSession", obj{"Target": "i-00000001"}), false},
		"SSM automation":                 {ssm("StartAutomationExecution", obj{"DocumentName": "AWS-RestartEC2Instance"}), false},
		"command in a sandbox":           {jsonCall("codebuild", "CodeBuild_20161006.StartCommandExecution", obj{"sandboxId": "s", "command": "rm -rf /"}), false},
		"queue with a policy":            {jsonCall("sqs", "AmazonSQS.CreateQueue", obj{"QueueName": "q", "Attributes": obj{"Policy": `{"Statement": []}`}}), false},
		"policy of a topic":              {attempt{method: "POST", path: "/", service: "sns", body: "Action=SetTopicAttributes&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3At&AttributeName=Policy&AttributeValue=" + esc(`{"Statement":[]}`), header: http.Header{"Content-Type": {formType}}}, false},
		"ECS Exec":                       {jsonCall("ecs", "AmazonEC2ContainerServiceV20141113.ExecuteCommand", obj{"cluster": "c", "task": "t", "command": "sh", "interactive": true}), false},
		"state machine with a bad text":  {jsonCall("states", "AWSStepFunctions.CreateStateMachine", obj{"name": "s", "roleArn": "arn:aws:iam::123456789012:role/app", "definition": `{"a":1,"a":2}`}), false},
		"IAM policy without permissions": {attempt{method: "POST", path: "/", service: "iam", body: "Action=PutRolePolicy&Version=2010-05-08&RoleName=r&PolicyName=p&PolicyDocument=%7B%7D", header: http.Header{"Content-Type": {formType}}}, false},

		"stack of a bucket":             {stack("Action=CreateStack&TemplateBody=" + esc("Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: !Sub 'x-${AWS::Region}'}\n")), true},
		"stack of a user":               {stack("Action=CreateStack&TemplateBody=" + esc("Resources: {U: {Type: 'AWS::IAM::User'}}")), false},
		"stack of both, in JSON":        {stack("Action=CreateStack&TemplateBody=" + esc(`{"Resources":{"B":{"Type":"AWS::S3::Bucket"},"U":{"Type":"AWS\u003a:IAM::User"}}}`)), false},
		"stack with a macro":            {stack("Action=CreateStack&TemplateBody=" + esc("Transform: Mine\nResources: {B: {Type: 'AWS::S3::Bucket'}}")), false},
		"stack from a URL":              {stack("Action=CreateStack&TemplateURL=" + esc("https://s3.amazonaws.com/b/k")), false},
		"stack with a type twice":       {stack("Action=CreateStack&TemplateBody=" + esc("Resources: {B: {Type: 'AWS::IAM::User', Type: 'AWS::S3::Bucket'}}")), false},
		"stack that hands on its role":  {stack("Action=CreateStack&TemplateBody=" + esc("Resources: {F: {Type: 'AWS::Lambda::Function', Properties: {Role: 'arn:aws:iam::123456789012:role/app'}}}")), true},
		"stack that hands on another":   {stack("Action=CreateStack&TemplateBody=" + esc("Resources: {F: {Type: 'AWS::Lambda::Function', Properties: {Role: 'arn:aws:iam::123456789012:role/admin'}}}")), false},
		"stack that hands on whichever": {stack("Action=CreateStack&TemplateBody=" + esc("Parameters: {R: {Type: String}}\nResources: {F: {Type: 'AWS::Lambda::Function', Properties: {Role: !Ref R}}}")), false},
	} {
		t.Run(name, func(t *testing.T) {
			code, text := b.send(c.attempt)
			got := b.reached()
			switch {
			case c.passes && len(got) != 1:
				t.Errorf("%d %s, and %d calls reached AWS", code, text, len(got))
			case !c.passes && (len(got) != 0 || code < 400 || code >= 500):
				t.Errorf("%d %s, and %d calls reached AWS", code, text, len(got))
			}
		})
	}
}

// TestRefusedWhateverPolicySays: sessions that would go past the edge, what runs elsewhere, and what is not read.
func TestRefusedWhateverPolicySays(t *testing.T) {
	b := newBed(t)
	recorded := 0
	for name, a := range map[string]attempt{
		"a session":                  ssm("StartSession", obj{"Target": "i-00000001"}),
		"a session taken up":         ssm("ResumeSession", obj{"SessionId": "s-1"}),
		"ECS Exec":                   jsonCall("ecs", "AmazonEC2ContainerServiceV20141113.ExecuteCommand", obj{"cluster": "c", "task": "t", "command": "sh", "interactive": true}),
		"a session in a sandbox":     jsonCall("codebuild", "CodeBuild_20161006.StartSandboxConnection", obj{"sandboxId": "s"}),
		"other accounts":             ssm("StartAutomationExecution", obj{"DocumentName": "d", "TargetLocations": []obj{{"Accounts": []string{"999999999999"}, "Regions": []string{"eu-west-1"}}}}),
		"associations in a batch":    ssm("CreateAssociationBatch", obj{"Entries": []obj{{"Name": "d"}}}),
		"parameters of the old sort": ssm("RegisterTaskWithMaintenanceWindow", obj{"WindowId": "mw-0123456789abcdef0", "TaskArn": "AWS-RunShellScript", "TaskType": "RUN_COMMAND", "TaskParameters": obj{"commands": obj{"Values": []string{"x"}}}}),
		"commands of a build":        jsonCall("codebuild", "CodeBuild_20161006.StartBuild", obj{"projectName": "p", "buildspecOverride": "x"}),
		"the old Data API":           {method: "POST", path: "/ExecuteSql", service: "rds-data", body: `{"awsSecretStoreArn": "a", "dbClusterOrInstanceArn": "b", "sqlStatements": "SELECT 1"}`, header: http.Header{"Content-Type": {"application/json"}}},
		"logs that the text names":   jsonCall("logs", "Logs_20140328.StartQuery", obj{"startTime": 1, "endTime": 2, "logGroupName": "g", "queryString": "SOURCE logGroups(namePrefix: ['x']) | fields @message"}),
		"logs in another language":   jsonCall("logs", "Logs_20140328.StartQuery", obj{"startTime": 1, "endTime": 2, "queryLanguage": "SQL", "queryString": "SELECT 1 FROM `x`"}),
		"a query that exports":       jsonCall("timestream", "Timestream_20181101.Query", obj{"QueryString": "UNLOAD (SELECT 1) TO 's3://b/'"}),
		"a query behind a comment":   jsonCall("timestream", "Timestream_20181101.Query", obj{"QueryString": "/* SELECT */ UNLOAD (SELECT 1) TO 's3://b/'"}),
		"two templates":              stack("Action=CreateStack&TemplateURL=https%3A%2F%2Fx&TemplateBody=" + esc("Resources: {B: {Type: 'AWS::S3::Bucket'}}")),
		"a template that is open":    stack("Action=CreateStack&TemplateBody=" + esc("Resources: [")),
		"a machine of no form":       jsonCall("states", "AWSStepFunctions.CreateStateMachine", obj{"name": "s", "roleArn": "arn:aws:iam::123456789012:role/app", "definition": `{"a":1,"a":2}`}),
	} {
		code, text := b.send(a)
		if n := len(b.reached()); n > 0 || code != http.StatusForbidden || !strings.Contains(text, "operation ") {
			t.Errorf("%s: %d %s, and %d calls reached AWS", name, code, text, n)
		}
		refused := b.Records.Of(audit.KindRefusal)
		if len(refused) != recorded+1 || !strings.Contains(refused[recorded].Statement, ":") || !strings.HasSuffix(refused[recorded].Statement, mototest.Account) {
			t.Errorf("%s: recorded as %+v", name, refused[min(recorded, len(refused)):])
		}
		recorded = len(refused)
	}
}

// TestChangesAreChanges: what a text changes is a change, whatever level IAM gives the action.
func TestChangesAreChanges(t *testing.T) {
	x := &exchange{text: reading{changes: true}}
	if got := x.actionsOf(awsmodel.Access{Action: "athena:StartQueryExecution", Level: awsmodel.Read}); !slices.Equal(got, []policy.Action{policy.AWSChange}) {
		t.Errorf("%v", got)
	}
}

// TestPoliciesArePermissions: who sets a policy of IAM changes permissions, whatever level IAM gives the action.
func TestPoliciesArePermissions(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, `@id("all") permit (principal, action in [Action::"session:open", Action::"aws:read", Action::"aws:write"], resource);
`)
	queue := func(attributes obj) attempt {
		return jsonCall("sqs", "AmazonSQS.CreateQueue", obj{"QueueName": "q", "Attributes": attributes})
	}
	form := func(service, version, form string) attempt {
		return attempt{method: "POST", path: "/", service: service, body: form + "&Version=" + version, header: http.Header{"Content-Type": {formType}}}
	}
	const policy = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]}`
	for name, c := range map[string]struct {
		attempt
		passes bool
	}{
		"a queue":                       {queue(obj{"VisibilityTimeout": "30"}), true},
		"a queue for what fails":        {queue(obj{"RedrivePolicy": `{"maxReceiveCount": 3}`}), true},
		"a queue with a policy":         {queue(obj{"Policy": policy}), false},
		"one in another case":           {queue(obj{"Policy": strings.Replace(policy, "Statement", "statement", 1)}), false},
		"one with an escaped name":      {queue(obj{"Policy": strings.Replace(policy, "Statement", `\u0053tatement`, 1)}), false},
		"one behind white space":        {queue(obj{"Policy": "\n\t " + policy}), false},
		"one that cannot be read":       {queue(obj{"Policy": policy + "}"}), false},
		"an endpoint":                   {form("ec2", "2016-11-15", "Action=CreateVpcEndpoint&VpcId=vpc-1&ServiceName=s"), true},
		"an endpoint with a policy":     {form("ec2", "2016-11-15", "Action=CreateVpcEndpoint&VpcId=vpc-1&ServiceName=s&PolicyDocument="+esc(policy)), false},
		"a role":                        {form("iam", "2010-05-08", "Action=CreateRole&RoleName=r&AssumeRolePolicyDocument="+esc(policy)), false},
		"an item that is like a policy": {dynamo("PutItem", obj{"TableName": "Orders", "Item": obj{"Document": obj{"S": policy}}}), true},
		"a rule of a repository":        {jsonCall("ecr", "AmazonEC2ContainerRegistry_V20150921.PutLifecyclePolicy", obj{"repositoryName": "r", "lifecyclePolicyText": `{"rules": []}`}), true},
	} {
		t.Run(name, func(t *testing.T) {
			code, text := b.send(c.attempt)
			if n := len(b.reached()); c.passes != (n == 1) || n > 1 {
				t.Errorf("%d %s, and %d calls reached AWS", code, text, n)
			}
		})
	}
}

func esc(s string) string {
	var out strings.Builder
	for i := range len(s) {
		out.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[s[i]>>4])+string("0123456789abcdef"[s[i]&15])))
	}
	return out.String()
}

// TestEveryLanguageIsDecidedOn: an operation that the models mark is read, or is known to be refused.
func TestEveryLanguageIsDecidedOn(t *testing.T) {
	model, err := awsmodel.Open()
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{
		"glue:RunStatement": true, "lakeformation:StartQueryPlanning": true,
		"rds-data:ExecuteSql": true, "athena:StartCalculationExecution": true, "iottwinmaker:ExecuteQuery": true, "cleanrooms:StartProtectedQuery": true,
		"neptunedata:ExecuteGremlinQuery": true, "neptunedata:ExecuteGremlinProfileQuery": true, "neptunedata:ExecuteGremlinExplainQuery": true,
		"neptunedata:ExecuteOpenCypherQuery": true, "neptunedata:ExecuteOpenCypherExplainQuery": true, "neptune-graph:ExecuteQuery": true,
	}
	marked, err := model.Languages()
	if err != nil {
		t.Fatal(err)
	}
	for name, language := range marked {
		if _, read := readers[name]; read == refused[name] && language != "iam-policy" {
			t.Errorf("%s (%s): read %v, refused %v", name, language, read, refused[name])
		}
		delete(refused, name)
	}
	for name := range refused {
		t.Errorf("%s carries no language", name)
	}
	for name := range readers {
		if marked[name] == "" {
			t.Errorf("%s is read, and the models do not mark it", name)
		}
	}
}
