package policies

import (
	"slices"

	"github.com/writhq/writ/pkg/policy"
)

// Test checks a bundle and runs its tests without keeping anything. It fails with *policy.BundleError when the bundle
// cannot be compiled; failing tests are results.
func Test(files map[string][]byte) ([]policy.Result, error) {
	b := policy.Bundle{Files: files}
	results, err := policy.TestBundle(b)
	if err != nil || slices.ContainsFunc(results, func(r policy.Result) bool { return !r.Passed }) {
		return results, err
	}
	if _, err := compile(b); err != nil {
		return nil, err
	}
	return results, nil
}
