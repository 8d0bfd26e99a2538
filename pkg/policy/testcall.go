package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// testThing is something in an AWS account.
type testThing struct {
	ARN  string    `yaml:"arn"`
	Type string    `yaml:"type"`
	Tags *[]string `yaml:"tags"` // nil is unknown
}

// testRole is what a test may say of the role of an AWS account.
type testRole struct {
	ARN        string   `yaml:"arn"`
	Privileges []string `yaml:"privileges"`
}

func (r *testRole) role() *Role {
	if r == nil {
		return nil
	}
	return &Role{ARN: r.ARN, Privileges: r.Privileges}
}

// testCall is what a test may say of a call of the AWS API.
type testCall struct {
	Action      string   `yaml:"action"`
	Operation   string   `yaml:"operation"`
	Service     string   `yaml:"service"`
	Region      string   `yaml:"region"`
	PassedRoles []string `yaml:"passed_roles"`
	RequestTags []string `yaml:"request_tags"`
	Params      []string `yaml:"params"`

	Language      string   `yaml:"language"`
	Statements    []string `yaml:"statements"`
	WholeTable    bool     `yaml:"whole_table"`
	Document      string   `yaml:"document"`
	Commands      []string `yaml:"commands"`
	ResourceTypes []string `yaml:"resource_types"`
	Unread        bool     `yaml:"unread"`
}

// facts are those of the call. Where a test does not say otherwise, service and operation are those of the IAM action.
func (c testCall) facts(dryRun bool, tables, functions []string) AWSCall {
	service, operation, _ := strings.Cut(c.Action, ":")
	if c.Service != "" {
		service = c.Service
	}
	if c.Operation != "" {
		operation = c.Operation
	}
	return AWSCall{
		Action: c.Action, Operation: operation, Service: service, Region: c.Region, DryRun: dryRun,
		PassedRoles: c.PassedRoles, RequestTags: c.RequestTags, Params: slices.Values(c.Params),
		Text: AWSText{
			Language: c.Language, Statements: c.Statements, Tables: tables, Functions: functions, WholeTable: c.WholeTable, Document: c.Document,
			Commands: c.Commands, ResourceTypes: c.ResourceTypes, Unread: c.Unread,
		},
	}
}

// arnParts is how many parts of an ARN are divided by colons; the last may hold more.
const arnParts = 6

// parseThing reads an ARN. One that ends with ":?" is known as far as that; "*" is nothing in particular.
func (c *testCase) parseThing() (AWSResourceInfo, error) {
	o := AWSResourceInfo{Type: c.Account.Type, Region: c.With.Call.Region}
	if c.Account.ARN == "*" {
		o.ARN, o.ARNKnown = "*", true
		o.Service, _, _ = strings.Cut(c.With.Call.Action, ":")
		return o, c.readTags(&o)
	}
	parts := strings.SplitN(c.Account.ARN, ":", arnParts)
	if len(parts) != arnParts || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" {
		return o, fmt.Errorf(`arn %q is not of the form "arn:aws:s3:::logs/2026", "arn:aws:s3:::?" (not known which) or "*"`, c.Account.ARN)
	}
	o.Partition, o.Service, o.Account = parts[1], parts[2], parts[4]
	if parts[3] != "" {
		o.Region = parts[3]
	}
	if parts[5] != "?" {
		o.ARN, o.ARNKnown = c.Account.ARN, true
	}
	return o, c.readTags(&o)
}

func (c *testCase) readTags(o *AWSResourceInfo) error {
	if c.Account.Tags == nil {
		return nil
	}
	for _, tag := range *c.Account.Tags {
		if !strings.Contains(tag, "=") {
			return fmt.Errorf("tags: %q is not of the form key=value", tag)
		}
	}
	o.Tags, o.TagsKnown = *c.Account.Tags, true
	return nil
}

// aws builds what aws: actions are asked about.
func (c *testCase) aws(actions []Action) (Entity, error) {
	field := c.Cluster.Field
	rest := c.Cluster
	rest.Field = ""
	if key := firstSet(c.Database) + firstSet(rest); key != "" {
		return Entity{}, fmt.Errorf("%s does not go with aws: actions", key)
	}
	name := ResourceName(c.Resource)
	for _, a := range actions {
		switch reveals := a == AWSReveal; {
		case reveals != (field != ""):
			return Entity{}, errors.New(`aws:reveal needs field, for example "secretsmanager:GetSecretValue:SecretString", and nothing else does`)
		case reveals:
			parts := strings.SplitN(field, ":", 3)
			if len(parts) != 3 || c.Account.ARN != "" {
				return Entity{}, fmt.Errorf(`field %q is not of the form "service:Operation:Member", or stands beside arn`, field)
			}
			return name.AWSField(parts[0], parts[1], parts[2], c.Classes...), nil
		}
	}
	o, err := c.parseThing()
	if err != nil {
		return Entity{}, err
	}
	return name.AWSResource(o), nil
}
