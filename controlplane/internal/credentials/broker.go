package credentials

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
)

// ErrSource: the resource's credential source cannot give a credential.
var ErrSource = errors.New("credential source failed")

// ErrFixed: the session's credential cannot be renewed.
var ErrFixed = errors.New("the credential cannot be renewed")

// Secrets gives the secret of a resource's credential.
type Secrets interface {
	Secret(ctx context.Context, resource string) (resources.Secret, error)
}

// AWS gives the AWS credentials to sign with.
type AWS interface {
	// Credentials returns the control plane's own, or those of a role that it
	// assumes.
	Credentials(ctx context.Context, region, roleARN string) (aws.CredentialsProvider, error)
	// AssumeRole returns credentials of a role for one session. They are not kept.
	AssumeRole(ctx context.Context, a Assumption) (aws.Credentials, error)
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
	// ClientCertificate (PEM) signs in, with Password as its key (PEM).
	ClientCertificate []byte
	// TokenRequest is set when Password is only good for asking the cluster for a token, which then signs in.
	TokenRequest *TokenRequest
	// AWS signs calls, in the place of Password.
	AWS *AWSKeys
}

// String hides the password.
func (c Credential) String() string { return "credential for " + c.User }

// GoString hides the password.
func (c Credential) GoString() string { return c.String() }

// Wipe overwrites what signs in.
func (c *Credential) Wipe() {
	clear(c.Password)
	if c.AWS != nil {
		clear(c.AWS.Secret)
		clear(c.AWS.SessionToken)
	}
}

// Ask says what a credential is for.
type Ask struct {
	Session   string
	Edge      string
	Principal string // by name
	Grant     string
	Actions   []string  // of the grant; none is all that policy permits
	Until     time.Time // it lasts no longer
}

// Mint makes a credential for a session. The caller writes the lease, with PutIn, before it hands out the credential.
func (b *Broker) Mint(ctx context.Context, r resources.Resource, ask Ask) (Lease, Credential, error) {
	id, err := b.random(16)
	if err != nil {
		return Lease{}, Credential{}, err
	}
	kind, cred, err := b.make(ctx, r, ask)
	if err != nil {
		return Lease{}, Credential{}, fmt.Errorf("mint credential: %w", err)
	}
	cred.Lease = "lease-" + id
	lease := Lease{
		ID: cred.Lease, Session: ask.Session, Resource: r.Name, Edge: ask.Edge, Kind: kind,
		State: Issued, CreatedAt: b.cfg.Now().UTC(), ExpiresAt: ask.Until.UTC(),
	}
	if cred.Role != nil {
		lease.Role = cred.User
	}
	return lease, cred, nil
}

// Refresh makes the credential of a lease anew, for the session that has it. It fails with ErrFixed where that cannot
// be: a session has one role for as long as it lives, and keeps the kind of credential it began with.
func (b *Broker) Refresh(ctx context.Context, r resources.Resource, lease Lease, ask Ask) (Credential, error) {
	if lease.State != Issued || lease.Session != ask.Session || lease.Kind == KindDynamic || lease.Kind != kindOf(r) {
		return Credential{}, fmt.Errorf("refresh credential of %s: %w", r.Name, ErrFixed)
	}
	_, cred, err := b.make(ctx, r, ask)
	if err != nil {
		return Credential{}, fmt.Errorf("refresh credential: %w", err)
	}
	cred.Lease = lease.ID
	return cred, nil
}

// make makes what a session signs in with.
func (b *Broker) make(ctx context.Context, r resources.Resource, ask Ask) (Kind, Credential, error) {
	kind := kindOf(r)
	cred := Credential{ExpiresAt: ask.Until.UTC()}
	var err error
	switch kind {
	case KindStatic:
		cred.User = r.Postgres.Credential.Static.User
		cred.Password, err = b.secret(ctx, r.Name)
	case KindRDSIAM:
		err = b.rdsToken(ctx, r, &cred)
	case KindDynamic:
		err = b.dynamic(*r.Postgres.Credential.Dynamic, ask.Until, &cred)
	case KindEKS:
		err = b.eks(ctx, *r.Kubernetes.Credential.EKS, b.forSession(ask), &cred)
	case KindServiceAccount:
		err = b.serviceAccount(ctx, r, &cred)
	case KindClientCertificate:
		err = b.clientCertificate(ctx, r, &cred)
	case KindAssumeRole:
		err = b.assumeRole(ctx, r, ask, &cred)
	default:
		err = fmt.Errorf("%w: resource %s has none", ErrSource, r.Name)
	}
	if err != nil {
		return "", Credential{}, err
	}
	return kind, cred, nil
}

// Service returns what an edge itself signs in with at a database, to read its catalog and to manage its roles. At a
// cluster and in an account an edge acts for sessions alone.
func (b *Broker) Service(ctx context.Context, r resources.Resource) (cred Credential, err error) {
	cred.ExpiresAt = b.cfg.Now().Add(time.Hour).UTC()
	switch kindOf(r) {
	case KindStatic:
		cred.User = r.Postgres.Credential.Static.User
		cred.Password, err = b.secret(ctx, r.Name)
	case KindDynamic:
		cred.User = r.Postgres.Credential.Dynamic.AdminUser
		cred.Password, err = b.secret(ctx, r.Name)
	case KindRDSIAM:
		err = b.rdsToken(ctx, r, &cred)
	default:
		err = fmt.Errorf("%w: resource %s has none for edges", ErrSource, r.Name)
	}
	if err != nil {
		return Credential{}, fmt.Errorf("service credential: %w", err)
	}
	return cred, nil
}

// kindOf says where a resource's credentials come from, or is empty when it has no source.
func kindOf(r resources.Resource) Kind {
	switch {
	case r.Postgres != nil && r.Postgres.Credential.Static != nil:
		return KindStatic
	case r.Postgres != nil && r.Postgres.Credential.Dynamic != nil:
		return KindDynamic
	case r.Postgres != nil && r.Postgres.Credential.RDSIAM != nil:
		return KindRDSIAM
	case r.Kubernetes != nil && r.Kubernetes.Credential.EKS != nil:
		return KindEKS
	case r.Kubernetes != nil && r.Kubernetes.Credential.ServiceAccount != nil:
		return KindServiceAccount
	case r.Kubernetes != nil && r.Kubernetes.Credential.ClientCertificate != nil:
		return KindClientCertificate
	case r.AWS != nil && r.AWS.Credential.AssumeRole != nil:
		return KindAssumeRole
	}
	return ""
}

func (b *Broker) secret(ctx context.Context, resource string) ([]byte, error) {
	s, err := b.cfg.Secrets.Secret(ctx, resource)
	if err != nil {
		return nil, fmt.Errorf("%w: secret of %s: %w", ErrSource, resource, err)
	}
	return []byte(string(s)), nil
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
