package credentials

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	"github.com/writhq/writ/controlplane/internal/resources"
)

// rdsTokenLife is how long RDS accepts an authentication token (Amazon RDS
// user guide, "IAM database authentication").
const rdsTokenLife = 15 * time.Minute

// Role is a database role that lives as long as a session.
type Role struct {
	MemberOf        []string
	ConnectionLimit int32
	ValidUntil      time.Time
}

func (b *Broker) rdsToken(ctx context.Context, r resources.Resource, cred *Credential) error {
	source := r.Postgres.Credential.RDSIAM
	provider, err := b.cfg.AWS.Credentials(ctx, source.Region, source.RoleARN)
	if err != nil {
		return fmt.Errorf("%w: aws credentials: %w", ErrSource, err)
	}
	keys, err := provider.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("%w: aws credentials: %w", ErrSource, err)
	}
	signer := awscreds.StaticCredentialsProvider{Value: keys}
	token, err := auth.BuildAuthToken(ctx, r.Postgres.Endpoint, source.Region, source.User, signer)
	if err != nil {
		return fmt.Errorf("%w: sign rds token: %w", ErrSource, err)
	}
	cred.User, cred.Password = source.User, []byte(token)
	cred.noLaterThan(b.cfg.Now().Add(rdsTokenLife))
	if keys.CanExpire {
		cred.noLaterThan(keys.Expires)
	}
	return nil
}

// RolePrefix begins the name of every role that Writ makes.
const RolePrefix = "writ_s_"

func (b *Broker) dynamic(source resources.Dynamic, until time.Time, cred *Credential) error {
	name, err := b.random(16)
	if err != nil {
		return err
	}
	password := make([]byte, 32)
	if _, err := io.ReadFull(b.cfg.Rand, password); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	cred.User = RolePrefix + name
	cred.Password = base64.RawURLEncoding.AppendEncode(nil, password)
	clear(password)
	valid := b.cfg.Now().Add(b.cfg.SignIn).UTC()
	if until.Before(valid) {
		valid = until.UTC()
	}
	cred.ExpiresAt = valid
	cred.Role = &Role{MemberOf: source.MemberOf, ConnectionLimit: max(source.ConnectionLimit, 1), ValidUntil: valid}
	return nil
}
