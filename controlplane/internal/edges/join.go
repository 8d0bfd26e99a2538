package edges

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
)

const (
	defaultJoinTTL = time.Hour
	maxJoinTTL     = 24 * time.Hour
	maxNames       = 20
)

// join is what the store has of a join token, under the token's hash.
type join struct {
	Edge      string    `json:"edge"`
	Names     []string  `json:"names,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
	CreatedBy string    `json:"created_by"`
}

// JoinToken lets one edge enrol, once.
type JoinToken struct {
	Secret    token.Secret
	ExpiresAt time.Time
}

// loopback are the names of an edge whose clients are all on its own machine.
var loopback = []string{"localhost", "127.0.0.1", "::1"}

// CreateJoinToken makes a token for an edge of that name, whose serving
// certificate may carry names (DNS names and IP addresses; without any, those
// of its own machine). ttl is at most 24 h; 0 is 1 h.
func (r *Registry) CreateJoinToken(ctx context.Context, edge string, names []string, ttl time.Duration, by string) (JoinToken, error) {
	if err := identity.CheckEdgeName(edge); err != nil {
		return JoinToken{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if ttl == 0 {
		ttl = defaultJoinTTL
	}
	if ttl < 0 || ttl > maxJoinTTL {
		return JoinToken{}, fmt.Errorf("%w: ttl %s; use at most %s", ErrInvalid, ttl, maxJoinTTL)
	}
	names, err := cleanNames(names)
	if err != nil {
		return JoinToken{}, err
	}
	lease, err := r.cfg.Store.Lease(ctx, ttl+time.Minute)
	if err != nil {
		return JoinToken{}, fmt.Errorf("create join token: %w", err)
	}
	t := JoinToken{Secret: token.NewSecret(token.JoinSecret), ExpiresAt: r.cfg.Now().Add(ttl).UTC()}
	j := join{Edge: edge, Names: names, ExpiresAt: t.ExpiresAt, CreatedBy: by}
	if _, err := r.joins.Create(ctx, t.Secret.Hash().String(), j, store.WithLease(lease.ID())); err != nil {
		return JoinToken{}, fmt.Errorf("create join token: %w", err)
	}
	return t, nil
}

// cleanNames refuses what no certificate could carry; whether an edge may have
// a name is the authority's to say when it signs.
func cleanNames(names []string) ([]string, error) {
	if len(names) > maxNames {
		return nil, fmt.Errorf("%w: %d names; use at most %d", ErrInvalid, len(names), maxNames)
	}
	if len(names) == 0 {
		names = loopback
	}
	var clean []string
	for _, n := range names {
		if net.ParseIP(n) == nil && !isDNSName(n) {
			return nil, fmt.Errorf("%w: %.80q is no DNS name or IP address", ErrInvalid, n)
		}
		clean = append(clean, n)
	}
	slices.Sort(clean)
	return slices.Compact(clean), nil
}

func isDNSName(n string) bool {
	if n == "" || len(n) > 253 {
		return false
	}
	for label := range strings.SplitSeq(n, ".") {
		if identity.CheckEdgeName(label) != nil {
			return false
		}
	}
	return true
}

// voidJoins deletes the unspent tokens of an edge.
func (r *Registry) voidJoins(ctx context.Context, edge string) error {
	entries, _, err := r.joins.List(ctx, store.ListOptions{})
	if err != nil {
		return fmt.Errorf("void join tokens: %w", err)
	}
	for _, e := range entries {
		if e.Value.Edge != edge {
			continue
		}
		if _, err := r.joins.Delete(ctx, e.Key); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("void join tokens: %w", err)
		}
	}
	return nil
}
