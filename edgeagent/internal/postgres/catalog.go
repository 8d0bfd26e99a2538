package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/pkg/sqlclass"
)

// asker runs one query and hands out its rows as text.
type asker func(sql string, row func(cols []string)) error

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

// ownSettings are those under which the catalog is read on a client's connection: with the client's own
// it could take for ever, or be made to.
var ownSettings = [...][2]string{
	{"search_path", ""}, {"statement_timeout", "30s"}, {"work_mem", "4MB"}, {"max_parallel_workers_per_gather", "0"}, {"jit", "off"},
	{"enable_seqscan", "on"}, {"enable_indexscan", "on"}, {"enable_indexonlyscan", "on"}, {"enable_bitmapscan", "on"}, {"enable_tidscan", "on"},
	{"enable_hashjoin", "on"}, {"enable_mergejoin", "on"}, {"enable_nestloop", "on"}, {"enable_hashagg", "on"}, {"enable_sort", "on"}, {"enable_material", "on"},
}

// setting returns a query that calls fn for each of ownSettings.
func setting(fn func(name, value string) string) string {
	calls := make([]string, len(ownSettings))
	for i, s := range ownSettings {
		calls[i] = fn(literal(s[0]), literal(s[1]))
	}
	return "SELECT " + strings.Join(calls, ", ")
}

func setLocal(name, value string) string {
	return "pg_catalog.set_config(" + name + ", " + value + ", true)"
}

// within reads the catalog as a client's transaction sees it, under settings that are given back. In a
// transaction block that happens behind a savepoint, so that the locks of rendering view
// definitions end at once; elsewhere no savepoint is possible.
func (c *catalog) within(ask asker, block bool) (*sqlclass.Catalog, error) {
	ignore := func([]string) {}
	open, restore := []string{`SAVEPOINT "writ look"`}, []string{`ROLLBACK TO SAVEPOINT "writ look"`, `RELEASE SAVEPOINT "writ look"`}
	if !block {
		var old []string
		if err := ask(setting(func(name, _ string) string { return "pg_catalog.current_setting(" + name + ")" }), func(c []string) { old = c }); err != nil {
			return nil, err
		}
		if len(old) != len(ownSettings) {
			return nil, errors.New("bad settings row")
		}
		next := 0
		open, restore = nil, []string{setting(func(name, _ string) string { next++; return setLocal(name, literal(old[next-1])) })}
	}
	var s sqlclass.Snapshot
	var err error
	for _, sql := range append(open, setting(setLocal)) {
		err = errors.Join(err, ask(sql, ignore))
	}
	if err == nil {
		s, err = c.system.read(ask)
	}
	for _, sql := range restore {
		err = errors.Join(err, ask(sql, ignore))
	}
	if err != nil {
		return nil, err
	}
	return c.build(s)
}

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

// system keeps what came with the database: it is much, and hardly ever changes.
type system struct{ latest atomic.Pointer[systemHalf] }

type systemHalf struct {
	print    string
	snapshot sqlclass.Snapshot
}

// read reads everything a snapshot needs. The search path has to be empty, so that definitions
// come with every name qualified.
func (y *system) read(ask asker) (sqlclass.Snapshot, error) {
	base, err := y.current(ask)
	if err != nil {
		return sqlclass.Snapshot{}, err
	}
	s, err := readHalf(ask, userRelations, userFunctions)
	if err != nil {
		return sqlclass.Snapshot{}, err
	}
	err = collect(ask, operatorsQuery, &s, addOperator)
	s.Relations, s.Functions = slices.Concat(base.Relations, s.Relations), slices.Concat(base.Functions, s.Functions)
	return s, err
}

// current returns the system's half, which it reads where it has changed. Nothing is locked
// meanwhile: ask may be a client's own connection and take its time.
func (y *system) current(ask asker) (sqlclass.Snapshot, error) {
	print := ""
	if err := ask(systemPrintQuery, func(c []string) { print = c[0] }); err != nil {
		return sqlclass.Snapshot{}, err
	}
	if half := y.latest.Load(); half != nil && half.print == print {
		return half.snapshot, nil
	}
	s, err := readHalf(ask, systemRelations, systemFunctions)
	if err != nil {
		return sqlclass.Snapshot{}, err
	}
	y.latest.Store(&systemHalf{print: print, snapshot: s})
	return s, nil
}

func readHalf(ask asker, relations, functions string) (s sqlclass.Snapshot, err error) {
	if err = collect(ask, relationsQuery+relations, &s, addRelation); err == nil {
		err = collect(ask, functionsQuery+functions, &s, addFunction)
	}
	return s, err
}

// collect adds every row of a query to a snapshot.
func collect(ask asker, sql string, s *sqlclass.Snapshot, add func(*sqlclass.Snapshot, []string) error) error {
	var bad error
	err := ask(sql, func(c []string) {
		if bad == nil {
			bad = add(s, c)
		}
	})
	return errors.Join(err, bad)
}

func addRelation(s *sqlclass.Snapshot, c []string) error {
	if len(c) != 9 || len(c[3]) != 1 {
		return errors.New("bad relation row")
	}
	r := sqlclass.Relation{OID: parseOID(c[0]), Schema: c[1], Name: c[2], Kind: c[3][0], RowType: parseOID(c[4]), ViewDef: c[5]}
	var cols []struct {
		Num       int16  `json:"num"`
		Name      string `json:"name"`
		Type      uint32 `json:"type"`
		NotNull   bool   `json:"notnull"`
		Dropped   bool   `json:"dropped"`
		Generated string `json:"generated"`
	}
	err := errors.Join(json.Unmarshal([]byte(c[6]), &cols), json.Unmarshal([]byte(c[7]), &r.InheritsFrom), json.Unmarshal([]byte(c[8]), &r.Rules))
	if err != nil {
		return fmt.Errorf("relation %s.%s: %w", c[1], c[2], err)
	}
	for _, a := range cols {
		r.Columns = append(r.Columns, sqlclass.Column{Num: a.Num, Name: a.Name, TypeOID: a.Type, NotNull: a.NotNull, Dropped: a.Dropped, Generated: a.Generated})
	}
	s.Relations = append(s.Relations, r)
	return nil
}

func addFunction(s *sqlclass.Snapshot, c []string) error {
	if len(c) != 8 || len(c[3]) != 1 {
		return errors.New("bad function row")
	}
	var more struct {
		Types      []uint32 `json:"types"`
		Modes      []string `json:"modes"`
		Names      []string `json:"names"`
		Defaults   int      `json:"defaults"`
		Returns    uint32   `json:"returns"`
		Set        bool     `json:"set"`
		Volatility string   `json:"volatility"`
		Definer    bool     `json:"definer"`
		Casts      bool     `json:"casts"`
		Config     []string `json:"config"`
	}
	if err := json.Unmarshal([]byte(c[5]), &more); err != nil {
		return fmt.Errorf("function %s.%s: %w", c[1], c[2], err)
	}
	f := sqlclass.Function{
		OID: parseOID(c[0]), Schema: c[1], Name: c[2], Kind: c[3][0], Language: c[4], Defaults: more.Defaults, ReturnType: more.Returns,
		ReturnsSet: more.Set, SecurityDef: more.Definer, Casts: more.Casts, Source: c[6], SQLBody: c[7], SearchPath: pathOf(more.Config),
	}
	if len(more.Volatility) == 1 {
		f.Volatility = more.Volatility[0]
	}
	for i, t := range more.Types {
		arg := sqlclass.Arg{TypeOID: t}
		if i < len(more.Names) {
			arg.Name = more.Names[i]
		}
		if i < len(more.Modes) && len(more.Modes[i]) == 1 {
			arg.Mode = more.Modes[i][0]
		}
		f.Args = append(f.Args, arg)
	}
	s.Functions = append(s.Functions, f)
	return nil
}

func addOperator(s *sqlclass.Snapshot, c []string) error {
	if len(c) != 3 {
		return errors.New("bad operator row")
	}
	s.Operators = append(s.Operators, sqlclass.Operator{Schema: c[0], Name: c[1], Function: parseOID(c[2])})
	return nil
}

// catalog keeps a target's names up to date. It is safe for concurrent use.
type catalog struct {
	open    func(ctx context.Context) (ask asker, hangUp func(), err error)
	trusted []string                // functions, "schema.name", that an operator vouches for
	learn   func(*sqlclass.Catalog) // is told of every catalog that the edge itself read
	log     hclog.Logger

	system   system
	now      atomic.Pointer[sqlclass.Catalog]
	versions atomic.Uint64
	dirty    atomic.Bool

	mu          sync.Mutex // one reader at a time; guards what follows
	line        line
	stopped     bool // poll has ended: the line is not kept
	readAt      time.Time
	fingerprint string
	failed      error
	failedAt    time.Time
}

// Times of a catalog.
const (
	catalogPoll    = 2 * time.Second  // between looks at the fingerprint
	catalogTimeout = 30 * time.Second // of one reading
	catalogRetry   = time.Second      // after a reading that failed
)

// current returns the catalog, and reads it first when it is known to be out of date.
func (c *catalog) current(<-chan struct{}) (*sqlclass.Catalog, error) {
	if cat := c.now.Load(); cat != nil && !c.dirty.Load() {
		return cat, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cat := c.now.Load(); cat != nil && !c.dirty.Load() {
		return cat, nil
	}
	return c.read()
}

// stale makes the next user read the catalog again.
func (c *catalog) stale() { c.dirty.Store(true) }

// refreshOlder reads the catalog again unless that was done after t.
func (c *catalog) refreshOlder(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readAt.Before(t) {
		c.read()
	}
}

// read reads the catalog; c.mu is held.
func (c *catalog) read() (*sqlclass.Catalog, error) {
	if c.failed != nil && time.Since(c.failedAt) < catalogRetry {
		return nil, c.failed
	}
	began := time.Now()
	c.dirty.Store(false)
	cat, print, err := c.load()
	if err != nil {
		c.dirty.Store(true)
		c.failed, c.failedAt = err, time.Now()
		c.log.Error("read target catalog", "error", err)
		return nil, err
	}
	c.failed = nil
	c.readAt, c.fingerprint = began, print
	c.now.Store(cat)
	return cat, nil
}

// load reads the catalog over the line kept open, or over a new one where that has broken.
func (c *catalog) load() (*sqlclass.Catalog, string, error) {
	kept := c.line.ask != nil
	cat, print, err := c.loadOnce()
	if err != nil && kept {
		cat, print, err = c.loadOnce()
	}
	return cat, print, err
}

func (c *catalog) loadOnce() (cat *sqlclass.Catalog, print string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), catalogTimeout)
	defer cancel()
	if err := c.call(ctx); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil || c.stopped {
			c.drop()
		}
	}()
	if err := c.line.ask(fingerprintQuery, func(cols []string) { print = cols[0] }); err != nil {
		return nil, "", err
	}
	snapshot, err := c.system.read(c.line.ask)
	if err != nil {
		return nil, "", err
	}
	if cat, err = c.build(snapshot); err == nil {
		c.learn(cat)
	}
	if leavesOut(snapshot) {
		print = "" // look again soon
	}
	return cat, print, err
}

// leavesOut tells whether definitions are missing because somebody is changing what they read.
func leavesOut(s sqlclass.Snapshot) bool {
	return slices.ContainsFunc(s.Relations, func(r sqlclass.Relation) bool {
		return (r.Kind == 'v' || r.Kind == 'm') && r.ViewDef == "" || slices.Contains(r.Rules, leftOut)
	})
}

// line is a connection of the edge's own.
type line struct {
	ask    asker
	hangUp func()
}

// call opens the line unless it is open; c.mu is held.
func (c *catalog) call(ctx context.Context) (err error) {
	if c.line.ask == nil {
		c.line.ask, c.line.hangUp, err = c.open(ctx)
	}
	if err != nil {
		c.line = line{}
	}
	return err
}

// drop closes the line; c.mu is held.
func (c *catalog) drop() {
	if c.line.hangUp != nil {
		c.line.hangUp()
	}
	c.line = line{}
}

// build indexes a snapshot under a version of its own.
func (c *catalog) build(s sqlclass.Snapshot) (*sqlclass.Catalog, error) {
	s.Version = c.versions.Add(1)
	s.Functions = slices.Clone(s.Functions)
	for i := range s.Functions {
		f := &s.Functions[i]
		f.Trusted = slices.Contains(c.trusted, f.Schema+"."+f.Name)
	}
	return sqlclass.NewCatalog(s)
}

// poll looks for changes made by others until ctx ends.
func (c *catalog) poll(ctx context.Context) {
	tick := time.NewTicker(catalogPoll)
	defer tick.Stop()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stopped = true
		c.drop()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look(ctx)
		}
	}
}

// look compares the fingerprint. What cannot be looked at may have changed.
func (c *catalog) look(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	print := ""
	err := c.call(ctx)
	if err == nil {
		err = c.line.ask(fingerprintQuery, func(cols []string) { print = cols[0] })
	}
	if err != nil {
		c.drop()
	}
	if err != nil || print != c.fingerprint {
		c.stale()
	}
}

// parseOID reads an OID; what is none becomes 0, which NewCatalog refuses.
func parseOID(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// pathOf returns the search_path that a function runs under, nil for the caller's.
func pathOf(config []string) []string {
	for _, c := range config {
		value, ok := strings.CutPrefix(c, "search_path=")
		if !ok {
			continue
		}
		path := []string{}
		for _, s := range strings.Split(value, ",") {
			if s = strings.Trim(strings.TrimSpace(s), `"`); s != "" {
				path = append(path, s)
			}
		}
		return path
	}
	return nil
}
