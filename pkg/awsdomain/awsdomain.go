// Package awsdomain names the domains that AWS's APIs are in. An edge's CA is good for these and for nothing else, and clients reach
// nothing else through an edge.
package awsdomain

import (
	"slices"
	"strings"
)

// all are those of the partitions aws, aws-us-gov, aws-cn and aws-eusc; source: the endpoint rules of AWS's SDKs. The partitions that are
// cut off from the internet are not among them.
var all = []string{
	"amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "aws", "api.amazonwebservices.com.cn", "api.amazonwebservices.eu",
}

// All lists the domains, without a leading dot.
func All() []string { return slices.Clone(all) }

// Has reports whether domain is one of them.
func Has(domain string) bool { return slices.Contains(all, domain) }

// Under reports whether host is a name below one of them. It takes lower-case letters, digits, dashes, underscores and single dots between them; a
// port or a dot at the end makes it false.
func Under(host string) bool {
	if len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return false
	}
	for _, d := range all {
		name, ok := strings.CutSuffix(host, "."+d)
		if ok && name != "" && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..") {
			return true
		}
	}
	return false
}
