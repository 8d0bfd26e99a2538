package sqlclass

import pg "github.com/sqlc-dev/oliphant"

// utility handles maintenance and server-wide statements.
func (a *analysis) utility(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_VacuumStmt:
		a.vacuum(x.VacuumStmt)
	case *pg.Node_ClusterStmt:
		a.maintain(x.ClusterStmt.Relation)
	case *pg.Node_ReindexStmt:
		a.maintain(x.ReindexStmt.Relation)
		if x.ReindexStmt.Name != "" {
			a.access(Access{Action: ActionMaintain, Object: "schema", Name: x.ReindexStmt.Name})
		}
	case *pg.Node_RefreshMatViewStmt:
		a.refresh(x.RefreshMatViewStmt)
	case *pg.Node_CheckPointStmt:
		a.system(KindCheckpoint, "checkpoint", "")
	case *pg.Node_LoadStmt:
		a.system(KindLoad, "library", x.LoadStmt.Filename)
	case *pg.Node_AlterSystemStmt:
		a.system(KindSystem, "setting", x.AlterSystemStmt.Setstmt.GetName())
		for _, e := range setEffects(x.AlterSystemStmt.Setstmt, ScopeSystem) {
			e.Scope = ScopeSystem
			a.set(e)
		}
		a.f.Secret = a.f.Secret || hasSecretName(x.AlterSystemStmt.Setstmt.GetName())
	default:
		return a.serverObject(n)
	}
	return true
}

func (a *analysis) system(kind Kind, object, name string) {
	a.f.Kind = kind
	a.access(Access{Action: ActionSystem, Object: object, Name: name})
}

// maintain records maintenance of a relation, or of the whole database.
func (a *analysis) maintain(rv *pg.RangeVar) {
	a.f.Kind = KindMaintenance
	if rv == nil {
		a.access(Access{Action: ActionMaintain, Object: "database", Name: a.cat.database})
		return
	}
	a.relationAccess(ActionMaintain, rv)
}

func (a *analysis) vacuum(v *pg.VacuumStmt) {
	if len(v.Rels) == 0 {
		a.maintain(nil)
	}
	for _, r := range v.Rels {
		a.maintain(r.GetVacuumRelation().GetRelation())
	}
}

// refresh stores a view's rows anew, so it reads what the view reads.
func (a *analysis) refresh(r *pg.RefreshMatViewStmt) {
	a.f.Kind = KindRefresh
	rel := a.relationAccess(ActionRefresh, r.Relation)
	if rel == nil || r.SkipData {
		return
	}
	quiet := a.quiet
	a.quiet = true
	a.relationColumns(rel, true)
	a.quiet = quiet
}

// serverObject handles databases, tablespaces, replication and foreign servers.
func (a *analysis) serverObject(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreatedbStmt:
		a.system(KindSystem, "database", x.CreatedbStmt.Dbname)
	case *pg.Node_AlterDatabaseStmt:
		a.system(KindSystem, "database", x.AlterDatabaseStmt.Dbname)
	case *pg.Node_AlterDatabaseRefreshCollStmt:
		a.system(KindSystem, "database", x.AlterDatabaseRefreshCollStmt.Dbname)
	case *pg.Node_AlterDatabaseSetStmt:
		a.system(KindSystem, "database", x.AlterDatabaseSetStmt.Dbname)
		a.storedSettings(x.AlterDatabaseSetStmt.Setstmt)
	case *pg.Node_DropdbStmt:
		a.system(KindDrop, "database", x.DropdbStmt.Dbname)
	case *pg.Node_CreateTableSpaceStmt:
		a.system(KindSystem, "tablespace", x.CreateTableSpaceStmt.Tablespacename)
	case *pg.Node_DropTableSpaceStmt:
		a.system(KindDrop, "tablespace", x.DropTableSpaceStmt.Tablespacename)
	case *pg.Node_AlterTableSpaceOptionsStmt:
		a.system(KindSystem, "tablespace", x.AlterTableSpaceOptionsStmt.Tablespacename)
	case *pg.Node_AlterTableMoveAllStmt:
		a.system(KindSystem, "tablespace", x.AlterTableMoveAllStmt.OrigTablespacename)
	case *pg.Node_CreatePublicationStmt:
		a.replication("publication", x.CreatePublicationStmt.Pubname, n)
	case *pg.Node_AlterPublicationStmt:
		a.replication("publication", x.AlterPublicationStmt.Pubname, n)
	case *pg.Node_CreateSubscriptionStmt:
		a.replication("subscription", x.CreateSubscriptionStmt.Subname, nil)
		a.f.Secret = true
	case *pg.Node_AlterSubscriptionStmt:
		a.replication("subscription", x.AlterSubscriptionStmt.Subname, nil)
		a.f.Secret = a.f.Secret || x.AlterSubscriptionStmt.Conninfo != ""
	case *pg.Node_DropSubscriptionStmt:
		a.replication("subscription", x.DropSubscriptionStmt.Subname, nil)
	default:
		return a.foreignObject(n)
	}
	return true
}

func (a *analysis) storedSettings(s *pg.VariableSetStmt) {
	for _, e := range setEffects(s, ScopeRole) {
		e.Scope = ScopeRole
		a.set(e)
	}
	a.f.Secret = a.f.Secret || hasSecretName(s.GetName())
}

// replication records a publication or subscription, and the tables a publication sends out.
func (a *analysis) replication(object, name string, n *pg.Node) {
	a.f.Kind = KindReplication
	a.access(Access{Action: ActionReplicate, Object: object, Name: name})
	if n != nil {
		a.namedTables(n, ActionReplicate)
		a.loose(n)
	}
}

// foreignObject handles foreign data wrappers: their options may hold credentials.
func (a *analysis) foreignObject(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateFdwStmt:
		a.foreign("foreign data wrapper", x.CreateFdwStmt.Fdwname, x.CreateFdwStmt.Options)
	case *pg.Node_AlterFdwStmt:
		a.foreign("foreign data wrapper", x.AlterFdwStmt.Fdwname, x.AlterFdwStmt.Options)
	case *pg.Node_CreateForeignServerStmt:
		a.foreign("server", x.CreateForeignServerStmt.Servername, x.CreateForeignServerStmt.Options)
	case *pg.Node_AlterForeignServerStmt:
		a.foreign("server", x.AlterForeignServerStmt.Servername, x.AlterForeignServerStmt.Options)
	case *pg.Node_CreateUserMappingStmt:
		a.foreign("user mapping", x.CreateUserMappingStmt.Servername, x.CreateUserMappingStmt.Options)
		a.f.Secret = true
	case *pg.Node_AlterUserMappingStmt:
		a.foreign("user mapping", x.AlterUserMappingStmt.Servername, x.AlterUserMappingStmt.Options)
		a.f.Secret = true
	case *pg.Node_DropUserMappingStmt:
		a.foreign("user mapping", x.DropUserMappingStmt.Servername, nil)
	case *pg.Node_CreateForeignTableStmt:
		t := x.CreateForeignTableStmt
		a.foreign("server", t.Servername, t.Options)
		a.createTable(t.BaseStmt)
	case *pg.Node_ImportForeignSchemaStmt:
		a.foreign("server", x.ImportForeignSchemaStmt.ServerName, x.ImportForeignSchemaStmt.Options)
		a.access(Access{Action: ActionDDL, Object: "schema", Name: x.ImportForeignSchemaStmt.LocalSchema})
	default:
		return false
	}
	return true
}

func (a *analysis) foreign(object, name string, options []*pg.Node) {
	a.f.Kind = KindDDL
	a.access(Access{Action: ActionDDL, Object: object, Name: name})
	a.access(Access{Action: ActionSystem, Object: object, Name: name})
	for _, o := range options {
		if hasSecretName(o.GetDefElem().GetDefname()) {
			a.f.Secret = true
		}
	}
}
