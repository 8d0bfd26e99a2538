package postgres

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/writhq/writ/pkg/audit"
)

// wire speaks the protocol message by message.
type wire struct {
	t    testing.TB
	conn net.Conn
	fe   *pgproto3.Frontend
	seen bytes.Buffer
}

func newWire(l *lab) *wire {
	l.t.Helper()
	h, err := l.connect("").PgConn().Hijack()
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { h.Conn.Close() })
	return &wire{t: l.t, conn: h.Conn, fe: h.Frontend}
}

// send sends messages in one segment.
func (w *wire) send(msgs ...pgproto3.FrontendMessage) {
	w.t.Helper()
	for _, m := range msgs {
		w.fe.Send(m)
	}
	w.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := w.fe.Flush(); err != nil {
		w.t.Logf("send: %v", err)
	}
}

// until reads answers up to and including the n-th ReadyForQuery. closed tells that the
// connection ended instead.
func (w *wire) until(n int) (answers []string, closed bool) {
	w.t.Helper()
	for n > 0 {
		w.conn.SetDeadline(time.Now().Add(10 * time.Second))
		m, err := w.fe.Receive()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				w.t.Fatalf("hung; answers so far: %q", answers)
			}
			return answers, true
		}
		answers = append(answers, w.describe(m))
		if _, ready := m.(*pgproto3.ReadyForQuery); ready {
			n--
		}
	}
	return answers, false
}

func (w *wire) describe(m pgproto3.BackendMessage) string {
	var s string
	switch m := m.(type) {
	case *pgproto3.DataRow:
		s = fmt.Sprintf("row %q", m.Values)
	case *pgproto3.ErrorResponse:
		s = fmt.Sprintf("error %s %s", m.Code, m.Message)
		fmt.Fprintf(&w.seen, "%+v\n", m)
	case *pgproto3.NoticeResponse:
		s = fmt.Sprintf("notice %+v", m)
	case *pgproto3.ReadyForQuery:
		s = "ready " + string(m.TxStatus)
	case *pgproto3.CommandComplete:
		s = "done " + string(m.CommandTag)
	default:
		s = strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
	}
	fmt.Fprintln(&w.seen, s)
	return s
}

// simple runs a text.
func (w *wire) simple(sql string) []string {
	w.t.Helper()
	w.send(&pgproto3.Query{String: sql})
	got, _ := w.until(1)
	w.t.Logf("%s: %q", sql, got)
	return got
}

// batch sends messages and a Sync.
func (w *wire) batch(msgs ...pgproto3.FrontendMessage) []string {
	w.t.Helper()
	w.send(append(msgs, &pgproto3.Sync{})...)
	got, _ := w.until(1)
	w.t.Logf("%d messages: %q", len(msgs), got)
	return got
}

func (w *wire) check() {
	w.t.Helper()
	for line := range strings.SplitSeq(w.seen.String(), "\n") {
		if leaks([]byte(line)) {
			w.t.Errorf("leaked: %.300s", line)
		}
	}
}

const (
	openSQL   = "SELECT pub || '' FROM vault"
	hiddenSQL = "SELECT word || '' FROM vault"
)

func parse(name, sql string) pgproto3.FrontendMessage { return &pgproto3.Parse{Name: name, Query: sql} }
func bind(portal, name string) pgproto3.FrontendMessage {
	return &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: name}
}
func execute(portal string) pgproto3.FrontendMessage { return &pgproto3.Execute{Portal: portal} }
func closing(kind byte, name string) pgproto3.FrontendMessage {
	return &pgproto3.Close{ObjectType: kind, Name: name}
}
func queryOf(sql string) pgproto3.FrontendMessage { return &pgproto3.Query{String: sql} }

// A portal and a cursor share their names, and both end with their transaction: neither may
// be taken for another.
func TestBypassPortalTakenForAnother(t *testing.T) {
	l := attackLab(t)
	for name, attack := range map[string]func(w *wire){
		"closed and declared": func(w *wire) {
			w.simple("BEGIN")
			w.batch(parse("s", openSQL), bind("c", "s"))
			w.simple("CLOSE c")
			w.simple("DECLARE c CURSOR FOR " + hiddenSQL)
			w.batch(execute("c"))
		},
		"all closed and declared": func(w *wire) {
			w.simple("BEGIN")
			w.batch(parse("s", openSQL), bind("c", "s"))
			w.simple("CLOSE ALL; DECLARE c CURSOR FOR " + hiddenSQL)
			w.batch(execute("c"))
		},
		"back to a savepoint": func(w *wire) {
			w.simple("BEGIN; SAVEPOINT s")
			w.batch(parse("s", openSQL), bind("c", "s"))
			w.simple("ROLLBACK TO s")
			w.simple("DECLARE c CURSOR FOR " + hiddenSQL)
			w.batch(execute("c"))
		},
		"next transaction in one text": func(w *wire) {
			w.simple("BEGIN")
			w.batch(parse("s", openSQL), bind("c", "s"))
			w.simple("COMMIT; BEGIN")
			w.simple("DECLARE c CURSOR FOR " + hiddenSQL)
			w.batch(execute("c"))
		},
		"chained": func(w *wire) {
			w.simple("BEGIN")
			w.batch(parse("s", openSQL), bind("c", "s"))
			w.simple("ROLLBACK AND CHAIN")
			w.simple("DECLARE c CURSOR FOR " + hiddenSQL)
			w.batch(execute("c"))
		},
		"opened by a routine": func(w *wire) {
			w.simple("BEGIN; SAVEPOINT s")
			w.batch(parse("s", openSQL), bind("c", "s"))
			w.simple("ROLLBACK TO s")
			w.simple("SELECT open_named('c')")
			w.batch(execute("c"))
		},
		"queries within a batch": func(w *wire) {
			w.send(parse("s", openSQL), bind("c", "s"), queryOf("SELECT 1"), queryOf("BEGIN"), queryOf("DECLARE c CURSOR FOR "+hiddenSQL), execute("c"), &pgproto3.Sync{})
			got, _ := w.until(4)
			t.Logf("%q", got)
		},
		"cursor then portal": func(w *wire) {
			w.simple("BEGIN; DECLARE c CURSOR FOR " + openSQL)
			w.simple("ROLLBACK")
			w.simple("BEGIN")
			w.batch(parse("s", hiddenSQL), bind("c", "s"))
			w.simple("FETCH ALL FROM c")
		},
		"cursor closed as a portal": func(w *wire) {
			w.simple("BEGIN; DECLARE c CURSOR FOR " + openSQL)
			w.batch(closing('P', "c"))
			w.simple("SELECT open_named('c')")
			w.simple("FETCH ALL FROM c")
		},
		"too many cursors": func(w *wire) {
			w.simple("BEGIN; DECLARE c CURSOR FOR " + openSQL)
			var many strings.Builder
			for i := range maxCursors {
				fmt.Fprintf(&many, "DECLARE c%d CURSOR FOR SELECT 1;", i)
			}
			w.simple(many.String())
			w.simple("ROLLBACK")
			w.simple("BEGIN")
			w.simple("DECLARE c CURSOR FOR " + hiddenSQL)
			w.simple("FETCH ALL FROM c")
		},
		"bound, then the path is moved": func(w *wire) {
			w.simple("BEGIN")
			w.batch(parse("s", hiddenSQL), bind("p", "s"))
			w.simple("SET search_path = scratch")
			w.batch(execute("p"))
		},
		"bound, then the path is moved in the batch": func(w *wire) {
			w.batch(parse("s", hiddenSQL), parse("m", "SET search_path = scratch"), bind("p", "s"), bind("q", "m"), execute("q"), execute("p"))
		},
		"prepared, then a table in front": func(w *wire) {
			w.simple("CREATE TEMP TABLE dummy (x int)")
			w.batch(parse("s", hiddenSQL))
			w.simple("CREATE TEMP TABLE vault (id int, word text)")
			w.batch(bind("", "s"), execute(""))
		},
		"prepared under another path with a skipped bind between": func(w *wire) {
			w.simple("CREATE TEMP TABLE dummy (x int)")
			w.batch(parse("s", hiddenSQL))
			w.simple("SET search_path = scratch")
			w.batch(parse("", "SELECT 1 + 'a'::text"), bind("", "s"), execute(""))
			w.simple("SET search_path = public")
			w.simple("CREATE TEMP TABLE vault (id int, word text)")
			w.batch(bind("", "s"), execute(""))
		},
		"statement replaced in a failed batch": func(w *wire) {
			w.batch(parse("a", openSQL))
			w.batch(parse("", "SELECT 1 + 'a'::text"), closing('S', "a"), parse("a", hiddenSQL))
			w.batch(bind("", "a"), execute(""))
			w.batch(closing('S', "a"), parse("a", hiddenSQL), parse("", "SELECT 1 + 'a'::text"), closing('S', "a"), parse("a", openSQL))
			w.batch(bind("", "a"), execute(""))
		},
		"unnamed statement replaced in a skipped batch": func(w *wire) {
			w.batch(parse("", hiddenSQL))
			w.batch(parse("x", "SELECT 1 + 'a'::text"), parse("", openSQL))
			w.batch(bind("", ""), execute(""))
		},
		"pipelined over failures": func(w *wire) {
			w.batch(parse("a", hiddenSQL))
			w.send(parse("", "SELECT 1 + 'a'::text"), closing('S', "a"), parse("a", openSQL), &pgproto3.Sync{},
				parse("", "SELECT 1 + 'a'::text"), closing('S', "a"), &pgproto3.Sync{}, bind("", "a"), execute(""), &pgproto3.Sync{})
			w.until(3)
		},
		"prepared by SQL and by protocol": func(w *wire) {
			w.simple("PREPARE a AS " + hiddenSQL)
			w.batch(bind("", "a"), execute(""))
			w.batch(parse("a", openSQL))
			w.batch(bind("", "a"), execute(""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l.reset(t)
			w := newWire(l)
			w.t = t
			attack(w)
			w.check()
			w.conn.Close()
		})
	}
}

// TestBypassRandomBatches throws random messages at the gateway: whatever names were left
// over, nothing masked comes back and every Sync is answered.
func TestBypassRandomBatches(t *testing.T) {
	l := attackLab(t)
	texts := []string{openSQL, hiddenSQL, hiddenSQL, "SELECT 1/0", "SELECT 1 + 'a'::text", "SELECT no_such", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "",
		"DECLARE a CURSOR FOR " + hiddenSQL, "DECLARE b CURSOR FOR " + openSQL, "CLOSE a", "CLOSE ALL", "FETCH ALL FROM a", "FETCH 1 FROM b", "PREPARE a AS " + hiddenSQL, "PREPARE b AS " + openSQL,
		"DEALLOCATE a", "DEALLOCATE ALL", "EXECUTE a", "EXECUTE b", "SET search_path = scratch", "SET search_path = public", "SET LOCAL search_path = scratch", "DISCARD PLANS",
		"SELECT open_named('a')", "CREATE TEMP TABLE vault (id int, word text)", "DROP TABLE pg_temp.vault", "BEGIN; " + openSQL, "COMMIT; BEGIN", openSQL + "; " + hiddenSQL}
	names := []string{"", "a", "b"}
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		pick := func(list []string) string { return list[r.IntN(len(list))] }
		w := newWire(l)
		var sent []string
		for range 8 {
			var msgs []pgproto3.FrontendMessage
			syncs := 0
			for range 1 + r.IntN(8) {
				var m pgproto3.FrontendMessage
				switch r.IntN(9) {
				case 0, 1:
					m = parse(pick(names), pick(texts))
				case 2, 3:
					m = bind(pick(names), pick(names))
				case 4, 5:
					m = execute(pick(names))
				case 6:
					m = closing([]byte("SP")[r.IntN(2)], pick(names))
				case 7:
					m = &pgproto3.Sync{}
					syncs++
				case 8:
					m = &pgproto3.Describe{ObjectType: []byte("SP")[r.IntN(2)], Name: pick(names)}
				}
				sent = append(sent, fmt.Sprintf("%T%+v", m, m))
				msgs = append(msgs, m)
			}
			w.send(append(msgs, &pgproto3.Sync{})...)
			if _, closed := w.until(syncs + 1); closed {
				break
			}
			text := pick(texts)
			sent = append(sent, text)
			w.send(queryOf(text))
			if _, closed := w.until(1); closed {
				break
			}
		}
		w.conn.Close()
		if leaks(w.seen.Bytes()) {
			t.Fatalf("seed %d leaked:\n%s\n%s", seed, strings.Join(sent, "\n"), w.seen.String())
		}
	}
}

// A batch with a refused statement is answered with one error and one ReadyForQuery, and
// nothing behind the refusal runs.
func TestBypassDeniedParseThenExecute(t *testing.T) {
	l := newLab(t)
	for name, batch := range map[string][]pgproto3.FrontendMessage{
		"older statement":               {parse("", "DROP TABLE orders"), bind("", "old"), execute("")},
		"older portal and statement":    {parse("n", "DROP TABLE orders"), bind("p", "old"), execute("p")},
		"denied between":                {bind("", "old"), execute(""), parse("", "DROP TABLE orders"), bind("", ""), execute("")},
		"denied twice":                  {parse("", "DROP TABLE orders"), parse("", "TRUNCATE orders"), bind("", "old"), execute("")},
		"with flushes":                  {parse("", "DROP TABLE orders"), &pgproto3.Flush{}, bind("", "old"), &pgproto3.Flush{}, execute(""), &pgproto3.Flush{}},
		"with a query behind":           {parse("", "DROP TABLE orders"), queryOf("DELETE FROM orders WHERE id = 1")},
		"several statements in a parse": {parse("", "SELECT 1; DROP TABLE orders"), bind("", ""), execute("")},
		"after an error of the target":  {parse("", "SELECT 1 + 'a'::text"), parse("", "DROP TABLE orders"), bind("", "old"), execute("")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(l)
			w.t = t
			w.batch(parse("old", "UPDATE orders SET status = 'touched' WHERE id = 7"))
			before := len(l.records.of(audit.KindRefusal))
			got := w.batch(batch...)
			var failed, ready int
			for _, a := range got {
				failed += count(a, "error")
				ready += count(a, "ready")
			}
			if failed != 1 || ready != 1 {
				t.Errorf("%d errors and %d ready, want one each: %q", failed, ready, got)
			}
			if name != "denied between" && l.pg.Value(t, "shop", "SELECT status FROM orders WHERE id = 7") == "touched" {
				t.Error("the older statement ran behind a refusal")
			}
			if n := len(l.records.of(audit.KindRefusal)) - before; n != 1 && name != "after an error of the target" {
				t.Errorf("%d refusal records, want 1", n)
			}
			if again := w.simple("SELECT 42"); !strings.Contains(again[1], "42") {
				t.Errorf("session unusable: %q", again)
			}
			if strings.Contains(l.pg.Log(t), "DROP TABLE orders") || l.pg.Value(t, "shop", "SELECT to_regclass('orders') IS NOT NULL") != "t" {
				t.Error("the target saw the refused statement")
			}
		})
	}
	l.pg.Exec(t, "shop", "UPDATE orders SET status = 'new'")
}

func count(s, prefix string) int {
	if strings.HasPrefix(s, prefix) {
		return 1
	}
	return 0
}

// TestBypassFrames sends lengths and types that are none: the session ends with an error,
// and nothing of them reaches the target.
func TestBypassFrames(t *testing.T) {
	l := newLab(t)
	inner := append([]byte{'Q', 0, 0, 0, 22}, "DROP TABLE orders\x00"...)
	frame := func(typ byte, length uint32, body []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{typ}, length), body...)
	}
	for name, data := range map[string][]byte{
		"length 0":                         frame('Q', 0, inner),
		"length 3":                         frame('Q', 3, inner),
		"length 2^31-1":                    frame('Q', 1<<31-1, inner),
		"length 2^31":                      frame('Q', 1<<31, inner),
		"length 2^32-1":                    frame('Q', 1<<32-1, inner),
		"length too short, frame in frame": frame('Q', 5, append([]byte{0}, frame('d', 4, inner)...)),
		"sync with a body":                 frame('S', 4+uint32(len(inner)), inner),
		"query with a second query":        frame('Q', 4+9+uint32(len(inner)), append([]byte("SELECT 1\x00"), inner...)),
		"query without its end":            frame('Q', 12, []byte("SELECT 1")),
		"parse with more behind":           frame('P', 4+3+9+2+uint32(len(inner)), append([]byte("\x00SELECT 1\x00\x00\x00"), inner...)),
		"bind that counts too much":        frame('B', 4+2+6, append([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0}, inner...)),
		"unknown type":                     frame('?', 4, inner),
		"password after sign-in":           frame('p', 4+2, append([]byte("x\x00"), inner...)),
		"function call":                    frame('F', 4+10, append(make([]byte, 10), inner...)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(l)
			w.t = t
			w.conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := w.conn.Write(data); err != nil {
				t.Fatal(err)
			}
			if c, ok := w.conn.(*tls.Conn); ok {
				c.CloseWrite()
			}
			out, err := io.ReadAll(w.conn)
			if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("hung after %q", out)
			}
			if len(out) > 0 && out[0] != 'E' && !strings.Contains(string(out), "denied by Writ") {
				t.Errorf("answered %q", out)
			}
			if l.pg.Value(t, "shop", "SELECT to_regclass('orders') IS NOT NULL") != "t" || strings.Contains(l.pg.Log(t), "DROP TABLE orders") {
				t.Fatal("the target ran what stood inside another frame")
			}
		})
	}
}

// CVE-2024-27304: a message of over 4 GiB whose length wraps would let its value be read as
// messages. Here a Bind that claims less than it holds is refused by its inner lengths.
func TestBypassEmbeddedMessages(t *testing.T) {
	l := newLab(t)
	w := newWire(l)
	evil := string(frameOf(queryOf("DROP TABLE orders"))) + string(frameOf(&pgproto3.Sync{}))
	w.send(parse("", "SELECT $1::text"), &pgproto3.Bind{Parameters: [][]byte{[]byte(strings.Repeat(evil, 1000))}}, execute(""), &pgproto3.Sync{})
	got, closed := w.until(1)
	if closed || l.pg.Value(t, "shop", "SELECT to_regclass('orders') IS NOT NULL") != "t" {
		t.Fatalf("%q", got)
	}
	w.simple("SELECT 1")
}

func frameOf(m pgproto3.FrontendMessage) []byte {
	b, err := m.Encode(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// CVE-2021-23214: what came in plaintext behind an SSLRequest must not count as sent inside TLS.
func TestBypassPlaintextBehindSSLRequest(t *testing.T) {
	l := newLab(t)
	startup := frameOf2(&pgproto3.StartupMessage{ProtocolVersion: 196608, Parameters: map[string]string{"user": "ada", "database": "shop-db"}})
	for name, behind := range map[string][]byte{
		"startup":          startup,
		"startup and more": append(append(bytes.Clone(startup), frameOf(&pgproto3.PasswordMessage{Password: "good"})...), frameOf(queryOf("DROP TABLE orders"))...),
		"a query":          frameOf(queryOf("DROP TABLE orders")),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			conn.Write(append([]byte{0, 0, 0, 8, 4, 210, 22, 47}, behind...))
			first := make([]byte, 1)
			if _, err := io.ReadFull(conn, first); err != nil {
				return // refused at once
			}
			tc := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			if err := tc.Handshake(); err == nil {
				t.Error("the handshake went through plaintext that came before it")
			}
			if strings.Contains(l.pg.Log(t), "DROP TABLE orders") {
				t.Error("plaintext reached the target")
			}
		})
	}
	t.Run("no TLS at all", func(t *testing.T) {
		conn, err := net.Dial("tcp", l.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		conn.Write(append(startup, frameOf(&pgproto3.PasswordMessage{Password: "good"})...))
		out, _ := io.ReadAll(conn)
		if len(out) == 0 || out[0] != 'E' {
			t.Errorf("answered %q", out)
		}
	})
}

func frameOf2(m *pgproto3.StartupMessage) []byte {
	b, err := m.Encode(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// TestBypassOversize sends what is too large or too deep to be understood: refused, with
// bounded memory, and never forwarded.
func TestBypassOversize(t *testing.T) {
	l := newLab(t)
	l.records.off = true
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for name, sql := range map[string]string{
		"just over the statement limit": "SELECT '" + strings.Repeat("x", 1<<20+8<<10) + "'",
		"50 MB":                         "SELECT '" + strings.Repeat("x", 50<<20) + "'",
		"drop behind 8 MiB":             "/*" + strings.Repeat("x", 8<<20) + "*/ DROP TABLE orders",
		"drop behind 900 kB of comment": "/*" + strings.Repeat("x", 900<<10) + "*/ DROP TABLE orders",
		"100000 parentheses":            "SELECT " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000),
		"100000 brackets":               "SELECT " + strings.Repeat("ARRAY[", 50000) + "1" + strings.Repeat("]", 50000),
		"100000 minus":                  "SELECT " + strings.Repeat("- ", 100000) + "1",
		"100000 not":                    "SELECT " + strings.Repeat("NOT ", 100000) + "true",
		"100000 plus":                   "SELECT 1" + strings.Repeat("+1", 100000),
		"unions":                        "SELECT 1" + strings.Repeat(" UNION SELECT 1", 30000),
		"deep subselects":               strings.Repeat("SELECT (", 5000) + "SELECT 1" + strings.Repeat(")", 5000),
		"unclosed comment":              strings.Repeat("/*", 200000),
		"unclosed dollar quote":         "DO $a$" + strings.Repeat("$b", 100000),
		"many statements":               strings.Repeat("SELECT 1;", 100000),
		"nonsense":                      strings.Repeat("\x01\x02 ' \" $$ ", 1000),
	} {
		for _, extended := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s extended=%v", name, extended), func(t *testing.T) {
				w := newWire(l)
				w.t = t
				began := time.Now()
				if extended {
					w.send(parse("", sql), bind("", ""), execute(""), &pgproto3.Sync{})
				} else {
					w.send(queryOf(sql))
				}
				got, closed := w.until(1)
				ran := false
				for _, a := range got {
					ran = ran || strings.HasPrefix(a, "row") || strings.HasPrefix(a, "done")
				}
				if ran && name != "many statements" {
					t.Errorf("ran: %.200q", got)
				}
				if !closed {
					if again := w.simple("SELECT 42"); len(again) < 2 || !strings.Contains(again[1], "42") {
						t.Errorf("session unusable: %.200q", again)
					}
				}
				t.Logf("%v, closed %v: %.200q", time.Since(began).Round(time.Millisecond), closed, got)
				w.conn.Close()
			})
		}
	}
	if strings.Contains(l.pg.Log(t), "DROP TABLE orders") {
		t.Error("the target saw a DROP")
	}
	var after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 200<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
}
