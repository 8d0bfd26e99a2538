package main

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

func (b *builder) partitions() []modelfile.Partition {
	var out []modelfile.Partition
	for _, p := range b.models.partitions.Partitions {
		q := modelfile.Partition{ID: p.ID, Pattern: p.RegionRegex, Suffixes: []string{p.Outputs.DNSSuffix}, Regions: slices.Sorted(maps.Keys(p.Regions))}
		if d := p.Outputs.DualStackDNSSuffix; d != p.Outputs.DNSSuffix {
			q.Suffixes = append(q.Suffixes, d)
		}
		out = append(out, q)
	}
	return out
}

var suffixVariables = strings.NewReplacer(
	"{PartitionResult#implicitGlobalRegion}", "{Region}",
	"{PartitionResult#dnsSuffix}", "{Suffix}", "{PartitionResult#dualStackDnsSuffix}", "{Suffix}",
	"{partitionResult#dnsSuffix}", "{Suffix}", "{partitionResult#dualStackDnsSuffix}", "{Suffix}",
)

var otherVariable = regexp.MustCompile(`\{[^}]*\}`)

// hosts returns the templates of a service's hosts, and the path before those of its operations. Hosts with a variable
// beside region, suffix and account are left out, and so refused.
func (b *builder) hosts(s *service) (hosts []string, base string) {
	set := map[string]bool{}
	for _, u := range s.urls {
		u = suffixVariables.Replace(u)
		if !strings.HasPrefix(u, "https://") {
			continue
		}
		host, path, _ := strings.Cut(strings.TrimPrefix(u, "https://"), "/")
		if path != "" && !strings.Contains(path, "{") {
			base = "/" + path
		}
		if h := b.template(host); h != "" {
			set[h] = true
		}
	}
	for _, p := range b.models.endpoints.Partitions {
		for region, e := range p.Services[s.model.Metadata.EndpointPrefix].Endpoints {
			names := []string{e.Hostname, e.SSLCommonName}
			for _, v := range e.Variants {
				names = append(names, v.Hostname)
			}
			for _, n := range names {
				n = strings.NewReplacer("{service}", s.model.Metadata.EndpointPrefix, "{region}", region, "{dnsSuffix}", p.DNSSuffix).Replace(n)
				if h := b.template(n); h != "" {
					set[h] = true
				}
			}
		}
	}
	for _, row := range b.tables.rows("hosts", s.id) {
		for _, h := range row.fields[1:] {
			if drop, ok := strings.CutPrefix(h, "!"); ok {
				delete(set, drop)
				continue
			}
			set[h] = true
		}
	}
	return slices.Sorted(maps.Keys(set)), base
}

// template makes a region's name and a partition's suffix into variables. It returns "" for what is no host of AWS.
func (b *builder) template(host string) string {
	if _, err := url.Parse("https://" + otherVariable.ReplaceAllString(host, "x")); err != nil || host == "" || strings.ContainsAny(host, ":#") {
		return ""
	}
	if !strings.HasSuffix(host, ".{Suffix}") {
		best := ""
		for _, p := range b.models.partitions.Partitions {
			for _, suffix := range []string{p.Outputs.DNSSuffix, p.Outputs.DualStackDNSSuffix} {
				if strings.HasSuffix(host, "."+suffix) && len(suffix) > len(best) {
					best = suffix
				}
			}
		}
		if best == "" {
			return ""
		}
		host = strings.TrimSuffix(host, best) + "{Suffix}"
	}
	for _, p := range b.models.partitions.Partitions {
		for region := range p.Regions {
			host = replaceLabel(host, region)
		}
	}
	for _, v := range otherVariable.FindAllString(host, -1) {
		if v != "{Region}" && v != "{Suffix}" && v != "{AccountId}" {
			return ""
		}
	}
	return host
}

// replaceLabel puts {Region} in the place of a region's name that is a label, or the end of one.
func replaceLabel(host, region string) string {
	labels := strings.Split(host, ".")
	for i, l := range labels {
		if l == region {
			labels[i] = "{Region}"
		} else if rest, ok := strings.CutSuffix(l, "-"+region); ok && !strings.Contains(rest, "{") && strings.Contains(host, "s3") {
			labels[i] = rest + "-{Region}"
		}
	}
	return strings.Join(labels, ".")
}
