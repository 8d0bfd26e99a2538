package aws

import (
	"net/http"
	"testing"
)

// TestListsArePermitted: what is on nothing in particular is in its service and its region, and no ARN of something else is like it.
func TestListsArePermitted(t *testing.T) {
	b := newBed(t)
	list := attempt{method: "POST", path: "/", service: "ec2", body: "Action=DescribeInstances&Version=2016-11-15", header: http.Header{"Content-Type": {formType}}}
	const open = `@id("open") permit (principal, action == Action::"session:open", resource);
`
	for policy, passes := range map[string]bool{
		`@id("a") permit (principal, action in Action::"aws:read", resource in AWSService::"shop/ec2");`:                                                                       true,
		`@id("a") permit (principal, action in Action::"aws:read", resource in Region::"shop/eu-west-1");`:                                                                     true,
		`@id("a") permit (principal, action in Action::"aws:read", resource == AWSResource::"shop/*");`:                                                                        true,
		`@id("a") permit (principal, action in Action::"aws:read", resource is AWSResource) when { resource.arn == "*" };`:                                                     true,
		`@id("a") permit (principal, action in Action::"aws:all", resource); @id("b") forbid (principal, action, resource is AWSResource) when { resource.arn like "*/i-1" };`: true,
		`@id("a") permit (principal, action in Action::"aws:read", resource in AWSService::"shop/s3");`:                                                                        false,
		`@id("a") permit (principal, action in Action::"aws:read", resource in Region::"shop/us-east-1");`:                                                                     false,
		`@id("a") permit (principal, action in Action::"aws:read", resource is AWSResource) when { resource.arn like "arn:aws:ec2:*" };`:                                       false,
	} {
		b.Policies.Set(t, open+policy+"\n")
		code, text := b.send(list)
		if n := len(b.reached()); passes != (n == 1) {
			t.Errorf("%s\n%d %s, and %d calls reached AWS", policy, code, text, n)
		}
	}
}
