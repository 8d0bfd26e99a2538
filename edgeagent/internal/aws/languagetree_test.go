package aws

import (
	"slices"
	"strings"
	"testing"
)

func TestTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		text                      string
		types                     []string
		unread, permissions, role bool
	}{
		"YAML with tags": {text: `
AWSTemplateFormatVersion: "2010-09-09"
Parameters: {N: {Type: String}}
Conditions: {C: !Equals [!Ref N, x]}
Resources:
  B:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    Properties:
      BucketName: !Sub |
        ${N}-x
      Tags: [{Key: a, Value: !GetAtt T.Arn}]
  T: # a topic
    Type: "AWS::SNS::Topic"
Outputs: {O: {Value: !Join ['', [a, !Ref B]]}}
`, types: []string{"AWS::S3::Bucket", "AWS::SNS::Topic"}},
		"JSON":               {text: `{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}`, types: []string{"AWS::S3::Bucket"}},
		"identities":         {text: "Resources: {U: {Type: 'AWS::IAM::User'}}", types: []string{"AWS::IAM::User"}, permissions: true},
		"a bucket's policy":  {text: "Resources: {P: {Type: 'AWS::S3::BucketPolicy'}}", types: []string{"AWS::S3::BucketPolicy"}, permissions: true},
		"a policy inside":    {text: "Resources: {K: {Type: 'AWS::KMS::Key', Properties: {KeyPolicy: {Statement: []}}}}", types: []string{"AWS::KMS::Key"}, permissions: true},
		"a policy in a text": {text: "Resources: {K: {Type: 'AWS::KMS::Key', Properties: {KeyPolicy: '{\"Statement\": []}'}}}", types: []string{"AWS::KMS::Key"}, permissions: true},
		"a custom resource":  {text: "Resources: {C: {Type: 'Custom::X'}}", types: []string{"Custom::X"}, unread: true, permissions: true},
		"one of others":      {text: "Resources: {C: {Type: 'Org::Svc::Res'}}", types: []string{"Org::Svc::Res"}, unread: true, permissions: true},
		"a module":           {text: "Resources: {C: {Type: 'Org::Svc::Res::MODULE'}}", types: []string{"Org::Svc::Res::MODULE"}, unread: true, permissions: true},
		"a nested stack":     {text: "Resources: {S: {Type: 'AWS::CloudFormation::Stack'}}", types: []string{"AWS::CloudFormation::Stack"}, unread: true, permissions: true},
		"a macro inside":     {text: "Resources: {B: {Type: 'AWS::S3::Bucket', Properties: {'Fn::Transform': {Name: x}}}}", types: []string{"AWS::S3::Bucket"}, unread: true, permissions: true, role: true},
		"a secret":           {text: "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: '{{resolve:secretsmanager:s}}'}}}", types: []string{"AWS::SQS::Queue"}, unread: true, permissions: true},
		"a role by its tag":  {text: "Resources: {F: {Type: 'AWS::Lambda::Function', Properties: {Role: !GetAtt R.Arn}}}", types: []string{"AWS::Lambda::Function"}, role: true},
		"a role in JSON":     {text: `{"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Ref": "R"}}}}}`, types: []string{"AWS::Lambda::Function"}, role: true},
		"a profile's name":   {text: "Resources: {I: {Type: 'AWS::EC2::Instance', Properties: {IamInstanceProfile: admin}}}", types: []string{"AWS::EC2::Instance"}, role: true},
	} {
		root, err := readTree(c.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var r reading
		if why := r.template(root); why != "" {
			t.Errorf("%s: %s", name, why)
		}
		if !slices.Equal(r.ResourceTypes, c.types) || r.Unread != c.unread || r.permissions != c.permissions || r.anyRole != c.role {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestTemplatesThatDiffer: what two readers of YAML or JSON may read in two ways is not read at all.
func TestTemplatesThatDiffer(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                     "",
		"a text":                      "Resources",
		"no resources":                "Description: x",
		"a section nobody knows":      "Resources: {}\nresources: {}",
		"a key twice":                 "Resources:\n  A: {Type: 'AWS::S3::Bucket'}\n  A: {Type: 'AWS::IAM::User'}",
		"a key twice, once in quotes": "Resources:\n  A: {Type: 'AWS::S3::Bucket'}\n  \"A\": {Type: 'AWS::IAM::User'}",
		"a key twice, once escaped":   "Resources:\n  A: {Type: 'AWS::S3::Bucket'}\n  \"\\x41\": {Type: 'AWS::IAM::User'}",
		"a key twice in JSON":         `{"Resources": {"A": {"Type": "AWS::S3::Bucket", "Type": "AWS::IAM::User"}}}`,
		"something behind JSON":       `{"Resources": {"A": {"Type": "AWS::S3::Bucket"}}} {}`,
		"two documents":               "Resources: {A: {Type: 'AWS::S3::Bucket'}}\n---\nResources: {A: {Type: 'AWS::IAM::User'}}",
		"an alias":                    "Resources:\n  A: &a {Type: 'AWS::S3::Bucket'}\n  B: *a",
		"a merge":                     "Resources:\n  A:\n    <<: {Type: 'AWS::S3::Bucket'}",
		"a type that is made":         "Resources: {A: {Type: !Ref T}}",
		"a resource without a type":   "Resources: {A: {}}",
		"a line break of another age": "Resources: {A: {Type: 'AWS::S3::Bucket'}} #\u2028  B: {Type: 'AWS::IAM::User'}",
		"a lone carriage return":      "Resources: {A: {Type: 'AWS::S3::Bucket'}} #\r  B: {}",
		"deep":                        `{"Resources": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
		"deep YAML":                   "Resources: " + strings.Repeat("[", 5000),
		"deep by dashes":              "Resources: \n" + strings.Repeat("- ", 5000) + "a",
		"long":                        "Resources: {A: {Type: '" + strings.Repeat("x", maxTree) + "'}}",
	} {
		root, err := readTree(text)
		if err != nil {
			continue
		}
		var r reading
		if r.template(root) == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// FuzzTree: whatever comes is read or refused.
func FuzzTree(f *testing.F) {
	f.Add("Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties: {A: !Sub '${x}', L: [1, true, null, ~]}\n")
	f.Add(`{"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"Role": ["a", 1.5]}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		root, err := readTree(text)
		if err != nil {
			return
		}
		var r reading
		if why := r.template(root); why == "" && len(r.ResourceTypes) > 0 {
			for _, kind := range r.ResourceTypes {
				if kind == "" {
					t.Fatalf("%q", text)
				}
			}
		}
	})
}
