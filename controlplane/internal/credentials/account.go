package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/writhq/writ/controlplane/internal/resources"
)

// AWSKeys sign calls to the AWS API. They never print what is secret of them.
type AWSKeys struct {
	KeyID                string
	Secret, SessionToken []byte
}

// String hides the secrets.
func (k AWSKeys) String() string { return "key " + k.KeyID }

// GoString hides the secrets.
func (k AWSKeys) GoString() string { return k.String() }

// resourceTag tells sessions in one account apart by the resource that they are of.
const resourceTag = "writ:resource"

// assumeRole gives the keys of the account's role, for one session. They are said to end when they do, which may be after
// the grant: an edge that was told sooner would ask for others again and again in the grant's last minutes.
func (b *Broker) assumeRole(ctx context.Context, r resources.Resource, ask Ask, cred *Credential) error {
	account, source := r.AWS, r.AWS.Credential.AssumeRole
	a := b.forSession(ask)
	a.Region, a.Hub, a.RoleARN, a.ExternalID = account.STSRegion(), source.HubRoleARN, account.RoleARN, source.ExternalID
	a.Tags[resourceTag], a.Transitive = tagValue(r.Name), true
	a.Duration = b.assumedFor(ask, lasting(*source))
	began := b.cfg.Now()
	policies := []string{""}
	if !source.WholeRole {
		policies = sessionPolicies(*account, ask.Actions)
	}
	keys, err := b.assumeNarrowed(ctx, a, policies)
	if err != nil {
		return fmt.Errorf("%w: assume %s: %w", ErrSource, account.RoleARN, err)
	}
	cred.User = account.RoleARN
	cred.AWS = &AWSKeys{KeyID: keys.AccessKeyID, Secret: []byte(keys.SecretAccessKey), SessionToken: []byte(keys.SessionToken)}
	cred.ExpiresAt = began.Add(a.Duration).UTC()
	if keys.CanExpire {
		cred.noLaterThan(keys.Expires)
	}
	return nil
}

// assumeNarrowed assumes a role with the first policy that AWS can pack together with the tags.
func (b *Broker) assumeNarrowed(ctx context.Context, a Assumption, policies []string) (keys aws.Credentials, err error) {
	for _, a.Policy = range policies {
		keys, err = b.cfg.AWS.AssumeRole(ctx, a)
		var packed *types.PackedPolicyTooLargeException
		if !errors.As(err, &packed) {
			return keys, err
		}
		b.cfg.Logger.Warn("a session policy does not fit; a wider one is tried", "role", a.RoleARN, "session", a.SessionName, "characters", len(a.Policy))
	}
	return keys, err
}

// lasting is how long the keys of a session may last, within what AWS allows.
func lasting(source resources.AssumeRole) time.Duration {
	most := resources.MaxSessionDuration
	if source.HubRoleARN != "" {
		most = resources.MaxChainedDuration
	}
	if source.SessionDuration == 0 {
		return min(resources.DefaultSessionDuration, most)
	}
	return min(max(source.SessionDuration, resources.MinSessionDuration), most)
}
