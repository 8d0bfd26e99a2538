package awsmodel

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// Endpoint is where a call is sent that came to the edge's own endpoint: the host of its service in a region, with what
// the operation puts before it, and the path there. It is one that Host knows. A region of no partition, and a member that
// is no part of a host's name, are ErrHost.
func (m *Model) Endpoint(c Call, p Params, region string) (host, path string, err error) {
	i := slices.IndexFunc(m.partitions, func(p modelfile.Partition) bool { return slices.Contains(p.Regions, region) })
	if c.IsZero() || c.api.Endpoint == "" || i < 0 {
		return "", "", refuse(ErrHost, "region", "the service has no known host there", "")
	}
	suffixes := m.partitions[i].Suffixes
	host = strings.NewReplacer("{Region}", region, "{DNS}", suffixes[0], "{Dual}", suffixes[len(suffixes)-1]).Replace(c.api.Endpoint)
	prefix, ok := expandHost(c.HostPrefix, p)
	if !ok {
		return "", "", refuse(ErrHost, "member", "it is no part of a host's name", "")
	}
	host = prefix + host
	if at, ok := m.hosts.find(host); !ok || !slices.ContainsFunc(at.services, func(s *service) bool { return s.ID == c.Service }) {
		return "", "", refuse(ErrHost, "host", "the service has no known host there", "")
	}
	return host, c.api.Base + c.Path, nil
}

// expandHost puts members into what stands before a host.
func expandHost(template string, p Params) (string, bool) {
	for {
		before, rest, ok := strings.Cut(template, "{")
		if !ok {
			return template, true
		}
		name, after, _ := strings.Cut(rest, "}")
		value := p.Get(name).Text
		if value == "" || len(value) > 63 || strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return "", false
		}
		template = before + value + after
	}
}
