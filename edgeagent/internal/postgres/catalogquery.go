package postgres

// leftOut stands for a rule that could not be read: it is no SQL, and so counts as one that does anything.
const leftOut = "left out"

// Queries that read what a target's names mean. All names are qualified.
const (
	// The server locks what a view or rule reads to render it, and must not be made to wait for a
	// transaction that changes just that: such definitions are left out until it has ended.
	relationsQuery = `WITH held AS MATERIALIZED (SELECT d.objid AS rule FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) l.relation
 WHERE l.locktype OPERATOR(pg_catalog.=) 'relation' AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock' AND coalesce(l.pid, 0) OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
  AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::regclass::oid AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::regclass::oid)
SELECT c.oid::bigint::text, n.nspname, c.relname, c.relkind::text, c.reltype::bigint::text,
 CASE WHEN c.relkind IN ('v','m') AND NOT EXISTS (SELECT FROM held JOIN pg_catalog.pg_rewrite w ON w.oid OPERATOR(pg_catalog.=) held.rule WHERE w.ev_class OPERATOR(pg_catalog.=) c.oid)
  THEN pg_catalog.pg_get_viewdef(c.oid) ELSE '' END,
 coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('num', a.attnum, 'name', a.attname, 'type', a.atttypid::bigint,
    'notnull', a.attnotnull, 'dropped', a.attisdropped,
    'generated', CASE WHEN a.attgenerated OPERATOR(pg_catalog.<>) '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) ELSE '' END) ORDER BY a.attnum)
   FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid OPERATOR(pg_catalog.=) a.attrelid AND d.adnum OPERATOR(pg_catalog.=) a.attnum
   WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND c.relkind NOT IN ('i','I')), '[]')::text,
 coalesce((SELECT pg_catalog.json_agg(i.inhparent::bigint) FROM pg_catalog.pg_inherits i WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid), '[]')::text,
 coalesce((SELECT pg_catalog.json_agg(CASE WHEN EXISTS (SELECT FROM held WHERE held.rule OPERATOR(pg_catalog.=) r.oid) THEN '` + leftOut + `' ELSE pg_catalog.pg_get_ruledef(r.oid) END) FROM pg_catalog.pg_rewrite r
   WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid AND r.rulename OPERATOR(pg_catalog.<>) '_RETURN'), '[]')::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relkind IN ('r','p','v','m','f','S','c','t','i','I') AND NOT n.nspname OPERATOR(pg_catalog.~) '^pg_(temp|toast_temp)_'`

	functionsQuery = `SELECT p.oid::bigint::text, n.nspname, p.proname, p.prokind::text, l.lanname, pg_catalog.json_build_object(
  'types', coalesce((SELECT pg_catalog.json_agg(t::bigint) FROM pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) t), '[]'),
  'modes', coalesce((SELECT pg_catalog.json_agg(m::text) FROM pg_catalog.unnest(p.proargmodes) m), '[]'),
  'names', coalesce((SELECT pg_catalog.json_agg(a) FROM pg_catalog.unnest(p.proargnames) a), '[]'),
  'defaults', p.pronargdefaults, 'returns', p.prorettype::bigint, 'set', p.proretset, 'volatility', p.provolatile::text, 'definer', p.prosecdef,
  'casts', EXISTS (SELECT FROM pg_catalog.pg_cast k WHERE k.castfunc OPERATOR(pg_catalog.=) p.oid AND k.oid OPERATOR(pg_catalog.>=) 16384),
  'config', coalesce(pg_catalog.to_json(p.proconfig), '[]'))::text,
 CASE WHEN n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' THEN '' ELSE p.prosrc END,
 coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), '')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang WHERE NOT n.nspname OPERATOR(pg_catalog.~) '^pg_temp_'`

	operatorsQuery = `SELECT n.nspname, o.oprname, o.oprcode::oid::bigint::text FROM pg_catalog.pg_operator o
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace WHERE o.oid OPERATOR(pg_catalog.>=) 16384`

	// fingerprintQuery changes with every change of a name, a column, a view or a function.
	fingerprintQuery = `SELECT pg_catalog.md5(pg_catalog.concat_ws(',',
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 1))) FROM pg_catalog.pg_class WHERE relkind IN ('r','p','v','m','f','S','i','I') AND oid OPERATOR(pg_catalog.>=) 16384),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(attrelid, attnum, xmin), 2))) FROM pg_catalog.pg_attribute WHERE attnum OPERATOR(pg_catalog.>) 0 AND attrelid OPERATOR(pg_catalog.>=) 16384),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 3))) FROM pg_catalog.pg_proc WHERE oid OPERATOR(pg_catalog.>=) 16384),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 4))) FROM pg_catalog.pg_rewrite WHERE oid OPERATOR(pg_catalog.>=) 16384),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(inhrelid, inhparent, xmin), 5))) FROM pg_catalog.pg_inherits),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 6))) FROM pg_catalog.pg_operator WHERE oid OPERATOR(pg_catalog.>=) 16384),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 7))) FROM pg_catalog.pg_namespace),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 8))) FROM pg_catalog.pg_cast WHERE oid OPERATOR(pg_catalog.>=) 16384)))`
)

// Conditions that tell what came with the database from what was made in it (FirstNormalObjectId
// of access/transam.h).
const (
	systemRelations = " AND c.oid OPERATOR(pg_catalog.<) 16384"
	systemFunctions = " AND p.oid OPERATOR(pg_catalog.<) 16384"
	userRelations   = " AND c.oid OPERATOR(pg_catalog.>=) 16384"
	userFunctions   = " AND p.oid OPERATOR(pg_catalog.>=) 16384"
)

// systemPrintQuery changes with every change of what came with the database.
const systemPrintQuery = `SELECT pg_catalog.concat_ws(',',
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 1))) FROM pg_catalog.pg_class WHERE oid OPERATOR(pg_catalog.<) 16384),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 2))) FROM pg_catalog.pg_proc WHERE oid OPERATOR(pg_catalog.<) 16384),
 (SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(oid, xmin), 3))) FROM pg_catalog.pg_rewrite WHERE oid OPERATOR(pg_catalog.<) 16384))`
