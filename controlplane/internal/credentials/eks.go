package credentials

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/writhq/writ/controlplane/internal/resources"
)

// What follows is how aws-iam-authenticator, which EKS clusters run, reads a bearer token: a presigned GetCallerIdentity
// of STS in base64url, with the cluster's name as a signed header (its pkg/token/token.go).
const (
	eksTokenPrefix   = "k8s-aws-v1."
	eksClusterHeader = "x-k8s-aws-id"
	// eksPresigned is how long the request is said to be valid; the authenticator goes by its date instead, for 15 minutes.
	eksPresigned = "60"
	// eksTokenLife leaves a minute for clocks that differ.
	eksTokenLife = 14 * time.Minute
	// emptyPayload is the SHA-256 of nothing.
	emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// DurationSeconds that AssumeRole takes from a caller whose own role was assumed.
const (
	minAssumed = 15 * time.Minute
	maxAssumed = time.Hour
)

// Assumption is one AssumeRole call.
type Assumption struct {
	Region         string
	Hub            string // role that assumes RoleARN; empty is the control plane's own identity
	RoleARN        string
	ExternalID     string // empty is none
	SessionName    string // RoleSessionName
	SourceIdentity string
	Tags           map[string]string // session tags
	Transitive     bool              // the tags stay with roles that the session assumes
	Policy         string            // session policy, in JSON; empty is none
	Duration       time.Duration
}

// forSession says in CloudTrail, and to the role's trust policy, who is behind the role.
func (b *Broker) forSession(ask Ask) Assumption {
	return Assumption{
		SessionName: identityName(ask.Session), SourceIdentity: identityName(ask.Principal),
		Tags: map[string]string{
			"writ:session": tagValue(ask.Session), "writ:grant": tagValue(ask.Grant), "writ:principal": tagValue(ask.Principal),
		},
		Duration: b.assumedFor(ask, maxAssumed),
	}
}

// assumedFor is how long a role is assumed for: what is left of the grant, within what AWS and the resource allow.
func (b *Broker) assumedFor(ask Ask, most time.Duration) time.Duration {
	return min(max(ask.Until.Sub(b.cfg.Now()), minAssumed), most).Truncate(time.Second)
}

// eks assumes the role and signs a token with it. The role's credentials go no further.
func (b *Broker) eks(ctx context.Context, source resources.EKS, a Assumption, cred *Credential) error {
	a.Region, a.RoleARN, a.ExternalID = source.Region, source.RoleARN, source.ExternalID
	role, err := b.cfg.AWS.AssumeRole(ctx, a)
	if err != nil {
		return fmt.Errorf("%w: assume %s: %w", ErrSource, source.RoleARN, err)
	}
	now := b.cfg.Now()
	token, err := eksToken(ctx, role, source, now)
	if err != nil {
		return fmt.Errorf("%w: sign eks token: %w", ErrSource, err)
	}
	cred.User, cred.Password = source.RoleARN, []byte(token)
	cred.noLaterThan(now.Add(eksTokenLife))
	return nil
}

func eksToken(ctx context.Context, role aws.Credentials, source resources.EKS, now time.Time) (string, error) {
	endpoint, err := sts.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, sts.EndpointParameters{Region: aws.String(source.Region)})
	if err != nil {
		return "", fmt.Errorf("find sts: %w", err)
	}
	u := endpoint.URI
	u.Path, u.RawQuery = "/", url.Values{
		"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}, "X-Amz-Expires": {eksPresigned},
	}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set(eksClusterHeader, source.Cluster)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, role, req, emptyPayload, "sts", source.Region, now.UTC())
	if err != nil {
		return "", err
	}
	return eksTokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(signed)), nil
}
