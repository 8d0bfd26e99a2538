package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// prefix finds the IAM prefix of a service: the one of its names under which the reference knows the most operations,
// and at least a third of them.
func (b *builder) prefix(s *service) string {
	if row, ok := b.tables.row("prefixes", s.id); ok {
		return row[0]
	}
	m := s.model.Metadata
	best, most := "", 0
	for _, c := range []string{m.SigningName, m.EndpointPrefix, s.id, strings.ToLower(strings.ReplaceAll(m.ServiceID, " ", "-")), strings.ToLower(strings.ReplaceAll(m.ServiceID, " ", ""))} {
		n := 0
		for name := range s.model.Operations {
			if _, ok := b.reference.find(c, name); ok {
				n++
			}
		}
		if n > most {
			best, most = c, n
		}
	}
	if most*3 < len(s.model.Operations) {
		return ""
	}
	return best
}

var levels = map[string]modelfile.Level{
	"List": modelfile.List, "Read": modelfile.Read, "Write": modelfile.Write,
	"Permissions management": modelfile.Permissions, "Tagging": modelfile.Tagging,
	// What a reference says that names the broader level beside the narrower one.
	"Permissions management, Write": modelfile.Permissions, "Tagging, Write": modelfile.Tagging,
}

// level refuses a level that is new to the reference: taken for none, it would deny the action to everybody.
func (a action) level() modelfile.Level {
	l, ok := levels[a.AccessLevel]
	if !ok {
		panic("the reference gives " + a.Name + " the unknown level " + a.AccessLevel)
	}
	return l
}

// actions returns what an operation needs: by the table, else the action of the same name. None means unknown.
func (b *builder) actions(s *service, prefix string, op operation) []modelfile.Action {
	if row, ok := b.tables.row("actions", s.id, op.Name); ok {
		var out []modelfile.Action
		for _, field := range row {
			if field == "unknown" {
				return nil
			}
			name, when, _ := strings.Cut(field, "?")
			p := prefix
			if before, after, ok := strings.Cut(name, ":"); ok {
				p, name = before, after
			}
			name, from, _ := strings.Cut(name, "@")
			a, ok := b.reference.find(p, name)
			if !ok {
				panic("table actions: the reference has no " + p + ":" + name)
			}
			out = append(out, b.action(s, p, a, op, when, from))
		}
		return out
	}
	if a, ok := b.verbAction(s, prefix, op); ok {
		return []modelfile.Action{a}
	}
	a, ok := b.reference.find(prefix, op.Name)
	if !ok {
		return nil
	}
	out := []modelfile.Action{b.action(s, prefix, a, op, "", "")}
	if b.tagsOnCreation(s, op) {
		out = append(out, modelfile.Action{Name: "ec2:CreateTags", Level: modelfile.Tagging, When: "TagSpecifications", Unknown: true})
	}
	return out
}

// tagsOnCreation says that an operation of EC2 tags what it makes, for which EC2 checks CreateTags.
func (b *builder) tagsOnCreation(s *service, op operation) bool {
	if s.id != "ec2" || op.Input == nil {
		return false
	}
	_, ok := s.model.Shapes[op.Input.Shape].Members["TagSpecifications"]
	return ok
}

// verbAction is the rule of API Gateway: the action is the HTTP method, on the request's path.
func (b *builder) verbAction(s *service, prefix string, op operation) (modelfile.Action, bool) {
	if prefix != "apigateway" {
		return modelfile.Action{}, false
	}
	a, ok := b.reference.find(prefix, op.HTTP.Method)
	if !ok {
		return modelfile.Action{}, false
	}
	return modelfile.Action{
		Name: prefix + ":" + a.Name, Level: a.level(),
		Resources: []modelfile.Resource{{
			Type: "path", ARN: "arn:${Partition}:apigateway:${Region}::${Path}", Slashes: true,
			Binds: []modelfile.Bind{{Var: "Path", Path: "@path"}},
		}},
	}, true
}

// action joins an action of the reference with the members of an operation. from is a member that stands for the
// resource's own, as the source of a copy does.
func (b *builder) action(s *service, prefix string, a action, op operation, when, from string) modelfile.Action {
	out := modelfile.Action{Name: prefix + ":" + a.Name, Level: a.level(), When: when}
	if len(a.ResourceTypes) == 0 {
		return out
	}
	if op.Input == nil {
		out.Unknown = true
		return out
	}
	r := &resolver{builder: b, service: s, prefix: prefix, op: op, from: from}
	out.Resources, out.Unknown = r.resources(a)
	return out
}

// accountMember is the member that names the account of the resource, where a call may name another than the caller's. With
// "!" before it, it may mean something else, so that no ARN is sure while it is there.
func accountMember(service string, in shape) string {
	for _, name := range slices.Sorted(maps.Keys(in.Members)) {
		switch strings.ToLower(name) {
		case "registryid", "catalogid", "awsaccountid":
			return name
		case "accountid":
			if service == "s3control" || service == "budgets" {
				return name
			}
			return "!" + name
		case "ownerid", "owneraccount", "owneraccountid", "sourceaccount", "targetaccount":
			return "!" + name
		}
	}
	return ""
}
