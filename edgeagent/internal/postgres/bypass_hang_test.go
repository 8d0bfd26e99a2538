package postgres

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/writhq/writ/pkg/audit"
)

// TestTargetGoesAway hangs up at the target's side at every place where the client or the gateway waits for it:
// the client gets an error and the end of its connection, the session and its command are over and recorded.
func TestTargetGoesAway(t *testing.T) {
	l := newLab(t)
	l.control.principal.Groups = []string{"agents", "dba"}
	r := behindRelay(l)
	on := func(typ byte, mark string) relayHook {
		return func(c *relayConn, got byte, body []byte) []byte {
			c.marked = c.marked || bytes.Contains(body, []byte("leaves"))
			if got == typ && bytes.Contains(body, []byte(mark)) && (c.marked || strings.HasPrefix(mark, reserved)) {
				c.edge.Close()
				c.server.Close()
			}
			return body
		}
	}
	copying := []pgproto3.FrontendMessage{queryOf("COPY orders (total) FROM STDIN /* leaves */"), &pgproto3.CopyData{Data: []byte("1\n")}}
	for name, c := range map[string]struct {
		hook relayHook
		msgs []pgproto3.FrontendMessage
	}{
		"at a query":                 {on('Q', "leaves"), []pgproto3.FrontendMessage{queryOf("SELECT 1 /* leaves */")}},
		"at several statements":      {on('Q', "leaves"), []pgproto3.FrontendMessage{queryOf("SELECT 1; SELECT pg_sleep(0) /* leaves */; SELECT 2")}},
		"at a parse":                 {on('P', "leaves"), []pgproto3.FrontendMessage{parse("", "SELECT 1 /* leaves */"), bind("", ""), execute(""), &pgproto3.Sync{}}},
		"at a flush":                 {on('H', ""), []pgproto3.FrontendMessage{parse("", "SELECT 1 /* leaves */"), &pgproto3.Flush{}}},
		"at an execute":              {on('E', ""), []pgproto3.FrontendMessage{parse("", "SELECT 1 /* leaves */"), bind("", ""), execute(""), &pgproto3.Sync{}}},
		"at a Sync":                  {on('S', ""), []pgproto3.FrontendMessage{parse("", "SELECT 1 /* leaves */"), bind("", ""), execute(""), &pgproto3.Sync{}}},
		"at the second batch":        {on('S', ""), []pgproto3.FrontendMessage{parse("", "SELECT 1 /* leaves */"), &pgproto3.Sync{}, parse("a", "SELECT 2"), bind("", "a"), execute(""), &pgproto3.Sync{}}},
		"while a name is looked up":  {on('S', ""), []pgproto3.FrontendMessage{parse("", "SELECT 1 /* leaves */"), &pgproto3.Sync{}, bind("", "nobody"), execute(""), &pgproto3.Sync{}}},
		"at COPY data":               {on('d', ""), append(copying, &pgproto3.CopyData{Data: []byte("2\n")}, &pgproto3.CopyDone{})},
		"at the end of a COPY":       {on('c', ""), append(copying, &pgproto3.CopyDone{})},
		"at a COPY that fails":       {on('f', ""), append(copying, &pgproto3.CopyFail{Message: "no"})},
		"at the gateway's own query": {on('P', reserved+"ask"), []pgproto3.FrontendMessage{queryOf("SELECT 1 /* leaves */")}},
		"at its own, in a batch":     {on('P', reserved+"ask"), []pgproto3.FrontendMessage{parse("", "SELECT 1 /* leaves */"), bind("", ""), execute(""), &pgproto3.Sync{}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(l)
			w.t = t
			defer w.conn.Close()
			if !strings.Contains(name, "own") {
				w.simple("SELECT 1") // the session's names are known
			}
			closings := len(l.records.of(audit.KindSessionClose))
			r.hook.Store(&c.hook)
			defer r.hook.Store(nil)
			w.send(c.msgs...)
			w.conn.SetDeadline(time.Now().Add(10 * time.Second))
			got, err := io.ReadAll(w.conn)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("hung after %q", got)
			}
			if !bytes.Contains(got, []byte("SFATAL\x00")) {
				t.Errorf("answered %q", got)
			}
			soon(t, "the session's end is recorded", func() bool { return len(l.records.of(audit.KindSessionClose)) > closings })
			if n := len(l.records.of(audit.KindCommand)) - len(l.records.of(audit.KindOutcome)); n != 0 {
				t.Errorf("%d commands have no outcome", n)
			}
		})
	}
}
