package aws

import (
	"errors"
	"net/http"
	"testing"
)

const readAndWrite = `@id("data") permit (principal, action in [Action::"session:open", Action::"aws:read", Action::"aws:write", Action::"aws:reveal"], resource);
`

// TestKeysAreAssumed: who may read and write does not get credentials that are good past the edge, whatever level IAM gives the action.
func TestKeysAreAssumed(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, readAndWrite)
	for name, a := range map[string]attempt{
		"a role":             formOf("sts", "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/x&RoleSessionName=session"),
		"the root user":      formOf("sts", "Action=AssumeRoot&Version=2011-06-15&TargetPrincipal=123456789012&TaskPolicyArn.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2Froot-task%2FIAMAuditRootUserCredentials"),
		"a session":          formOf("sts", "Action=GetSessionToken&Version=2011-06-15"),
		"a federated user":   formOf("sts", "Action=GetFederationToken&Version=2011-06-15&Name=x"),
		"a key of a user's":  formOf("iam", "Action=CreateAccessKey&Version=2010-05-08&UserName=u"),
		"access by a node":   jsonCall("ssm", "AmazonSSM.GetAccessToken", obj{"AccessRequestId": "oi-0123456789ab"}),
		"keys for a table":   restJSON("lakeformation", "POST", "/GetTemporaryGlueTableCredentials", "", `{"TableArn":"arn:aws:glue:eu-west-1:123456789012:table/d/t"}`),
		"keys of a pipeline": jsonCall("codepipeline", "CodePipeline_20150709.GetJobDetails", obj{"jobId": "11111111-1111-1111-1111-111111111111"}),
	} {
		if code, text := b.send(a); code != http.StatusForbidden || len(b.reached()) > 0 {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	if code, text := b.send(callerIdentity()); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
}

// TestPassedProfiles: an instance profile is not taken for a role of its name, since it may hold another; nor is a role overlooked that
// stands in a list of options.
func TestPassedProfiles(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, readAndWrite+`@id("role") permit (principal, action == Action::"aws:pass_role", resource) when { resource.arn like "*:role/app" };
`)
	run := formOf("ec2", "Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=1&IamInstanceProfile.Name=app")
	environment := formOf("elasticbeanstalk", "Action=CreateEnvironment&Version=2010-12-01&ApplicationName=a&EnvironmentName=env1&OptionSettings.member.1.Namespace=aws%3Aautoscaling%3Alaunchconfiguration&OptionSettings.member.1.OptionName=IamInstanceProfile&OptionSettings.member.1.Value=admin")
	for name, a := range map[string]attempt{"an instance's": run, "an option": environment} {
		if code, text := b.send(a); code != http.StatusForbidden || len(b.reached()) > 0 {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	b.Policies.Set(t, readAndWrite+`@id("profile") permit (principal, action == Action::"aws:pass_role", resource) when { resource.arn like "*:instance-profile/app" };
`)
	run.header = http.Header{"Content-Type": {formType}}
	if code, text := b.send(run); len(b.reached()) != 1 {
		t.Errorf("%d %s", code, text)
	}
}

// TestActionsNobodyKnows: a call whose IAM action is not known is asked as such, which no group of actions holds.
func TestActionsNobodyKnows(t *testing.T) {
	b := newBed(t)
	a := restJSON("lakeformation", "POST", "/GetTemporaryDataLocationCredentials", "", "{}")
	if code, text := b.send(a); code != http.StatusForbidden || len(b.reached()) > 0 {
		t.Errorf("%d %s", code, text)
	}
}

// TestNoRecordNoCall: what cannot be recorded does not reach AWS; a refusal that cannot be says so.
func TestNoRecordNoCall(t *testing.T) {
	b := newBed(t)
	create := func() attempt { return jsonCall("sqs", "AmazonSQS.CreateQueue", obj{"QueueName": "q"}) }
	if code, text := b.send(create()); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	b.reached()
	b.Records.Fail(errors.New("the disk is full"))
	unknown := listTables()
	unknown.body = `{"Novelty":1}`
	for name, a := range map[string]attempt{"a change": create(), "a read": listTables(), "what is not understood": unknown} {
		if code, text := b.send(a); code != http.StatusServiceUnavailable || len(b.reached()) > 0 {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
}
