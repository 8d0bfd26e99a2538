package postgres

import (
	"strings"
	"testing"
)

// TestBypassFunctionsInDefinitions names a dangerous function where a definition runs it now or later, on
// behalf of whoever uses what was defined: the function is decided there and then, and the target does not have
// the definition.
func TestBypassFunctionsInDefinitions(t *testing.T) {
	l := attackLab(t)
	const read = "pg_read_file('/etc/hostname')"
	for name, sql := range map[string]string{
		"domain default":         "CREATE DOMAIN evil AS text DEFAULT " + read,
		"domain check":           "CREATE DOMAIN evil AS text CHECK (VALUE <> " + read + ")",
		"domain, altered":        "ALTER DOMAIN hushed SET DEFAULT " + read,
		"domain, check added":    "ALTER DOMAIN hushed ADD CHECK (VALUE <> " + read + ")",
		"table default":          "CREATE TABLE evil (x text DEFAULT " + read + ")",
		"table check":            "CREATE TABLE evil (x text CHECK (x <> " + read + "))",
		"table constraint":       "CREATE TABLE evil (x text, CONSTRAINT c CHECK (x <> " + read + "))",
		"generated":              "CREATE TABLE evil (x text, y text GENERATED ALWAYS AS (x || " + read + ") STORED)",
		"partition key":          "CREATE TABLE evil (x text) PARTITION BY RANGE ((x || " + read + "))",
		"partition bound":        "CREATE TABLE evil PARTITION OF parted FOR VALUES FROM (length(" + read + ")) TO (100000)",
		"exclusion":              "CREATE TABLE evil (x text, EXCLUDE USING btree ((x || " + read + ") WITH =))",
		"column default":         "ALTER TABLE vault ALTER pub SET DEFAULT " + read,
		"column added":           "ALTER TABLE vault ADD evil text DEFAULT " + read,
		"column's type":          "ALTER TABLE vault ALTER pub TYPE text USING " + read,
		"check added":            "ALTER TABLE vault ADD CHECK (pub <> " + read + ")",
		"index":                  "CREATE INDEX evil ON vault ((pub || " + read + "))",
		"index predicate":        "CREATE INDEX evil ON vault (pub) WHERE pub <> " + read,
		"statistics":             "CREATE STATISTICS evil ON (pub || " + read + "), id FROM vault",
		"policy":                 "CREATE POLICY evil ON vault USING (pub <> " + read + ")",
		"policy's check":         "CREATE POLICY evil ON vault FOR INSERT WITH CHECK (pub <> " + read + ")",
		"trigger condition":      "CREATE TRIGGER evil BEFORE INSERT ON vault FOR EACH ROW WHEN (NEW.pub <> " + read + ") EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"rule":                   "CREATE RULE evil AS ON INSERT TO vault DO ALSO SELECT " + read,
		"view":                   "CREATE VIEW evil AS SELECT " + read,
		"materialized view":      "CREATE MATERIALIZED VIEW evil AS SELECT " + read,
		"materialized, no data":  "CREATE MATERIALIZED VIEW evil AS SELECT " + read + " WITH NO DATA",
		"schema element":         "CREATE SCHEMA evil CREATE VIEW v AS SELECT " + read,
		"operator":               "CREATE OPERATOR @@@@ (RIGHTARG = text, FUNCTION = pg_read_file)",
		"operator, old spelling": "CREATE OPERATOR @@@@ (RIGHTARG = text, PROCEDURE = pg_catalog.pg_read_file)",
		"operator's estimator":   "CREATE OPERATOR @@@@ (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq, RESTRICT = pg_read_file)",
		"aggregate":              "CREATE AGGREGATE evil (text) (SFUNC = pg_read_file, STYPE = text)",
		"aggregate's end":        "CREATE AGGREGATE evil (text) (SFUNC = add_word, STYPE = text, FINALFUNC = pg_read_file)",
		"aggregate, old":         "CREATE AGGREGATE evil (BASETYPE = text, SFUNC = add_word, STYPE = text, FINALFUNC = pg_read_file)",
		"cast":                   "CREATE CAST (text AS pair) WITH FUNCTION pg_read_file(text)",
		"conversion":             "CREATE CONVERSION evil FOR 'LATIN1' TO 'UTF8' FROM pg_read_file",
		"type":                   "CREATE TYPE evil (INPUT = pg_read_file, OUTPUT = textout)",
		"range type":             "CREATE TYPE evil AS RANGE (SUBTYPE = int4, SUBTYPE_DIFF = pg_read_file)",
		"operator class":         "CREATE OPERATOR CLASS evil FOR TYPE text USING btree AS FUNCTION 1 pg_read_file(text, text)",
		"operator family":        "ALTER OPERATOR FAMILY text_ops USING btree ADD FUNCTION 1 (text, text) pg_read_file(text, text)",
		"transform":              "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION pg_read_file(internal))",
		"SQL function":           "CREATE FUNCTION evil() RETURNS text LANGUAGE sql AS $$ SELECT " + read + " $$; SELECT evil()",
		"SQL function, atomic":   "CREATE FUNCTION evil() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT " + read + "; END",
		"argument default":       "CREATE FUNCTION evil(x text DEFAULT " + read + ") RETURNS text LANGUAGE sql AS 'SELECT $1'",
		"internal function":      "CREATE FUNCTION evil(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'",
		"C function":             "CREATE FUNCTION evil(text) RETURNS text LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system'",
		"event trigger":          "CREATE EVENT TRIGGER evil ON ddl_command_start EXECUTE FUNCTION pg_read_file()",
		"language":               "CREATE LANGUAGE evil HANDLER pg_read_file",
		"text search template":   "CREATE TEXT SEARCH TEMPLATE evil (LEXIZE = pg_read_file)",
		"access method":          "CREATE ACCESS METHOD evil TYPE INDEX HANDLER pg_read_file",
		"prepared":               "PREPARE evil AS SELECT " + read,
		"cursor":                 "DECLARE evil CURSOR WITH HOLD FOR SELECT " + read,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(l)
			w.t = t
			defer w.conn.Close()
			mark := "/* defines " + name + " */"
			got := w.simple(sql + mark)
			if !strings.HasPrefix(got[len(got)-2], "error") || l.heard(mark) {
				t.Errorf("%s: reached the target: %q", sql, got)
				l.reset(t)
			}
		})
	}
}

// TestBypassFunctionsBehindDefinitions reads a masked column in a function that another object calls: what
// the object is used in does not tell of it.
func TestBypassFunctionsBehindDefinitions(t *testing.T) {
	l := attackLab(t)
	for name, script := range map[string][]string{
		"cast":                        {"CREATE FUNCTION f(text) RETURNS pair LANGUAGE sql AS 'SELECT ROW(word, 1)::pair FROM vault LIMIT 1'", "CREATE CAST (text AS pair) WITH FUNCTION f(text)", "SELECT 'x'::text::pair", "SELECT ('x'::text::pair).a"},
		"assigned":                    {"CREATE FUNCTION f(text) RETURNS pair LANGUAGE sql AS 'SELECT ROW(word, 1)::pair FROM vault LIMIT 1'", "CREATE CAST (text AS pair) WITH FUNCTION f(text) AS ASSIGNMENT", "CREATE TABLE kept (p pair)", "INSERT INTO kept VALUES ('x'::text)", "SELECT p FROM kept"},
		"operator":                    {"CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'SELECT word FROM vault LIMIT 1'", "CREATE OPERATOR @@@@ (RIGHTARG = text, FUNCTION = f)", "SELECT @@@@ 'x'::text"},
		"operator among the system's": {"CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'SELECT word FROM vault LIMIT 1'", "CREATE OPERATOR pg_catalog.@@@@ (RIGHTARG = text, FUNCTION = f)", "SELECT @@@@ 'x'::text"},
		"aggregate":                   {"CREATE FUNCTION f(text) RETURNS text LANGUAGE sql AS 'SELECT word FROM vault LIMIT 1'", "CREATE AGGREGATE g (text) (SFUNC = add_word, STYPE = text, FINALFUNC = f)", "SELECT g(pub) FROM vault"},
		"dynamic":                     {"CREATE FUNCTION f(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN hidden('SELECT word FROM vault LIMIT 1'); END $$", "CREATE CAST (text AS bytea) WITH FUNCTION f(text)", "CREATE AGGREGATE g (text) (SFUNC = add_word, STYPE = text, FINALFUNC = f)", "SELECT g(pub) FROM vault"},
	} {
		t.Run(name, func(t *testing.T) {
			l.reset(t)
			l.pg.Exec(t, "shop", "DROP OPERATOR IF EXISTS pg_catalog.@@@@ (NONE, text)")
			w := newWire(l)
			w.t = t
			defer w.conn.Close()
			for _, sql := range script {
				if sql, direct := strings.CutPrefix(sql, "direct: "); direct {
					l.pg.Exec(t, "shop", sql)
					continue
				}
				w.simple(sql)
			}
			w.check()
		})
	}
}
