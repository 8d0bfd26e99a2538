package resources

import (
	"strings"
	"time"
)

// KindAWS is the kind of a resource that is an AWS account.
const KindAWS = "aws"

// AWS is one role in one account, and the AWS API as that role may call it.
type AWS struct {
	Account   string   `json:"account"` // 12 digits
	RoleARN   string   `json:"role_arn"`
	Partition string   `json:"partition"`         // that of RoleARN
	Regions   []string `json:"regions,omitempty"` // that calls may go to; empty is all
	// Endpoint is where all calls go, "https://host:port", or "http://127.0.0.1:port"; empty is each service's own.
	Endpoint      string              `json:"endpoint,omitempty"`
	TLS           TLS                 `json:"tls"`
	Credential    AccountCredential   `json:"credential"`
	Classes       map[string][]string `json:"classes,omitempty"` // data class to members "service:Operation:path"
	AllowLoopback bool                `json:"allow_loopback,omitempty"`
	Detectors     []string            `json:"detectors,omitempty"`
	// ForeignBuckets are buckets of other accounts that calls may go to; "*" alone is any.
	ForeignBuckets []string `json:"foreign_buckets,omitempty"`
	// SearchedBuckets are buckets whose objects the detectors search; "*" alone is any.
	SearchedBuckets []string `json:"searched_buckets,omitempty"`
}

// AccountCredential has exactly one source.
type AccountCredential struct {
	AssumeRole *AssumeRole `json:"assume_role,omitempty"`
}

// AssumeRole assumes the account's role for each session.
type AssumeRole struct {
	// HubRoleARN is assumed first, and assumes the account's role; empty is the control plane's own identity.
	HubRoleARN string `json:"hub_role_arn,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	// Region whose STS is asked; empty is that of the partition's first region.
	Region string `json:"region,omitempty"`
	// SessionDuration is how long keys last before they are renewed; 0 is DefaultSessionDuration.
	SessionDuration time.Duration `json:"session_duration,omitempty"`
	// WholeRole leaves out the policy that keeps sessions from making credentials that outlive them.
	WholeRole bool `json:"whole_role,omitempty"`
	// ReaderRoleARN is assumed to read the policies of the account's role; empty is that role itself.
	ReaderRoleARN string `json:"reader_role_arn,omitempty"`
}

// DurationSeconds of AssumeRole in the AWS STS API. A role that is assumed by way of another lasts an hour at most.
const (
	DefaultSessionDuration = time.Hour
	MinSessionDuration     = 15 * time.Minute
	MaxSessionDuration     = 12 * time.Hour
	MaxChainedDuration     = time.Hour
)

// firstRegions are those whose STS every account of a partition may ask.
var firstRegions = map[string]string{
	"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1", "aws-eusc": "eusc-de-east-1",
	"aws-iso": "us-iso-east-1", "aws-iso-b": "us-isob-east-1",
}

// STSRegion is the region whose STS gives the keys.
func (a AWS) STSRegion() string {
	if source := a.Credential.AssumeRole; source != nil && source.Region != "" {
		return source.Region
	}
	return firstRegions[a.Partition]
}

// fill works out what may be left out.
func (a *AWS) fill() {
	if a.Partition == "" {
		a.Partition, _ = ownerOf(a.RoleARN)
	}
}

// ownerOf returns the partition and the account of a role.
func ownerOf(arn string) (partition, account string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 {
		return "", ""
	}
	return parts[1], parts[4]
}
