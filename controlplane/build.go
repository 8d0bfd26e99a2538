package controlplane

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/console"
	"github.com/writhq/writ/controlplane/internal/api"
	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/checkpoints"
	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/recordindex"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/controlplane/internal/tunnel"
	"github.com/writhq/writ/controlplane/internal/web"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
)

// tokenIssuer is the issuer in access tokens.
const tokenIssuer = "writ"

// plane is every part of a control plane.
type plane struct {
	cfg       Config
	log       hclog.Logger
	listeners pair
	replica   string
	closers   []func() error // in the order of opening

	sealer     seal.Sealer
	store      *store.Store
	authority  *authority.Authority
	tokenKeys  *authority.Keyring
	recordKeys *authority.Keyring // of the Merkle log; its key is never replaced
	policyKeys *authority.Keyring
	verifier   *token.Verifier // of access tokens, under the keys that tokenKeys has now

	resources   *resources.Inventory
	roles       *roles.Roles
	broker      *credentials.Broker
	sessions    *sessions.Book
	sweeper     *sessions.Sweeper
	locks       *locks.Locks
	logins      *login.Logins
	policies    *policies.Policies
	approvals   *approvals.Approvals
	edges       *edges.Registry
	tally       *sessions.Tally
	records     *auditlog.Log
	checkpoints *checkpoints.Log
	notify      *notify.Deliveries

	tunnel  *tunnel.Server
	handler http.Handler
}

// build makes every part, in the order in which they need each other.
func build(ctx context.Context, cfg Config, listeners pair) (*plane, error) {
	p := &plane{cfg: cfg, log: cfg.Logger, listeners: listeners}
	for _, step := range []func(context.Context) error{
		p.openState, p.openKeys, p.makeServices, p.makeApprovals, p.makeTunnel, p.makeAPI,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

// close releases what was opened, the last first.
func (p *plane) close() error {
	var err error
	for i := len(p.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, p.closers[i]())
	}
	p.closers = nil
	return err
}

func (p *plane) openState(ctx context.Context) (err error) {
	var id [8]byte
	if _, err := io.ReadFull(rand.Reader, id[:]); err != nil {
		return fmt.Errorf("name this replica: %w", err)
	}
	p.replica = "cp-" + hex.EncodeToString(id[:])
	if p.sealer, err = seal.FileOrNew(p.cfg.SealKeyFile); err != nil {
		return fmt.Errorf("seal-key-file: %w", err)
	}
	e := p.cfg.Etcd
	p.store, err = store.Open(ctx, store.Config{
		DataDir: filepath.Join(p.cfg.DataDir, "etcd"), Endpoints: e.Endpoints,
		TLS:      store.TLSFiles{CA: e.CA, Cert: e.Cert, Key: e.Key},
		Username: e.Username, Password: e.Password, Prefix: e.Prefix, Logger: p.log.Named("store"),
	})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, p.store.Close)
	return nil
}

func (p *plane) openKeys(ctx context.Context) (err error) {
	p.authority, err = authority.Open(ctx, authority.Config{
		Store: p.store, Sealer: p.sealer, Names: p.cfg.Names, Clock: p.cfg.Now, Logger: p.log.Named("authority"),
	})
	if err != nil {
		return err
	}
	if p.verifier, err = token.NewVerifier(tokenIssuer, identity.Keys{}); err != nil {
		return err
	}
	p.tokenKeys, err = authority.OpenKeyring(ctx, authority.KeyringConfig{
		Store: p.store, Sealer: p.sealer, Purpose: "access-tokens", Retain: p.cfg.MaxGrant + time.Hour,
		OnChange: p.verifier.SetKeys, Clock: p.cfg.Now, Logger: p.log.Named("keys"),
	})
	if err != nil {
		return err
	}
	p.verifier.SetKeys(p.tokenKeys.Public())
	p.policyKeys, err = authority.OpenKeyring(ctx, authority.KeyringConfig{
		Store: p.store, Sealer: p.sealer, Purpose: "policy", Clock: p.cfg.Now, Logger: p.log.Named("keys"),
	})
	if err != nil {
		return err
	}
	p.recordKeys, err = authority.OpenKeyring(ctx, authority.KeyringConfig{
		Store: p.store, Sealer: p.sealer, Purpose: "records", Clock: p.cfg.Now, Logger: p.log.Named("keys"),
	})
	return err
}

// makeServices makes what keeps inventory, sessions, locks, sign-ins, policies, edges and records.
func (p *plane) makeServices(ctx context.Context) (err error) {
	now := p.cfg.Now
	p.notify, err = notify.New(notify.Config{
		Store: p.store, Receivers: p.cfg.Notify, PublicURL: p.publicURL(), Now: now, Rand: rand.Reader, Logger: p.log.Named("notify"),
	})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	p.resources, err = resources.New(resources.Config{Store: p.store, Sealer: p.sealer, Now: now, Rand: rand.Reader})
	if err != nil {
		return err
	}
	aws := new(credentials.DefaultAWS)
	p.broker, err = credentials.New(credentials.Config{
		Store: p.store, Secrets: p.resources, AWS: aws, Rand: rand.Reader, Now: now,
		Logger: p.log.Named("credentials"),
	})
	if err != nil {
		return err
	}
	if p.sessions, err = sessions.New(sessions.Config{Store: p.store, Leases: p.broker, Now: now, Events: p.notify, Logger: p.log.Named("sessions")}); err != nil {
		return err
	}
	if p.locks, err = locks.New(locks.Config{Store: p.store, Sessions: p.sessions, Now: now, Rand: rand.Reader, Events: p.notify}); err != nil {
		return err
	}
	nonceKey, err := sharedKey(ctx, p.store, p.sealer, "login-nonce-key")
	if err != nil {
		return err
	}
	p.logins, err = login.New(login.Config{
		AWS: p.cfg.AWSIAM, SPIFFE: p.cfg.SPIFFE, NonceKey: nonceKey,
		Store: p.store, Locks: p.locks, Issuers: p.cfg.OIDC, Now: now, Logger: p.log.Named("login"),
		Roles: login.RoleGroups{Admin: p.cfg.Roles.Admin, Auditor: p.cfg.Roles.Auditor},
	})
	if err != nil {
		return err
	}
	p.policies, err = policies.New(policies.Config{
		Store: p.store, Keyring: p.policyKeys, Now: now, Events: p.notify, Logger: p.log.Named("policies"),
	})
	if err != nil {
		return err
	}
	p.roles, err = roles.New(roles.Config{
		Store: p.store, Resources: p.resources, Policies: p.policies, Reader: roles.NewIAM(aws), Now: now, Logger: p.log.Named("roles"),
	})
	if err != nil {
		return err
	}
	p.edges, err = edges.New(edges.Config{
		Store: p.store, Authority: p.authority, Replica: p.replica, Rand: rand.Reader, Now: now, Events: p.notify, Logger: p.log.Named("edges"),
	})
	if err != nil {
		return err
	}
	return p.openRecords(ctx)
}

func (p *plane) openRecords(ctx context.Context) error {
	objects, err := p.objects(ctx)
	if err != nil {
		return err
	}
	p.tally, err = sessions.NewTally(sessions.TallyConfig{Book: p.sessions, Logger: p.log.Named("sessions")})
	if err != nil {
		return err
	}
	p.checkpoints, err = checkpoints.Open(ctx, checkpoints.Config{
		Store: p.store, Objects: objects, Origin: p.cfg.Names[0] + "/audit", Key: p.recordKeys.Private(), Replica: p.replica, Logger: p.log.Named("checkpoints"),
	})
	if err != nil {
		return err
	}
	index, err := recordindex.Open(filepath.Join(p.cfg.DataDir, "index"))
	if err != nil {
		return err
	}
	p.closers = append(p.closers, index.Close)
	p.records, err = auditlog.New(auditlog.Config{
		Index: index, Feed: p.checkpoints,
		Objects: objects, Registrar: p.checkpoints, Sessions: p.sessions, Tally: p.tally, Replica: p.replica, Now: p.cfg.Now, Logger: p.log.Named("records"),
	})
	return err
}

// objects is the folder or the bucket for recordings.
func (p *plane) objects(ctx context.Context) (auditlog.ObjectStore, error) {
	if p.cfg.S3.Bucket == "" {
		folder, err := auditlog.OpenFolder(p.cfg.ObjectDir)
		if err != nil {
			return nil, fmt.Errorf("object-dir: %w", err)
		}
		p.closers = append(p.closers, folder.Close)
		return folder, nil
	}
	var opts []func(*awsconfig.LoadOptions) error
	if p.cfg.S3.Region != "" {
		opts = append(opts, awsconfig.WithRegion(p.cfg.S3.Region))
	}
	aws, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return auditlog.NewS3(auditlog.S3Config{
		Client: s3.NewFromConfig(aws), Bucket: p.cfg.S3.Bucket, Prefix: p.cfg.S3.Prefix, KMSKey: p.cfg.S3.KMSKey,
		Lock: lockModes[p.cfg.S3.Lock], LockFor: p.cfg.S3.LockFor, Now: p.cfg.Now,
	})
}

// lockModes are S3's, by the names of settings.
var lockModes = map[string]types.ObjectLockMode{"governance": types.ObjectLockModeGovernance, "compliance": types.ObjectLockModeCompliance}

func (p *plane) makeApprovals(context.Context) (err error) {
	p.approvals, err = approvals.New(approvals.Config{
		Store: p.store, Policies: p.policies, Resources: p.resources, Locks: p.locks, Directory: p.logins,
		Sessions: p.sessions, Records: p.records, Now: p.cfg.Now, Rand: rand.Reader, MaxGrant: p.cfg.MaxGrant,
		MaxBreakGlass: p.cfg.MaxBreakGlass, RequestRate: p.cfg.RequestRate, RequestTTL: p.cfg.RequestTTL,
		HoldTTL: p.cfg.HoldTTL, Events: p.notify, Roles: p.roles, Logger: p.log.Named("approvals"),
	})
	if err != nil {
		return err
	}
	p.sweeper, err = sessions.NewSweeper(sessions.SweeperConfig{
		Book: p.sessions, Grants: p.approvals, Presence: p.edges, LostAfter: p.cfg.EdgeLease + 5*time.Second,
		Logger: p.log.Named("sessions"),
	})
	return err
}

func (p *plane) makeTunnel(ctx context.Context) error {
	masking, err := sharedKey(ctx, p.store, p.sealer, "masking-key")
	if err != nil {
		return err
	}
	tlsConfig, err := p.authority.ServerTLS()
	if err != nil {
		return err
	}
	p.tunnel, err = tunnel.New(tunnel.Config{
		Store: p.store, Edges: p.edges, Sessions: p.sessions, Credentials: p.broker, Records: p.records,
		Approvals: p.approvals, Resources: p.resources, Roles: p.roles, Policies: p.policies, Locks: p.locks, Tokens: p.verifier,
		Principals: p.logins,
		TLS:        tlsConfig, TokenKeys: p.tokenKeys.Public, PolicyKeys: p.policyKeys.Public, ClientKeys: p.tokenKeys,
		MaskingKey: masking,
		Lease:      p.cfg.EdgeLease, Now: p.cfg.Now, Logger: p.log.Named("tunnel"),
	})
	return err
}

func (p *plane) makeAPI(context.Context) error {
	g, err := guard.New(guard.Config{Identify: p.logins, Records: p.records, Now: p.cfg.Now, Logger: p.log.Named("guard")})
	if err != nil {
		return err
	}
	issuer, err := token.NewIssuer(tokenIssuer, p.tokenKeys.Private)
	if err != nil {
		return err
	}
	calls, err := api.New(api.Config{
		Guard: g, Logins: p.logins, Resources: p.resources, Roles: p.roles, Leases: p.broker, Policies: p.policies, Approvals: p.approvals, Locks: p.locks,
		Sessions: p.sessions, Edges: p.edges, Live: p.tunnel.LiveSessions, Notify: p.notify, Log: p.records, Search: p.records, Checkpoints: p.checkpoints, Tokens: issuer,
		ClientKeys: p.tokenKeys, Ready: p.store.Ready, Now: p.cfg.Now,
		CAPEM: p.authority.PEM(), Pin: p.authority.Pin().String(), EdgeAddress: p.edgeAddress(),
		BrowserPath: web.StartPath,
	})
	if err != nil {
		return err
	}
	files, built := console.Files()
	if !built {
		files = nil
		p.log.Info("the console is not in this build")
	}
	p.handler, err = web.New(web.Config{
		Console: files, API: calls, Logins: p.logins, Guard: g, Sealer: p.sealer, PublicURL: p.publicURL(), Now: p.cfg.Now,
		Logger: p.log.Named("web"),
	})
	return err
}

// publicURL is where browsers reach this control plane.
func (p *plane) publicURL() string {
	if p.cfg.PublicURL != "" {
		return p.cfg.PublicURL
	}
	_, port, _ := net.SplitHostPort(p.listeners.access.Addr().String())
	return "https://" + net.JoinHostPort(p.cfg.Names[0], port)
}

// edgeAddress is where edges dial.
func (p *plane) edgeAddress() string {
	return cmp.Or(p.cfg.AdvertiseEdge, p.listeners.edge.Addr().String())
}

func (p *plane) addresses() Addresses {
	return Addresses{
		Access: p.listeners.access.Addr().String(), Edge: p.listeners.edge.Addr().String(),
		CA: p.authority.PEM(), Pin: p.authority.Pin().String(),
	}
}
