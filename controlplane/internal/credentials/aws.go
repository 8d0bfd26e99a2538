package credentials

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// DefaultAWS finds the control plane's own AWS identity as every AWS SDK does
// (environment, files, instance role), when it is first needed, and assumes
// roles with it. It is safe for concurrent use.
type DefaultAWS struct {
	mu    sync.Mutex
	roles map[awsRole]aws.CredentialsProvider
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
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("load aws configuration: %w", err)
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
