package awsmodel

import (
	"errors"
	"testing"
)

func TestEndpoint(t *testing.T) {
	m := model(t)
	for _, c := range []struct {
		r            Request
		region, want string
	}{
		{formCall("sts", "2011-06-15", "Action=GetCallerIdentity"), "eu-west-1", "sts.eu-west-1.amazonaws.com/"},
		{formCall("iam", "2010-05-08", "Action=ListUsers"), "us-east-1", "iam.amazonaws.com/"},
		{formCall("ec2", "2016-11-15", "Action=DescribeInstances"), "cn-north-1", "ec2.cn-north-1.amazonaws.com.cn/"},
		{jsonCall("sqs", "AmazonSQS.ListQueues", "{}"), "us-gov-west-1", "sqs.us-gov-west-1.amazonaws.com/"},
		{Request{Method: "GET", Path: "/bkt/a%20b", Service: "s3"}, "eu-west-1", "s3.eu-west-1.amazonaws.com/bkt/a%20b"},
		{Request{Method: "GET", Path: "/v20180820/accesspoint/x", Service: "s3", Header: header("X-Amz-Account-Id", "123456789012")}, "eu-west-1", "123456789012.s3-control.eu-west-1.amazonaws.com/v20180820/accesspoint/x"},
		{Request{Method: "GET", Path: "/clusters", Service: "eks"}, "eu-west-1", "eks.eu-west-1.amazonaws.com/clusters"},
	} {
		call, p := read(t, m, c.r)
		host, path, err := m.Endpoint(call, p, c.region)
		if err != nil || host+path != c.want {
			t.Errorf("%s:%s: %s%s, %v, want %s", call.Service, call.Operation, host, path, err, c.want)
		}
	}
}

// A member may not choose the host.
func TestEndpointRefused(t *testing.T) {
	m := model(t)
	for _, account := range []string{"evil.com/", "evil.com#", "a.b", "", "x:y@z", "1/../2"} {
		r := Request{Method: "GET", Path: "/v20180820/accesspoint/x", Service: "s3", Header: header("X-Amz-Account-Id", account)}
		call, p := read(t, m, r)
		if host, _, err := m.Endpoint(call, p, "eu-west-1"); !errors.Is(err, ErrHost) {
			t.Errorf("account %q: %s, %v", account, host, err)
		}
	}
	call, p := read(t, m, Request{Method: "GET", Path: "/clusters", Service: "eks"})
	for _, region := range []string{"", "nowhere-1", "evil.com/", "eu-west-1.evil"} {
		if host, _, err := m.Endpoint(call, p, region); !errors.Is(err, ErrHost) {
			t.Errorf("region %q: %s, %v", region, host, err)
		}
	}
	if _, _, err := m.Endpoint(Call{}, Params{}, "eu-west-1"); !errors.Is(err, ErrHost) {
		t.Errorf("no call: %v", err)
	}
}
