package awsmodel

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// hosts knows the names of AWS's services.
type hosts struct {
	suffixes []string // longest first
	regions  map[string]bool
	table    map[string][]*service
	prefixes map[string][]*service // what operations put before a service's host
	buckets  []string              // templates of S3, under which buckets have hosts
}

// location is what a host says.
type location struct {
	host     string
	region   string // "" for a host of no region
	services []*service
	prefix   map[*service]string // what stands before the service's own host
	bucket   string
}

// Host is what the name of a host says. Services are those that it serves, by id; Region is "" when it has none.
type Host struct {
	Services []string
	Region   string
	Bucket   string // of S3's virtual-host style
}

// Host reads a host's name. Names with a port, of VPC endpoints, of a customer's own endpoints and all that the endpoint
// rules do not list are not ok.
func (m *Model) Host(name string) (h Host, ok bool) {
	at, ok := m.hosts.find(name)
	if !ok {
		return Host{}, false
	}
	h = Host{Region: at.region, Bucket: at.bucket}
	for _, s := range at.services {
		h.Services = append(h.Services, s.ID)
	}
	slices.Sort(h.Services)
	return h, true
}

func newHosts(f modelfile.File, services []*service) hosts {
	h := hosts{regions: map[string]bool{}, table: map[string][]*service{}, prefixes: map[string][]*service{}}
	for _, p := range f.Partitions {
		h.suffixes = append(h.suffixes, p.Suffixes...)
		for _, r := range p.Regions {
			h.regions[r] = true
		}
	}
	slices.SortFunc(h.suffixes, func(a, b string) int { return len(b) - len(a) })
	for _, s := range services {
		for _, p := range s.Prefixes {
			h.prefixes[p] = append(h.prefixes[p], s)
		}
		for _, t := range s.Hosts {
			h.table[t] = append(h.table[t], s)
			if s.ID == "s3" {
				h.buckets = append(h.buckets, t)
			}
		}
	}
	return h
}

func (h *hosts) find(name string) (location, bool) {
	name = strings.ToLower(name)
	if len(name) > 253 || strings.Contains(name, "..") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return location{}, false
	}
	for _, suffix := range h.suffixes {
		rest, ok := strings.CutSuffix(name, "."+suffix)
		if !ok || rest == "" {
			continue
		}
		for _, t := range h.templates(rest) {
			if at, ok := h.lookup(t); ok {
				at.host = name
				return at, true
			}
		}
	}
	return location{}, false
}

type templated struct{ text, region string }

// templates puts {Region} in the place of each label that is a region, from the right, and last leaves all as they are.
func (h *hosts) templates(rest string) []templated {
	labels := strings.Split(rest, ".")
	var out []templated
	for i := len(labels) - 1; i >= 0; i-- {
		l := labels[i]
		if h.regions[l] {
			out = append(out, h.template(labels, i, "{Region}", l))
		} else if r, ok := strings.CutPrefix(l, "s3-"); ok && h.regions[r] {
			out = append(out, h.template(labels, i, "s3-{Region}", r))
		}
	}
	return append(out, templated{text: rest + ".{Suffix}"})
}

func (h *hosts) template(labels []string, i int, with, region string) templated {
	labels = slices.Clone(labels)
	labels[i] = with
	return templated{strings.Join(labels, ".") + ".{Suffix}", region}
}

// lookup finds the services of a host: those whose own it is, and those whose operations put something before theirs.
func (h *hosts) lookup(t templated) (location, bool) {
	at := location{region: t.region, services: h.table[t.text]}
	for p, services := range h.prefixes {
		rest, ok := cutTemplate(t.text, p)
		if !ok {
			continue
		}
		for _, s := range services {
			if slices.Contains(s.Hosts, rest) && !slices.Contains(at.services, s) {
				at.add(s, t.text[:len(t.text)-len(rest)])
			}
		}
	}
	if at.services != nil {
		return at, true
	}
	for _, b := range h.buckets {
		if bucket, ok := strings.CutSuffix(t.text, "."+b); ok && !strings.Contains(bucket, "{") {
			at.services, at.bucket = h.table[b], bucket
			return at, true
		}
	}
	return location{}, false
}

func (at *location) add(s *service, prefix string) {
	at.services = append(slices.Clip(at.services), s)
	if at.prefix == nil {
		at.prefix = map[*service]string{}
	}
	at.prefix[s] = prefix
}

// cutTemplate takes a prefix such as "data-" or "{AccountId}." away; a variable is one label, or a part of one.
func cutTemplate(s, prefix string) (string, bool) {
	for prefix != "" {
		if prefix[0] != '{' {
			literal, _, _ := strings.Cut(prefix, "{")
			rest, ok := strings.CutPrefix(s, literal)
			if !ok {
				return "", false
			}
			s, prefix = rest, prefix[len(literal):]
			continue
		}
		_, after, ok := strings.Cut(prefix, "}")
		if !ok || after == "" {
			return "", false
		}
		n := strings.IndexAny(s, after[:1])
		if n <= 0 || strings.ContainsAny(s[:n], ".{") {
			return "", false
		}
		s, prefix = s[n:], after
	}
	return s, true
}

// bindHost checks that what stands before the service's host is the operation's, and keeps the members that it names.
func (c *Call) bindHost(prefix string) error {
	if prefix == "" {
		return nil
	}
	if rest, ok := cutTemplate(prefix, c.HostPrefix); !ok || rest != "" || c.HostPrefix == "" {
		return refuse(ErrHost, "host", "it is not that of the operation", "")
	}
	c.input.host = prefix
	return nil
}

// agrees says whether the members are those that stand in the host: the service may believe either.
func (c Call) agrees(p Params) error {
	if c.input.host == "" {
		return nil
	}
	if prefix, ok := expandHost(c.HostPrefix, p); !ok || !strings.EqualFold(prefix, c.input.host) {
		return refuse(ErrHost, "host", "it is for another value of a member than the request", "")
	}
	return nil
}
