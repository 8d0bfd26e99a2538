package main

import (
	"cmp"
	"slices"
	"strings"
)

// endpoint returns the template of the host that a client uses which asks for nothing special: with {Region}, and with
// {DNS} or {Dual} for one of a partition's two suffixes. It is that of the table, else the global one of a service without
// regions, else the shortest of the rules that is neither FIPS nor dual-stack only.
func (b *builder) endpoint(s *service) string {
	if row, ok := b.tables.row("endpoints", s.id); ok {
		return strings.TrimPrefix(row[0], "none")
	}
	prefix := s.model.Metadata.EndpointPrefix
	e := b.models.endpoints.Partitions[0].Services[prefix]
	if e.IsRegionalized != nil && !*e.IsRegionalized && e.Endpoints[e.PartitionEndpoint].Hostname != "" {
		return strings.Replace(e.Endpoints[e.PartitionEndpoint].Hostname, "amazonaws.com", "{DNS}", 1)
	}
	var found []string
	for _, u := range s.urls {
		if host, ok := plainHost(u); ok {
			found = append(found, host)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MinFunc(found, func(a, b string) int {
		return cmp.Or(lacks(a, "{DNS}")-lacks(b, "{DNS}"), lacks(a, "{Region}")-lacks(b, "{Region}"), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// plainHost is the host of a rule that is not FIPS and has no other variables than the region and a suffix.
func plainHost(u string) (string, bool) {
	host, ok := strings.CutPrefix(endpointVariables.Replace(u), "https://")
	host, _, _ = strings.Cut(host, "/")
	rest := strings.NewReplacer("{Region}", "", "{DNS}", "", "{Dual}", "").Replace(host)
	suffixed := strings.HasSuffix(host, ".{DNS}") || strings.HasSuffix(host, ".{Dual}")
	return host, ok && suffixed && !strings.Contains(host, "fips") && !strings.Contains(rest, "{")
}

func lacks(s, part string) int {
	if strings.Contains(s, part) {
		return 0
	}
	return 1
}

var endpointVariables = strings.NewReplacer(
	"{PartitionResult#implicitGlobalRegion}", "{Region}",
	"{PartitionResult#dnsSuffix}", "{DNS}", "{PartitionResult#dualStackDnsSuffix}", "{Dual}",
	"{partitionResult#dnsSuffix}", "{DNS}", "{partitionResult#dualStackDnsSuffix}", "{Dual}",
)
