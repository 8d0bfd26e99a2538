package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// resolver finds the members of an operation that name the resources of an action.
type resolver struct {
	*builder
	service *service
	prefix  string
	op      operation
	from    string
}

var variable = regexp.MustCompile(`\$\{([^}]+)\}`)

// resources binds every type of resource that an action is checked on. It reports that some resource is not told by the
// members: a required type that cannot be bound, or another that some member seems to speak of.
func (r *resolver) resources(a action) (out []modelfile.Resource, unknown bool) {
	bound := false
	for _, t := range a.ResourceTypes {
		if _, skip := r.tables.row("ignored", r.prefix, t.Name); skip {
			continue
		}
		found, ok := r.bind(t.Name)
		found.Optional = !t.Required && len(a.ResourceTypes) > 1
		switch {
		case ok:
			bound = bound || !found.Optional || r.required(found)
			out = append(out, found)
		case t.Required || r.speaksOf(t.Name):
			unknown = true
		}
	}
	return out, unknown || !bound
}

// bind finds the members for one type of resource.
func (r *resolver) bind(typ string) (modelfile.Resource, bool) {
	res := modelfile.Resource{Type: typ, ARN: r.template(typ)}
	_, res.Lower = r.tables.row("lower", r.prefix)
	if res.ARN == "" {
		return res, false
	}
	vars := variablesOf(res.ARN)
	if row, ok := r.row(typ); ok {
		return r.byTable(res, row)
	}
	if m, ok := r.whole(typ, vars); ok {
		res.Binds = []modelfile.Bind{{Path: m}}
		return res, true
	}
	for _, v := range vars {
		m, ok := r.member(v)
		if !ok {
			return res, false
		}
		res.Binds = append(res.Binds, modelfile.Bind{Var: v, Path: m})
	}
	return res, r.lists(res.Binds) <= 1
}

func (r *resolver) template(typ string) string {
	p := r.reference.prefixes[r.prefix]
	t, ok := p.types[strings.ToLower(typ)]
	if !ok {
		return ""
	}
	return t.ARN
}

func variablesOf(template string) []string {
	var out []string
	for _, m := range variable.FindAllStringSubmatch(template, -1) {
		if !slices.Contains([]string{"Partition", "Region", "Account"}, m[1]) && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// row returns the table's row whose members this operation has. A row is PREFIX TYPE VAR=MEMBER... and flags.
func (r *resolver) row(typ string) ([]string, bool) {
	for _, row := range r.tables.rows("resources", r.prefix, typ) {
		fields := row.fields[2:]
		if !slices.ContainsFunc(fields, func(f string) bool {
			_, m, ok := strings.Cut(f, "=")
			return ok && !r.has(m)
		}) {
			return fields, true
		}
	}
	return nil, false
}

func (r *resolver) byTable(res modelfile.Resource, row []string) (modelfile.Resource, bool) {
	for _, f := range row {
		v, m, ok := strings.Cut(f, "=")
		switch {
		case ok && r.from == "CopySource":
			res.Binds = append(res.Binds, modelfile.Bind{Var: v, Path: "@CopySource." + m})
		case ok && r.from != "":
			res.Binds = append(res.Binds, modelfile.Bind{Var: v, Path: r.from + "." + m})
		case ok:
			res.Binds = append(res.Binds, modelfile.Bind{Var: v, Path: m})
		case f == "pathless":
			res.Pathless = true
		case f == "slashes":
			res.Slashes = true
		case f == "free":
			res.Free = true
		case f == "unknown":
			return res, false
		default:
			panic("table resources: " + f)
		}
	}
	if !r.complete(res) {
		panic("table resources: " + r.prefix + " " + res.Type + " does not fill " + res.ARN)
	}
	return res, true
}

// complete says whether the binds are a whole ARN or fill the template's variables, no more and no less.
func (r *resolver) complete(res modelfile.Resource) bool {
	if len(res.Binds) == 1 && res.Binds[0].Var == "" {
		return true
	}
	var have []string
	for _, b := range res.Binds {
		have = append(have, b.Var)
	}
	want := variablesOf(res.ARN)
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want)
}

// has says whether a path of members, or one of a copy's source, is there.
func (r *resolver) has(path string) bool {
	if path == "@QueueUrl.Name" {
		path = "QueueUrl"
	}
	if strings.HasPrefix(path, "@") || r.from != "" {
		return true
	}
	path = strings.TrimPrefix(path, "~")
	sh := r.service.model.Shapes[r.op.Input.Shape]
	for _, part := range strings.Split(path, ".") {
		name := strings.TrimRight(part, "[]{@}")
		m, ok := sh.Members[name]
		if !ok {
			return false
		}
		sh = r.service.model.Shapes[m.Shape]
		if strings.HasSuffix(part, "[]") {
			sh = r.service.model.Shapes[sh.Member.Shape]
		}
	}
	return true
}

// input is the members at the top, in the order of their names.
func (r *resolver) input() []string {
	return slices.Sorted(maps.Keys(r.service.model.Shapes[r.op.Input.Shape].Members))
}

// whole finds the one required member that is an ARN and carries the type's name, or is called ResourceArn.
func (r *resolver) whole(typ string, vars []string) (string, bool) {
	var found []string
	for _, name := range r.input() {
		n := plain(name)
		stem, isARN := strings.CutSuffix(n, "arn")
		if strings.Contains(r.op.Name, "Tag") && (n == "resource" || n == "resourcename") {
			stem, isARN = "resource", true
		}
		if !isARN || !r.isString(name) {
			continue
		}
		if stem == "" || stem == "resource" || stem == plain(typ) || len(vars) == 1 && (stem == strings.TrimSuffix(strings.TrimSuffix(plain(vars[0]), "name"), "id")) {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}

// member finds the one member with the name of a variable: a string, or a list of strings whose name is the plural.
func (r *resolver) member(v string) (string, bool) {
	for _, name := range r.input() {
		if plain(name) == plain(v) && r.isString(name) {
			return name, true
		}
	}
	for _, name := range r.input() {
		if plural(plain(v), plain(name)) && r.isStrings(name) {
			return name + "[]", true
		}
	}
	return "", false
}

func plain(s string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s))
}

func plural(one, many string) bool {
	return many == one+"s" || many == one+"list" || strings.HasSuffix(one, "y") && many == one[:len(one)-1]+"ies"
}

func (r *resolver) isString(name string) bool {
	return r.service.model.Shapes[r.service.model.Shapes[r.op.Input.Shape].Members[name].Shape].Type == "string"
}

func (r *resolver) isStrings(name string) bool {
	sh := r.service.model.Shapes[r.service.model.Shapes[r.op.Input.Shape].Members[name].Shape]
	return sh.Type == "list" && r.service.model.Shapes[sh.Member.Shape].Type == "string"
}

// required says whether all members of a binding are required, so that it is always there.
func (r *resolver) required(res modelfile.Resource) bool {
	required := r.service.model.Shapes[r.op.Input.Shape].Required
	for _, b := range res.Binds {
		path := strings.TrimRight(strings.TrimPrefix(b.Path, "~"), "[]{@}")
		if !strings.HasPrefix(path, "@") && !strings.Contains(path, ".") && !slices.Contains(required, path) {
			return false
		}
	}
	return true
}

// lists counts the members that are lists: two would need to be paired.
func (r *resolver) lists(binds []modelfile.Bind) (n int) {
	for _, b := range binds {
		if strings.HasSuffix(b.Path, "[]") {
			n++
		}
	}
	return n
}

// speaksOf says whether some member, down to the third level, has the name of a type or of one of its variables in its own.
func (r *resolver) speaksOf(typ string) bool {
	words := []string{plain(strings.TrimSuffix(typ, "*"))}
	for _, v := range variablesOf(r.template(typ)) {
		words = append(words, plain(v))
	}
	return r.mentions(r.op.Input.Shape, words, 3)
}

func (r *resolver) mentions(shape string, words []string, depth int) bool {
	sh := r.service.model.Shapes[shape]
	switch {
	case depth == 0:
		return false
	case sh.Type == "list":
		return r.mentions(sh.Member.Shape, words, depth)
	case sh.Type == "map":
		return r.mentions(sh.Value.Shape, words, depth)
	}
	for name, m := range sh.Members {
		for _, w := range words {
			if len(w) > 2 && strings.Contains(plain(name), w) {
				return true
			}
		}
		if strings.HasSuffix(plain(name), "arn") || strings.HasSuffix(plain(name), "arns") || r.mentions(m.Shape, words, depth-1) {
			return true
		}
	}
	return false
}
