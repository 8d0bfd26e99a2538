package postgres

import (
	"strings"
	"sync/atomic"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// reserved is the prefix of the gateway's own statement and portal names.
const reserved = "writ "

// prepared is a statement that the client prepared, by protocol or by SQL.
type prepared struct {
	name  string
	sql   string
	batch uint64          // the batch that its Parse is in
	facts *sqlclass.Facts // what it meant when it was prepared
	// confirmed is set by the target loop once the target has it.
	confirmed atomic.Bool
	described bool // a description was asked for

	// Owned by the target loop.
	shape *shape
	known bool
}

// portal is a bound statement.
type portal struct {
	name    string
	stmt    *prepared
	meaning *analysed // of the statement when it was bound: the target plans it then
	batch   uint64
	params  []param
	formats []pgwire.Format
	flight  *enforce.Flight // of the latest Execute
	asked   bool            // a description was asked for
	// confirmed is set by the target loop once the target has it.
	confirmed atomic.Bool

	// Owned by the target loop.
	shape *shape
	known bool
}

// format is how column i comes back.
func (p *portal) format(i int) pgwire.Format {
	switch {
	case len(p.formats) == 1:
		return p.formats[0]
	case i < len(p.formats):
		return p.formats[i]
	}
	return pgwire.FormatText
}

// names are the session's statements, portals and cursors, as the target has them. At the
// target a cursor is a portal: of one name only one of them is kept, the later.
type names struct {
	statements map[string]*prepared
	portals    map[string]*portal
	cursors    map[string]*sqlclass.Facts // what each open cursor reads
}

// Limits of what one session may keep.
const (
	maxStatements = 10_000
	maxPortals    = 1_000
	maxCursors    = 1_000
)

func newNames() names {
	return names{statements: map[string]*prepared{}, portals: map[string]*portal{}, cursors: map[string]*sqlclass.Facts{}}
}

// settle brings the names up to date with statements that ran: it is called by the client
// loop with nothing in the air.
func (n *names) settle(f *sqlclass.Facts, ok bool) {
	if f.Cursors || f.Opaque || f.DynamicSQL {
		n.doubtCursors()
	}
	if !ok {
		return
	}
	switch f.Kind {
	case sqlclass.KindPrepare:
		if f.Inner != nil && len(n.statements) < maxStatements {
			st := &prepared{name: f.PreparedName, sql: f.Inner.Text, facts: f}
			st.confirmed.Store(true)
			n.statements[f.PreparedName] = st
		}
	case sqlclass.KindDeallocate:
		if f.PreparedName == "" {
			n.statements = map[string]*prepared{}
			return
		}
		delete(n.statements, f.PreparedName)
	case sqlclass.KindDeclare:
		delete(n.portals, f.CursorName)
		delete(n.cursors, f.CursorName)
		if f.Inner != nil && len(n.cursors) < maxCursors {
			n.cursors[f.CursorName] = f.Inner
		}
	case sqlclass.KindClose:
		if f.CursorName == "" {
			clear(n.cursors)
			clear(n.portals)
			return
		}
		delete(n.cursors, f.CursorName)
		delete(n.portals, f.CursorName)
	case sqlclass.KindDiscard:
		if strings.Contains(strings.ToUpper(f.Text), "ALL") {
			*n = newNames()
		}
	}
}

// doubtCursors is called after code that may have opened cursors under any name.
func (n *names) doubtCursors() {
	for name, f := range n.cursors {
		n.cursors[name] = doubted(f)
	}
	for name := range n.portals {
		if name != "" {
			delete(n.portals, name)
		}
	}
}
