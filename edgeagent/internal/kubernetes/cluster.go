package kubernetes

import (
	"errors"
	"fmt"
	"sync"

	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
)

// Resource is the API server of one cluster as the control plane describes it, without secrets.
type Resource struct {
	Policy        policy.Resource
	Endpoint      string // "host:port"
	TLS           upstream.TLS
	AllowLoopback bool
	// Groups are impersonated besides those of the principal, as they are.
	Groups []string
	// Classes gives, for each data class, the fields that have it, as "group/resource:path". The data of Secrets has the
	// class "secret" in any case.
	Classes map[string][]string
	// Detectors to run on logs and on what exec and attach print; empty is the default set, "none" alone is off.
	Detectors []string
	// Version changes with every change of the resource.
	Version uint64
}

// Name returns the resource's name.
func (r *Resource) Name() string { return string(r.Policy.Name) }

// cluster is a resource made ready to serve.
type cluster struct {
	res      *Resource
	masks    *masks
	detector *mask.Detector // nil is none
}

func newCluster(r *Resource, key mask.Key) (*cluster, error) {
	c := &cluster{res: r}
	var err error
	if c.masks, err = newMasks(r, key); err != nil {
		return nil, fmt.Errorf("resource %q: classes: %w", r.Name(), err)
	}
	if len(r.Detectors) == 1 && r.Detectors[0] == "none" {
		return c, nil
	}
	if c.detector, err = mask.New(mask.Config{Classes: r.Detectors, Key: key}); err != nil {
		return nil, fmt.Errorf("resource %q: detectors: %w", r.Name(), err)
	}
	return c, nil
}

// clusters are those that are served, by name.
type clusters struct {
	mu     sync.Mutex
	byName map[string]*cluster
}

func (c *clusters) get(name string) *cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byName[name]
}

// set replaces the clusters, and returns the names of those that are gone or another.
func (c *clusters) set(resources []*Resource, key mask.Key) (gone []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make(map[string]*cluster, len(resources))
	var errs []error
	for _, r := range resources {
		if old := c.byName[r.Name()]; old != nil && old.res.Version == r.Version {
			next[r.Name()] = old
			continue
		}
		made, err := newCluster(r, key)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next[r.Name()] = made
	}
	for name, old := range c.byName {
		if next[name] != old {
			gone = append(gone, name)
		}
	}
	c.byName = next
	return gone, errors.Join(errs...)
}
