package sqlclass

import "strings"

// trait says what is special about a function.
type trait uint8

const (
	traitDangerous trait = 1 << iota // files, network, other sessions, server control, SQL in a string
	traitLargeObj                    // large objects
	traitSensitive                   // other sessions' SQL, credentials, raw pages, samples
	traitWrites                      // changes something outside the session
	traitSink                        // puts its arguments where others, or later statements, can see them
	traitOpaque                      // its value may derive from anything
)

// functionTraits lists the special functions of the server and its contributed modules by name.
var functionTraits = map[string]trait{
	"pg_read_file": traitDangerous | traitOpaque, "pg_read_binary_file": traitDangerous | traitOpaque,
	"pg_stat_file": traitDangerous, "pg_current_logfile": traitSensitive,
	"pg_read_server_files": traitDangerous, "pg_execute_server_program": traitDangerous,

	"query_to_xml": traitDangerous | traitOpaque, "query_to_xmlschema": traitDangerous | traitOpaque,
	"query_to_xml_and_xmlschema": traitDangerous | traitOpaque, "cursor_to_xml": traitDangerous | traitOpaque,
	"cursor_to_xmlschema": traitDangerous | traitOpaque,
	"ts_stat":             traitDangerous | traitOpaque, "ts_rewrite": traitDangerous | traitOpaque,
	"crosstab": traitDangerous | traitOpaque, "crosstab2": traitDangerous | traitOpaque,
	"crosstab3": traitDangerous | traitOpaque, "crosstab4": traitDangerous | traitOpaque,
	"crosstabn": traitDangerous | traitOpaque, "connectby": traitDangerous | traitOpaque,
	"xpath_table": traitDangerous | traitOpaque, "xslt_process": traitDangerous,

	"loread": traitLargeObj | traitDangerous | traitOpaque, "lowrite": traitLargeObj | traitDangerous | traitWrites | traitSink,

	"pg_terminate_backend": traitDangerous | traitWrites, "pg_cancel_backend": traitDangerous | traitWrites,
	"pg_reload_conf": traitDangerous | traitWrites, "pg_promote": traitDangerous | traitWrites,
	"pg_switch_wal": traitDangerous | traitWrites, "pg_switch_xlog": traitDangerous | traitWrites,
	"pg_create_restore_point": traitDangerous | traitWrites, "pg_backup_start": traitDangerous | traitWrites,
	"pg_backup_stop": traitDangerous | traitWrites, "pg_start_backup": traitDangerous | traitWrites,
	"pg_stop_backup": traitDangerous | traitWrites, "pg_drop_replication_slot": traitDangerous | traitWrites,
	"pg_copy_logical_replication_slot":  traitDangerous | traitWrites,
	"pg_copy_physical_replication_slot": traitDangerous | traitWrites,
	"pg_sync_replication_slots":         traitDangerous | traitWrites,
	"pg_import_system_collations":       traitDangerous | traitWrites,
	"pg_log_backend_memory_contexts":    traitDangerous | traitWrites,
	"pg_log_standby_snapshot":           traitDangerous | traitWrites,
	"pg_extension_config_dump":          traitDangerous | traitWrites,
	"pg_export_snapshot":                traitWrites, "pg_nextoid": traitDangerous | traitWrites,
	"pg_prewarm": traitWrites, "pg_set_relation_stats": traitDangerous | traitWrites,
	"pg_set_attribute_stats": traitDangerous | traitWrites, "pg_clear_attribute_stats": traitDangerous | traitWrites,
	"pg_clear_relation_stats": traitDangerous | traitWrites, "pg_restore_relation_stats": traitDangerous | traitWrites,
	"pg_restore_attribute_stats": traitDangerous | traitWrites,

	"nextval": traitWrites, "setval": traitWrites | traitSink, "pg_notify": traitWrites | traitSink,
	"set_config": traitSink, "pg_sleep": traitSink, "pg_sleep_for": traitSink, "pg_sleep_until": traitSink,
	"setseed":                    traitSink,
	"pg_truncate_visibility_map": traitDangerous | traitWrites, "pg_surgery": traitDangerous | traitWrites,
	"heap_force_kill": traitDangerous | traitWrites, "heap_force_freeze": traitDangerous | traitWrites,

	"pg_stat_get_activity": traitSensitive | traitOpaque, "pg_stat_get_backend_activity": traitSensitive | traitOpaque,
	"pg_hba_file_rules": traitSensitive, "pg_ident_file_mappings": traitSensitive,
	"pg_show_all_file_settings": traitSensitive, "pg_stat_get_wal_receiver": traitSensitive,
	"pg_stat_statements": traitSensitive | traitOpaque,
	"pg_stat_monitor":    traitSensitive | traitOpaque, "pg_mcv_list_items": traitSensitive | traitOpaque,
	"pg_cursor": traitSensitive, "pg_stats_ext": traitSensitive | traitOpaque,
	"get_raw_page": traitSensitive | traitDangerous | traitOpaque, "pgrowlocks": traitSensitive,
	"tuple_data_split":    traitSensitive | traitDangerous | traitOpaque,
	"pg_options_to_table": traitSensitive, "pg_get_wal_record_info": traitSensitive | traitDangerous | traitOpaque,
}

// prefixTraits does the same for families of functions, first match wins.
var prefixTraits = []struct {
	prefix string
	trait  trait
}{
	{"pg_ls_", traitDangerous}, {"pg_read_", traitDangerous | traitOpaque}, {"pg_file_", traitDangerous | traitWrites | traitOpaque},
	{"pg_rotate_logfile", traitDangerous | traitWrites}, {"pg_logdir_ls", traitDangerous},
	{"dblink", traitDangerous | traitWrites | traitOpaque | traitSink},
	{"postgres_fdw_", traitDangerous | traitWrites}, {"lo_", traitLargeObj | traitDangerous | traitWrites | traitOpaque | traitSink},
	{"table_to_xml", traitDangerous | traitOpaque}, {"schema_to_xml", traitDangerous | traitOpaque},
	{"database_to_xml", traitDangerous | traitOpaque},
	{"pg_logical_", traitDangerous | traitWrites | traitOpaque | traitSink},
	{"pg_replication_", traitDangerous | traitWrites}, {"pg_create_", traitDangerous | traitWrites},
	{"pg_wal_replay_", traitDangerous | traitWrites}, {"pg_xlog_replay_", traitDangerous | traitWrites},
	{"pg_stat_reset", traitDangerous | traitWrites}, {"pg_stat_force", traitWrites},
	{"binary_upgrade_", traitDangerous | traitWrites}, {"pg_get_wal_", traitSensitive | traitDangerous | traitOpaque},
	{"pg_advisory_", traitSink}, {"pg_try_advisory_", traitSink},
	{"heap_page_", traitSensitive | traitDangerous | traitOpaque}, {"bt_page_items", traitSensitive | traitDangerous | traitOpaque},
	{"gist_page_items", traitSensitive | traitDangerous | traitOpaque}, {"brin_page_items", traitSensitive | traitDangerous | traitOpaque},
	{"hash_page_items", traitSensitive | traitDangerous | traitOpaque}, {"fsm_page_", traitSensitive},
	{"aws_s3", traitDangerous | traitWrites | traitOpaque | traitSink}, {"aws_lambda", traitDangerous | traitWrites | traitOpaque | traitSink},
	{"query_s3", traitDangerous | traitWrites | traitOpaque | traitSink}, {"query_export_to_s3", traitDangerous | traitWrites | traitOpaque | traitSink},
	{"table_import_from_s3", traitDangerous | traitWrites}, {"pltcl_", traitDangerous},
	{"cron_", traitDangerous | traitWrites}, {"http_", traitDangerous | traitWrites | traitOpaque | traitSink},
}

// dangerousSchemas hold extensions that reach outside the database whatever their functions are called.
var dangerousSchemas = map[string]bool{"aws_s3": true, "aws_commons": false, "aws_lambda": true, "cron": true,
	"dblink": true, "rds_tools": true, "plv8": true, "net": true, "pgaudit": false}

// traitsOf looks a function name up. Names that the catalog maps to another internal symbol are looked
// up under both.
func traitsOf(schema, name string) trait {
	var t trait
	if dangerousSchemas[schema] {
		t = traitDangerous | traitWrites | traitOpaque | traitSink
	}
	if known, ok := functionTraits[name]; ok {
		return t | known
	}
	for _, p := range prefixTraits {
		if strings.HasPrefix(name, p.prefix) {
			return t | p.trait
		}
	}
	return t
}

// secretFunctions take a credential as an argument.
func secretFunction(name string) bool {
	switch name {
	case "crypt", "hmac", "encrypt", "decrypt", "encrypt_iv", "decrypt_iv", "dblink", "dblink_connect",
		"dblink_connect_u", "dblink_exec", "dblink_send_query", "dblink_open", "create_s3_uri", "create_aws_credentials":
		return true
	}
	return strings.HasPrefix(name, "pgp_")
}

var sensitiveNames = map[string]bool{
	"pg_authid": true, "pg_shadow": true, "pg_user_mapping": true, "pg_user_mappings": true,
	"pg_foreign_server": true, "pg_largeobject": true, "pg_largeobject_metadata": false,
	"pg_statistic": true, "pg_statistic_ext_data": true, "pg_stats": true, "pg_stats_ext": true,
	"pg_stats_ext_exprs": true, "pg_hba_file_rules": true, "pg_ident_file_mappings": true,
	"pg_file_settings": true, "pg_subscription": true, "pg_stat_activity": true, "pg_stat_wal_receiver": true,
	"pg_stat_statements": true, "pg_cursors": true, "pg_stat_monitor": true,
	"user_mapping_options": true, "foreign_server_options": true, "_pg_user_mappings": true,
	"_pg_foreign_servers": true, "foreign_table_options": true,
}

// sensitiveRelation tells whether a relation holds credentials, other sessions' SQL or sampled values.
// The statistics views of extensions live in any schema.
func sensitiveRelation(r *Relation) bool {
	if strings.HasPrefix(r.Schema, "pg_toast") {
		return true
	}
	if isSystemSchema(r.Schema) {
		return sensitiveNames[r.Name]
	}
	return r.Name == "pg_stat_statements" || r.Name == "pg_stat_monitor"
}
