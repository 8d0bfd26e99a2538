package sqlclass

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

// relation resolves a name as the server does: along the path, or in its schema. It returns nil when
// neither the session nor the catalog has it.
func (a *analysis) relation(rv *pg.RangeVar) *Relation {
	if rv.Catalogname != "" && rv.Catalogname != a.cat.database {
		return nil
	}
	if rv.Schemaname != "" {
		return a.relationIn(rv.Schemaname, rv.Relname)
	}
	for _, schema := range a.path {
		if r := a.relationIn(schema, rv.Relname); r != nil {
			return r
		}
	}
	return nil
}

func (a *analysis) relationIn(schema, name string) *Relation {
	if schema == tempSchema {
		return a.ses.temp(name)
	}
	return a.cat.byName[schema][name]
}

func isSystemSchema(schema string) bool {
	return schema == systemSchema || schema == "information_schema" || strings.HasPrefix(schema, "pg_toast")
}

// relationAccess records action on what rv names and returns the relation, nil when unresolved.
func (a *analysis) relationAccess(action Action, rv *pg.RangeVar) *Relation {
	r := a.relation(rv)
	if r == nil {
		a.missing("relation", qualified(rv.Schemaname, rv.Relname))
		a.access(Access{Action: action, Object: "relation", Schema: rv.Schemaname, Name: rv.Relname})
		return nil
	}
	a.accessTo(action, r)
	return r
}

// define records the definition of a new or unknown object; without a schema it goes to the first of the
// path.
func (a *analysis) define(object, schema, name string) {
	if schema == "" {
		schema = a.ses.Path.create
	}
	a.access(Access{Action: ActionDDL, Object: object, Schema: schema, Name: name, System: isSystemSchema(schema)})
}

func (a *analysis) accessTo(action Action, r *Relation) {
	a.access(Access{
		Action: action, Object: relationWord(r.Kind), Schema: r.Schema, Name: r.Name, OID: r.OID,
		System: isSystemSchema(r.Schema), Sensitive: sensitiveRelation(r), Temp: a.isTemp(r),
	})
}

func (a *analysis) isTemp(r *Relation) bool {
	for _, t := range a.ses.Temp {
		if t == r {
			return true
		}
	}
	return strings.HasPrefix(r.Schema, "pg_temp_")
}

func relationWord(kind byte) string {
	switch kind {
	case 'v':
		return "view"
	case 'm':
		return "materialized view"
	case 'f':
		return "foreign table"
	case 'S':
		return "sequence"
	case 'i', 'I':
		return "index"
	case 'c':
		return "type"
	}
	return "table"
}

func qualified(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// splitName returns schema and name of a possibly qualified name. ok is false for longer ones, which
// name another database or nothing.
func splitName(nodes []*pg.Node) (schema, name string, ok bool) {
	switch len(nodes) {
	case 1:
		return "", str(nodes[0]), true
	case 2:
		return str(nodes[0]), str(nodes[1]), true
	case 3:
		return str(nodes[1]), str(nodes[2]), true
	}
	return "", "", false
}

func str(n *pg.Node) string { return n.GetString_().GetSval() }

func strs(nodes []*pg.Node) []string {
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, str(n))
	}
	return out
}

// rangeVar makes a RangeVar of a list of name parts.
func rangeVar(nodes []*pg.Node) *pg.RangeVar {
	schema, name, ok := splitName(nodes)
	if !ok {
		return &pg.RangeVar{Relname: strings.Join(strs(nodes), ".")}
	}
	return &pg.RangeVar{Schemaname: schema, Relname: name}
}
