package sqlclass

import (
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"
	"google.golang.org/protobuf/proto"
)

// definition handles the statements that define, change and drop objects, and grant rights on them.
func (a *analysis) definition(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateStmt:
		a.createTable(x.CreateStmt)
	case *pg.Node_CreateTableAsStmt:
		a.createTableAs(x.CreateTableAsStmt)
	case *pg.Node_ViewStmt:
		a.createView(x.ViewStmt)
	case *pg.Node_CreateFunctionStmt:
		a.createFunction(x.CreateFunctionStmt)
	case *pg.Node_CreateSchemaStmt:
		a.createSchema(x.CreateSchemaStmt)
	case *pg.Node_DropStmt:
		a.drop(x.DropStmt)
	case *pg.Node_AlterTableStmt:
		a.alterTable(x.AlterTableStmt)
	case *pg.Node_RuleStmt:
		a.createRule(x.RuleStmt)
	case *pg.Node_CommentStmt:
		a.object(KindComment, ActionDDL, x.CommentStmt.Objtype, x.CommentStmt.Object)
	case *pg.Node_SecLabelStmt:
		a.object(KindGrant, ActionGrant, x.SecLabelStmt.Objtype, x.SecLabelStmt.Object)
	case *pg.Node_RenameStmt:
		a.moved(x.RenameStmt.RenameType, x.RenameStmt.Relation, x.RenameStmt.Object, x.RenameStmt.MissingOk)
	case *pg.Node_AlterObjectSchemaStmt:
		a.moved(x.AlterObjectSchemaStmt.ObjectType, x.AlterObjectSchemaStmt.Relation, x.AlterObjectSchemaStmt.Object, x.AlterObjectSchemaStmt.MissingOk)
		a.access(Access{Action: ActionDDL, Object: "schema", Name: x.AlterObjectSchemaStmt.Newschema})
	case *pg.Node_AlterOwnerStmt:
		a.moved(x.AlterOwnerStmt.ObjectType, x.AlterOwnerStmt.Relation, x.AlterOwnerStmt.Object, false)
		a.access(Access{Action: ActionGrant, Object: "owner", Name: x.AlterOwnerStmt.Newowner.GetRolename()})
	case *pg.Node_AlterObjectDependsStmt:
		a.moved(x.AlterObjectDependsStmt.ObjectType, x.AlterObjectDependsStmt.Relation, x.AlterObjectDependsStmt.Object, false)
	default:
		return a.tableObject(n) || a.role(n) || a.plainDefinition(n)
	}
	return true
}

// tableObject handles what belongs to one table and may hold expressions over its columns.
func (a *analysis) tableObject(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_IndexStmt:
		a.onTable("index", x.IndexStmt.Idxname, x.IndexStmt.Relation, x.IndexStmt)
	case *pg.Node_CreateTrigStmt:
		a.onTable("trigger", x.CreateTrigStmt.Trigname, x.CreateTrigStmt.Relation, x.CreateTrigStmt)
		if x.CreateTrigStmt.Row { // it hands every value of the row to its function
			if rel := a.relation(x.CreateTrigStmt.Relation); rel != nil {
				a.flowAll(allOf(a.relationItem(rel, true).cols), ColumnRef{}, "trigger")
			}
		}
		schema, name, _ := splitName(x.CreateTrigStmt.Funcname)
		a.access(Access{Action: ActionDDL, Object: "trigger function", Schema: schema, Name: name})
		if x.CreateTrigStmt.Constrrel != nil {
			a.relationAccess(ActionDDL, x.CreateTrigStmt.Constrrel)
		}
	case *pg.Node_CreatePolicyStmt:
		a.onTable("policy", x.CreatePolicyStmt.PolicyName, x.CreatePolicyStmt.Table, x.CreatePolicyStmt)
	case *pg.Node_AlterPolicyStmt:
		a.onTable("policy", x.AlterPolicyStmt.PolicyName, x.AlterPolicyStmt.Table, x.AlterPolicyStmt)
	case *pg.Node_CreateStatsStmt:
		a.f.Kind = KindDDL
		schema, name, _ := splitName(x.CreateStatsStmt.Defnames)
		a.define("statistics", schema, name)
		a.namedTables(n, ActionDDL)
		a.loose(n)
	default:
		return false
	}
	return true
}

// onTable records an object of a table and analyses the expressions in it.
func (a *analysis) onTable(object, name string, rv *pg.RangeVar, m proto.Message) {
	a.f.Kind = KindDDL
	rel := a.relationAccess(ActionDDL, rv)
	schema := rv.GetSchemaname()
	if rel != nil {
		schema = rel.Schema
	}
	a.define(object, schema, name)
	a.overTable(rel, rv, m)
}

// overTable analyses a definition's expressions, in which the table's columns, OLD and NEW have meaning.
func (a *analysis) overTable(rel *Relation, rv *pg.RangeVar, m proto.Message) {
	it := a.relationItem(rel, true)
	it.name = rv.GetRelname()
	s := &scope{items: []*item{it}}
	for _, name := range []string{"old", "new"} {
		row := *it
		row.name, row.aliased, row.bare = name, true, false
		s.items = append(s.items, &row)
	}
	body := a.body
	a.body = true // a name that is no column of the table yet is not an error here
	a.embedded(m, s)
	a.body = body
}

// loose analyses the expressions of a definition whose columns belong to tables that are not followed.
func (a *analysis) loose(n *pg.Node) {
	body := a.body
	a.body = true
	a.embedded(n, &scope{items: []*item{{open: true, bare: true, rows: true}}})
	a.body = body
}

// namedTables records an action on every table a definition names.
func (a *analysis) namedTables(n *pg.Node, action Action) {
	a.walk(n.ProtoReflect(), func(m proto.Message) bool {
		if rv, ok := m.(*pg.RangeVar); ok {
			a.relationAccess(action, rv)
			return false
		}
		return true
	})
}

func (a *analysis) createTable(c *pg.CreateStmt) {
	a.f.Kind = KindDDL
	var names []string
	for _, n := range c.TableElts {
		if d := n.GetColumnDef(); d != nil {
			names = append(names, d.Colname)
		}
		if like := n.GetTableLikeClause(); like != nil {
			a.relationAccess(ActionDDL, like.Relation)
			names = nil
		}
	}
	for _, n := range c.InhRelations {
		a.relationAccess(ActionDDL, n.GetRangeVar())
		names = nil
	}
	if c.OfTypename != nil {
		names = nil
	}
	a.create(c.Relation, names)
	a.newTable(c)
}

// newTable analyses defaults, checks and references of a table that does not exist yet.
func (a *analysis) newTable(c *pg.CreateStmt) {
	a.walk(c.ProtoReflect(), func(m proto.Message) bool {
		if k, ok := m.(*pg.Constraint); ok && k.Pktable != nil && !a.itself(c.Relation, k.Pktable) {
			a.relationAccess(ActionDDL, k.Pktable)
		}
		return true
	})
	a.overTable(&Relation{Name: c.Relation.GetRelname(), Kind: 'r'}, c.Relation, c)
	a.defaults(c)
}

// defaults records what the default values in a definition store: a function in one may read tables.
func (a *analysis) defaults(m proto.Message) {
	a.walk(m.ProtoReflect(), func(m proto.Message) bool {
		switch x := m.(type) {
		case *pg.Constraint:
			if x.Contype == pg.ConstrType_CONSTR_DEFAULT {
				a.flowAll(a.expr(x.RawExpr, &scope{}), ColumnRef{}, "default")
			}
		case *pg.AlterTableCmd:
			if x.Subtype == pg.AlterTableType_AT_ColumnDefault && x.Def != nil {
				a.flowAll(a.expr(x.Def, &scope{}), ColumnRef{}, "default")
			}
		}
		return true
	})
}

// itself tells whether rv means the table that is being made: a foreign key may point to its own table.
func (a *analysis) itself(made, rv *pg.RangeVar) bool {
	schema := rv.GetSchemaname()
	return made.GetRelname() == rv.GetRelname() && (schema == "" || schema == a.newSchema(made)) && a.relation(rv) == nil
}

func (a *analysis) createTableAs(c *pg.CreateTableAsStmt) {
	var cols []column
	if sel := c.Query.GetSelectStmt(); sel != nil {
		cols, _ = a.query(sel, nil)
	} else {
		a.inner(c.Query) // EXECUTE
		a.f.Inner.CursorName = ""
		for _, o := range a.f.Inner.Output {
			v := value{opaque: o.Opaque}
			for _, src := range o.Sources {
				v.refs = v.refs.union(refSet{newColID(src.Relation, src.Num)})
			}
			cols = append(cols, column{name: o.Name, val: v})
		}
		if !a.f.Inner.OutputKnown {
			a.flow(Flow{Target: c.Into.GetRel().GetRelname(), Opaque: true})
		}
	}
	a.f.Kind = KindDDL
	a.createInto(c.Into, cols)
}

// createView analyses CREATE VIEW. Reading the view later leads back to the tables through the catalog,
// so nothing flows here.
func (a *analysis) createView(v *pg.ViewStmt) {
	if sel := v.Query.GetSelectStmt(); sel != nil {
		a.query(sel, nil)
	}
	a.f.Kind = KindDDL
	a.access(Access{Action: ActionDDL, Object: "view", Schema: a.newSchema(v.View), Name: v.View.GetRelname(),
		Temp: v.View.GetRelpersistence() == "t"})
	if v.Replace {
		if r := a.relation(v.View); r != nil {
			a.accessTo(ActionDDL, r)
		}
	}
}

func (a *analysis) createFunction(c *pg.CreateFunctionStmt) {
	schema, name, _ := splitName(c.Funcname)
	lang, source := "", ""
	for _, n := range c.Options {
		switch d := n.GetDefElem(); d.GetDefname() {
		case "language":
			lang = lowerASCII(str(d.GetArg()))
		case "as":
			source = defText(d)
		case "set":
			for _, e := range setEffects(d.GetArg().GetVariableSetStmt(), ScopeFunction) {
				e.Scope = ScopeFunction
				a.set(e)
			}
		}
	}
	for _, p := range c.Parameters {
		a.loose(p)
	}
	b := a.sub(a.path, a.run, "")
	b.quiet, b.body = false, true
	a.newBody(b, c, lang, source)
	a.read, a.written = append(a.read, b.read...), append(a.written, b.written...)
	if isTrigger(c) || a.replacesCast(schema, name) { // runs with other statements, which show what it stores
		a.flowAll(value{refs: newRefSet(slices.Clone(b.read)), opaque: b.f.Opaque || b.f.DynamicSQL}, ColumnRef{}, "trigger")
	}
	b.f.Unresolved = nil // names of a body are looked up when it runs
	a.absorb(b.f)
	if hasWord(source, "password", "connection") {
		a.f.Secret = true
	}
	a.foreignCode(schema, name, lang)
	a.f.Kind = KindDDL
	object := "function"
	if c.IsProcedure {
		object = "procedure"
	}
	a.define(object, schema, name)
}

func (a *analysis) newBody(b *analysis, c *pg.CreateFunctionStmt, lang, source string) {
	ok := false
	switch {
	case c.SqlBody != nil:
		ok = b.sqlBody(c.SqlBody)
	case lang == "sql":
		ok = b.sqlText(source)
	case lang == "plpgsql":
		text := a.f.Text
		if isTrigger(c) {
			text = triggerHeader + dollarQuote(source) + " LANGUAGE plpgsql"
		}
		ok = b.plpgsql(text, source)
		b.f.DynamicSQL = b.f.DynamicSQL || hasWord(source, "execute")
	}
	if !ok {
		b.f.Opaque = true
	}
}

func isTrigger(c *pg.CreateFunctionStmt) bool {
	names := c.ReturnType.GetNames()
	return len(names) > 0 && strings.HasSuffix(str(names[len(names)-1]), "trigger")
}

func (a *analysis) createSchema(c *pg.CreateSchemaStmt) {
	name := c.Schemaname
	if name == "" {
		name = c.Authrole.GetRolename()
	}
	made := map[string]bool{}
	for _, n := range c.SchemaElts {
		a.statement(n)
		switch x := n.GetNode().(type) {
		case *pg.Node_CreateStmt:
			made[x.CreateStmt.Relation.GetRelname()] = true
		case *pg.Node_ViewStmt:
			made[x.ViewStmt.View.GetRelname()] = true
		case *pg.Node_CreateSeqStmt:
			made[x.CreateSeqStmt.Sequence.GetRelname()] = true
		}
	}
	a.f.Unresolved = slices.DeleteFunc(a.f.Unresolved, func(n Name) bool { // the elements see one another
		return n.What == "relation" && made[strings.TrimPrefix(n.Name, name+".")]
	})
	a.f.Kind = KindDDL
	a.access(Access{Action: ActionDDL, Object: "schema", Name: name})
}

func (a *analysis) createRule(r *pg.RuleStmt) {
	rel := a.relationAccess(ActionDDL, r.Relation)
	where := a.f.HasWhere
	a.overTable(rel, r.Relation, r)
	a.f.HasWhere = where && a.f.HasWhere
	a.f.Kind = KindDDL
	schema := r.Relation.GetSchemaname()
	if rel != nil {
		schema = rel.Schema
	}
	a.define("rule", schema, r.Rulename)
}

func (a *analysis) alterTable(t *pg.AlterTableStmt) {
	a.f.Kind = KindDDL
	rel := a.relation(t.Relation)
	switch {
	case rel != nil:
		a.accessTo(ActionDDL, rel)
	case t.MissingOk:
		a.access(Access{Action: ActionDDL, Object: "relation", Schema: t.Relation.GetSchemaname(), Name: t.Relation.GetRelname()})
	default:
		a.relationAccess(ActionDDL, t.Relation)
	}
	for _, n := range t.Cmds {
		a.alterCommand(n.GetAlterTableCmd(), t.Relation)
	}
	a.walk(t.ProtoReflect(), func(m proto.Message) bool {
		if rv, ok := m.(*pg.RangeVar); ok && rv != t.Relation {
			a.relationAccess(ActionDDL, rv)
		}
		return true
	})
	a.overTable(rel, t.Relation, t)
	a.defaults(t)
}

// alterCommand records what in an ALTER TABLE goes beyond its definition.
func (a *analysis) alterCommand(c *pg.AlterTableCmd, rv *pg.RangeVar) {
	switch c.GetSubtype() {
	case pg.AlterTableType_AT_DropColumn, pg.AlterTableType_AT_DropConstraint:
		a.access(Access{Action: ActionDrop, Object: "column", Schema: rv.GetSchemaname(), Name: rv.GetRelname() + "." + c.Name})
	case pg.AlterTableType_AT_ChangeOwner:
		a.access(Access{Action: ActionGrant, Object: "owner", Name: c.Newowner.GetRolename()})
	case pg.AlterTableType_AT_DisableRowSecurity, pg.AlterTableType_AT_NoForceRowSecurity, pg.AlterTableType_AT_EnableRowSecurity,
		pg.AlterTableType_AT_ForceRowSecurity:
		a.access(Access{Action: ActionGrant, Object: "row security", Schema: rv.GetSchemaname(), Name: rv.GetRelname()})
	case pg.AlterTableType_AT_GenericOptions, pg.AlterTableType_AT_AlterColumnGenericOptions:
		a.f.Secret = true
	}
}

// drop records every object of a DROP.
func (a *analysis) drop(d *pg.DropStmt) {
	a.f.Kind = KindDrop
	for _, n := range d.Objects {
		a.dropOne(d, n)
	}
	if d.Behavior == pg.DropBehavior_DROP_CASCADE {
		a.access(Access{Action: ActionDrop, Object: "cascade"})
	}
}

func (a *analysis) dropOne(d *pg.DropStmt, n *pg.Node) {
	schema, name, args := objectName(n)
	if isRelationType(d.RemoveType) {
		rv := rangeVar(n.GetList().GetItems())
		if r := a.relation(rv); r != nil {
			a.accessTo(ActionDrop, r)
			return
		}
		if !d.MissingOk {
			a.missing("relation", qualified(schema, name))
		}
	}
	if onRelation(d.RemoveType) && len(args) > 1 { // table name first, then the object's
		table := rangeVar(args[:len(args)-1])
		if r := a.relation(table); r != nil {
			a.accessTo(ActionDDL, r)
		}
		schema, name = "", str(args[len(args)-1])
	}
	a.access(Access{Action: ActionDrop, Object: objectWord(d.RemoveType), Schema: schema, Name: name})
}

// objectName returns the name in any of the shapes the grammar gives it.
func objectName(n *pg.Node) (schema, name string, parts []*pg.Node) {
	switch x := n.GetNode().(type) {
	case *pg.Node_String_:
		return "", x.String_.Sval, []*pg.Node{n}
	case *pg.Node_List:
		parts = x.List.Items
	case *pg.Node_ObjectWithArgs:
		parts = x.ObjectWithArgs.Objname
	case *pg.Node_TypeName:
		parts = x.TypeName.Names
	case *pg.Node_RangeVar:
		return x.RangeVar.Schemaname, x.RangeVar.Relname, nil
	case *pg.Node_RoleSpec:
		return "", x.RoleSpec.Rolename, nil
	}
	schema, name, _ = splitName(parts)
	return schema, name, parts
}

// objectWord turns OBJECT_FOREIGN_TABLE into "foreign table".
func objectWord(t pg.ObjectType) string {
	if t == pg.ObjectType_OBJECT_MATVIEW {
		return "materialized view"
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(t.String(), "OBJECT_")), "_", " ")
}

func isRelationType(t pg.ObjectType) bool {
	switch t {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW,
		pg.ObjectType_OBJECT_FOREIGN_TABLE, pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_INDEX:
		return true
	}
	return false
}

func onRelation(t pg.ObjectType) bool {
	switch t {
	case pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY,
		pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TABCONSTRAINT:
		return true
	}
	return false
}

// object records an action on an object named in any shape.
func (a *analysis) object(kind Kind, action Action, t pg.ObjectType, n *pg.Node) {
	a.f.Kind = kind
	schema, name, parts := objectName(n)
	switch {
	case isRelationType(t):
		if len(parts) > 0 {
			a.relationAccess(action, rangeVar(parts))
			return
		}
	case onRelation(t) && len(parts) > 1:
		a.relationAccess(action, rangeVar(parts[:len(parts)-1]))
		return
	}
	a.access(Access{Action: action, Object: objectWord(t), Schema: schema, Name: name})
}

// moved records a rename, a change of schema or of owner.
func (a *analysis) moved(t pg.ObjectType, rv *pg.RangeVar, n *pg.Node, missingOk bool) {
	a.f.Kind = KindDDL
	switch {
	case rv != nil && missingOk && a.relation(rv) == nil:
		a.access(Access{Action: ActionDDL, Object: "relation", Schema: rv.Schemaname, Name: rv.Relname})
		return
	case rv != nil:
		a.relationAccess(ActionDDL, rv)
		return
	}
	a.object(KindDDL, ActionDDL, t, n)
}
