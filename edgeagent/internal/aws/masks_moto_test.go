package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/mototest"
)

const maskPII = `@id("mask-pii") @mask("partial:4") forbid (principal, action == Action::"aws:reveal", resource in DataClass::"pii");
`

// asked makes things that hold what is to be masked, and prints what boto3 read of the answers.
const asked = `
import base64, boto3, botocore, io, json, zipfile
mail, said = "ada@example.com", {}
def say(name, value): said[name] = value.decode() if isinstance(value, bytes) else value
ssm = boto3.client("ssm")
ssm.put_parameter(Name="p", Value="hunter2", Type="String")
say("ssm", ssm.get_parameter(Name="p")["Parameter"]["Value"])
sm = boto3.client("secretsmanager")
sm.create_secret(Name="t", SecretString="hunter2"); sm.create_secret(Name="b", SecretBinary=b"hunter2")
say("secret", sm.get_secret_value(SecretId="t")["SecretString"])
say("binary secret", sm.get_secret_value(SecretId="b")["SecretBinary"])
iam = boto3.client("iam")
iam.create_user(UserName="u")
key = iam.create_access_key(UserName="u")["AccessKey"]
say("key id", key["AccessKeyId"][:2]); say("key", key["SecretAccessKey"])
ec2 = boto3.client("ec2")
image = ec2.describe_images()["Images"][0]["ImageId"]
i = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, UserData="hunter2")["Instances"][0]["InstanceId"]
say("user data", base64.b64decode(ec2.describe_instance_attribute(InstanceId=i, Attribute="userData")["UserData"]["Value"]))
ec2.create_tags(Resources=[i], Tags=[{"Key": "owner", "Value": mail}])
say("tag", ec2.describe_instances()["Reservations"][0]["Instances"][0]["Tags"][0]["Value"])
trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
role = boto3.client("iam").create_role(RoleName="fn", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
z = io.BytesIO(); f = zipfile.ZipFile(z, "w"); f.writestr("a.py", "x=1"); f.close()
fn = boto3.client("lambda")
fn.create_function(FunctionName="f", Runtime="python3.11", Role=role, Handler="a.b", Code={"ZipFile": z.getvalue()}, Environment={"Variables": {"TOKEN": "hunter2"}})
say("environment", fn.get_function_configuration(FunctionName="f")["Environment"]["Variables"]["TOKEN"])
d = boto3.client("dynamodb")
d.create_table(TableName="t", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
item = {"k": {"S": "1"}, "email": {"S": mail}, "age": {"N": "37"}, "note": {"S": "ask " + mail + " about 4111 1111 1111 1111"}}
d.put_item(TableName="t", Item=item)
say("get", d.get_item(TableName="t", Key={"k": {"S": "1"}})["Item"])
say("scan", d.scan(TableName="t")["Items"][0])
say("batch", d.batch_get_item(RequestItems={"t": {"Keys": [{"k": {"S": "1"}}]}})["Responses"]["t"][0])
try: d.put_item(TableName="t", Item=item, ConditionExpression="attribute_not_exists(k)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
except botocore.exceptions.ClientError as e: say("error", e.response["Item"])
q = boto3.client("sqs")
url = q.create_queue(QueueName="q")["QueueUrl"]
q.send_message(QueueUrl=url, MessageBody="mail " + mail)
say("message", q.receive_message(QueueUrl=url)["Messages"][0]["Body"])
logs = boto3.client("logs")
logs.create_log_group(logGroupName="g"); logs.create_log_stream(logGroupName="g", logStreamName="s")
import time
logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": int(time.time()*1000), "message": "from " + mail}])
say("log", logs.get_log_events(logGroupName="g", logStreamName="s")["events"][0]["message"])
k = boto3.client("kinesis")
k.create_stream(StreamName="s", ShardCount=1)
k.put_record(StreamName="s", Data=mail.encode(), PartitionKey="p")
shard = k.list_shards(StreamName="s")["Shards"][0]["ShardId"]
it = k.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
say("record", k.get_records(ShardIterator=it)["Records"][0]["Data"])
print(json.dumps(said))
`

// readBack is what of it is to be read, by who may reveal nothing.
var readBack = map[string]string{
	"ssm": `"***"`, "secret": `"***"`, "binary secret": `"***"`, "key id": `"AK"`, "key": `"***"`, "user data": `"***"`, "tag": `"***.com"`, "environment": `"***"`,
	"get": `{"age":{"N":"0"},"email":{"S":"***.com"},"k":{"S":"1"},"note":{"S":"ask *** about ***"}}`, "message": `"mail ***"`, "log": `"from ***"`, "record": `"***"`,
}

// TestMaskedAnswers: what real clients of moto read is masked in JSON, XML and errors, and every answer still reads.
func TestMaskedAnswers(t *testing.T) {
	if err := exec.Command("python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("boto3 is missing")
	}
	moto := mototest.Start(t)
	b := newBedBefore(t, &bed{moto: moto, classes: map[string][]string{"pii": {
		"dynamodb:*:Item.email", "dynamodb:*:Item.age", "dynamodb:*:Items[*].email", "dynamodb:*:Items[*].age", "dynamodb:BatchGetItem:Responses.*[*].email", "dynamodb:BatchGetItem:Responses.t[*].age",
		"ec2:DescribeInstances:Reservations[*].Instances[*].Tags[*].Value",
	}}}, moto.URL, enforce.AWSKeys{KeyID: moto.Key, Secret: []byte(moto.Secret)})
	b.Policies.Set(t, permitAll+maskSecrets+maskPII)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-c", asked)
	cmd.Env = b.environment(true)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := maps.Clone(readBack)
	for _, same := range []string{"scan", "batch", "error"} {
		want[same] = want["get"]
	}
	for name, want := range want {
		if text, _ := json.Marshal(got[name]); string(text) != want {
			t.Errorf("%s: %s, want %s", name, text, want)
		}
	}
	b.masksAreRecorded()
}

// masksAreRecorded: records say what was masked, and hold none of it.
func (b *bed) masksAreRecorded() {
	b.t.Helper()
	if b.Records.Contain("hunter2") {
		b.t.Error("a record shows a secret")
	}
	names := map[string]bool{}
	for _, r := range b.Records.All() {
		for _, name := range r.MaskedColumns {
			names[name] = true
		}
	}
	for _, want := range []string{"Parameter.Value", "SecretString", "AccessKey.SecretAccessKey", "userData.value", "Environment.Variables", "Item.email", "Items[*].email", "email", "card"} {
		if !names[want] {
			b.t.Errorf("no record says that %s was masked: %v", want, names)
		}
	}
}

// TestMaskedForSome: whoever may reveal a class sees it, and it is not even searched.
func TestMaskedForSome(t *testing.T) {
	moto := mototest.Start(t)
	b := newBedBefore(t, &bed{moto: moto, classes: map[string][]string{"documents": {"s3:GetObject:Body"}}}, moto.URL, enforce.AWSKeys{KeyID: moto.Key, Secret: []byte(moto.Secret)})
	if out, err := b.cli(true, "s3api", "create-bucket", "--bucket", "bucket-1", "--create-bucket-configuration", "LocationConstraint=eu-west-1"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := t.TempDir() + "/o"
	put := exec.Command("sh", "-c", "printf 'mail ada@example.com\n' > "+file)
	if err := put.Run(); err != nil {
		t.Fatal(err)
	}
	if out, err := b.cli(true, "s3api", "put-object", "--bucket", "bucket-1", "--key", "k", "--body", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := b.cli(true, "s3", "cp", "s3://bucket-1/k", "-"); err != nil || !strings.Contains(out, "ada@example.com") {
		t.Errorf("who may see it does not: %v: %s", err, out)
	}
	b.Policies.Set(t, permitAll+`@id("mask-documents") forbid (principal, action == Action::"aws:reveal", resource in DataClass::"documents");`)
	b.reached()
	if out, err := b.cli(true, "s3api", "get-object", "--bucket", "bucket-1", "--key", "k", file); err == nil || !strings.Contains(out, "masked for you") {
		t.Errorf("a hidden object: %v: %s", err, out)
	}
	if got := b.reached(); len(got) > 0 {
		t.Errorf("it reached AWS: %s %s", got[0].Method, got[0].RequestURI)
	}
	if !slices.ContainsFunc(b.Records.All(), func(r audit.Record) bool { return strings.Contains(fmt.Sprintf("%+v", r), "masked for you") }) {
		t.Error("no record says why")
	}
}
