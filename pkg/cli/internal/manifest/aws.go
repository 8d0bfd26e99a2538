package manifest

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// aws is a document of kind aws.
type aws struct {
	Kind          string              `yaml:"kind"`
	Name          string              `yaml:"name"`
	Description   string              `yaml:"description"`
	Labels        map[string]string   `yaml:"labels"`
	Edges         []string            `yaml:"edges"`
	Account       string              `yaml:"account"`
	RoleARN       string              `yaml:"role_arn"`
	Partition     string              `yaml:"partition"`
	Regions       []string            `yaml:"regions"`
	Endpoint      string              `yaml:"endpoint"`
	AllowLoopback bool                `yaml:"allow_loopback"`
	TLS           targetTLS           `yaml:"tls"`
	Credential    accountCredential   `yaml:"credential"`
	Classes       map[string][]string `yaml:"classes"`
	Detectors     []string            `yaml:"detectors"`

	ForeignBuckets  []string `yaml:"foreign_buckets"`
	SearchedBuckets []string `yaml:"searched_buckets"`
}

// accountCredential has exactly one source.
type accountCredential struct {
	AssumeRole *assumeRole `yaml:"assume_role"`
}

type assumeRole struct {
	HubRoleARN      string `yaml:"hub_role_arn"`
	ExternalID      string `yaml:"external_id"`
	Region          string `yaml:"region"`
	SessionDuration string `yaml:"session_duration"`
	WholeRole       bool   `yaml:"whole_role"`
	ReaderRoleARN   string `yaml:"reader_role_arn"`
}

func (s Source) aws(d aws) (*accessv1.Resource, error) {
	switch {
	case d.Name == "":
		return nil, errors.New("the resource has no name")
	case d.Account == "":
		return nil, fmt.Errorf("resource %s has no account", d.Name)
	case d.RoleARN == "":
		return nil, fmt.Errorf("resource %s has no role_arn", d.Name)
	}
	target := &accessv1.AwsTarget{
		Account: d.Account, RoleArn: d.RoleARN, Partition: d.Partition, Regions: d.Regions, Endpoint: d.Endpoint,
		AllowLoopback: d.AllowLoopback, Detectors: d.Detectors, ForeignBuckets: d.ForeignBuckets, SearchedBuckets: d.SearchedBuckets, Classes: map[string]*accessv1.FieldList{},
	}
	for class, members := range d.Classes {
		target.Classes[class] = &accessv1.FieldList{Fields: members}
	}
	var err error
	if target.Tls, err = s.tls(d.TLS); err != nil {
		return nil, fmt.Errorf("resource %s: tls: %w", d.Name, err)
	}
	if target.Credential, err = accountSource(d.Credential); err != nil {
		return nil, fmt.Errorf("resource %s: credential: %w", d.Name, err)
	}
	return &accessv1.Resource{
		Name: d.Name, Description: d.Description, Labels: d.Labels, Edges: d.Edges,
		Target: &accessv1.Resource_Aws{Aws: target},
	}, nil
}

func accountSource(d accountCredential) (*accessv1.AwsCredential, error) {
	if d.AssumeRole == nil {
		return nil, errors.New("needs assume_role; write assume_role: {} for one without an external id")
	}
	source := &accessv1.AssumeRoleCredential{
		HubRoleArn: d.AssumeRole.HubRoleARN, ExternalId: d.AssumeRole.ExternalID, Region: d.AssumeRole.Region, WholeRole: d.AssumeRole.WholeRole,
		ReaderRoleArn: d.AssumeRole.ReaderRoleARN,
	}
	if text := d.AssumeRole.SessionDuration; text != "" {
		lasts, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("assume_role: session_duration %q is not a duration; use one such as 45m or 2h", text)
		}
		source.SessionDuration = durationpb.New(lasts)
	}
	return &accessv1.AwsCredential{Source: &accessv1.AwsCredential_AssumeRole{AssumeRole: source}}, nil
}
