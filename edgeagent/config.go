// Package edgeagent is the composition root of the edge: Config says what it needs, Run
// wires its parts and runs them until the context ends.
package edgeagent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config is everything that can be set. The zero value of a field means its default.
type Config struct {
	// ControlPlane is the "host:port" of the control plane's edge listener.
	ControlPlane string `help:"Address of the control plane's edge listener." name:"control-plane" placeholder:"HOST:PORT"`
	// JoinToken and Pin enrol the edge at its first start.
	JoinToken     string `help:"One-time join token for the first start." secret:""`
	JoinTokenFile string `help:"File that holds the join token." placeholder:"FILE"`
	Pin           string `help:"Pin of the control plane's key, sha256:..., for the first start."`
	// StateDir holds the edge's own key and certificates, and its spool of records. It is
	// created with mode 0700. No upstream credential is ever written there.
	StateDir string `help:"Keep the edge's identity and its spool in this folder." default:"/var/lib/writ-edge" placeholder:"DIR"`

	// ListenPostgres is the "host:port" for PostgreSQL clients, over TLS.
	ListenPostgres string `help:"Serve PostgreSQL clients on this address." default:"127.0.0.1:6432" placeholder:"HOST:PORT"`
	// SocketDir serves PostgreSQL clients on a unix socket too. Default: none.
	SocketDir string `help:"Also serve PostgreSQL clients on a unix socket in this folder, which only the edge's user and group may enter." placeholder:"DIR"`
	// Advertise is what PostgreSQL clients are told to connect to. Default: ListenPostgres.
	Advertise []string `help:"Tell PostgreSQL clients to connect to these addresses. Default: the PostgreSQL listener's." placeholder:"HOST:PORT"`
	// MaxConnections bounds the PostgreSQL clients, and the signed-in Kubernetes clients, served at once.
	MaxConnections int `help:"Most PostgreSQL clients, and most signed-in Kubernetes clients, to serve at once." default:"1000"`

	// ListenKubernetes is the "host:port" for Kubernetes clients, over TLS; "none" serves none.
	ListenKubernetes string `help:"Serve Kubernetes clients on this address; none serves none." default:"127.0.0.1:6444" placeholder:"HOST:PORT"`
	// AdvertiseKubernetes is what Kubernetes clients are told to connect to. Default: ListenKubernetes.
	AdvertiseKubernetes []string `help:"Tell Kubernetes clients to connect to these addresses. Default: the Kubernetes listener's." placeholder:"HOST:PORT"`
	// ListenAWS is the "host:port" for AWS clients, who use it as an HTTPS proxy, or on this very machine as their endpoint; "none"
	// serves none.
	ListenAWS string `help:"Serve AWS clients on this address; none serves none." name:"listen-aws" default:"none" placeholder:"HOST:PORT"`
	// AdvertiseAWS is what AWS clients are told to connect to. Default: ListenAWS.
	AdvertiseAWS []string `help:"Tell AWS clients to connect to these addresses. Default: the AWS listener's." name:"advertise-aws" placeholder:"HOST:PORT"`
	// HoldPatience is how long a held request of a Kubernetes client waits before the client is told to come back.
	HoldPatience time.Duration `help:"How long a held HTTP request waits for approvers before the client is told to send it again." default:"5m"`

	// AllowedNetworks are the only ones in which targets may be; empty is all but those never allowed.
	AllowedNetworks []string `help:"Networks in which targets may be; without any, all but those that no target may have." placeholder:"CIDR"`
	// SpoolMaxBytes bounds the spool; when it is full, commands are refused.
	SpoolMaxBytes int64 `help:"Most bytes of records to keep until the control plane has them; beyond it commands are refused." default:"1073741824"`

	// LogLevel is trace, debug, info, warn or error.
	LogLevel string `help:"Log level: trace, debug, info, warn or error." enum:"trace,debug,info,warn,error" default:"info"`
	// LogJSON writes the log as JSON lines.
	LogJSON bool `help:"Log as JSON lines." name:"log-json"`

	// Ready is called once clients can connect. Default: nothing.
	Ready func(Addresses) `kong:"-"`
	// Logger takes the place of LogLevel and LogJSON. Default: standard error.
	Logger hclog.Logger `kong:"-"`
	// Now is the clock. Default time.Now.
	Now func() time.Time `kong:"-"`
}

// Addresses are where a running edge is reached.
type Addresses struct {
	Edge     string // its name
	Postgres string // "host:port"
	// Kubernetes is "host:port", empty where none are served; so is AWS.
	Kubernetes, AWS string
}

// none is a listener that is not wanted.
const none = "none"

// Validate refuses what cannot work. The loader of flags and files calls it, and Run.
func (cfg Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if cfg.ControlPlane == "" {
		fail("control-plane: missing; give the address that `writ edges join` printed")
	} else if _, _, err := net.SplitHostPort(cfg.ControlPlane); err != nil {
		fail("control-plane: %q is not an address; use one such as writ.example.com:8444", cfg.ControlPlane)
	}
	if _, _, err := net.SplitHostPort(cfg.ListenPostgres); cfg.ListenPostgres != "" && err != nil {
		fail("listen-postgres: %q is not an address; use one such as 127.0.0.1:6432", cfg.ListenPostgres)
	}
	if _, _, err := net.SplitHostPort(cfg.ListenKubernetes); cfg.ListenKubernetes != "" && cfg.ListenKubernetes != none && err != nil {
		fail("listen-kubernetes: %q is not an address; use one such as 127.0.0.1:6444, or none", cfg.ListenKubernetes)
	}
	if _, _, err := net.SplitHostPort(cfg.ListenAWS); cfg.ListenAWS != "" && cfg.ListenAWS != none && err != nil {
		fail("listen-aws: %q is not an address; use one such as 127.0.0.1:6445, or none", cfg.ListenAWS)
	}
	for _, a := range cfg.AdvertiseAWS {
		if _, _, err := net.SplitHostPort(a); err != nil {
			fail("advertise-aws: %q is not an address; use one such as edge-a.example.com:6445", a)
		}
	}
	for _, a := range cfg.Advertise {
		if _, _, err := net.SplitHostPort(a); err != nil {
			fail("advertise: %q is not an address; use one such as edge-a.example.com:6432", a)
		}
	}
	for _, a := range cfg.AdvertiseKubernetes {
		if _, _, err := net.SplitHostPort(a); err != nil {
			fail("advertise-kubernetes: %q is not an address; use one such as edge-a.example.com:6444", a)
		}
	}
	if cfg.HoldPatience < 0 {
		fail("hold-patience: %s is negative", cfg.HoldPatience)
	}
	if cfg.JoinToken != "" && cfg.JoinTokenFile != "" {
		fail("join-token and join-token-file: choose one")
	}
	if cfg.MaxConnections < 0 {
		fail("max-connections: %d is negative", cfg.MaxConnections)
	}
	if cfg.SpoolMaxBytes != 0 && cfg.SpoolMaxBytes < 64<<20 {
		fail("spool-max-bytes: %d; use at least 67108864 (64 MiB)", cfg.SpoolMaxBytes)
	}
	if _, err := cfg.networks(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (cfg Config) networks() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, n := range cfg.AllowedNetworks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("allowed-networks: %q is not a network; use one such as 10.0.0.0/16", n)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// complete validates and fills in defaults.
func (cfg Config) complete() (Config, error) {
	if err := cfg.Validate(); err != nil {
		return cfg, err
	}
	setDefault(&cfg.StateDir, "/var/lib/writ-edge")
	setDefault(&cfg.ListenPostgres, "127.0.0.1:6432")
	setDefault(&cfg.ListenKubernetes, "127.0.0.1:6444")
	setDefault(&cfg.ListenAWS, none)
	setDefault(&cfg.MaxConnections, 1000)
	setDefault(&cfg.SpoolMaxBytes, 1<<30)
	setDefault(&cfg.LogLevel, "info")
	if cfg.Ready == nil {
		cfg.Ready = func(Addresses) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.JoinTokenFile != "" {
		token, err := os.ReadFile(cfg.JoinTokenFile)
		if err != nil {
			return cfg, fmt.Errorf("join-token-file: %w", err)
		}
		cfg.JoinToken = trimLine(token)
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.New(&hclog.LoggerOptions{
			Name: "writ-edge", Level: hclog.LevelFromString(cfg.LogLevel), JSONFormat: cfg.LogJSON, Output: os.Stderr,
		})
	}
	return cfg, nil
}

func (cfg Config) spoolDir() string { return filepath.Join(cfg.StateDir, "spool") }

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
