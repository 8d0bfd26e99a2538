package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"
)

// Entity is what a question is about: the resource or something inside it. It is
// immutable and may be shared. The zero Entity is refused.
type Entity struct {
	resource ResourceName
	cedar    types.Entity // its parents are all its ancestors below the labels
	parents  []types.EntityUID
	unknown  unknowns
	thing    *AWSResourceInfo // of an AWSResource, from which all of cedar but its UID is made when a policy reads it
}

// whole is the entity with its parents and attributes.
func (e *Entity) whole() types.Entity {
	if e.thing == nil {
		return e.cedar
	}
	return types.Entity{UID: e.cedar.UID, Parents: types.NewEntityUIDSet(e.parents...), Attributes: types.NewRecord(e.thing.attributes())}
}

// String names the entity for people, for example `Table shop/public.orders`.
func (e Entity) String() string {
	if e.cedar.UID.IsZero() {
		return "nothing"
	}
	return string(e.cedar.UID.Type) + " " + string(e.cedar.UID.ID)
}

// revealedBy is the action that shows the entity in clear.
func (e Entity) revealedBy() Action {
	switch e.cedar.UID.Type {
	case "Field":
		return K8sReveal
	case awsField:
		return AWSReveal
	}
	return SQLReveal
}

// ResourceName is the name of a resource, from which the ids of everything inside it
// are built. It holds no slash.
type ResourceName string

// TableInfo says what a policy may ask about a table.
type TableInfo struct {
	System bool // it belongs to the database, such as pg_catalog
}

// FunctionInfo says what a policy may ask about a function or procedure.
type FunctionInfo struct {
	Builtin   bool // it comes with the database
	Opaque    bool // its body cannot be analysed
	Dangerous bool // it reaches files, the network, other sessions or the server's settings
}

// Itself is the resource as a whole.
func (r ResourceName) Itself() Entity {
	return Entity{resource: r, cedar: types.Entity{UID: r.uid()}}
}

// Schema is one schema (in MySQL, one database), `Schema::"shop/public"`.
func (r ResourceName) Schema(name string) Entity {
	return r.entity("Schema", types.RecordMap{"name": types.String(name)}, []types.EntityUID{r.uid()}, name)
}

// Table is one table or view, `Table::"shop/public.orders"`.
func (r ResourceName) Table(schema, name string, info TableInfo) Entity {
	return r.entity("Table", types.RecordMap{
		"schema": types.String(schema),
		"name":   types.String(name),
		"system": types.Boolean(info.System),
	}, []types.EntityUID{r.uid("Schema", schema), r.uid()}, schema, name)
}

// Column is one column, `Column::"shop/public.customers.email"`, with its data classes.
func (r ResourceName) Column(schema, table, name string, info TableInfo, classes ...string) Entity {
	parents := []types.EntityUID{r.uid("Table", schema, table), r.uid("Schema", schema), r.uid()}
	for _, c := range classes {
		parents = append(parents, types.NewEntityUID("DataClass", types.String(c)))
	}
	return r.entity("Column", types.RecordMap{
		"schema": types.String(schema),
		"table":  types.String(table),
		"name":   types.String(name),
		"system": types.Boolean(info.System),
	}, parents, schema, table, name)
}

// Function is one function or procedure, `Function::"shop/public.refund"`.
func (r ResourceName) Function(schema, name string, info FunctionInfo) Entity {
	return r.entity("Function", types.RecordMap{
		"schema":    types.String(schema),
		"name":      types.String(name),
		"builtin":   types.Boolean(info.Builtin),
		"opaque":    types.Boolean(info.Opaque),
		"dangerous": types.Boolean(info.Dangerous),
	}, []types.EntityUID{r.uid("Schema", schema), r.uid()}, schema, name)
}

// Setting is one run-time setting, `Setting::"shop/work_mem"`, in lower case: the names of
// settings have no case.
func (r ResourceName) Setting(name string) Entity {
	name = strings.ToLower(name)
	parents := []types.EntityUID{r.uid()}
	return Entity{resource: r, parents: parents, cedar: types.Entity{
		UID:        types.NewEntityUID("Setting", types.String(string(r)+"/"+name)),
		Parents:    types.NewEntityUIDSet(parents...),
		Attributes: types.NewRecord(types.RecordMap{"name": types.String(name)}),
	}}
}

func (r ResourceName) entity(kind types.EntityType, attrs types.RecordMap, parents []types.EntityUID, path ...string) Entity {
	uid := types.NewEntityUID(kind, types.String(string(r)+"/"+Dotted(path...)))
	return Entity{
		resource: r,
		cedar:    types.Entity{UID: uid, Parents: types.NewEntityUIDSet(parents...), Attributes: types.NewRecord(attrs)},
		parents:  parents,
	}
}

// uid with no arguments is the resource's own id, otherwise that of something inside it.
func (r ResourceName) uid(kindAndPath ...string) types.EntityUID {
	if len(kindAndPath) == 0 {
		return types.NewEntityUID("Resource", types.String(r))
	}
	return types.NewEntityUID(types.EntityType(kindAndPath[0]), types.String(string(r)+"/"+Dotted(kindAndPath[1:]...)))
}

// Dotted joins names with dots as ids and context sets hold them: public.orders. A name
// that is empty or holds a dot, a slash, a double quote or a space is put in double quotes,
// with inner quotes doubled, so that different paths never give the same text. Case is
// kept: it is the name in the catalog.
func Dotted(names ...string) string {
	quote := false
	for _, n := range names {
		quote = quote || needsQuotes(n)
	}
	if !quote {
		return strings.Join(names, ".")
	}
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteByte('.')
		}
		if needsQuotes(n) {
			b.WriteByte('"')
			b.WriteString(strings.ReplaceAll(n, `"`, `""`))
			b.WriteByte('"')
			continue
		}
		b.WriteString(n)
	}
	return b.String()
}

func needsQuotes(name string) bool { return name == "" || strings.ContainsAny(name, `./" `) }

// undotted splits what Dotted joined. It reports false for text that Dotted cannot give.
func undotted(text string) ([]string, bool) {
	var names []string
	rest := text
	for {
		name, tail, ok := firstName(rest)
		if !ok {
			return nil, false
		}
		names = append(names, name)
		if tail == "" {
			return names, Dotted(names...) == text
		}
		if tail[0] != '.' {
			return nil, false
		}
		rest = tail[1:]
	}
}

func firstName(s string) (name, tail string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexByte(s, '.'); i >= 0 {
			return s[:i], s[i:], true
		}
		return s, "", true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}
