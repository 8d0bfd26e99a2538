package sqlclass

import (
	"sort"
	"strings"
	"testing"
)

// shop is the catalog that the table tests use.
func shop(t testing.TB) *Catalog {
	t.Helper()
	c, err := NewCatalog(shopSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	oidCustomers = 20001 + iota
	oidOrders
	oidNotes
	oidAudit
	oidEvents
	oidEvents2024
	oidView
	oidView2
	oidMat
	oidAddress
	oidGen
	oidSettings
	oidRuled
	oidStats
	oidActivity
)

func shopSnapshot() Snapshot {
	return Snapshot{
		Version: 1, Database: "shop",
		Relations: []Relation{
			table(oidCustomers, "public", "customers", "id!", "name", "ssn", "email", "address:30000"),
			table(oidOrders, "public", "orders", "id!", "customer_id", "total", "note"),
			table(oidNotes, "public", "notes", "id", "note"),
			table(oidAudit, "private", "audit", "id", "what"),
			table(oidEvents, "public", "events", "id", "ssn", "at"),
			child(table(oidEvents2024, "public", "events_2024", "at", "id", "ssn"), oidEvents),
			view(oidView, "public", "customer_names", "SELECT c.id, c.name AS who, upper(c.ssn) AS up FROM public.customers c WHERE (c.email IS NOT NULL)", "id", "who", "up"),
			view(oidView2, "public", "names2", "SELECT v.who, v.up FROM public.customer_names v", "who", "up"),
			matview(oidMat, "public", "totals", "SELECT c.ssn, sum(o.total) AS total FROM (public.customers c JOIN public.orders o ON ((o.customer_id = c.id))) GROUP BY c.ssn", "ssn", "total"),
			{OID: oidAddress, Schema: "public", Name: "address", Kind: 'c', RowType: 30000, Columns: columnsOf("street", "city")},
			generatedTable(),
			table(oidSettings, "pg_catalog", "pg_settings", "name", "setting"),
			ruledTable(),
			table(oidStats, "pg_catalog", "pg_stats", "tablename", "most_common_vals"),
			table(oidActivity, "pg_catalog", "pg_stat_activity", "pid", "query"),
		},
		Functions: shopFunctions(),
		Operators: []Operator{{Schema: "public", Name: "<->>", Function: 50}},
	}
}

func columnsOf(names ...string) []Column {
	cols := make([]Column, len(names))
	for i, n := range names {
		c := Column{Num: int16(i + 1), TypeOID: 25}
		if name, typ, ok := strings.Cut(n, ":"); ok {
			n = name
			if typ == "30000" {
				c.TypeOID = 30000
			}
		}
		c.NotNull = strings.HasSuffix(n, "!")
		c.Name = strings.TrimSuffix(n, "!")
		cols[i] = c
	}
	return cols
}

func table(oid uint32, schema, name string, cols ...string) Relation {
	return Relation{OID: oid, Schema: schema, Name: name, Kind: 'r', RowType: oid + 20000, Columns: columnsOf(cols...)}
}

func child(r Relation, parent uint32) Relation {
	r.InheritsFrom = []uint32{parent}
	return r
}

func view(oid uint32, schema, name, def string, cols ...string) Relation {
	r := table(oid, schema, name, cols...)
	r.Kind, r.ViewDef = 'v', def
	return r
}

func matview(oid uint32, schema, name, def string, cols ...string) Relation {
	r := view(oid, schema, name, def, cols...)
	r.Kind = 'm'
	return r
}

func generatedTable() Relation {
	r := table(oidGen, "public", "people", "id", "ssn", "tail")
	r.Columns[2].Generated = `"right"(ssn, 4)`
	r.Columns = append(r.Columns, Column{Num: 4, Name: "gone", Dropped: true}, Column{Num: 5, Name: "last", TypeOID: 25})
	return r
}

func ruledTable() Relation {
	r := table(oidRuled, "public", "ruled", "id")
	r.Rules = []string{"CREATE RULE r AS ON INSERT TO public.ruled DO ALSO INSERT INTO private.audit (id) VALUES (new.id)"}
	return r
}

func shopFunctions() []Function {
	var fns []Function
	for i, f := range []string{
		"upper(1)", "lower(1)", "substring(3)", "concat(v)", "row_to_json(1)", "count(1)", "count(0)", "sum(1)", "max(1)", "md5(1)",
		"string_agg(2)", "now(0)", "length(1)", "right(2)", "pg_read_file(1)", "set_config(3)", "pg_notify(2)", "nextval(1)", "random(0)",
		"lo_export(2)", "pg_sleep(1)", "query_to_xml(4)", "row_number(0)", "rank(0)", "to_json(1)", "jsonb_agg(1)", "json_build_object(v)",
		"pg_terminate_backend(1)", "array_agg(1)", "current_setting(1)", "percentile_cont(2)", "version(0)", "crypt(2)", "coalesce(2)",
		"generate_series(2)s", "unnest(1)s", "json_each(1)s", "extract(2)", "position(2)",
	} {
		name, rest, _ := strings.Cut(f, "(")
		fn := Function{OID: uint32(1000 + i), Schema: "pg_catalog", Name: name, Kind: 'f', Language: "internal", Source: name,
			Volatility: 'i', ReturnType: 25, ReturnsSet: strings.HasSuffix(rest, "s")}
		switch n := rest[0]; {
		case n == 'v':
			fn.Args = []Arg{{Mode: ModeVariadic}}
		default:
			for range int(n - '0') {
				fn.Args = append(fn.Args, Arg{Mode: ModeIn})
			}
		}
		if name == "json_each" {
			fn.Args = append(fn.Args, Arg{Name: "key", Mode: ModeOut}, Arg{Name: "value", Mode: ModeOut})
			fn.ReturnType = recordOID
		}
		fns = append(fns, fn)
	}
	text := []Arg{{Name: "x", TypeOID: 25}}
	return append(fns,
		Function{OID: 50, Schema: "public", Name: "distance", Kind: 'f', Language: "plpython3u", Args: append(text, text...), ReturnType: 25},
		Function{OID: 51, Schema: "public", Name: "find_ssn", Kind: 'f', Language: "sql", Args: text, ReturnType: 25,
			Source: "SELECT ssn FROM customers WHERE name = x"},
		Function{OID: 52, Schema: "public", Name: "purge", Kind: 'f', Language: "plpgsql", Args: text, ReturnType: voidOID,
			Source: "BEGIN DELETE FROM orders; PERFORM find_ssn(x); END"},
		Function{OID: 53, Schema: "public", Name: "dynamic", Kind: 'f', Language: "plpgsql", Args: text, ReturnType: 25,
			Source: "BEGIN EXECUTE 'select ' || x; RETURN 1; END"},
		Function{OID: 54, Schema: "public", Name: "py", Kind: 'f', Language: "plpython3u", Args: text, ReturnType: 25},
		Function{OID: 55, Schema: "public", Name: "double", Kind: 'f', Language: "plpgsql", Args: text, ReturnType: 25,
			Source: "BEGIN RETURN x || x; END"},
		Function{OID: 56, Schema: "public", Name: "clean", Kind: 'p', Language: "plpgsql", Args: text, ReturnType: voidOID,
			Source: "BEGIN UPDATE orders SET total = 0 WHERE id = 1; END"},
		Function{OID: 57, Schema: "public", Name: "loop", Kind: 'f', Language: "sql", Args: text, ReturnType: 25, Source: "SELECT loop(x)"},
		Function{OID: 58, Schema: "public", Name: "rows", Kind: 'f', Language: "sql", ReturnType: oidCustomers + 20000, ReturnsSet: true,
			Source: "SELECT * FROM customers"},
		Function{OID: 59, Schema: "public", Name: "atomic", Kind: 'f', Language: "sql", ReturnType: 25,
			SQLBody: "RETURN (SELECT c.ssn FROM public.customers c LIMIT 1)"},
		Function{OID: 60, Schema: "public", Name: "sneaky", Kind: 'f', Language: "internal", Args: text, ReturnType: 25, Source: "pg_read_file"},
		Function{OID: 61, Schema: "private", Name: "upper", Kind: 'f', Language: "plpython3u", Args: text, ReturnType: 25},
	)
}

func classifier(t testing.TB) *Classifier {
	t.Helper()
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func publicSession() *Session { return &Session{Path: NewPath("public")} }

// facts classifies one statement against the shop.
func facts(t testing.TB, text string) *Facts {
	t.Helper()
	return factsIn(t, text, publicSession())
}

func factsIn(t testing.TB, text string, s *Session) *Facts {
	t.Helper()
	b, err := classifier(t).Classify(text, shop(t), s)
	if err != nil {
		t.Fatalf("classify %q: %v", text, err)
	}
	if len(b.Statements) != 1 {
		t.Fatalf("classify %q: %d statements", text, len(b.Statements))
	}
	return b.Statements[0]
}

// accessWords renders accesses as "action name" in sorted order.
func accessWords(f *Facts) string {
	var out []string
	for _, a := range f.Accesses {
		name := qualified(a.Schema, a.Name)
		if a.OID == 0 && a.Object != "relation" {
			name = strings.TrimSpace(a.Object + " " + name)
		}
		out = append(out, string(a.Action)+" "+strings.TrimPrefix(name, "public."))
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

// sources renders one column's sources as "table.column" in sorted order, with ? for opaque.
func sources(o OutputColumn) string {
	out := make([]string, 0, len(o.Sources))
	for _, r := range o.Sources {
		out = append(out, r.Table+"."+r.Column)
	}
	sort.Strings(out)
	s := strings.Join(out, ",")
	if o.Opaque {
		s += "?"
	}
	return s
}

// outputWords renders the output as "name=sources" with * behind direct columns.
func outputWords(f *Facts) string {
	if !f.OutputKnown {
		return "unknown"
	}
	out := make([]string, len(f.Output))
	for i, o := range f.Output {
		out[i] = o.Name + "=" + sources(o)
		if o.Direct {
			out[i] += "*"
		}
	}
	return strings.Join(out, " ")
}
