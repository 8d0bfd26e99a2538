package aws

import (
	"sync"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sigv4"
)

// Resource is one role in one AWS account as the control plane describes it, without secrets.
type Resource struct {
	Policy    policy.Resource
	Account   string // 12 digits
	Partition string // such as "aws"
	// Regions are those that calls may go to; empty is all.
	Regions []string
	// Endpoint is where all calls go, "host:port"; empty is AWS's own hosts.
	Endpoint string
	// TLS may be off for an endpoint on this very machine alone.
	TLS           upstream.TLS
	AllowLoopback bool
	// Classes gives, for each data class, the members of answers that have it, as "service:Operation:path". What AWS answers as secret has
	// the class "secret" in any case.
	Classes map[string][]string
	// Detectors to run on customers' data in answers; empty is the default set, "none" alone is off.
	Detectors []string
	// MaskKey is for hash masks; without it they empty values.
	MaskKey []byte
	// ForeignBuckets are buckets of S3 in other accounts that calls may go to; "*" is any.
	ForeignBuckets []string
	// SearchedBuckets are those whose objects the detectors search; "*" is any. What is found comes as stars, so that a tool that writes back what
	// it read writes stars: nothing is searched that nobody named.
	SearchedBuckets []string
	// Version changes with every change of the resource.
	Version uint64
}

func (r *Resource) scheme() string {
	if r.TLS.Mode == upstream.Disable {
		return "http"
	}
	return "https"
}

// Name returns the resource's name.
func (r *Resource) Name() string { return string(r.Policy.Name) }

// accounts are those that are served, by name.
type accounts struct {
	mu     sync.Mutex
	byName map[string]*Resource
}

func (a *accounts) get(name string) *Resource {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byName[name]
}

// set replaces the accounts, and returns the names of those that are gone or another.
func (a *accounts) set(resources []*Resource) (gone []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := make(map[string]*Resource, len(resources))
	for _, r := range resources {
		if old := a.byName[r.Name()]; old != nil && old.Version == r.Version {
			r = old
		}
		next[r.Name()] = r
	}
	for name, old := range a.byName {
		if next[name] != old {
			gone = append(gone, name)
		}
	}
	a.byName = next
	return gone
}

// client is one session with its way to AWS.
type client struct {
	session *enforce.Session
	account *Resource
	out     *outbound
	replays *sigv4.Replays // of requests that change something
	masks   *masks
}

func (s *Server) attach(session *enforce.Session) (*client, error) {
	r := s.accounts.get(string(session.Resource().Name))
	switch {
	case r == nil:
		return nil, &enforce.Denied{Cause: enforce.CauseControl, Reason: "this edge does not serve the account", Next: "connect to an edge that does"}
	case len(session.ClientSecret()) == 0:
		return nil, &enforce.Denied{Cause: enforce.CauseControl, Reason: "the control plane gave no key to verify requests with", Next: "ask whoever keeps Writ"}
	}
	masks, err := newMasks(r)
	if err != nil {
		s.log.Error("an account cannot be served", "resource", r.Name(), "error", err)
		return nil, &enforce.Denied{Cause: enforce.CauseControl, Reason: "the account's classes or detectors are not understood", Next: "ask whoever keeps the resource"}
	}
	replays, err := sigv4.NewReplays(sigv4.ReplaysConfig{Max: replaysRemembered, Now: s.cfg.Clock, Grace: replayGrace})
	if err != nil {
		return nil, err
	}
	return &client{session: session, account: r, out: newOutbound(s, session, r), replays: replays, masks: masks}, nil
}
