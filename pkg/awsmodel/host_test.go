package awsmodel

import (
	"slices"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	m := model(t)
	for _, c := range []struct{ name, service, region, bucket string }{
		{"sts.eu-west-1.amazonaws.com", "sts", "eu-west-1", ""},
		{"sts.amazonaws.com", "sts", "", ""},
		{"STS.us-east-1.AmazonAWS.com", "sts", "us-east-1", ""},
		{"iam.amazonaws.com", "iam", "", ""},
		{"monitoring.us-east-1.amazonaws.com", "cloudwatch", "us-east-1", ""},
		{"ec2.us-east-1.api.aws", "ec2", "us-east-1", ""},
		{"eks.cn-north-1.amazonaws.com.cn", "eks", "cn-north-1", ""},
		{"dynamodb-fips.us-gov-west-1.amazonaws.com", "dynamodb", "us-gov-west-1", ""},
		{"eu-west-1.queue.amazonaws.com", "sqs", "eu-west-1", ""},
		{"s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", ""},
		{"s3-eu-west-1.amazonaws.com", "s3", "eu-west-1", ""},
		{"bkt.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", "bkt"},
		{"a.b.c.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", "a.b.c"},
		{"bkt.s3.amazonaws.com", "s3", "", "bkt"},
		{"bkt.s3.dualstack.eu-west-1.amazonaws.com", "s3", "eu-west-1", "bkt"},
		{"bkt.s3-fips.us-east-1.amazonaws.com", "s3", "us-east-1", "bkt"},
		{"us-east-1.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", "us-east-1"},
		{"123456789012.s3-control.eu-west-1.amazonaws.com", "s3control", "eu-west-1", ""},
		{"rds.us-east-1.amazonaws.com", "docdb", "us-east-1", ""},
	} {
		h, ok := m.Host(c.name)
		if !ok || !slices.Contains(h.Services, c.service) || h.Region != c.region || h.Bucket != c.bucket {
			t.Errorf("%s: %+v, %v", c.name, h, ok)
		}
	}
}

// Nothing but the names of AWS's own services is one: a wider rule would make the edge a proxy to anywhere.
func TestHostRefused(t *testing.T) {
	m := model(t)
	for _, name := range []string{
		"", ".", "amazonaws.com", ".amazonaws.com", "example.com", "localhost", "127.0.0.1", "169.254.169.254", "[::1]", "10.0.0.1",
		"evil-amazonaws.com", "sts.evil-amazonaws.com", "sts.amazonaws.com.evil", "sts.amazonaws.com.evil.com", "amazonaws.com.evil.com",
		"sts.us-east-1.amazonaws.com:443", "sts.us-east-1.amazonaws.com.", "sts..us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com/",
		"sts.us-east-1.amazonaws.com@evil", "evil.com#.sts.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com\x00.evil",
		"evil.sts.us-east-1.amazonaws.com", "sts.nowhere-1.amazonaws.com", "nope.us-east-1.amazonaws.com",
		"vpce-0123-abcd.ec2.us-east-1.vpce.amazonaws.com", "ec2-1-2-3-4.compute-1.amazonaws.com", "x.us-east-1.elb.amazonaws.com",
		"abc.execute-api.us-east-1.amazonaws.com", "abc.lambda-url.us-east-1.on.aws", "db.cluster-x.us-east-1.rds.amazonaws.com",
		"bkt.s3-website-us-east-1.amazonaws.com", "bkt.s3-website.us-east-1.amazonaws.com", "x.mrap.accesspoint.s3-global.amazonaws.com",
		"ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com", "1.2.3.4.amazonaws.com", "instance-data.ec2.internal", "aws", "com",
		"s3.us-east-1.amazonaws.com.cn.evil", "ſts.us-east-1.amazonaws.com", strings.Repeat("a.", 200) + "s3.us-east-1.amazonaws.com",
	} {
		if h, ok := m.Host(name); ok {
			t.Errorf("%q is taken for %+v", name, h)
		}
	}
}
