// Package controlplane is the composition root of the control plane: Config says what it needs, Run wires its parts and
// runs them until the context ends.
package controlplane

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/web"
)

// Issuer is an OIDC issuer whose ID tokens are accepted.
type Issuer = login.Issuer

// BrowserClient and DeviceClient are Writ's registrations at an issuer at which people sign in.
type (
	BrowserClient = login.BrowserClient
	DeviceClient  = login.DeviceClient
)

// Receiver is somebody outside who is told what happens.
type Receiver = notify.Receiver

// AWSIAM says which AWS roles sign in.
type AWSIAM = login.AWSConfig

// SPIFFE says which SPIFFE workloads sign in.
type SPIFFE = login.SPIFFEConfig

// Config is everything that can be set. The zero value of a field means its default.
type Config struct {
	// ListenAccess is the "host:port" on which people, agents and the console call, over TLS.
	ListenAccess string `help:"Serve people, agents and the console on this address." default:"127.0.0.1:8443" placeholder:"HOST:PORT"`
	// ListenEdge is the "host:port" on which edges call, over mutual TLS.
	ListenEdge string `help:"Serve edges on this address." default:"127.0.0.1:8444" placeholder:"HOST:PORT"`
	// AdvertiseEdge is the "host:port" that edges are told to dial. Default: the address of ListenEdge.
	AdvertiseEdge string `help:"Tell edges to dial this address. Default: the edge listener's." placeholder:"HOST:PORT"`
	// PublicURL is "https://host[:port]" as browsers and links have it. Default: the first of Names, with the port of
	// ListenAccess.
	PublicURL string `help:"Address under which browsers reach this control plane, https://host:port. Default: the first name, with the people listener's port." name:"public-url" placeholder:"URL"`
	// Names are the DNS names and IP addresses in the server certificate.
	Names []string `help:"DNS names and IP addresses by which this control plane is reached." default:"localhost,127.0.0.1,::1" placeholder:"NAME"`
	// DataDir holds the embedded store, records and keys. It is created with mode 0700.
	DataDir string `help:"Keep the embedded store, the records and the seal key in this folder." default:"/var/lib/writ" placeholder:"DIR"`
	// SealKeyFile holds the key that seals secrets at rest; replicas share it. Default: seal.key in DataDir.
	SealKeyFile string `help:"Key that seals secrets at rest; made when missing, and shared by replicas. Default: seal.key in the data folder." placeholder:"FILE"`

	Etcd  Etcd  `embed:"" prefix:"etcd-"`
	S3    S3    `embed:"" prefix:"s3-"`
	Roles Roles `embed:"" prefix:"roles-"`

	// ObjectDir holds recordings when S3 has no bucket. Default: records in DataDir.
	ObjectDir string `help:"Keep recordings in this folder, when no S3 bucket is given. Default: records in the data folder." placeholder:"DIR"`
	// OIDC lists the issuers that sign principals in. From the file only.
	OIDC []Issuer `kong:"-" file:"oidc"`
	// AWSIAM lets AWS roles sign in. From the file only. Default: none do.
	AWSIAM AWSIAM `kong:"-" file:"aws_iam"`
	// SPIFFE lets the workloads of a trust domain sign in. From the file only. Default: none do.
	SPIFFE SPIFFE `kong:"-" file:"spiffe"`
	// Notify lists who is told what happens. From the file only.
	Notify []Receiver `kong:"-" file:"notify"`

	// MaxGrant is the longest time a grant may have left.
	MaxGrant time.Duration `help:"Longest time a grant may have left." default:"8h"`
	// MaxBreakGlass is the longest time of a break-glass grant; no longer than MaxGrant.
	MaxBreakGlass time.Duration `help:"Longest time of a break-glass grant." default:"30m"`
	// RequestRate is how many access requests a principal may file in an hour, 1 to 1000.
	RequestRate int `help:"Access requests that a principal may file in an hour." default:"60"`
	// RequestTTL is how long an access request waits for votes.
	RequestTTL time.Duration `help:"How long an access request waits for approval." default:"1h" name:"request-ttl"`
	// HoldTTL is how long a held command waits when its policy says nothing.
	HoldTTL time.Duration `help:"How long a held command waits for approval when its policy says nothing." default:"10m" name:"hold-ttl"`
	// EdgeLease is how long an edge may act without hearing from the control plane.
	EdgeLease time.Duration `help:"How long an edge may act without hearing from the control plane." default:"15s"`

	// LogLevel is trace, debug, info, warn or error.
	LogLevel string `help:"Log level: trace, debug, info, warn or error." enum:"trace,debug,info,warn,error" default:"info"`
	// LogJSON writes the log as JSON lines.
	LogJSON bool `help:"Log as JSON lines." name:"log-json"`
	// ResetAdminToken voids the one-time admin token and prints a new one.
	ResetAdminToken bool `help:"Void the one-time admin token and print a new one."`

	// Ready is called once both listeners serve. Default: nothing.
	Ready func(Addresses) `kong:"-"`
	// Stdout gets what an operator must see once. Default os.Stdout.
	Stdout io.Writer `kong:"-"`
	// Logger takes the place of LogLevel and LogJSON. Default: standard error.
	Logger hclog.Logger `kong:"-"`
	// Now is the clock. Default time.Now.
	Now func() time.Time `kong:"-"`
}

// Etcd names an external cluster. Without endpoints an embedded member is used.
type Etcd struct {
	Endpoints []string `help:"URLs of an external etcd cluster; without any, one member is embedded." placeholder:"URL"`
	CA        string   `help:"PEM file of the cluster's certificate authority. Default: the system's." name:"ca" placeholder:"FILE"`
	Cert      string   `help:"PEM file of this replica's client certificate." placeholder:"FILE"`
	Key       string   `help:"PEM file of that certificate's key." placeholder:"FILE"`
	Username  string   `help:"User at the cluster, where it has users."`
	Password  string   `help:"Password of that user." secret:""`
	Prefix    string   `help:"Start of every key." default:"/writ/"`
}

// S3 names the bucket for recordings.
type S3 struct {
	Bucket string `help:"Keep recordings in this S3 bucket."`
	Prefix string `help:"Start of every key in the bucket."`
	Region string `help:"Region of the bucket. Default: that of the environment."`
	KMSKey string `help:"KMS key that encrypts the recordings. Default: the bucket's setting." name:"kms-key"`

	Lock    string        `help:"Object lock of every object: governance, compliance, or none, which leaves it to the bucket." enum:"none,governance,compliance" default:"none"`
	LockFor time.Duration `help:"How long objects are locked, with s3-lock." placeholder:"DURATION"`
}

// Roles says which groups have which role. Nobody has one by default.
type Roles struct {
	Admin   []string `help:"Groups that administer." placeholder:"GROUP"`
	Auditor []string `help:"Groups that see everything and change nothing." placeholder:"GROUP"`
}

// Addresses are where a running control plane is reached.
type Addresses struct {
	Access string // "host:port"
	Edge   string // "host:port"
	CA     []byte // PEM of the authority that signed the server certificate
	Pin    string // of that authority
}

// Validate refuses what cannot work. The loader of flags and files calls it, and Run.
func (cfg Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for name, addr := range map[string]string{"listen-access": cfg.ListenAccess, "listen-edge": cfg.ListenEdge} {
		if _, _, err := net.SplitHostPort(addr); addr != "" && err != nil {
			fail("%s: %q is not an address; use one such as 127.0.0.1:8443", name, addr)
		}
	}
	if _, _, err := net.SplitHostPort(cfg.AdvertiseEdge); cfg.AdvertiseEdge != "" && err != nil {
		fail("advertise-edge: %q is not an address; use one such as writ.example.com:8444", cfg.AdvertiseEdge)
	}
	if _, err := web.ParsePublicURL(cfg.PublicURL); cfg.PublicURL != "" && err != nil {
		fail("public-url: %w", err)
	}
	for name, d := range map[string]time.Duration{
		"max-grant": cfg.MaxGrant, "max-break-glass": cfg.MaxBreakGlass, "request-ttl": cfg.RequestTTL, "hold-ttl": cfg.HoldTTL, "edge-lease": cfg.EdgeLease,
	} {
		if d < 0 {
			fail("%s: %s is negative", name, d)
		}
	}
	if cfg.MaxGrant > 0 && cfg.MaxBreakGlass > cfg.MaxGrant {
		fail("max-break-glass: %s is longer than max-grant", cfg.MaxBreakGlass)
	}
	if cfg.RequestRate < 0 || cfg.RequestRate > 1000 {
		fail("request-rate: %d; use 1 to 1000 an hour", cfg.RequestRate)
	}
	if cfg.EdgeLease != 0 && (cfg.EdgeLease < 10*time.Second || cfg.EdgeLease > time.Minute) {
		fail("edge-lease: %s; use 10s to 1m: edges renew it every 5s", cfg.EdgeLease)
	}
	if (cfg.Etcd.Cert == "") != (cfg.Etcd.Key == "") {
		fail("etcd-cert and etcd-key: give both or none")
	}
	if cfg.S3.Bucket != "" && cfg.ObjectDir != "" {
		fail("s3-bucket and object-dir: choose one")
	}
	if locked := cfg.S3.Lock != "" && cfg.S3.Lock != "none"; locked != (cfg.S3.LockFor > 0) || cfg.S3.LockFor < 0 {
		fail("s3-lock and s3-lock-for: give both, a mode and for how long, or none")
	}
	if err := notify.CheckReceivers(cfg.Notify); err != nil {
		fail("notify: %w", err)
	}
	return errors.Join(errs...)
}

// complete validates and fills in the defaults that are not in the tags, and those that are for callers of Run.
func (cfg Config) complete() (Config, error) {
	if err := cfg.Validate(); err != nil {
		return cfg, err
	}
	setDefault(&cfg.ListenAccess, "127.0.0.1:8443")
	setDefault(&cfg.ListenEdge, "127.0.0.1:8444")
	setDefault(&cfg.DataDir, "/var/lib/writ")
	setDefault(&cfg.SealKeyFile, filepath.Join(cfg.DataDir, "seal.key"))
	setDefault(&cfg.ObjectDir, filepath.Join(cfg.DataDir, "records"))
	setDefault(&cfg.MaxGrant, 8*time.Hour)
	setDefault(&cfg.MaxBreakGlass, min(30*time.Minute, cfg.MaxGrant))
	setDefault(&cfg.RequestRate, 60)
	setDefault(&cfg.RequestTTL, time.Hour)
	setDefault(&cfg.HoldTTL, 10*time.Minute)
	setDefault(&cfg.EdgeLease, 15*time.Second)
	setDefault(&cfg.LogLevel, "info")
	if len(cfg.Names) == 0 {
		cfg.Names = []string{"localhost", "127.0.0.1", "::1"}
	}
	if cfg.Ready == nil {
		cfg.Ready = func(Addresses) {}
	}
	if cfg.Stdout == nil {
		cfg.Stdout = os.Stdout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.New(&hclog.LoggerOptions{
			Name: "writ", Level: hclog.LevelFromString(cfg.LogLevel), JSONFormat: cfg.LogJSON, Output: os.Stderr,
		})
	}
	return cfg, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
