package postgres

import (
	"errors"
	"strings"

	"github.com/writhq/writ/pkg/sqlclass"
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
