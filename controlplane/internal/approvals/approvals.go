// Package approvals decides what a principal may have: it turns access requests into grants, lets people vote on
// requests and on held commands, and spends an approval once. All of its state is in the store, and every step is one
// transaction that also reads the policy head, the locks and the voters' present groups.
package approvals

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/ulid/v2"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// What callers branch on. Their texts are for people.
var (
	ErrNotFound = errors.New("no such request, grant or held command")
	// ErrInvalid is an ask that lacks something or is out of range.
	ErrInvalid = errors.New("invalid")
	// ErrOwn is a vote on what the voter, or somebody acting for it, asked for.
	ErrOwn = errors.New("nobody approves their own request")
	// ErrNotApprover is a vote of somebody whom the policy does not ask.
	ErrNotApprover = errors.New("not an approver of this")
	// ErrVoted is a second vote of one person.
	ErrVoted = errors.New("you have voted already")
	// ErrDigest is a vote or a release of something other than what was shown.
	ErrDigest = errors.New("this is not what was shown")
	// ErrNotPending is a vote on, or a withdrawal of, what is decided already.
	ErrNotPending = errors.New("no longer pending")
	// ErrNotApproved is the release of a held command that has no valid approval.
	ErrNotApproved = errors.New("not approved")
	// ErrSpent is a second release under one approval.
	ErrSpent = errors.New("approval is spent")
	// ErrPolicyChanged is a release decided under another revision than the one in force.
	ErrPolicyChanged = errors.New("policy changed; the command must be decided again")
	// ErrEnded is a grant that is over, revoked, or for a resource that is gone.
	ErrEnded = errors.New("grant has ended")
	// ErrNotYet is a grant that has not begun, or the review of one that is not over.
	ErrNotYet = errors.New("not yet")
	// ErrHours is an approval outside the hours that the policy asks for.
	ErrHours = errors.New("outside the hours of approval")
	// ErrRate is an ask more than a principal may make in an hour.
	ErrRate = errors.New("too many requests")
	// ErrSame is a held command that waits already under the same grant.
	ErrSame = errors.New("the same command waits already")
	// ErrDeniedBefore is a command that a person denied a moment ago.
	ErrDeniedBefore = errors.New("the same command was denied")
	// ErrOwnReview is the review of a grant by its principal, or somebody that acted for them.
	ErrOwnReview = errors.New("nobody reviews their own grant")
	// ErrReviewed is a second review of one grant.
	ErrReviewed = errors.New("reviewed already")
	// ErrTooMany is one pending request more than a principal may have.
	ErrTooMany = errors.New("too many pending requests")
)

// Denied is a refusal by policy.
type Denied struct {
	Resource  string
	Reason    string
	PolicyIDs []string
	Revision  uint64
	// Repair is what would not be refused; nil when nothing close to what was asked would be.
	Repair *Repair
}

func (d *Denied) Error() string {
	text := fmt.Sprintf("access to %q is denied: %s", d.Resource, d.Reason)
	if len(d.PolicyIDs) > 0 {
		text += " (policy " + strings.Join(d.PolicyIDs, ", ") + ")"
	}
	return text
}

// Directory knows the newest groups of principals that signed in. ok is false for one that never did.
type Directory interface {
	PrincipalIn(tx *store.Tx, name string) (p policy.Principal, ok bool, err error)
}

// Sessions knows the live sessions and ends them.
type Sessions interface {
	// EndGrantSessions ends the live sessions of a grant, on every edge, and says how many it ordered to end.
	EndGrantSessions(ctx context.Context, grant, reason, by string) (int, error)
	// SessionLives tells whether the session has not ended.
	SessionLives(ctx context.Context, session string) (bool, error)
}

// Config is what approvals need. The first part is required.
type Config struct {
	Store     *store.Store
	Policies  *policies.Policies
	Resources *resources.Inventory
	Locks     *locks.Locks
	Directory Directory
	Sessions  Sessions
	Records   Records
	Now       func() time.Time
	Rand      io.Reader // for ids

	// Events hears of what happens; nil tells nobody.
	Events Events
	// Roles knows the roles of AWS accounts; nil knows none, and all count as privileged.
	Roles Roles

	// MaxGrant is the longest time a grant may have left. Default 8 h.
	MaxGrant time.Duration
	// RequestTTL is how long a request waits for votes. Default 1 h.
	RequestTTL time.Duration
	// HoldTTL is how long a held command waits when its policy says nothing. Default 10 min.
	HoldTTL time.Duration
	// MaxBreakGlass is the longest time of a break-glass grant. Default 30 min.
	MaxBreakGlass time.Duration
	// RequestRate is how many requests a principal may file in an hour, 1 to 1000, whatever becomes of them. Default 60.
	RequestRate int
	// MaxPending is how many pending requests a principal, and how many pending held commands a session may have.
	// Default 20.
	MaxPending int
	// Retention is how long decided requests, ended grants and held commands stay listed. Default 30 days.
	Retention time.Duration
	// Logger receives messages; nil discards them.
	Logger hclog.Logger
}

// Limits that are not configured.
const (
	minGrant     = time.Minute
	defaultGrant = time.Hour
	maxHold      = 24 * time.Hour
	maxReason    = 1000
	maxTicket    = 200
	maxComment   = 1000
	maxActions   = 50
)

func (cfg Config) complete() (Config, error) {
	if cfg.Store == nil || cfg.Policies == nil || cfg.Resources == nil || cfg.Locks == nil ||
		cfg.Directory == nil || cfg.Sessions == nil || cfg.Records == nil || cfg.Now == nil || cfg.Rand == nil {
		return cfg, errors.New("approvals: store, policies, resources, locks, directory, sessions, records, clock and randomness are required")
	}
	setDefault(&cfg.MaxGrant, 8*time.Hour)
	setDefault(&cfg.RequestTTL, time.Hour)
	setDefault(&cfg.HoldTTL, 10*time.Minute)
	setDefault(&cfg.MaxBreakGlass, min(30*time.Minute, cfg.MaxGrant))
	setDefault(&cfg.RequestRate, 60)
	setDefault(&cfg.MaxPending, 20)
	setDefault(&cfg.Retention, 30*24*time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Events == nil {
		cfg.Events = silence{}
	}
	if cfg.Roles == nil {
		cfg.Roles = strangers{}
	}
	if cfg.MaxGrant < minGrant || cfg.RequestTTL < 0 || cfg.HoldTTL < 0 || cfg.Retention < 0 ||
		cfg.MaxPending < 1 || cfg.MaxPending > 50 || cfg.MaxBreakGlass < minGrant || cfg.MaxBreakGlass > cfg.MaxGrant ||
		cfg.RequestRate < 1 || cfg.RequestRate > 1000 {
		return cfg, fmt.Errorf("approvals: grants of at least %s, break-glass no longer than others, positive times, "+
			"1 to 1000 requests an hour and 1 to 50 pending are possible", minGrant)
	}
	return cfg, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Approvals is the state of requests, grants and held commands, shared by all replicas.
type Approvals struct {
	cfg      Config
	requests *store.Collection[Request]
	grants   *store.Collection[Grant]
	holds    *store.Collection[Hold]
	// pending and waiting list the undecided requests of a principal and the undecided holds of a session; asked and
	// commands say what became of the same ask of a principal, and of the same command of a grant.
	pending  *store.Collection[pendingRow]
	waiting  *store.Collection[pendingRow]
	asked    *store.Collection[askedRow]
	commands *store.Collection[askedRow]
	// filed and owned hold the ids of a principal's requests and grants, newest first; unreviewed those of break-glass
	// grants that nobody has reviewed.
	filed      *store.Collection[string]
	owned      *store.Collection[string]
	unreviewed *store.Collection[string]
	rates      *store.Collection[rateRow]
	turns      turns
}

// pendingRow is an index entry.
type pendingRow struct {
	ExpiresAt time.Time `json:"expires_at"`
}

// New returns the approvals kept in cfg.Store.
func New(cfg Config) (*Approvals, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Approvals{
		cfg:      cfg,
		requests: store.Define[Request](cfg.Store, "requests"),
		grants:   store.Define[Grant](cfg.Store, "grants"),
		holds:    store.Define[Hold](cfg.Store, "holds"),
		pending:  store.Define[pendingRow](cfg.Store, "pending-requests"),
		waiting:  store.Define[pendingRow](cfg.Store, "pending-holds"),
		asked:    store.Define[askedRow](cfg.Store, "asked-requests"),
		commands: store.Define[askedRow](cfg.Store, "asked-commands"),

		filed:      store.Define[string](cfg.Store, "principal-requests"),
		owned:      store.Define[string](cfg.Store, "principal-grants"),
		unreviewed: store.Define[string](cfg.Store, "unreviewed-grants"),
		rates:      store.Define[rateRow](cfg.Store, "request-rates"),
	}, nil
}

// Prefixes of ids.
const (
	requestPrefix = "req-"
	grantPrefix   = "grant-"
	holdPrefix    = "hold-"
)

func (a *Approvals) newID(prefix string) (string, error) {
	id, err := ulid.New(ulid.Timestamp(a.cfg.Now()), a.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return prefix + strings.ToLower(id.String()), nil
}

// checkID accepts only what newID makes, so that no other text reaches the store as a key.
func checkID(prefix, id string) error {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) != ulid.EncodedSize || strings.ToLower(rest) != rest {
		return fmt.Errorf("%w: %q", ErrNotFound, clip(id))
	}
	if _, err := ulid.ParseStrict(rest); err != nil {
		return fmt.Errorf("%w: %q", ErrNotFound, clip(id))
	}
	return nil
}

// notFound turns the store's answer into ours.
func notFound(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	return err
}

func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// fold makes names comparable.
func fold(name string) string { return strings.ToLower(name) }
