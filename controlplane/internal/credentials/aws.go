package credentials

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// DefaultAWS finds the control plane's own AWS identity as every AWS SDK does
// (environment, files, instance role), when it is first needed, and assumes
// roles with it. It is safe for concurrent use.
type DefaultAWS struct {
	mu      sync.Mutex
	configs map[string]aws.Config // by region
	roles   map[awsRole]aws.CredentialsProvider
}

type awsRole struct{ region, arn string }

// Credentials implements AWS.
func (d *DefaultAWS) Credentials(ctx context.Context, region, roleARN string) (aws.CredentialsProvider, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := awsRole{region, roleARN}
	if p, ok := d.roles[id]; ok {
		return p, nil
	}
	cfg, err := d.config(ctx, region)
	if err != nil {
		return nil, err
	}
	provider := cfg.Credentials
	if roleARN != "" {
		assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), roleARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "writ-controlplane"
		})
		provider = aws.NewCredentialsCache(assume)
	}
	if d.roles == nil {
		d.roles = map[awsRole]aws.CredentialsProvider{}
	}
	d.roles[id] = provider
	return provider, nil
}

// Config returns the control plane's own identity in a region, and how AWS is reached from here.
func (d *DefaultAWS) Config(ctx context.Context, region string) (aws.Config, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config(ctx, region)
}

// config returns the control plane's own identity in a region. The caller holds mu.
func (d *DefaultAWS) config(ctx context.Context, region string) (aws.Config, error) {
	if cfg, ok := d.configs[region]; ok {
		return cfg, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load aws configuration: %w", err)
	}
	if d.configs == nil {
		d.configs = map[string]aws.Config{}
	}
	d.configs[region] = cfg
	return cfg, nil
}

// AssumeRole implements AWS.
func (d *DefaultAWS) AssumeRole(ctx context.Context, a Assumption) (aws.Credentials, error) {
	d.mu.Lock()
	cfg, err := d.config(ctx, a.Region)
	d.mu.Unlock()
	if err != nil {
		return aws.Credentials{}, err
	}
	if a.Hub != "" {
		if cfg.Credentials, err = d.Credentials(ctx, a.Region, a.Hub); err != nil {
			return aws.Credentials{}, err
		}
	}
	out, err := sts.NewFromConfig(cfg).AssumeRole(ctx, a.input())
	if err != nil {
		return aws.Credentials{}, err
	}
	c := out.Credentials
	if c == nil || aws.ToString(c.AccessKeyId) == "" || aws.ToString(c.SecretAccessKey) == "" || aws.ToString(c.SessionToken) == "" {
		return aws.Credentials{}, errors.New("sts answered without credentials")
	}
	return aws.Credentials{
		AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken, Source: "AssumeRole",
		CanExpire: c.Expiration != nil, Expires: aws.ToTime(c.Expiration),
	}, nil
}

// input is the call as AWS takes it.
func (a Assumption) input() *sts.AssumeRoleInput {
	input := &sts.AssumeRoleInput{
		RoleArn: &a.RoleARN, RoleSessionName: &a.SessionName, SourceIdentity: &a.SourceIdentity,
		DurationSeconds: aws.Int32(int32(a.Duration / time.Second)),
	}
	if a.ExternalID != "" {
		input.ExternalId = &a.ExternalID
	}
	for _, key := range slices.Sorted(maps.Keys(a.Tags)) {
		input.Tags = append(input.Tags, types.Tag{Key: aws.String(key), Value: aws.String(a.Tags[key])})
		if a.Transitive {
			input.TransitiveTagKeys = append(input.TransitiveTagKeys, key)
		}
	}
	if a.Policy != "" {
		input.Policy = &a.Policy
	}
	return input
}
