package awsmodel

import (
	"strings"
	"testing"
)

// TestNothingInParticular: an action without resource types is checked on "*", which is known; nothing of it is left open. What lists may
// leave out, such as the identifier of DescribeDBInstances, leaves open what is meant.
func TestNothingInParticular(t *testing.T) {
	m, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[ResourceKind]int{}
	for _, s := range m.services {
		a, err := s.unpack()
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range a.byName {
			c := newCall(a, op, s.Protocols[0], input{path: "/"})
			all, err := m.Access(c, Params{Value: Value{Kind: Struct}}, Owner{"aws", "eu-west-1", "111122223333"})
			if err != nil {
				continue
			}
			for _, access := range all {
				for i, r := range access.Resources {
					counts[r.Kind]++
					untyped := false
					for _, action := range op.Actions {
						untyped = untyped || action.Name == access.Action && len(action.Resources) == 0 && !action.Unknown
					}
					if untyped && i == 0 && (r.Kind != AnyResource || r.ARN != "*") {
						t.Errorf("%s:%s: %s on %+v", s.ID, op.Name, access.Action, r)
					}
				}
			}
		}
	}
	t.Logf("of requests without members: %d actions on everything, %d on what is not told", counts[AnyResource], counts[UnknownResource])
	for name, want := range map[string]ResourceKind{
		"ec2:DescribeInstances": AnyResource, "s3:ListBuckets": AnyResource, "iam:ListRoles": AnyResource, "lambda:ListFunctions": AnyResource, "dynamodb:ListTables": AnyResource,
		"kms:ListKeys": AnyResource, "secretsmanager:ListSecrets": AnyResource, "logs:DescribeLogGroups": AnyResource, "eks:ListClusters": AnyResource,
		"rds:DescribeDBInstances": UnknownResource, "cloudformation:DescribeStacks": UnknownResource,
	} {
		service, operation, _ := strings.Cut(name, ":")
		a, err := m.byID[service].unpack()
		if err != nil {
			t.Fatal(err)
		}
		all, err := m.Access(newCall(a, a.byName[operation], a.Protocols[0], input{}), Params{Value: Value{Kind: Struct}}, Owner{"aws", "eu-west-1", "111122223333"})
		if err != nil || len(all) != 1 || all[0].Resources[0].Kind != want {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}
