package sqlclass

import pg "github.com/sqlc-dev/oliphant"

// role handles roles and privileges.
func (a *analysis) role(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateRoleStmt:
		a.roleAccess(x.CreateRoleStmt.Role)
		a.roleOptions(x.CreateRoleStmt.Options)
	case *pg.Node_AlterRoleStmt:
		a.roleAccess(roleName(x.AlterRoleStmt.Role))
		a.roleOptions(x.AlterRoleStmt.Options)
	case *pg.Node_AlterRoleSetStmt:
		a.roleAccess(roleName(x.AlterRoleSetStmt.Role))
		a.storedSettings(x.AlterRoleSetStmt.Setstmt)
	case *pg.Node_DropRoleStmt:
		for _, r := range x.DropRoleStmt.Roles {
			a.access(Access{Action: ActionDrop, Object: "role", Name: roleName(r.GetRoleSpec())})
		}
	case *pg.Node_GrantRoleStmt:
		for _, r := range x.GrantRoleStmt.GrantedRoles {
			a.roleAccess(r.GetAccessPriv().GetPrivName())
		}
	case *pg.Node_DropOwnedStmt:
		for _, r := range x.DropOwnedStmt.Roles {
			a.access(Access{Action: ActionDrop, Object: "owned by", Name: roleName(r.GetRoleSpec())})
		}
	case *pg.Node_ReassignOwnedStmt:
		for _, r := range x.ReassignOwnedStmt.Roles {
			a.roleAccess(roleName(r.GetRoleSpec()))
		}
	case *pg.Node_GrantStmt:
		a.grant(x.GrantStmt)
		return true
	case *pg.Node_AlterDefaultPrivilegesStmt:
		a.f.Kind = KindGrant
		a.access(Access{Action: ActionGrant, Object: "default privileges"})
		return true
	default:
		return false
	}
	a.f.Kind = KindRole
	return true
}

func (a *analysis) roleAccess(name string) {
	a.access(Access{Action: ActionRole, Object: "role", Name: name})
}

// roleName returns a role's name, or the keyword that stands for it.
func roleName(r *pg.RoleSpec) string {
	switch r.GetRoletype() {
	case pg.RoleSpecType_ROLESPEC_CURRENT_ROLE:
		return "current_role"
	case pg.RoleSpecType_ROLESPEC_CURRENT_USER:
		return "current_user"
	case pg.RoleSpecType_ROLESPEC_SESSION_USER:
		return "session_user"
	case pg.RoleSpecType_ROLESPEC_PUBLIC:
		return "public"
	}
	return r.GetRolename()
}

func (a *analysis) roleOptions(options []*pg.Node) {
	for _, o := range options {
		if o.GetDefElem().GetDefname() == "password" {
			a.f.Secret = true
		}
	}
}

func (a *analysis) grant(g *pg.GrantStmt) {
	a.f.Kind = KindGrant
	for _, n := range g.Objects {
		if rv := n.GetRangeVar(); rv != nil {
			a.relationAccess(ActionGrant, rv)
			continue
		}
		schema, name, _ := objectName(n)
		word := objectWord(g.Objtype)
		if g.Targtype == pg.GrantTargetType_ACL_TARGET_ALL_IN_SCHEMA {
			word = "all in schema"
		}
		a.access(Access{Action: ActionGrant, Object: word, Schema: schema, Name: name})
	}
}

// plainDefinition handles the definitions that name one object and hold nothing to analyse.
func (a *analysis) plainDefinition(n *pg.Node) bool {
	object, parts, ok := definedObject(n)
	if !ok {
		return false
	}
	a.f.Kind = KindDDL
	schema, name, _ := splitName(parts)
	known := a.relation(rangeVar(parts))
	switch {
	case schemaless[object]:
		a.access(Access{Action: ActionDDL, Object: object, Name: name})
	case object == "sequence" && known != nil:
		a.accessTo(ActionDDL, known)
	default:
		a.define(object, schema, name)
	}
	if object == "domain" {
		a.namedTables(n, ActionDDL)
	}
	a.namedFunctions(n)
	a.loose(n)
	return true
}

// schemaless kinds of objects belong to the database, not to a schema.
var schemaless = map[string]bool{"extension": true, "event trigger": true, "language": true, "cast": true,
	"transform": true, "access method": true}

func named(name string) []*pg.Node {
	return []*pg.Node{{Node: &pg.Node_String_{String_: &pg.String{Sval: name}}}}
}

func relationName(rv *pg.RangeVar) []*pg.Node {
	if rv.GetSchemaname() == "" {
		return named(rv.GetRelname())
	}
	return append(named(rv.GetSchemaname()), named(rv.GetRelname())...)
}

// definedObject returns the kind and name of the object a statement defines or alters.
func definedObject(n *pg.Node) (object string, name []*pg.Node, ok bool) {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateSeqStmt:
		return "sequence", relationName(x.CreateSeqStmt.Sequence), true
	case *pg.Node_AlterSeqStmt:
		return "sequence", relationName(x.AlterSeqStmt.Sequence), true
	case *pg.Node_CreateExtensionStmt:
		return "extension", named(x.CreateExtensionStmt.Extname), true
	case *pg.Node_AlterExtensionStmt:
		return "extension", named(x.AlterExtensionStmt.Extname), true
	case *pg.Node_AlterExtensionContentsStmt:
		return "extension", named(x.AlterExtensionContentsStmt.Extname), true
	case *pg.Node_CreateEventTrigStmt:
		return "event trigger", named(x.CreateEventTrigStmt.Trigname), true
	case *pg.Node_AlterEventTrigStmt:
		return "event trigger", named(x.AlterEventTrigStmt.Trigname), true
	case *pg.Node_CreatePlangStmt:
		return "language", named(x.CreatePlangStmt.Plname), true
	case *pg.Node_AlterFunctionStmt:
		return "function", x.AlterFunctionStmt.Func.GetObjname(), true
	case *pg.Node_CompositeTypeStmt:
		return "type", relationName(x.CompositeTypeStmt.Typevar), true
	case *pg.Node_AlterStatsStmt:
		return "statistics", x.AlterStatsStmt.Defnames, true
	case *pg.Node_DefineStmt:
		return objectWord(x.DefineStmt.Kind), x.DefineStmt.Defnames, true
	}
	return definedType(n)
}

func definedType(n *pg.Node) (object string, name []*pg.Node, ok bool) {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateDomainStmt:
		return "domain", x.CreateDomainStmt.Domainname, true
	case *pg.Node_AlterDomainStmt:
		return "domain", x.AlterDomainStmt.TypeName, true
	case *pg.Node_CreateEnumStmt:
		return "type", x.CreateEnumStmt.TypeName, true
	case *pg.Node_AlterEnumStmt:
		return "type", x.AlterEnumStmt.TypeName, true
	case *pg.Node_CreateRangeStmt:
		return "type", x.CreateRangeStmt.TypeName, true
	case *pg.Node_AlterTypeStmt:
		return "type", x.AlterTypeStmt.TypeName, true
	case *pg.Node_CreateConversionStmt:
		return "conversion", x.CreateConversionStmt.ConversionName, true
	case *pg.Node_CreateCastStmt:
		return "cast", x.CreateCastStmt.Targettype.GetNames(), true
	case *pg.Node_CreateTransformStmt:
		return "transform", x.CreateTransformStmt.TypeName.GetNames(), true
	case *pg.Node_AlterCollationStmt:
		return "collation", x.AlterCollationStmt.Collname, true
	case *pg.Node_AlterOperatorStmt:
		return "operator", x.AlterOperatorStmt.Opername.GetObjname(), true
	case *pg.Node_CreateOpClassStmt:
		return "operator class", x.CreateOpClassStmt.Opclassname, true
	case *pg.Node_CreateOpFamilyStmt:
		return "operator family", x.CreateOpFamilyStmt.Opfamilyname, true
	case *pg.Node_AlterOpFamilyStmt:
		return "operator family", x.AlterOpFamilyStmt.Opfamilyname, true
	case *pg.Node_CreateAmStmt:
		return "access method", named(x.CreateAmStmt.Amname), true
	case *pg.Node_AlterTsdictionaryStmt:
		return "text search dictionary", x.AlterTsdictionaryStmt.Dictname, true
	case *pg.Node_AlterTsconfigurationStmt:
		return "text search configuration", x.AlterTsconfigurationStmt.Cfgname, true
	}
	return "", nil, false
}
