package awsmodel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var owner = Owner{Partition: "aws", Region: "eu-west-1", Account: "111122223333"}

// read identifies a request and reads its members.
func read(t testing.TB, m *Model, r Request) (Call, Params) {
	t.Helper()
	c, err := m.Identify(r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Members(c, r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

func jsonCall(service, target, text string) Request {
	return Request{Method: "POST", Path: "/", Service: service, Header: header("X-Amz-Target", target, "Content-Type", "application/x-amz-json-1.1"), Body: body(text)}
}

func formCall(service, version, text string) Request {
	return Request{Method: "POST", Path: "/", Service: service, Header: header("Content-Type", form), Body: body("Version=" + version + "&" + text)}
}

// spell writes what a call needs in one line: action=resources, "?" for one that is not known.
func spell(all []Access) string {
	var out []string
	for _, a := range all {
		var rs []string
		for _, r := range a.Resources {
			switch r.Kind {
			case UnknownResource:
				rs = append(rs, "?")
			case AnyResource:
				rs = append(rs, "*")
			default:
				rs = append(rs, strings.TrimPrefix(r.ARN, "arn:aws:"))
			}
		}
		out = append(out, a.Action+"="+strings.Join(rs, ","))
	}
	return strings.Join(out, " ")
}

func TestAccess(t *testing.T) {
	m := model(t)
	s3 := func(method, path, query string, kv ...string) Request {
		return Request{Method: method, Path: path, Query: query, Service: "s3", Header: header(kv...)}
	}
	for _, c := range []struct {
		name string
		r    Request
		want string
	}{
		{"an object", s3("GET", "/bkt/a/b", ""), "s3:GetObject=s3:::bkt/a/b"},
		{"an object's version", s3("GET", "/bkt/a", "versionId=7"), "s3:GetObjectVersion=s3:::bkt/a"},
		{"a key with everything", s3("GET", "/bkt/a%20b%2A%3F:c//../d", ""), "s3:GetObject=s3:::bkt/a b*?:c//../d"},
		{"a list", s3("GET", "/bkt", "list-type=2&prefix=a%2F"), "s3:ListBucket=s3:::bkt"},
		{"an upload that makes itself public", s3("PUT", "/bkt/a", "", "X-Amz-Acl", "public-read"), "s3:PutObject=s3:::bkt/a s3:PutObjectAcl=s3:::bkt/a"},
		{"the same, presigned", s3("PUT", "/bkt/a", "x-amz-acl=public-read&X-Amz-Signature=x"), "s3:PutObject=s3:::bkt/a s3:PutObjectAcl=s3:::bkt/a"},
		{"a copy", s3("PUT", "/bkt/a", "", "X-Amz-Copy-Source", "/src/b%20c?versionId=1", "X-Amz-Tagging-Directive", "REPLACE"), "s3:GetObjectVersion=s3:::src/b c s3:PutObject=s3:::bkt/a"},
		{"a copy from an access point", s3("PUT", "/bkt/a", "", "X-Amz-Copy-Source", "arn:aws:s3:us-east-1:1:accesspoint/x/object/k", "X-Amz-Tagging-Directive", "REPLACE"), "s3:GetObject=? s3:PutObject=s3:::bkt/a"},
		{"a copy with a plus", s3("PUT", "/bkt/a", "", "X-Amz-Copy-Source", "src/a+b", "X-Amz-Tagging-Directive", "REPLACE"), "s3:GetObject=? s3:PutObject=s3:::bkt/a"},
		{"a batch of deletes", Request{Method: "POST", Path: "/bkt", Query: "delete", Service: "s3", Body: body("<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>1</VersionId></Object></Delete>")},
			"s3:DeleteObject=s3:::bkt/a,s3:::bkt/b s3:DeleteObjectVersion=s3:::bkt/a,s3:::bkt/b"},
		{"all buckets", s3("GET", "/", ""), "s3:ListAllMyBuckets=*"},

		{"a batch of tables", jsonCall("dynamodb", "DynamoDB_20120810.BatchWriteItem", `{"RequestItems":{"t1":[],"t2":[]}}`), "dynamodb:BatchWriteItem=dynamodb:eu-west-1:111122223333:table/t1,dynamodb:eu-west-1:111122223333:table/t2"},
		{"a transaction", jsonCall("dynamodb", "DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"t1"}},{"Delete":{"TableName":"t2"}}]}`),
			"dynamodb:PutItem=dynamodb:eu-west-1:111122223333:table/t1 dynamodb:DeleteItem=dynamodb:eu-west-1:111122223333:table/t2"},
		{"a table by its ARN", jsonCall("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"arn:aws:dynamodb:us-east-1:999:table/t"}`), "dynamodb:GetItem=dynamodb:us-east-1:999:table/t"},
		{"a table that is an index", jsonCall("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"t/index/i"}`), "dynamodb:GetItem=?"},
		{"a table that is all", jsonCall("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"*"}`), "dynamodb:GetItem=?"},
		{"a table that is not named", jsonCall("dynamodb", "DynamoDB_20120810.GetItem", `{}`), "dynamodb:GetItem=?"},

		{"a database in upper case", formCall("rds", "2014-10-31", "Action=DeleteDBInstance&DBInstanceIdentifier=PROD"), "rds:DeleteDBInstance=rds:eu-west-1:111122223333:db:prod"},
		{"instances", formCall("ec2", "2016-11-15", "Action=TerminateInstances&InstanceId.1=i-1&InstanceId.2=i-2"), "ec2:TerminateInstances=ec2:eu-west-1:111122223333:instance/i-1,ec2:eu-west-1:111122223333:instance/i-2"},
		{"an image to run, in a subnet that is not told", formCall("ec2", "2016-11-15", "Action=RunInstances&MinCount=1&MaxCount=1&ImageId=ami-1"), "ec2:RunInstances=ec2:eu-west-1::image/ami-1,?"},
		{"a role by name", formCall("iam", "2010-05-08", "Action=DeleteRole&RoleName=r"), "iam:DeleteRole=iam::111122223333:role/r"},
		{"a role to assume", formCall("sts", "2011-06-15", "Action=AssumeRole&RoleArn=arn:aws:iam::999988887777:role/x/r&RoleSessionName=s&SourceIdentity=me"), "sts:AssumeRole=iam::999988887777:role/x/r sts:SetSourceIdentity=iam::999988887777:role/x/r"},
		{"a role that is no ARN", formCall("sts", "2011-06-15", "Action=AssumeRole&RoleArn=r&RoleSessionName=s"), "sts:AssumeRole=?"},
		{"a role with a star", formCall("sts", "2011-06-15", "Action=AssumeRole&RoleArn=arn:aws:iam::999988887777:role/*&RoleSessionName=s"), "sts:AssumeRole=?"},
		{"nobody", formCall("sts", "2011-06-15", "Action=GetCallerIdentity"), "sts:GetCallerIdentity=*"},

		{"a secret by name", jsonCall("secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"prod/db"}`), "secretsmanager:GetSecretValue=secretsmanager:eu-west-1:111122223333:secret:prod/db"},
		{"a parameter", jsonCall("ssm", "AmazonSSM.GetParameter", `{"Name":"/prod/db"}`), "ssm:GetParameter=ssm:eu-west-1:111122223333:parameter/prod/db"},
		{"a key by its alias", jsonCall("kms", "TrentService.Decrypt", `{"KeyId":"alias/a"}`), "kms:Decrypt=?"},
		{"a queue of another account", jsonCall("sqs", "AmazonSQS.SendMessage", `{"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/999988887777/q","MessageBody":"m"}`), "sqs:SendMessage=sqs:eu-west-1:999988887777:q"},
		{"a registry of another account", jsonCall("ecr", "AmazonEC2ContainerRegistry_V20150921.DeleteRepository", `{"registryId":"999988887777","repositoryName":"r"}`), "ecr:DeleteRepository=ecr:eu-west-1:999988887777:repository/r"},
		{"a registry that is none", jsonCall("ecr", "AmazonEC2ContainerRegistry_V20150921.DeleteRepository", `{"registryId":"x:y","repositoryName":"r"}`), "ecr:DeleteRepository=?"},
		{"a function", Request{Method: "POST", Path: "/2015-03-31/functions/f/invocations", Service: "lambda"}, "lambda:InvokeFunction=lambda:eu-west-1:111122223333:function:f"},
		{"a function's alias", Request{Method: "POST", Path: "/2015-03-31/functions/f%3Aprod/invocations", Service: "lambda"}, "lambda:InvokeFunction=?"},
		{"an API", Request{Method: "DELETE", Path: "/restapis/x", Service: "apigateway"}, "apigateway:DELETE=apigateway:eu-west-1::/restapis/x"},
		{"an API of version 2", Request{Method: "DELETE", Path: "/v2/apis/x", Service: "apigateway"}, "apigateway:DELETE=apigateway:eu-west-1::/apis/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, p := read(t, m, c.r)
			got, err := m.Access(call, p, owner)
			if err != nil {
				t.Fatal(err)
			}
			if s := spell(got); s != c.want {
				t.Errorf("%s\nwant %s", s, c.want)
			}
		})
	}
}

func TestAccessUnknown(t *testing.T) {
	m := model(t)
	if _, err := m.Access(Call{}, Params{}, owner); !errors.Is(err, ErrActions) {
		t.Errorf("no call: %v", err)
	}
	call, p := read(t, m, Request{Method: "GET", Path: "/gremlin/status", Service: "neptune-db"})
	if _, err := m.Access(call, p, owner); !errors.Is(err, ErrActions) {
		t.Errorf("an operation without actions: %v", err)
	}
	if !call.Mutates {
		t.Error("what is not known is taken for a read")
	}
}

func TestRoles(t *testing.T) {
	m := model(t)
	for _, c := range []struct {
		r    Request
		want string
	}{
		{formCall("ec2", "2016-11-15", "Action=RunInstances&MinCount=1&MaxCount=1&IamInstanceProfile.Name=p"), "[{IamInstanceProfile.Name p}]"},
		{formCall("ec2", "2016-11-15", "Action=RunInstances&MinCount=1&MaxCount=1&IamInstanceProfile.Arn=arn:p"), "[{IamInstanceProfile.Arn arn:p}]"},
		{formCall("ec2", "2016-11-15", "Action=CreateLaunchTemplate&LaunchTemplateName=x&LaunchTemplateData.IamInstanceProfile.Name=p"), "[{LaunchTemplateData.IamInstanceProfile.Name p}]"},
		{jsonCall("ecs", "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", `{"family":"f","taskRoleArn":"a","executionRoleArn":"b","containerDefinitions":[]}`), "[{executionRoleArn b} {taskRoleArn a}]"},
		{Request{Method: "POST", Path: "/2015-03-31/functions", Service: "lambda", Body: body(`{"FunctionName":"f","Role":"r","Code":{}}`)}, "[{Role r}]"},
		{formCall("iam", "2010-05-08", "Action=AddRoleToInstanceProfile&InstanceProfileName=p&RoleName=r"), "[{RoleName r}]"},
		{formCall("iam", "2010-05-08", "Action=DeleteRole&RoleName=r"), "[]"},
	} {
		call, p := read(t, m, c.r)
		if got := fmt.Sprint(m.Roles(call, p)); got != c.want {
			t.Errorf("%s: %s, want %s", call.Operation, got, c.want)
		}
	}
}

func TestCallTells(t *testing.T) {
	m := model(t)
	call := func(service, op string) Call {
		a, err := m.byID[service].unpack()
		if err != nil {
			t.Fatal(err)
		}
		return newCall(a, a.byName[op], 0, input{})
	}
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"GetObject streams", call("s3", "GetObject").OutputBlob},
		{"GetObject only reads", !call("s3", "GetObject").Mutates},
		{"PutObject takes a stream", call("s3", "PutObject").InputBlob},
		{"SelectObjectContent answers with events", call("s3", "SelectObjectContent").OutputEvents},
		{"RunInstances has a dry run", call("ec2", "RunInstances").DryRun},
		{"AssumeRoleWithWebIdentity is unsigned", call("sts", "AssumeRoleWithWebIdentity").NoAuth},
		{"GetCallerIdentity is signed", !call("sts", "GetCallerIdentity").NoAuth},
		{"ExecuteStatement is PartiQL", call("dynamodb", "ExecuteStatement").Language == "partiql"},
		{"the secret is secret", slices.Contains(call("secretsmanager", "GetSecretValue").Secrets, "SecretString")},
		{"the parameter is secret", slices.Contains(call("ssm", "GetParameter").Secrets, "Parameter.Value")},
		{"the access key is secret", slices.Contains(call("iam", "CreateAccessKey").Secrets, "AccessKey.SecretAccessKey")},
		{"the session token is secret", slices.Contains(call("sts", "AssumeRole").Secrets, "Credentials.SessionToken")},
		{"the registry's token is secret", slices.Contains(call("ecr", "GetAuthorizationToken").Secrets, "authorizationData[].authorizationToken")},
	} {
		if !c.ok {
			t.Error("not so: " + c.name)
		}
	}
}
