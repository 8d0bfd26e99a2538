package policies

import "github.com/writhq/writ/pkg/policy"

// Test checks a bundle and runs its tests without keeping anything. It fails with *policy.BundleError when the bundle
// cannot be compiled; failing tests are results.
func Test(files map[string][]byte) ([]policy.Result, error) {
	return policy.TestBundle(policy.Bundle{Files: files})
}
