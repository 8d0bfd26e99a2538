package aws

import (
	"net/http"
	"testing"

	"github.com/writhq/writ/pkg/audit"
)

const theirs = "999999999999"

func formOf(service, body string) attempt {
	return attempt{method: "POST", path: "/", service: service, body: body, header: http.Header{"Content-Type": {formType}}}
}

func restJSON(service, method, path, query, body string) attempt {
	return attempt{method: method, path: path, query: query, service: service, body: body, header: http.Header{"Content-Type": {"application/json"}}}
}

// TestForeignNames: a call does not leave the account by any of the ways in which a request can name another, also where what it is on
// cannot be told for certain.
func TestForeignNames(t *testing.T) {
	b := newBed(t)
	arn := func(service, rest string) string { return "arn:aws:" + service + ":eu-west-1:" + theirs + ":" + rest }
	entry := func(bus string) obj {
		return obj{"Source": "a", "DetailType": "b", "Detail": "{}", "EventBusName": bus}
	}
	item := func(table string) obj { return obj{"Delete": obj{"TableName": table, "Key": obj{"id": obj{"S": "x"}}}} }
	keys := obj{"Keys": []obj{{"id": obj{"S": "x"}}}}
	refusals := 0
	for name, a := range map[string]attempt{
		"a function by a short name":  restJSON("lambda", "POST", "/2015-03-31/functions/"+theirs+":function:f/invocations", "", "{}"),
		"a function's version":        restJSON("lambda", "POST", "/2015-03-31/functions/"+arn("lambda", "function:f:prod")+"/invocations", "", "{}"),
		"a key's alias":               jsonCall("kms", "TrentService.DescribeKey", obj{"KeyId": arn("kms", "alias/x")}),
		"a secret in another case":    jsonCall("secretsmanager", "secretsmanager.GetSecretValue", obj{"SecretId": "ARN:aws:secretsmanager:eu-west-1:" + theirs + ":secret:x"}),
		"a list of secrets":           jsonCall("secretsmanager", "secretsmanager.BatchGetSecretValue", obj{"SecretIdList": []string{"own", arn("secretsmanager", "secret:x-abcdef")}}),
		"one parameter of two":        jsonCall("ssm", "AmazonSSM.GetParameters", obj{"Names": []string{"/a", arn("ssm", "parameter/x")}}),
		"one table of two":            dynamo("BatchGetItem", obj{"RequestItems": obj{"own": keys, arn("dynamodb", "table/x"): keys}}),
		"one table of a transaction":  dynamo("TransactWriteItems", obj{"TransactItems": []obj{item("own"), item(arn("dynamodb", "table/x"))}}),
		"one bus of two":              jsonCall("events", "AWSEvents.PutEvents", obj{"Entries": []obj{entry("own"), entry(arn("events", "event-bus/x"))}}),
		"groups of logs":              jsonCall("logs", "Logs_20140328.FilterLogEvents", obj{"logGroupIdentifier": arn("logs", "log-group:x")}),
		"groups of a query":           jsonCall("logs", "Logs_20140328.StartQuery", obj{"startTime": 1, "endTime": 2, "logGroupIdentifiers": []string{arn("logs", "log-group:x")}, "queryString": "fields @message"}),
		"a queue's URL":               jsonCall("sqs", "AmazonSQS.SendMessage", obj{"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/" + theirs + "/q", "MessageBody": "x"}),
		"a queue's URL with a slash":  jsonCall("sqs", "AmazonSQS.SendMessage", obj{"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/" + theirs + "/q/", "MessageBody": "x"}),
		"a part of a queue's URL":     jsonCall("sqs", "AmazonSQS.SendMessage", obj{"QueueUrl": theirs + "/q", "MessageBody": "x"}),
		"a queue's owner":             jsonCall("sqs", "AmazonSQS.GetQueueUrl", obj{"QueueName": "q", "QueueOwnerAWSAccountId": theirs}),
		"an alias of a machine":       jsonCall("states", "AWSStepFunctions.StartExecution", obj{"stateMachineArn": arn("states", "stateMachine:x:prod")}),
		"another target of a topic":   formOf("sns", "Action=Publish&Version=2010-03-31&TargetArn="+esc(arn("sns", "x"))+"&Message=x"),
		"a registry":                  jsonCall("ecr", "AmazonEC2ContainerRegistry_V20150921.BatchGetImage", obj{"registryId": theirs, "repositoryName": "r", "imageIds": []obj{{"imageTag": "x"}}}),
		"registries":                  jsonCall("ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", obj{"registryIds": []string{theirs}}),
		"a catalog":                   jsonCall("glue", "AWSGlue.GetDatabases", obj{"CatalogId": theirs}),
		"a domain's owner":            restJSON("codeartifact", "GET", "/v1/domain", "domain=d&domain-owner="+theirs, ""),
		"a mesh's owner":              restJSON("appmesh", "GET", "/v20190125/meshes/m", "meshOwner="+theirs, ""),
		"the root user of another":    formOf("sts", "Action=AssumeRoot&Version=2011-06-15&TargetPrincipal="+theirs+"&TaskPolicyArn.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2Froot-task%2FIAMAuditRootUserCredentials"),
		"an account in S3 Control":    {method: "GET", path: "/v20180820/jobs", service: "s3", header: http.Header{"X-Amz-Account-Id": {theirs}}},
		"an access point":             {method: "GET", path: "/arn:aws:s3:eu-west-1:" + theirs + ":accesspoint/x/k", service: "s3"},
		"an access point's alias":     {method: "GET", path: "/ap-x1y2z3-s3alias/k", service: "s3"},
		"a role that a function gets": restJSON("lambda", "POST", "/2015-03-31/functions", "", `{"FunctionName":"f","Role":"arn:aws:iam::`+theirs+`:role/x","Code":{},"Handler":"h","Runtime":"python3.11"}`),
		"where a query of an object goes": {method: "POST", path: "/own/k", query: "restore=", service: "s3", header: http.Header{"Content-Type": {"application/xml"}},
			body: `<RestoreRequest><Type>SELECT</Type><OutputLocation><S3><BucketName>theirs</BucketName><Prefix>x</Prefix></S3></OutputLocation></RestoreRequest>`},
	} {
		t.Run(name, func(t *testing.T) {
			if code, text := b.send(a); code != http.StatusForbidden {
				t.Errorf("%d %s", code, text)
			}
			for _, r := range b.reached() {
				t.Errorf("it reached AWS: %s %s", r.Method, r.RequestURI)
			}
			if refusals++; len(b.Records.Of(audit.KindRefusal)) != refusals {
				t.Errorf("%d refusals are recorded, want %d", len(b.Records.Of(audit.KindRefusal)), refusals)
			}
		})
	}
	for name, a := range map[string]attempt{
		"own tables":     dynamo("BatchGetItem", obj{"RequestItems": obj{"own": keys, "arn:aws:dynamodb:eu-west-1:123456789012:table/x": keys}}),
		"a restore":      {method: "POST", path: "/own/k", query: "restore=", service: "s3", header: http.Header{"Content-Type": {"application/xml"}}, body: `<RestoreRequest><Days>1</Days></RestoreRequest>`},
		"own registries": jsonCall("ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", obj{"registryIds": []string{"123456789012"}}),
		"a text that names another": jsonCall("sqs", "AmazonSQS.SendMessage", obj{"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
			"MessageBody": "https://sqs.eu-west-1.amazonaws.com/" + theirs + "/q"}),
	} {
		if code, text := b.send(a); len(b.reached()) != 1 {
			t.Errorf("%s does not reach AWS: %d %s", name, code, text)
		}
	}
}

// TestRegions: calls go to the account's regions alone.
func TestRegions(t *testing.T) {
	b := newBed(t)
	narrow := *b.server.accounts.get("shop")
	narrow.Version, narrow.Regions = 2, []string{"eu-west-1"}
	b.server.SetResources([]*Resource{&narrow})
	other := listTables()
	other.region = "us-east-1"
	if code, text := b.send(other); code != http.StatusForbidden || len(b.reached()) > 0 {
		t.Errorf("%d %s", code, text)
	}
	if code, text := b.send(listTables()); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
}
