package credentials

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
)

// rdsTokenLife is how long RDS accepts an authentication token (Amazon RDS
// user guide, "IAM database authentication").
const rdsTokenLife = 15 * time.Minute

// ErrSource: the resource's credential source cannot give a credential.
var ErrSource = errors.New("credential source failed")

// Secrets gives the password of a resource's credential.
type Secrets interface {
	Secret(ctx context.Context, resource string) (resources.Secret, error)
}

// AWS gives the AWS credentials to sign with.
type AWS interface {
	// Credentials returns the control plane's own, or those of a role that it
	// assumes.
	Credentials(ctx context.Context, region, roleARN string) (aws.CredentialsProvider, error)
}

// Config is what a Broker needs. Everything without a stated default is
// required.
type Config struct {
	Store   *store.Store
	Secrets Secrets
	AWS     AWS
	Rand    io.Reader // for ids, role names and passwords
	// SignIn is how long the password of a dynamic role can be used to sign
	// in; a connection that has signed in may go on. Default 15 min.
	SignIn time.Duration
	Now    func() time.Time // default time.Now
	Logger hclog.Logger     // nil discards
}

// Broker mints credentials. It is safe for concurrent use.
type Broker struct {
	cfg    Config
	leases *store.Collection[Lease]
	open   *store.Collection[Lease] // those whose role may exist at the target, by resource
}

// New returns a broker whose leases are kept in cfg.Store.
func New(cfg Config) (*Broker, error) {
	if cfg.Store == nil || cfg.Secrets == nil || cfg.AWS == nil || cfg.Rand == nil {
		return nil, errors.New("credentials: store, secrets, aws and randomness are required")
	}
	if cfg.SignIn <= 0 {
		cfg.SignIn = 15 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	return &Broker{
		cfg:    cfg,
		leases: store.Define[Lease](cfg.Store, "credential-leases"),
		open:   store.Define[Lease](cfg.Store, "credential-leases-open"),
	}, nil
}

// Credential is what an edge signs in with. It never prints its password.
type Credential struct {
	Lease     string
	User      string
	Password  []byte
	ExpiresAt time.Time
	Role      *Role // set when the edge must create User first
}

// String hides the password.
func (c Credential) String() string { return "credential for " + c.User }

// GoString hides the password.
func (c Credential) GoString() string { return c.String() }

// Wipe overwrites the password.
func (c *Credential) Wipe() { clear(c.Password) }

// Role is a database role that lives as long as a session.
type Role struct {
	MemberOf        []string
	ConnectionLimit int32
	ValidUntil      time.Time
}

// Mint makes a credential for a session at an edge that lasts no longer than
// until. The caller writes the lease, with PutIn, before it hands out the
// credential.
func (b *Broker) Mint(ctx context.Context, r resources.Resource, session, edge string, until time.Time) (Lease, Credential, error) {
	if r.Postgres == nil {
		return Lease{}, Credential{}, fmt.Errorf("%w: resource %s has no target", ErrSource, r.Name)
	}
	id, err := b.random(16)
	if err != nil {
		return Lease{}, Credential{}, err
	}
	now := b.cfg.Now().UTC()
	lease := Lease{
		ID: "lease-" + id, Session: session, Resource: r.Name, Edge: edge,
		State: Issued, CreatedAt: now, ExpiresAt: until.UTC(),
	}
	cred := Credential{Lease: lease.ID, ExpiresAt: until.UTC()}
	source := r.Postgres.Credential
	switch {
	case source.Static != nil:
		lease.Kind, cred.User = KindStatic, source.Static.User
		cred.Password, err = b.secret(ctx, r.Name)
	case source.RDSIAM != nil:
		lease.Kind = KindRDSIAM
		err = b.rdsToken(ctx, r, &cred)
	case source.Dynamic != nil:
		lease.Kind = KindDynamic
		err = b.dynamic(*source.Dynamic, until, &cred)
		lease.Role = cred.User
	default:
		err = fmt.Errorf("%w: resource %s has none", ErrSource, r.Name)
	}
	if err != nil {
		return Lease{}, Credential{}, fmt.Errorf("mint credential: %w", err)
	}
	return lease, cred, nil
}

// Service returns what an edge itself signs in with at a target, to read its
// catalog and to manage its roles.
func (b *Broker) Service(ctx context.Context, r resources.Resource) (cred Credential, err error) {
	if r.Postgres == nil {
		return Credential{}, fmt.Errorf("%w: resource %s has no target", ErrSource, r.Name)
	}
	source := r.Postgres.Credential
	cred.ExpiresAt = b.cfg.Now().Add(time.Hour).UTC()
	switch {
	case source.Static != nil:
		cred.User = source.Static.User
		cred.Password, err = b.secret(ctx, r.Name)
	case source.Dynamic != nil:
		cred.User = source.Dynamic.AdminUser
		cred.Password, err = b.secret(ctx, r.Name)
	case source.RDSIAM != nil:
		err = b.rdsToken(ctx, r, &cred)
	default:
		err = fmt.Errorf("%w: resource %s has none", ErrSource, r.Name)
	}
	if err != nil {
		return Credential{}, fmt.Errorf("service credential: %w", err)
	}
	return cred, nil
}

func (b *Broker) secret(ctx context.Context, resource string) ([]byte, error) {
	s, err := b.cfg.Secrets.Secret(ctx, resource)
	if err != nil {
		return nil, fmt.Errorf("%w: password of %s: %w", ErrSource, resource, err)
	}
	return []byte(string(s)), nil
}

func (b *Broker) rdsToken(ctx context.Context, r resources.Resource, cred *Credential) error {
	source := r.Postgres.Credential.RDSIAM
	provider, err := b.cfg.AWS.Credentials(ctx, source.Region, source.RoleARN)
	if err != nil {
		return fmt.Errorf("%w: aws credentials: %w", ErrSource, err)
	}
	token, err := auth.BuildAuthToken(ctx, r.Postgres.Endpoint, source.Region, source.User, provider)
	if err != nil {
		return fmt.Errorf("%w: sign rds token: %w", ErrSource, err)
	}
	cred.User, cred.Password = source.User, []byte(token)
	if end := b.cfg.Now().Add(rdsTokenLife).UTC(); cred.ExpiresAt.IsZero() || end.Before(cred.ExpiresAt) {
		cred.ExpiresAt = end
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

// random returns lower-case letters and digits that hold at least 5n/8 bytes of
// randomness.
func (b *Broker) random(n int) (string, error) {
	raw := make([]byte, n*5/8)
	if _, err := io.ReadFull(b.cfg.Rand, raw); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)), nil
}
