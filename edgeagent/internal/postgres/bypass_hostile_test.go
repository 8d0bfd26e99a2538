package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/writhq/writ/pkg/audit"
)

// The frames of a hostile server. Each hostile row carries the planted value.
var (
	described = back(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("word"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
	plantedIn = back(&pgproto3.DataRow{Values: [][]byte{[]byte(planted)}})
	oneDone   = back(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
	idle      = back(&pgproto3.ReadyForQuery{TxStatus: 'I'})
)

var notice = &pgproto3.NoticeResponse{Severity: "NOTICE", SeverityUnlocalized: "NOTICE", Code: "00000", Message: planted, Detail: planted}

func back(m pgproto3.BackendMessage) []byte {
	b, err := m.Encode(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func seq(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// badRow is a DataRow that claims columns and lengths.
func badRow(columns uint16, length uint32) []byte {
	body := binary.BigEndian.AppendUint16(nil, columns)
	body = binary.BigEndian.AppendUint32(body, length)
	return rawFrame('D', append(body, planted...))
}

func field(name string, oid uint32, format int16) []byte {
	return back(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte(name), DataTypeOID: oid, DataTypeSize: -1, TypeModifier: -1, Format: format}}})
}

func status(name, value string) []byte {
	return back(&pgproto3.ParameterStatus{Name: name, Value: value})
}

// hostile are answers to an allowed SELECT of a masked column.
var hostile = map[string]struct {
	answer []byte
	lives  bool // it is proper protocol: the session goes on, and only the value is withheld
}{
	"more columns than described":        {answer: seq(described, back(&pgproto3.DataRow{Values: [][]byte{[]byte(planted), []byte(planted)}}), oneDone, idle)},
	"no columns":                         {answer: seq(described, rawFrame('D', append([]byte{0, 0}, planted...)), oneDone, idle)},
	"count beyond the row":               {answer: seq(described, badRow(0xffff, uint32(len(planted))), oneDone, idle)},
	"field length -2":                    {answer: seq(described, badRow(1, 0xfffffffe), oneDone, idle)},
	"field length beyond the frame":      {answer: seq(described, badRow(1, uint32(len(planted))+1), oneDone, idle)},
	"field length short of the frame":    {answer: seq(described, badRow(1, 1), oneDone, idle)},
	"field length 2^31-1":                {answer: seq(described, badRow(1, 1<<31-1), oneDone, idle)},
	"field length 2^31":                  {answer: seq(described, badRow(1, 1<<31), oneDone, idle)},
	"empty row":                          {answer: seq(described, rawFrame('D', nil), oneDone, idle)},
	"row without a description":          {answer: seq(plantedIn, oneDone, idle)},
	"description after rows":             {answer: seq(described, plantedIn, field("x", 23, 0), plantedIn, oneDone, idle)},
	"two descriptions":                   {answer: seq(described, field("x", 23, 0), plantedIn, oneDone, idle)},
	"description that is cut":            {answer: seq(rawFrame('T', []byte("\x00\x01word\x00")), plantedIn)},
	"description with format 7":          {answer: seq(field("word", 25, 7), plantedIn)},
	"description of 65535 columns":       {answer: seq(rawFrame('T', []byte("\xff\xffword\x00")), plantedIn)},
	"second result in one query":         {answer: seq(described, oneDone, described, plantedIn, oneDone, idle)},
	"row after the end":                  {answer: seq(described, oneDone, idle, plantedIn)},
	"row after ready, described":         {answer: seq(described, oneDone, idle, described, plantedIn, oneDone, idle)},
	"copy data without a copy":           {answer: seq(back(&pgproto3.CopyData{Data: []byte(planted + "\n")}), oneDone, idle)},
	"copy out that nobody asked for":     {answer: seq(back(&pgproto3.CopyOutResponse{ColumnFormatCodes: []uint16{0}}), back(&pgproto3.CopyData{Data: []byte(planted + "\n")}), idle)},
	"copy both":                          {answer: seq(rawFrame('W', []byte{0, 0, 1, 0, 0}), back(&pgproto3.CopyData{Data: []byte(planted)}))},
	"function call response":             {answer: rawFrame('V', append([]byte{0, 0, 0, byte(len(planted))}, planted...))},
	"unknown type":                       {answer: rawFrame('?', []byte(planted))},
	"frontend's type":                    {answer: rawFrame('Q', []byte(planted+"\x00"))},
	"frame of length 0":                  {answer: seq([]byte{'D', 0, 0, 0, 0}, []byte(planted))},
	"frame of length 3":                  {answer: seq([]byte{'D', 0, 0, 0, 3}, []byte(planted))},
	"frame of 2^32-1":                    {answer: seq([]byte{'D', 0xff, 0xff, 0xff, 0xff}, []byte(planted))},
	"frame of 1 GiB":                     {answer: seq([]byte{'D', 0x3f, 0xff, 0xff, 0xfe}, []byte(planted))},
	"giant ready":                        {answer: seq([]byte{'Z', 0, 0xff, 0xff, 0xff}, []byte(planted))},
	"parse complete":                     {answer: seq(back(&pgproto3.ParseComplete{}), described, plantedIn, oneDone, idle)},
	"parameter description":              {answer: seq(back(&pgproto3.ParameterDescription{ParameterOIDs: []uint32{25}}), described, plantedIn)},
	"second sign-in":                     {answer: seq(back(&pgproto3.AuthenticationCleartextPassword{}), described, plantedIn)},
	"backend key again":                  {answer: seq(back(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}}), described, plantedIn, oneDone, idle)},
	"client_encoding flips":              {answer: seq(status("client_encoding", "SJIS"), described, plantedIn, oneDone, idle)},
	"standard_conforming_strings flips":  {answer: seq(status("standard_conforming_strings", "off"), described, plantedIn, oneDone, idle)},
	"ready with a status of its own":     {answer: seq(described, plantedIn, oneDone, rawFrame('Z', []byte("X")), plantedIn)},
	"error that is cut":                  {answer: rawFrame('E', []byte("SERROR\x00VERROR\x00C22000\x00M"+planted))},
	"notice that is cut":                 {answer: rawFrame('N', []byte("M"+planted))},
	"hangs up within a frame":            {answer: seq(described, []byte{'D', 0, 0, 0, 40}, []byte(planted))},
	"another type, named in description": {answer: seq(field("word", 23, 0), plantedIn, oneDone, idle), lives: true},
	"binary that is said to be text":     {answer: seq(field("word", 25, 1), plantedIn, oneDone, idle), lives: true},
	"bytes that nobody looks into":       {answer: seq(field("word", 17, 1), plantedIn, oneDone, idle), lives: true},
	"a column of another table":          {answer: seq(back(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("pub"), TableOID: 1259, TableAttributeNumber: 2, DataTypeOID: 25}}}), plantedIn, oneDone, idle), lives: true},
	"two columns, described":             {answer: seq(back(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("a"), DataTypeOID: 25}, {Name: []byte("b"), DataTypeOID: 25}}}), back(&pgproto3.DataRow{Values: [][]byte{[]byte(planted), []byte(planted)}}), oneDone, idle), lives: true},
	"search_path is said to be another":  {answer: seq(status("search_path", "scratch"), described, plantedIn, oneDone, idle), lives: true},
	"error that quotes":                  {answer: seq(back(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "22000", Message: "bad " + planted, Detail: planted, Hint: planted, Where: planted, InternalQuery: planted}), idle), lives: true},
	"notice that quotes":                 {answer: seq(back(notice), described, plantedIn, oneDone, idle), lives: true},
	"notice between commands":            {answer: seq(described, oneDone, idle, back(notice)), lives: true},
	"field names nobody knows":           {answer: seq(rawFrame('E', []byte("SERROR\x00VERROR\x00C22000\x00Mx\x00?"+planted+"\x00\x00")), idle), lives: true},
}

// TestBypassHostileServer lets the target lie about the result of an allowed SELECT of a masked column: no
// raw value comes through, the session ends with an error in PostgreSQL's form, the record of the
// command says why, and nothing is left running.
func TestBypassHostileServer(t *testing.T) {
	l := attackLab(t)
	r := behindRelay(l)
	w := newWire(l) // the catalog is read, and what runs for ever is running
	w.simple("SELECT word FROM vault")
	w.conn.Close()
	soon(t, "the first session ends", func() bool { return len(l.records.of(audit.KindSessionClose)) == 1 })
	for name, c := range hostile {
		for _, extended := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s extended=%v", name, extended), func(t *testing.T) {
				before := runtime.NumGoroutine()
				playHostile(t, l, r, c.answer, c.lives, extended, strings.HasPrefix(name, "hangs up"))
				soon(t, "its goroutines end", func() bool { return runtime.NumGoroutine() <= before })
			})
		}
	}
}

// playHostile opens a session, answers its SELECT and looks at all that the client gets.
func playHostile(t *testing.T, l *lab, r *relay, answer []byte, lives, extended, hangUp bool) {
	w := newWire(l)
	w.t = t
	defer w.conn.Close()
	outcomes, closings := len(l.records.of(audit.KindOutcome)), len(l.records.of(audit.KindSessionClose))
	hook := relayHook(func(c *relayConn, typ byte, body []byte) []byte {
		c.marked = c.marked || bytes.Contains(body, []byte("hostile"))
		switch {
		case !c.marked:
			return body
		case typ == 'S' && extended:
			c.answer(slices.Concat(back(&pgproto3.ParseComplete{}), back(&pgproto3.BindComplete{}), answer))
		case typ == 'Q':
			c.answer(answer)
		}
		if hangUp && (typ == 'S' || typ == 'Q') {
			c.edge.Close()
		}
		return nil
	})
	r.hook.Store(&hook)
	defer r.hook.Store(nil)
	sql := "SELECT word FROM vault /* hostile */"
	if extended {
		w.send(parse("", sql), bind("", ""), &pgproto3.Describe{ObjectType: 'P'}, execute(""), &pgproto3.Sync{})
	} else {
		w.send(queryOf(sql))
	}
	if lives {
		if got, closed := w.until(1); closed {
			t.Errorf("the session ended after %q", got)
		}
		if bytes.HasSuffix(answer, back(notice)) {
			m, _ := w.fe.Receive()
			w.describe(m)
		}
		w.conn.Close()
		w.check()
		soon(t, "the session's end is recorded", func() bool { return len(l.records.of(audit.KindSessionClose)) > closings })
		return
	}
	w.conn.SetDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(w.conn)
	if err != nil && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("hung after %q: %v", got, err)
	}
	if leaks(got) {
		t.Errorf("leaked: %q", got)
	}
	if !bytes.Contains(got, []byte("SFATAL\x00")) {
		t.Errorf("no error in the client's form: %q", got)
	}
	soon(t, "the outcome is recorded", func() bool { return len(l.records.of(audit.KindOutcome)) > outcomes })
	recs := l.records.of(audit.KindOutcome)[outcomes:]
	if len(recs) != 1 || recs[0].Reason == "" && recs[0].CommandTag == "" {
		t.Errorf("recorded %+v", recs)
	}
	soon(t, "the session's end is recorded", func() bool { return len(l.records.of(audit.KindSessionClose)) > closings })
	if last := l.records.of(audit.KindSessionClose)[closings]; !strings.HasPrefix(last.Reason, "stopped: ") {
		t.Errorf("closed for %q", last.Reason)
	}
}

// TestOwnQueryThatFails lets the gateway's own query fail half-way at the server: the client is told,
// in either protocol and in a batch or a transaction, and the session goes on.
func TestOwnQueryThatFails(t *testing.T) {
	l := attackLab(t)
	r := behindRelay(l)
	fails := relayHook(func(c *relayConn, typ byte, body []byte) []byte {
		if typ == 'P' && bytes.HasPrefix(body, []byte(reserved+"ask\x00")) {
			return []byte(reserved + "ask\x00SELECT 1 / (pg_catalog.random() * 0)::int\x00\x00\x00")
		}
		return body
	})
	for name, run := range map[string]func(w *wire) []string{
		"simple":   func(w *wire) []string { return w.simple("SELECT pub FROM vault") },
		"extended": func(w *wire) []string { return w.batch(parse("", "SELECT pub FROM vault"), bind("", ""), execute("")) },
		"in a batch": func(w *wire) []string {
			return w.batch(parse("", "SET search_path = public"), bind("", ""), execute(""), parse("", openSQL), bind("", ""), execute(""))
		},
		"in transaction": func(w *wire) []string {
			w.simple("ROLLBACK")
			w.simple("BEGIN")
			w.simple("CREATE TABLE fresh (x int)")
			return w.simple("SELECT x FROM fresh")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(l)
			w.t = t
			defer w.conn.Close()
			w.simple("SET search_path = public")
			if name == "in a batch" { // where nothing is asked before the batch itself changes something
				w.simple("SELECT 1")
			}
			r.hook.Store(&fails)
			got := run(w)
			r.hook.Store(nil)
			if !slices.ContainsFunc(got, func(a string) bool { return strings.HasPrefix(a, "error") }) || slices.ContainsFunc(got, func(a string) bool { return strings.HasPrefix(a, "row") }) {
				t.Errorf("answered %q", got)
			}
			w.simple("ROLLBACK")
			if got := w.simple("SELECT pub FROM vault"); !strings.HasPrefix(got[0], "RowDescription") {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
}

// The catalog is read under settings of the gateway's own, whatever the client set for itself.
func TestCatalogUnderOddSettings(t *testing.T) {
	l := attackLab(t)
	w := newWire(l)
	w.simple("BEGIN; SET LOCAL enable_hashjoin = off; SET LOCAL enable_seqscan = off; SET LOCAL statement_timeout = '1s'; SET LOCAL work_mem = '64kB'")
	w.simple("CREATE TABLE fresh (x int)")
	if got := w.simple("SELECT x FROM fresh"); !strings.HasPrefix(got[0], "RowDescription") {
		t.Errorf("answered %q", got)
	}
	if got := w.simple("SELECT current_setting('enable_hashjoin'), current_setting('statement_timeout'), current_setting('work_mem')"); !strings.Contains(got[1], `["off" "1s" "64kB"]`) {
		t.Errorf("the client's settings are now %q", got)
	}
	w.simple("ROLLBACK")
	got := w.batch(parse("", "SET work_mem = '128kB'"), bind("", ""), execute(""), parse("", "CREATE TABLE fresh (x int)"), bind("", ""), execute(""),
		parse("", "SELECT current_setting('work_mem') FROM fresh RIGHT JOIN vault ON true LIMIT 1"), bind("", ""), execute(""))
	if !slices.Contains(got, `row ["128kB"]`) {
		t.Errorf("answered %q", got)
	}
	if got := w.simple("SELECT current_setting('work_mem')"); !strings.Contains(got[1], "128kB") {
		t.Errorf("afterwards: %q", got)
	}
}
