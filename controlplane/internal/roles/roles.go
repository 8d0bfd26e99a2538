// Package roles keeps what the IAM roles of AWS accounts are known to allow: one replica reads their policies from AWS time and again,
// all of them read them anew before an access request is decided. A role of which nothing is known counts as privileged.
package roles

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/singleflight"

	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/iampolicy"
	"github.com/writhq/writ/pkg/policy"
)

// Reader reads what a role's policies say.
type Reader interface {
	// Read returns the role in which sessions on an account act. Errors are ErrRefused, ErrTooLarge and ErrUnclear; with any other, AWS
	// could not be asked.
	Read(ctx context.Context, account resources.AWS) (iampolicy.Role, error)
}

// What a Reader fails with.
var (
	// ErrRefused: AWS does not let the control plane read them.
	ErrRefused = errors.New("aws refuses to show the role's policies")
	// ErrTooLarge: they are larger than is read.
	ErrTooLarge = errors.New("the role's policies are too large")
	// ErrUnclear: they, or what AWS says of the role, are not understood.
	ErrUnclear = errors.New("the role's policies are not understood")
)

// Config is what Roles need. Everything without a stated default is required.
type Config struct {
	Store     *store.Store
	Resources *resources.Inventory
	Policies  *policies.Policies
	Reader    Reader
	Now       func() time.Time

	// Period is how often a role is read again. Default 10 min.
	Period time.Duration
	// Retry is how long after a failure that is. Default 2 min.
	Retry time.Duration
	// Fresh is how old what is known may be when an access request is decided; older, it is read again. Default 1 min.
	Fresh time.Duration
	// Stale is how long what was read counts while AWS cannot be asked. Default 30 min.
	Stale time.Duration
	// ReadTimeout bounds reading one role. Default 20 s; before a decision, 8 s.
	ReadTimeout time.Duration
	Logger      hclog.Logger // nil discards
}

func (cfg Config) complete() (Config, error) {
	if cfg.Store == nil || cfg.Resources == nil || cfg.Policies == nil || cfg.Reader == nil || cfg.Now == nil {
		return cfg, errors.New("roles: store, resources, policies, reader and clock are required")
	}
	setDefault(&cfg.Period, 10*time.Minute)
	setDefault(&cfg.Retry, 2*time.Minute)
	setDefault(&cfg.Fresh, time.Minute)
	setDefault(&cfg.Stale, 30*time.Minute)
	setDefault(&cfg.ReadTimeout, 20*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Stale < cfg.Period {
		return cfg, errors.New("roles: what is known would be stale before it is read again")
	}
	return cfg, nil
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// Roles is what is known, shared by all replicas.
type Roles struct {
	cfg      Config
	rows     *store.Collection[row]      // by resource
	analyses *store.Collection[Analysis] // by digest
	reading  singleflight.Group

	mu       sync.Mutex
	catalogs map[string]iampolicy.Catalog // that were made of late
}

// row is what is known of the role of one resource.
type row struct {
	RoleARN string `json:"role_arn"`
	// Version is that of the resource when the role was last asked about.
	Version uint64 `json:"version"`
	// Digest is that of the analysis; empty is that nothing is known.
	Digest  string    `json:"digest,omitempty"`
	Catalog string    `json:"catalog,omitempty"` // of the analysis
	ReadAt  time.Time `json:"read_at,omitzero"`  // when the policies were last seen to be these
	TriedAt time.Time `json:"tried_at"`          // when they were last asked for
	Problem Problem   `json:"problem,omitempty"` // of that attempt
}

// New returns the roles kept in cfg.Store.
func New(cfg Config) (*Roles, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Roles{
		cfg:      cfg,
		rows:     store.Define[row](cfg.Store, "roles"),
		analyses: store.Define[Analysis](cfg.Store, "role-analyses"),
		catalogs: map[string]iampolicy.Catalog{},
	}, nil
}

// maxCatalogs bounds how many lists are remembered: that in force, and those of a moment ago.
const maxCatalogs = 4

// catalog is the list of privileged actions that a set of policies asks for.
func (r *Roles) catalog(set *policy.Set) iampolicy.Catalog {
	p := set.PrivilegedActions()
	key := strings.Join(slices.Concat([]string{"+"}, p.Add, []string{"-"}, p.Remove), "\n")
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.catalogs[key]; ok {
		return c
	}
	c, err := iampolicy.Default().With(p.Add, p.Remove)
	if err != nil {
		c = changed(iampolicy.Default(), p)
		r.cfg.Logger.Warn("the list of privileged actions was written for another version of Writ; what no longer fits is left out", "error", err)
	}
	if len(r.catalogs) >= maxCatalogs {
		clear(r.catalogs)
	}
	r.catalogs[key] = c
	return c
}

// changed is the list with all changes that make sense: a revision was checked when it was pushed, but the list of a newer Writ may have
// what it adds, or no longer have what it removes. Nothing is less privileged for what is left out.
func changed(c iampolicy.Catalog, p policy.PrivilegedActions) iampolicy.Catalog {
	for _, a := range p.Add {
		if next, err := c.With([]string{a}, nil); err == nil {
			c = next
		}
	}
	for _, a := range p.Remove {
		if next, err := c.With(nil, []string{a}); err == nil {
			c = next
		}
	}
	return c
}
