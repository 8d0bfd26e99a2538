package credentials

import (
	"context"
	"fmt"
	"time"

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

// sessionPolicy leaves a session everything that its role may do, but what gives out credentials of IAM or STS: those
// would go on when the session has ended, past every decision. An explicit Deny counts however a resource's own policy
// names the session (IAM User Guide, "Policy evaluation logic").
const sessionPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":[` +
	`"sts:AssumeRole*","sts:AssumeRoot","sts:GetFederationToken","sts:GetSessionToken","sts:GetWebIdentityToken","sts:GetDelegatedAccessToken",` +
	`"sts:GetServiceBearerToken","iam:CreateAccessKey","iam:UpdateAccessKey","iam:CreateLoginProfile","iam:UpdateLoginProfile",` +
	`"iam:CreateServiceSpecificCredential","iam:ResetServiceSpecificCredential","iam:UpdateServiceSpecificCredential",` +
	`"iam:UploadSSHPublicKey","iam:UpdateSSHPublicKey","iam:UploadSigningCertificate","iam:UpdateSigningCertificate"],"Resource":"*"}]}`

// assumeRole gives the keys of the account's role, for one session. They are said to end when they do, which may be after
// the grant: an edge that was told sooner would ask for others again and again in the grant's last minutes.
func (b *Broker) assumeRole(ctx context.Context, r resources.Resource, ask Ask, cred *Credential) error {
	account, source := r.AWS, r.AWS.Credential.AssumeRole
	a := b.forSession(ask)
	a.Region, a.Hub, a.RoleARN, a.ExternalID = account.STSRegion(), source.HubRoleARN, account.RoleARN, source.ExternalID
	a.Tags[resourceTag], a.Transitive = tagValue(r.Name), true
	if !source.WholeRole {
		a.Policy = sessionPolicy
	}
	a.Duration = b.assumedFor(ask, lasting(*source))
	began := b.cfg.Now()
	keys, err := b.cfg.AWS.AssumeRole(ctx, a)
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
