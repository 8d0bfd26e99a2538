package awsmodel

import (
	"errors"
	"strings"
	"testing"
)

func model(t testing.TB) *Model {
	t.Helper()
	m, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func body(s string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(s), nil } }

const form = "application/x-www-form-urlencoded; charset=utf-8"

func TestIdentify(t *testing.T) {
	m := model(t)
	for _, c := range []struct {
		name string
		r    Request
		want string
	}{
		{"query", Request{Method: "POST", Path: "/", Service: "sts", Header: map[string][]string{"Content-Type": {form}}, Body: body("Action=GetCallerIdentity&Version=2011-06-15")}, "sts:GetCallerIdentity"},
		{"query by GET", Request{Method: "GET", Path: "/", Service: "sts", Query: "Action=GetCallerIdentity&Version=2011-06-15"}, "sts:GetCallerIdentity"},
		{"json", Request{Method: "POST", Path: "/", Service: "dynamodb", Header: map[string][]string{"X-Amz-Target": {"DynamoDB_20120810.PutItem"}, "Content-Type": {"application/x-amz-json-1.0"}}}, "dynamodb:PutItem"},
		{"cbor", Request{Method: "POST", Path: "/service/GraniteServiceVersion20100801/operation/ListMetrics", Service: "monitoring", Header: map[string][]string{"Smithy-Protocol": {"rpc-v2-cbor"}}}, "cloudwatch:ListMetrics"},
		{"rest", Request{Method: "GET", Path: "/clusters", Service: "eks"}, "eks:ListClusters"},
		{"s3 path style", Request{Method: "GET", Path: "/bkt/a/b", Service: "s3"}, "s3:GetObject"},
		{"s3 bucket with a slash", Request{Method: "GET", Path: "/bkt/", Query: "list-type=2&prefix=a%2F", Service: "s3"}, "s3:ListObjectsV2"},
		{"s3 host style", Request{Method: "PUT", Path: "/a", Service: "s3", Region: "eu-west-1", Host: "bkt.s3.eu-west-1.amazonaws.com"}, "s3:PutObject"},
		{"s3 copy", Request{Method: "PUT", Path: "/bkt/a", Service: "s3", Header: map[string][]string{"X-Amz-Copy-Source": {"b/c"}}}, "s3:CopyObject"},
		{"s3 parts", Request{Method: "GET", Path: "/bkt/a", Query: "uploadId=x", Service: "s3"}, "s3:ListParts"},
		{"siblings", Request{Method: "POST", Path: "/", Service: "rds", Header: map[string][]string{"Content-Type": {form}}, Body: body("Action=DescribeDBInstances&Version=2014-10-31")}, "rds:DescribeDBInstances"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := m.Identify(c.r)
			if err != nil {
				t.Fatal(err)
			}
			if s := got.Service + ":" + got.Operation; s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
		})
	}
}

func header(kv ...string) map[string][]string {
	h := map[string][]string{}
	for i := 0; i < len(kv); i += 2 {
		h[kv[i]] = append(h[kv[i]], kv[i+1])
	}
	return h
}

const putItem = "DynamoDB_20120810.PutItem"

func TestRefused(t *testing.T) {
	m := model(t)
	sts := func(r Request) Request {
		r.Service = "sts"
		return r
	}
	for _, c := range []struct {
		name string
		r    Request
		want error
	}{
		{"nothing", Request{}, ErrService},
		{"a service that signs under no name", Request{Method: "GET", Path: "/", Service: "nope"}, ErrService},
		{"unsigned, in endpoint mode", Request{Method: "POST", Path: "/"}, ErrService},
		{"unsigned, though the operation is signed", Request{Method: "GET", Path: "/clusters", Host: "eks.us-east-1.amazonaws.com"}, ErrService},

		{"a target on S3", Request{Method: "DELETE", Path: "/bkt/a", Service: "s3", Header: header("X-Amz-Target", "DynamoDB_20120810.ListTables")}, ErrProtocol},
		{"a target on a query service", sts(Request{Method: "POST", Path: "/", Header: header("X-Amz-Target", putItem, "Content-Type", form), Body: body("Action=GetCallerIdentity&Version=2011-06-15")}), ErrProtocol},
		{"a target on rest-json", Request{Method: "GET", Path: "/clusters", Service: "eks", Header: header("X-Amz-Target", putItem)}, ErrProtocol},
		{"a target of another service", Request{Method: "POST", Path: "/", Service: "kms", Header: header("X-Amz-Target", putItem, "Content-Type", "application/x-amz-json-1.1")}, ErrOperation},
		{"two targets", Request{Method: "POST", Path: "/", Service: "dynamodb", Header: header("X-Amz-Target", putItem, "X-Amz-Target", "DynamoDB_20120810.ListTables", "Content-Type", "application/x-amz-json-1.0")}, ErrProtocol},
		{"a target in the query", Request{Method: "POST", Path: "/", Query: "X-Amz-Target=" + putItem, Service: "dynamodb", Header: header("X-Amz-Target", putItem, "Content-Type", "application/x-amz-json-1.0")}, ErrQuery},
		{"a target with parameters", Request{Method: "POST", Path: "/", Query: "Action=ListTables", Service: "dynamodb", Header: header("X-Amz-Target", putItem, "Content-Type", "application/x-amz-json-1.0")}, ErrQuery},
		{"a target beside rpc-v2-cbor", Request{Method: "POST", Path: "/service/GraniteServiceVersion20100801/operation/ListMetrics", Service: "monitoring", Header: header("Smithy-Protocol", "rpc-v2-cbor", "X-Amz-Target", "GraniteServiceVersion20100801.PutMetricData")}, ErrProtocol},
		{"rpc-v2-cbor of another service", Request{Method: "POST", Path: "/service/Other/operation/ListMetrics", Service: "monitoring", Header: header("Smithy-Protocol", "rpc-v2-cbor")}, ErrOperation},
		{"JSON as a form", Request{Method: "POST", Path: "/", Service: "dynamodb", Header: header("X-Amz-Target", putItem, "Content-Type", form)}, ErrProtocol},
		{"JSON by GET", Request{Method: "GET", Path: "/", Service: "dynamodb", Header: header("X-Amz-Target", putItem)}, ErrProtocol},

		{"Action twice", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form), Body: body("Action=GetCallerIdentity&Version=2011-06-15&Action=AssumeRole")}), ErrBody},
		{"Action in query and body", sts(Request{Method: "POST", Path: "/", Query: "Action=AssumeRole", Header: header("Content-Type", form), Body: body("Action=GetCallerIdentity&Version=2011-06-15")}), ErrQuery},
		{"Action in the query of a POST", sts(Request{Method: "POST", Path: "/", Query: "Action=AssumeRole&Version=2011-06-15", Header: header("Content-Type", form)}), ErrQuery},
		{"Action by GET with a body", sts(Request{Method: "GET", Path: "/", Query: "Action=GetCallerIdentity&Version=2011-06-15", Body: body("Action=AssumeRole")}), ErrBody},
		{"a parameter twice", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form), Body: body("Action=AssumeRole&Version=2011-06-15&RoleArn=a&RoleArn=b")}), ErrBody},
		{"a parameter twice, once encoded", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form), Body: body("Action=AssumeRole&Version=2011-06-15&RoleArn=a&Role%41rn=b")}), ErrBody},
		{"a semicolon", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form), Body: body("Action=GetCallerIdentity;Action=AssumeRole&Version=2011-06-15")}), ErrBody},
		{"action in lower case", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form), Body: body("action=GetCallerIdentity&Version=2011-06-15")}), ErrOperation},
		{"an older version", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form), Body: body("Action=GetCallerIdentity&Version=2010-01-01")}), ErrOperation},
		{"a form as JSON", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", "application/json"), Body: body("Action=GetCallerIdentity&Version=2011-06-15")}), ErrProtocol},
		{"a form as two types", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form, "Content-Type", "text/plain"), Body: body("Action=GetCallerIdentity&Version=2011-06-15")}), ErrProtocol},
		{"a form in UTF-16", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", "application/x-www-form-urlencoded; charset=utf-16"), Body: body("Action=GetCallerIdentity&Version=2011-06-15")}), ErrProtocol},
		{"a compressed form", sts(Request{Method: "POST", Path: "/", Header: header("Content-Type", form, "Content-Encoding", "gzip"), Body: body("Action=GetCallerIdentity&Version=2011-06-15")}), ErrBody},
		{"a form on another path", sts(Request{Method: "POST", Path: "/x", Header: header("Content-Type", form), Body: body("Action=GetCallerIdentity&Version=2011-06-15")}), ErrPath},
		{"a form of another service", Request{Method: "POST", Path: "/", Service: "iam", Header: header("Content-Type", form), Body: body("Action=GetCallerIdentity&Version=2010-05-08")}, ErrOperation},

		{"an unknown subresource", Request{Method: "GET", Path: "/bkt/a", Query: "secrets", Service: "s3"}, ErrQuery},
		{"two subresources", Request{Method: "GET", Path: "/bkt/a", Query: "acl&tagging", Service: "s3"}, ErrQuery},
		{"a subresource twice", Request{Method: "GET", Path: "/bkt/a", Query: "acl&acl", Service: "s3"}, ErrQuery},
		{"a version twice", Request{Method: "GET", Path: "/bkt/a", Query: "versionId=1&versionId=2", Service: "s3"}, ErrQuery},
		{"a subresource in upper case", Request{Method: "PUT", Path: "/bkt/a", Query: "ACL", Service: "s3"}, ErrQuery},
		{"a list of another version", Request{Method: "GET", Path: "/bkt", Query: "list-type=3", Service: "s3"}, ErrQuery},
		{"a hint of another operation", Request{Method: "GET", Path: "/bkt/a", Query: "x-id=PutObject", Service: "s3"}, ErrQuery},
		{"a plus in the query", Request{Method: "GET", Path: "/bkt", Query: "list-type=2&prefix=a+b", Service: "s3"}, ErrQuery},
		{"a header of a copy without its source", Request{Method: "PUT", Path: "/bkt/a", Service: "s3", Header: header("X-Amz-Copy-Source-If-Match", "x")}, ErrHeader},
		{"a header that S3 may know", Request{Method: "GET", Path: "/bkt/a", Service: "s3", Header: header("X-Amz-Some-Future", "x")}, ErrHeader},
		{"a header twice", Request{Method: "PUT", Path: "/bkt/a", Service: "s3", Header: header("X-Amz-Copy-Source", "a/b", "X-Amz-Copy-Source", "c/d")}, ErrHeader},
		{"a header and the same in the query", Request{Method: "PUT", Path: "/bkt/a", Query: "x-amz-acl=private", Service: "s3", Header: header("X-Amz-Acl", "public-read")}, ErrQuery},
		{"a signature twice", Request{Method: "GET", Path: "/bkt/a", Query: "X-Amz-Signature=a&X-Amz-Signature=b", Service: "s3"}, ErrQuery},
		{"a header twice in the query", Request{Method: "PUT", Path: "/bkt/a", Query: "x-amz-acl=private&X-Amz-Acl=public-read", Service: "s3"}, ErrQuery},
		{"a target in the query of S3", Request{Method: "GET", Path: "/bkt/a", Query: "X-Amz-Target=" + putItem, Service: "s3"}, ErrQuery},
		{"a header in the query of another service", Request{Method: "DELETE", Path: "/v20180820/accesspoint/x", Query: "x-amz-account-id=123456789012", Service: "s3"}, ErrQuery},
		{"a method in a header", Request{Method: "GET", Path: "/bkt/a", Service: "s3", Header: header("X-Http-Method-Override", "DELETE")}, ErrHeader},
		{"a tenant's bucket by an alias", Request{Method: "GET", Path: "/my-ap-1234567890-s3alias/a", Service: "s3"}, ErrUnsupported},
		{"an access point's ARN", Request{Method: "GET", Path: "/arn%3Aaws%3As3%3Aus-east-1%3A123456789012%3Aaccesspoint%2Fx/a", Service: "s3"}, ErrUnsupported},
		{"an encoded bucket", Request{Method: "GET", Path: "/b%6bt/a", Service: "s3"}, ErrPath},
		{"no bucket before the key", Request{Method: "GET", Path: "//a", Service: "s3"}, ErrPath},
		{"a dot for a bucket", Request{Method: "GET", Path: "/../a", Service: "s3"}, ErrPath},

		{"an unknown path", Request{Method: "GET", Path: "/nope", Service: "eks"}, ErrOperation},
		{"another method", Request{Method: "TRACE", Path: "/clusters", Service: "eks"}, ErrOperation},
		{"a method in lower case", Request{Method: "get", Path: "/clusters", Service: "eks"}, ErrOperation},
		{"a slash at the end", Request{Method: "GET", Path: "/clusters/", Service: "eks"}, ErrOperation},
		{"two slashes", Request{Method: "DELETE", Path: "//clusters/c", Service: "eks"}, ErrPath},
		{"dots", Request{Method: "DELETE", Path: "/clusters/../clusters/c", Service: "eks"}, ErrPath},
		{"encoded dots", Request{Method: "DELETE", Path: "/clusters/%2e%2e", Service: "eks"}, ErrPath},
		{"an encoded letter", Request{Method: "DELETE", Path: "/%63lusters/c", Service: "eks"}, ErrPath},
		{"a path parameter", Request{Method: "DELETE", Path: "/clusters/c;x=y", Service: "eks"}, ErrPath},
		{"a name that makes another operation", Request{Method: "GET", Path: "/clusters/c%2Fnode-groups", Service: "eks"}, ErrAmbiguous},
		{"a parameter of another operation", Request{Method: "DELETE", Path: "/clusters/c", Query: "force=true", Service: "eks"}, ErrQuery},
		{"a path that is too long", Request{Method: "GET", Path: "/" + strings.Repeat("a", MaxPath), Service: "s3"}, ErrTooLarge},

		{"another service's host", Request{Method: "GET", Path: "/clusters", Service: "eks", Region: "us-east-1", Host: "s3.us-east-1.amazonaws.com"}, ErrHost},
		{"another region's host", Request{Method: "GET", Path: "/clusters", Service: "eks", Region: "us-east-1", Host: "eks.eu-west-1.amazonaws.com"}, ErrHost},
		{"no host of AWS", Request{Method: "GET", Path: "/clusters", Service: "eks", Region: "us-east-1", Host: "eks.us-east-1.example.com"}, ErrHost},
		{"a prefix that is not the operation's", Request{Method: "GET", Path: "/v20180820/accesspoint/x", Service: "s3", Region: "us-east-1", Host: "stream-s3-control.us-east-1.amazonaws.com", Header: header("X-Amz-Account-Id", "1")}, ErrHost},

		{"the prefix of another operation", Request{Method: "GET", Path: "/2023-10-12/farms", Service: "deadline", Region: "us-east-1", Host: "scheduling.deadline.us-east-1.amazonaws.com"}, ErrHost},

		{"an event stream", Request{Method: "POST", Path: "/model/m/invoke-with-bidirectional-stream", Service: "bedrock"}, ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := m.Identify(c.r)
			if !errors.Is(err, c.want) {
				t.Errorf("%s:%s, %v, want %v", got.Service, got.Operation, err, c.want)
			}
			if err == nil || c.want != ErrUnsupported && !got.IsZero() {
				t.Errorf("a call comes with the refusal")
			}
		})
	}
}

// A body that cannot be read is no reason to guess.
func TestBodyFails(t *testing.T) {
	broken := errors.New("broken")
	_, err := model(t).Identify(Request{Method: "POST", Path: "/", Service: "sts", Header: header("Content-Type", form), Body: func() ([]byte, error) { return nil, broken }})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// What the host says of a member, the request says too.
func TestHostAgrees(t *testing.T) {
	m := model(t)
	for account, want := range map[string]error{"111122223333": nil, "999988887777": ErrHost} {
		r := Request{Method: "GET", Path: "/v20180820/accesspoint/x", Service: "s3", Region: "us-east-1", Host: "111122223333.s3-control.us-east-1.amazonaws.com", Header: header("X-Amz-Account-Id", account)}
		c, err := m.Identify(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Members(c, nil); !errors.Is(err, want) {
			t.Errorf("account %s: %v, want %v", account, err, want)
		}
	}
}
