package awsmodel

import (
	"errors"
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

func TestRefused(t *testing.T) {
	m := model(t)
	for _, c := range []struct {
		name string
		r    Request
		want error
	}{
		{"nothing", Request{}, ErrService},
		{"a target on S3", Request{Method: "DELETE", Path: "/bkt/a", Service: "s3", Header: map[string][]string{"X-Amz-Target": {"DynamoDB_20120810.ListTables"}}}, ErrProtocol},
		{"an unknown subresource", Request{Method: "GET", Path: "/bkt/a", Query: "secrets", Service: "s3"}, ErrQuery},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := m.Identify(c.r); !errors.Is(err, c.want) {
				t.Errorf("%s:%s, %v, want %v", got.Service, got.Operation, err, c.want)
			}
		})
	}
}
