package postgres

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/conformance"
)

type frontend = pgproto3.FrontendMessage

var (
	syncNow  = &pgproto3.Sync{}
	flushNow = &pgproto3.Flush{}
	selectID = &pgproto3.Parse{Query: "SELECT id, name FROM customers ORDER BY id"}
)

func many(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16) }

// exchanges are orders of messages that drivers send, or could. want counts the ReadyForQuery.
var exchanges = []struct {
	name string
	want int
	send []frontend
}{
	{"error in the middle of a pipeline", 2, []frontend{
		&pgproto3.Parse{Query: "INSERT INTO orders (total) VALUES (1) RETURNING total"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{},
		&pgproto3.Parse{Query: "SELECT 1 / $1::int"}, &pgproto3.Bind{Parameters: [][]byte{[]byte("0")}}, &pgproto3.Execute{},
		&pgproto3.Parse{Name: "never", Query: "SELECT 1"}, &pgproto3.Bind{PreparedStatement: "never"}, &pgproto3.Execute{}, syncNow,
		&pgproto3.Bind{PreparedStatement: "never"}, &pgproto3.Execute{}, syncNow}},
	{"a portal in pieces", 1, []frontend{
		selectID, &pgproto3.Bind{DestinationPortal: "p"}, &pgproto3.Describe{ObjectType: 'P', Name: "p"}, &pgproto3.Execute{Portal: "p", MaxRows: 1},
		&pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Execute{Portal: "p"}, &pgproto3.Execute{Portal: "p"}, &pgproto3.Close{ObjectType: 'P', Name: "p"}, syncNow}},
	{"a portal over two batches of a transaction", 4, []frontend{
		&pgproto3.Query{String: "BEGIN"}, selectID, &pgproto3.Bind{DestinationPortal: "p"}, &pgproto3.Execute{Portal: "p", MaxRows: 2}, syncNow,
		&pgproto3.Execute{Portal: "p", MaxRows: 2}, syncNow, &pgproto3.Query{String: "COMMIT"}}},
	{"a portal does not outlive its transaction", 2, []frontend{
		selectID, &pgproto3.Bind{DestinationPortal: "p"}, syncNow, &pgproto3.Execute{Portal: "p"}, syncNow}},
	{"descriptions in every order", 1, []frontend{
		&pgproto3.Parse{Name: "s", Query: "SELECT id, email FROM customers WHERE id = $1"}, &pgproto3.Describe{ObjectType: 'S', Name: "s"},
		&pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("1")}, ResultFormatCodes: []int16{1, 0}}, &pgproto3.Execute{}, &pgproto3.Describe{ObjectType: 'P'},
		&pgproto3.Describe{ObjectType: 'S', Name: "s"}, &pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{[]byte("2")}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{},
		&pgproto3.Close{ObjectType: 'S', Name: "s"}, syncNow}},
	{"the unnamed statement again and again", 3, []frontend{
		selectID, &pgproto3.Bind{}, &pgproto3.Execute{}, syncNow, &pgproto3.Bind{}, &pgproto3.Execute{}, syncNow,
		&pgproto3.Parse{Query: "SELECT 2"}, &pgproto3.Bind{}, &pgproto3.Execute{}, syncNow}},
	{"the unnamed statement ends with a query", 2, []frontend{
		selectID, &pgproto3.Query{String: "SELECT 1"}, &pgproto3.Bind{}, &pgproto3.Execute{}, syncNow}},
	{"flushes", 1, []frontend{selectID, flushNow, &pgproto3.Bind{}, flushNow, &pgproto3.Describe{ObjectType: 'P'}, flushNow, flushNow, &pgproto3.Execute{}, flushNow, syncNow}},
	{"several syncs", 4, []frontend{syncNow, syncNow, selectID, syncNow, syncNow}},
	{"nothing to close, nothing to run", 3, []frontend{
		&pgproto3.Close{ObjectType: 'S', Name: "none"}, &pgproto3.Close{ObjectType: 'P', Name: "none"}, syncNow, &pgproto3.Query{String: ""},
		&pgproto3.Parse{Query: ""}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, syncNow}},
	{"names that are not there", 4, []frontend{
		&pgproto3.Bind{PreparedStatement: "none"}, syncNow, &pgproto3.Execute{Portal: "none"}, syncNow, &pgproto3.Describe{ObjectType: 'S', Name: "none"}, syncNow,
		&pgproto3.Describe{ObjectType: 'P', Name: "none"}, syncNow}},
	{"a name twice", 2, []frontend{&pgproto3.Parse{Name: "t", Query: "SELECT 1"}, syncNow, &pgproto3.Parse{Name: "t", Query: "SELECT 2"}, syncNow}},
	{"a large parameter and a large row", 1, []frontend{
		&pgproto3.Parse{Query: "SELECT $1::text, length($1::text)"}, &pgproto3.Bind{Parameters: [][]byte{many(16 << 20)}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, syncNow}},
	{"copy in, extended", 2, []frontend{
		&pgproto3.Parse{Query: "COPY orders (total) FROM STDIN"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.CopyData{Data: []byte("7\n8")},
		&pgproto3.CopyData{Data: []byte("9\n")}, &pgproto3.CopyDone{}, syncNow, &pgproto3.Query{String: "SELECT count(*), sum(total) FROM orders"}}},
	{"copy in, given up", 2, []frontend{
		&pgproto3.Query{String: "COPY orders (total) FROM STDIN"}, &pgproto3.CopyData{Data: []byte("7\n")}, &pgproto3.CopyFail{Message: "no"}, &pgproto3.Query{String: "SELECT 1"}}},
	{"copy in, with an error and data that comes late", 2, []frontend{
		&pgproto3.Query{String: "COPY orders (total) FROM STDIN"}, &pgproto3.CopyData{Data: []byte("x\n")}, &pgproto3.CopyData{Data: []byte("1\n")}, &pgproto3.CopyDone{},
		&pgproto3.Query{String: "SELECT 1"}}},
	{"copy out, extended", 1, []frontend{
		&pgproto3.Parse{Query: "COPY customers TO STDOUT (FORMAT binary)"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, syncNow}},
	{"copy in a string of several", 1, []frontend{
		&pgproto3.Query{String: "SELECT 1; COPY orders (total) FROM STDIN; SELECT count(*) FROM orders"}, &pgproto3.CopyData{Data: []byte("7\n")}, &pgproto3.CopyDone{}}},
	{"several commands in one Parse", 1, []frontend{&pgproto3.Parse{Query: "SELECT 1; SELECT 2"}, &pgproto3.Bind{}, &pgproto3.Execute{}, syncNow}},
	{"wrong number of parameters", 2, []frontend{
		&pgproto3.Parse{Name: "n", Query: "SELECT $1::int"}, &pgproto3.Bind{PreparedStatement: "n"}, &pgproto3.Execute{}, syncNow,
		&pgproto3.Bind{PreparedStatement: "n", Parameters: [][]byte{[]byte("x")}}, &pgproto3.Execute{}, syncNow}},
	{"transaction control in a pipeline", 3, []frontend{
		&pgproto3.Parse{Query: "BEGIN"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Parse{Query: "INSERT INTO orders (total) VALUES (5)"}, &pgproto3.Bind{}, &pgproto3.Execute{},
		syncNow, &pgproto3.Parse{Query: "ROLLBACK"}, &pgproto3.Bind{}, &pgproto3.Execute{}, syncNow, &pgproto3.Query{String: "SELECT count(*) FROM orders WHERE total = 5"}}},
	{"DDL and its use in one pipeline", 1, []frontend{
		&pgproto3.Parse{Query: "CREATE TABLE fresh (a int)"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Parse{Query: "INSERT INTO fresh VALUES (1) RETURNING a"}, &pgproto3.Bind{},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Parse{Query: "DROP TABLE fresh"}, &pgproto3.Bind{}, &pgproto3.Execute{}, syncNow}},
}

// TestExchanges sends each order of messages at once, through the gateway and to the twin, and
// compares all answers.
func TestExchanges(t *testing.T) {
	l := sideBySide(t)
	twin := strings.Replace(directDSN(l.pg), "dbname=regression", "dbname=twin", 1)
	for _, x := range exchanges {
		t.Run(x.name, func(t *testing.T) {
			want, got := converse(t, twin, x.send, x.want), converse(t, l.dsn(""), x.send, x.want)
			if d := conformance.Difference(own(got), own(want)); d != "" {
				t.Errorf("through the gateway, against directly: %s", d)
			}
		})
	}
}

// own leaves of errors what both sides word alike: names that the gateway knows not to exist are
// refused in its own words, with the target's code.
func own(ms []conformance.Message) []conformance.Message {
	out := make([]conformance.Message, len(ms))
	for i, m := range ms {
		var e pgproto3.ErrorResponse
		if m.Type == 'E' && e.Decode(m.Body) == nil {
			m.Body = []byte("C" + e.Code + "\x00M" + e.Message + "\x00")
		}
		out[i] = m
	}
	return out
}

// converse sends messages and reads until the server was ready n times.
func converse(t *testing.T, dsn string, send []frontend, n int) (got []conformance.Message) {
	t.Helper()
	link, err := conformance.Dial(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	sent := make(chan error, 1)
	go func() { sent <- link.Send(send...) }()
	for n > 0 {
		m, err := link.Receive()
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		got = append(got, m)
		if m.Type == 'Z' {
			n--
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	return got
}

// raw opens a connection on which nothing was said yet.
func (l *lab) raw(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(conformance.Timeout))
	return conn
}

// greeting is a startup message.
func greeting(version uint32, pairs ...string) []byte {
	body := binary.BigEndian.AppendUint32(nil, version)
	for _, s := range pairs {
		body = append(append(body, s...), 0)
	}
	body = append(body, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

// TestWaysToStart encrypts a connection in each way that clients know, with each protocol version,
// and runs a query.
func TestWaysToStart(t *testing.T) {
	l := openLab(t, "shop")
	request := func(code uint32) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), code)
	}
	ask := func(t *testing.T, conn net.Conn, code uint32, want byte) {
		t.Helper()
		var answer [1]byte
		conn.Write(request(code))
		if _, err := io.ReadFull(conn, answer[:]); err != nil || answer[0] != want {
			t.Fatalf("answer %q: %v", answer[0], err)
		}
	}
	const sslRequest, gssRequest = 80877103, 80877104
	upgrade := func(t *testing.T, conn net.Conn) net.Conn {
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"postgresql"}})
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		return secure
	}
	ways := map[string]func(t *testing.T) net.Conn{
		"SSLRequest": func(t *testing.T) net.Conn {
			conn := l.raw(t)
			ask(t, conn, sslRequest, 'S')
			return upgrade(t, conn)
		},
		"GSSENCRequest, then SSLRequest": func(t *testing.T) net.Conn {
			conn := l.raw(t)
			ask(t, conn, gssRequest, 'N')
			ask(t, conn, sslRequest, 'S')
			return upgrade(t, conn)
		},
		"TLS at once": func(t *testing.T) net.Conn { return upgrade(t, l.raw(t)) },
	}
	for name, way := range ways {
		for version, negotiated := range map[uint32]bool{3 << 16: false, 3<<16 | 2: false, 3<<16 | 9999: true} {
			t.Run(name+" "+strconv.Itoa(int(version&0xffff)), func(t *testing.T) {
				conn := way(t)
				if c, ok := conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol != "postgresql" && name == "TLS at once" {
					t.Errorf("ALPN %q", c.ConnectionState().NegotiatedProtocol)
				}
				conn.Write(greeting(version, "user", "ada", "database", "shop-db", "application_name", "raw", "_pq_.unheard", "of"))
				start := signInRaw(t, conn)
				_, told := start['v']
				if told != (negotiated || version == 3<<16 || version == 3<<16|2) {
					t.Errorf("negotiation %v", told)
				}
				if n := len(start['K']); version == 3<<16 && n != 8 || version != 3<<16 && n != 36 {
					t.Errorf("key data of %d bytes", n)
				}
			})
		}
	}
}

// signInRaw sends the token, runs a query and returns the startup messages by type.
func signInRaw(t *testing.T, conn net.Conn) map[byte][]byte {
	t.Helper()
	got := map[byte][]byte{}
	asked := false
	for {
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			t.Fatal(err)
		}
		switch head[0] {
		case 'R':
			if binary.BigEndian.Uint32(body) == 3 {
				conn.Write([]byte("p\x00\x00\x00\x09good\x00"))
			}
		case 'Z':
			if asked {
				return got
			}
			asked = true
			conn.Write([]byte("Q\x00\x00\x00\x0dSELECT 1\x00"))
		case 'E':
			t.Fatalf("refused: %q", body)
		}
		got[head[0]] = body
	}
}

// TestBindErrors sees that an error while a statement is planned is told where nothing is masked,
// and withheld where the statement looks at masked columns.
func TestBindErrors(t *testing.T) {
	l := newLab(t)
	for query, shown := range map[string]bool{
		"SELECT name, 1 / $1::int FROM customers":             true,
		"SELECT 1 / $1::int FROM customers WHERE email = 'x'": false,
		"SELECT ssn FROM customers WHERE id = 1 / $1::int":    false,
		"SELECT peek(1), 1 / $1::int":                         false,
	} {
		got := converse(t, l.dsn(""), []frontend{&pgproto3.Parse{Query: query}, &pgproto3.Bind{Parameters: [][]byte{[]byte("no number")}}, syncNow}, 1)
		e := conformance.Failure(got)
		if e == nil || strings.Contains(e.Message, "no number") != shown {
			t.Errorf("%s: %+v", query, e)
		}
	}
}

// TestExecuteAfterDDL runs prepared statements after what they name was changed: where the target has to
// plan them anew they are decided anew, and nowhere do they show what they would not show if new.
func TestExecuteAfterDDL(t *testing.T) {
	l := attackLab(t)
	for name, c := range map[string]struct {
		script []string
		want   string // how the last answer begins
	}{
		"same again":               {[]string{"CREATE TEMP TABLE t AS SELECT pub FROM vault", "PREPARE p AS SELECT * FROM t", "EXECUTE p"}, "RowDescription"},
		"made anew":                {[]string{"CREATE TEMP TABLE t AS SELECT pub FROM vault", "PREPARE p AS SELECT * FROM t", "DROP TABLE t", "CREATE TEMP TABLE t AS SELECT pub FROM vault ORDER BY 1", "EXECUTE p", "EXECUTE p"}, "RowDescription"},
		"gone":                     {[]string{"CREATE TEMP TABLE t (x int)", "PREPARE p AS SELECT * FROM t", "DROP TABLE t", "EXECUTE p"}, "error 42P01"},
		"gone, tried, made anew":   {[]string{"CREATE TEMP TABLE t (x int)", "PREPARE p AS SELECT * FROM t", "DROP TABLE t", "EXECUTE p", "CREATE TEMP TABLE t (x int)", "EXECUTE p"}, "RowDescription"},
		"one more column":          {[]string{"CREATE TEMP TABLE t (x int)", "PREPARE p AS SELECT * FROM t", "ALTER TABLE t ADD y int", "EXECUTE p"}, "error 0A000 cached plan must not change result type"},
		"added and taken away":     {[]string{"CREATE TEMP TABLE t (x int)", "PREPARE p AS SELECT * FROM t", "ALTER TABLE t ADD y int", "EXECUTE p", "ALTER TABLE t DROP y", "EXECUTE p"}, "RowDescription"},
		"a table in front":         {[]string{"CREATE TEMP TABLE t (x int)", "PREPARE p AS " + hiddenSQL, "CREATE TEMP TABLE vault (word text)", "EXECUTE p"}, "error 0A000"},
		"a table behind":           {[]string{"CREATE TEMP TABLE vault (word text)", "PREPARE p AS " + hiddenSQL, "DROP TABLE pg_temp.vault", "EXECUTE p"}, "RowDescription"},
		"never prepared":           {[]string{"EXECUTE p"}, "error 26000"},
		"a view of something else": {[]string{"CREATE TEMP VIEW v AS SELECT pub AS x FROM vault", "PREPARE p AS SELECT x FROM v", "CREATE OR REPLACE TEMP VIEW v AS SELECT word AS x FROM vault", "EXECUTE p"}, "RowDescription"},
	} {
		t.Run(name, func(t *testing.T) {
			l.reset(t)
			w := newWire(l)
			w.t = t
			defer w.conn.Close()
			var got []string
			for _, sql := range c.script {
				got = w.simple(sql)
			}
			if !strings.HasPrefix(got[0], c.want) {
				t.Errorf("answered %q", got)
			}
			w.check()
		})
	}
}

// A syntax error has the target's words and place, and quotes no constant.
func TestSyntaxErrorWords(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	direct, err := l.pg.Connect(context.Background(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close(context.Background())
	for _, sql := range []string{"DORP TABLE orders", "SELECT 'ä' FROM FROM orders", "SELECT (1", "SELECT 1 WHERE 1 = = 2", "SELECT 1; SELEC 2"} {
		var got, want *pgconn.PgError
		_, err := simple(conn, sql)
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if _, err = direct.PgConn().Exec(context.Background(), sql).ReadAll(); !errors.As(err, &want) || got.Message != want.Message || got.Position != want.Position || got.Code != want.Code {
			t.Errorf("%s: %q at %d, the target says %q at %d", sql, got.Message, got.Position, want.Message, want.Position)
		}
	}
	if _, err := simple(conn, "ALTER ROLE ada PASSWORD 'a' 'hunter2'"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a constant is quoted: %v", err)
	}
	if _, err := simple(conn, "ALTER ROLE ada PASSWORD hunter2"); err == nil {
		t.Error("understood")
	}
	for _, rec := range l.records.of(audit.KindRefusal) {
		if strings.Contains(rec.Reason+rec.Statement, "hunter2") {
			t.Errorf("recorded: %+v", rec)
		}
	}
}
