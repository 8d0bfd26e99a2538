package awsmodel

import (
	"errors"
	"strings"
	"testing"
)

// A body that two readers could understand differently is refused, or what is unknown in it is told.
func TestMembersRefused(t *testing.T) {
	m := model(t)
	put := func(s string) Request { return jsonCall("dynamodb", putItem, s) }
	lambda := func(s string) Request {
		return Request{Method: "POST", Path: "/2015-03-31/functions", Service: "lambda", Header: header("Content-Type", "application/json"), Body: body(s)}
	}
	del := func(s string) Request {
		return Request{Method: "POST", Path: "/bkt", Query: "delete", Service: "s3", Body: body(s)}
	}
	cbor := func(s string) Request {
		return Request{Method: "POST", Path: "/service/GraniteServiceVersion20100801/operation/ListMetrics", Service: "monitoring", Header: header("Smithy-Protocol", "rpc-v2-cbor"), Body: body(s)}
	}
	run := func(s string) Request { return formCall("ec2", "2016-11-15", "Action=RunInstances&"+s) }
	for _, c := range []struct {
		name    string
		r       Request
		want    error
		unknown string
	}{
		{"a member twice", put(`{"TableName":"a","TableName":"b"}`), ErrBody, ""},
		{"a member twice, once escaped", put(`{"TableName":"a","Table\u004eame":"b"}`), ErrBody, ""},
		{"a member twice below", put(`{"TableName":"a","Item":{"k":{"S":"a","S":"b"}}}`), ErrBody, ""},
		{"an unknown member twice", put(`{"x":1,"x":2}`), ErrBody, ""},
		{"a member in another case", put(`{"tablename":"a"}`), nil, "tablename"},
		{"a member that is not in the model", put(`{"TableName":"a","Evil":{"Deep":[1]}}`), nil, "Evil"},
		{"a number for a text", put(`{"TableName":1}`), ErrBody, ""},
		{"a list for a structure", put(`[]`), ErrBody, ""},
		{"a text for the body", put(`"x"`), ErrBody, ""},
		{"two documents", put(`{"TableName":"a"}{"TableName":"b"}`), ErrBody, ""},
		{"half a document", put(`{"TableName":"a"`), ErrBody, ""},
		{"a comma too many", put(`{"TableName":"a",}`), ErrBody, ""},
		{"a comment", put(`{"TableName":"a"/*x*/}`), ErrBody, ""},
		{"a byte order mark", put("\ufeff{}"), ErrBody, ""},
		{"no UTF-8", put("{\"TableName\":\"\xff\"}"), ErrBody, ""},
		{"UTF-16", put("{\x00}\x00"), ErrBody, ""},
		{"too deep", put(`{"Evil":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`), ErrTooLarge, ""},
		{"too deep for a stack", put(`{"Evil":` + strings.Repeat("[", 1<<20)), ErrTooLarge, ""},
		{"too many", put(`{"Evil":[` + strings.Repeat("1,", maxValues) + `1]}`), ErrTooLarge, ""},
		{"too large", put(`{"Evil":"` + strings.Repeat("x", MaxBody) + `"}`), ErrTooLarge, ""},

		{"rest-json, a member twice", lambda(`{"Role":"a","Role":"b"}`), ErrBody, ""},
		{"rest-json, a member of another name", lambda(`{"role":"a"}`), nil, "role"},
		{"rest-json, a form", Request{Method: "POST", Path: "/2015-03-31/functions", Service: "lambda", Header: header("Content-Type", form), Body: body(`{}`)}, ErrBody, ""},
		{"rest-json, compressed", Request{Method: "POST", Path: "/2015-03-31/functions", Service: "lambda", Header: header("Content-Encoding", "gzip"), Body: body(`{}`)}, ErrBody, ""},
		{"a body where none is meant", Request{Method: "DELETE", Path: "/clusters/c", Service: "eks", Body: body(`{"name":"d"}`)}, ErrBody, ""},

		{"XML, a member twice", del(`<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>`), ErrBody, ""},
		{"XML, a member twice in two namespaces", del(`<Delete xmlns:x="y"><Object><Key>a</Key><x:Key>b</x:Key></Object></Delete>`), ErrBody, ""},
		{"XML, an unknown member", del(`<Delete><Object><Key>a</Key></Object><Evil/></Delete>`), nil, "Evil"},
		{"XML, an unknown attribute", del(`<Delete evil="1"><Object><Key>a</Key></Object></Delete>`), nil, "@"},
		{"XML, a document type", del(`<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>`), ErrBody, ""},
		{"XML, a document type alone", del(`<!DOCTYPE Delete><Delete><Object><Key>a</Key></Object></Delete>`), ErrBody, ""},
		{"XML, an entity", del(`<Delete><Object><Key>&a;</Key></Object></Delete>`), ErrBody, ""},
		{"XML, two roots", del(`<Delete></Delete><Delete></Delete>`), ErrBody, ""},
		{"XML, unclosed", del(`<Delete><Object>`), ErrBody, ""},
		{"XML, text between", del(`<Delete>x<Object><Key>a</Key></Object></Delete>`), ErrBody, ""},
		{"XML, an instruction", del(`<Delete><?x y?></Delete>`), ErrBody, ""},
		{"XML, elements in a text", del(`<Delete><Object><Key><b>a</b></Key></Object></Delete>`), ErrBody, ""},
		{"XML, too deep", del(strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)), ErrTooLarge, ""},

		{"a form, an unknown member", run("Evil=1"), nil, "Evil"},
		{"a form, a member in another case", run("instancetype=x"), nil, "instancetype"},
		{"a form, a list without a number", run("SecurityGroupId=x"), ErrBody, ""},
		{"a form, a number twice", run("SecurityGroupId.1=x&SecurityGroupId.01=y"), ErrBody, ""},
		{"a form, a number below one", run("SecurityGroupId.0=x"), ErrBody, ""},
		{"a form, a text and a structure", run("IamInstanceProfile=x&IamInstanceProfile.Name=y"), ErrBody, ""},
		{"a form, a structure for a text", run("InstanceType.x=y"), ErrBody, ""},
		{"a form, an empty name", run("a..b=c"), ErrBody, ""},
		{"a form, no number", run("MinCount=x"), ErrBody, ""},
		{"a form, a member of an operation without any", formCall("sts", "2011-06-15", "Action=GetCallerIdentity&Evil=1"), nil, "Evil"},
		{"a form, a key twice", formCall("sns", "2010-03-31", "Action=CreateTopic&Name=x&Attributes.entry.1.key=a&Attributes.entry.1.value=b&Attributes.entry.2.key=a&Attributes.entry.2.value=c"), ErrBody, ""},

		{"CBOR, a member twice", cbor("\xa2\x69Namespace\x61a\x69Namespace\x61b"), ErrBody, ""},
		{"CBOR, an unknown member", cbor("\xa1\x64Evil\x01"), nil, "Evil"},
		{"CBOR, a key that is no text", cbor("\xa1\x01\x02"), ErrBody, ""},
		{"CBOR, a key of bytes", cbor("\xa1\x49Namespace\x61a"), ErrBody, ""},
		{"CBOR, half", cbor("\xa1\x69Names"), ErrBody, ""},
		{"CBOR, more behind", cbor("\xa0\xa0"), ErrBody, ""},
		{"CBOR, a length of everything", cbor("\xa1\x69Namespace\x7b\xff\xff\xff\xff\xff\xff\xff\xff"), ErrBody, ""},
		{"CBOR, a map of everything", cbor("\xbb\xff\xff\xff\xff\xff\xff\xff\xff"), ErrBody, ""},
		{"CBOR, a tag", cbor("\xa1\x69Namespace\xc2\x41a"), ErrBody, ""},
		{"CBOR, too deep", cbor("\xa1\x64Evil" + strings.Repeat("\x81", 200)), ErrTooLarge, ""},
		{"CBOR, a break alone", cbor("\xff"), ErrBody, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			call, err := m.Identify(c.r)
			if err != nil {
				if !errors.Is(err, c.want) {
					t.Errorf("not identified: %v", err)
				}
				return
			}
			p, err := m.Members(call, c.r.Body)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if got := strings.Join(p.Unknown, " "); got != c.unknown {
				t.Errorf("unknown %q, want %q", got, c.unknown)
			}
		})
	}
}

func TestSensitive(t *testing.T) {
	_, p := read(t, model(t), jsonCall("secretsmanager", "secretsmanager.CreateSecret", `{"Name":"n","SecretString":"hunter2"}`))
	if !p.Get("SecretString").Sensitive || p.Get("Name").Sensitive {
		t.Errorf("%+v", p)
	}
}

// Passwords are marked also where the models forget it: what is recorded of a call is masked by the mark.
func TestSensitiveByName(t *testing.T) {
	m := model(t)
	for _, c := range []struct {
		r    Request
		path string
	}{
		{formCall("rds", "2014-10-31", "Action=CreateDBInstance&DBInstanceIdentifier=d&DBInstanceClass=c&Engine=e&MasterUserPassword=hunter2"), "MasterUserPassword"},
		{formCall("iam", "2010-05-08", "Action=CreateLoginProfile&UserName=u&Password=hunter2"), "Password"},
		{formCall("ec2", "2016-11-15", "Action=RunInstances&MinCount=1&MaxCount=1&UserData=hunter2"), "UserData"},
		{formCall("elasticache", "2015-02-02", "Action=CreateReplicationGroup&ReplicationGroupId=r&ReplicationGroupDescription=d&AuthToken=hunter2"), "AuthToken"},
		{formCall("redshift", "2012-12-01", "Action=ModifyCluster&ClusterIdentifier=r&MasterUserPassword=hunter2"), "MasterUserPassword"},
		{jsonCall("ssm", "AmazonSSM.PutParameter", `{"Name":"n","Value":"hunter2"}`), "Value"},
		{jsonCall("cognito-idp", "AWSCognitoIdentityProviderService.AdminSetUserPassword", `{"UserPoolId":"p","Username":"u","Password":"hunter2"}`), "Password"},
		{Request{Method: "POST", Path: "/2015-03-31/functions", Service: "lambda", Body: body(`{"FunctionName":"f","Role":"r","Code":{},"Environment":{"Variables":{"P":"hunter2"}}}`)}, "Environment.Variables"},
	} {
		call, p := read(t, m, c.r)
		if found := p.All(c.path); len(found) != 1 || !found[0].Sensitive {
			t.Errorf("%s:%s: %s is not marked", call.Service, call.Operation, c.path)
		}
	}
}

// Errors are shown and recorded: what they name of a body is its structure.
func TestErrorsKeepValues(t *testing.T) {
	m := model(t)
	for _, r := range []Request{
		jsonCall("secretsmanager", "secretsmanager.CreateSecret", `{"SecretString":"hunter2","SecretString":"hunter2"}`),
		jsonCall("secretsmanager", "secretsmanager.CreateSecret", `{"SecretBinary":"hunter2!"}`),
		jsonCall("secretsmanager", "secretsmanager.CreateSecret", `{"SecretString":"hunter2`),
	} {
		c, err := m.Identify(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = m.Members(c, r.Body); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	}
}
