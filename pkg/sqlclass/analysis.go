package sqlclass

import (
	"errors"
	"strings"

	pg "github.com/sqlc-dev/oliphant"
	"github.com/sqlc-dev/oliphant/parser"
)

const (
	maxNested  = 24   // views, routines and prepared statements within one another
	maxColumns = 1664 // MaxTupleAttributeNumber of access/htup_details.h
)

// bail ends an analysis from any depth; classify turns it into an *Unparsed.
type bail struct{ reason Reason }

// shared is what all analyses of one text have in common.
type shared struct {
	cfg      *Config
	steps    int
	private  bool // the result depends on more than the cache key
	bound    bool // a routine body was read under the session's path
	views    []*Relation
	expanded map[*Relation]*expansion
	calls    []*Function // routines being read, outermost first
	bodies   map[*Function]*routine
}

// analysis works out the facts of one statement.
type analysis struct {
	*shared
	cat  *Catalog
	ses  *Session
	path []string // for names in the text
	run  []string // in force when the text runs: what routine bodies resolve with
	f    *Facts

	via   string // the view or routine being read
	quiet bool   // inside a view: its own filters and reads are not the caller's
	body  bool   // inside a routine: unknown names are its variables
	shown bool   // the routine raises messages with values

	pinned pinned

	seenAccess map[Access]bool
	seenFlow   map[Flow]bool
	seenUse    map[ColumnUse]bool
	seenFunc   map[FunctionRef]bool
	seenName   map[Name]bool
	read       []colID
	written    []colID
}

func (c *Classifier) classify(text string, cat *Catalog, s *Session) (b *Batch, cacheable bool, err error) {
	if cat == nil {
		cat = emptyCatalog
	}
	if err := c.cfg.guard(text); err != nil {
		return nil, false, err
	}
	sh := &shared{cfg: &c.cfg, bodies: map[*Function]*routine{}, expanded: map[*Relation]*expansion{}}
	defer func() {
		if r := recover(); r != nil {
			b, cacheable, err = nil, false, recovered(r)
		}
	}()
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, false, syntaxError(err, text)
	}
	b = &Batch{Text: text, Statements: make([]*Facts, 0, len(tree.Stmts))}
	cacheable = true
	for _, raw := range tree.Stmts {
		f := newFacts(cut(text, raw))
		f.Offset = int(raw.StmtLocation)
		a := &analysis{shared: sh, cat: cat, ses: s, path: s.Path.schemas, run: s.Path.schemas, f: f}
		a.statement(raw.Stmt)
		a.finish()
		cacheable = cacheable && !f.Secret
		b.Statements = append(b.Statements, f)
	}
	return b, cacheable && !sh.private, nil
}

var emptyCatalog = &Catalog{}

func recovered(r any) error {
	if b, ok := r.(bail); ok {
		return &Unparsed{Reason: b.reason, Position: -1}
	}
	return &Unparsed{Reason: ReasonInternal, Position: -1}
}

// syntaxError makes an Unparsed of the parser's error, which counts characters from 1.
func syntaxError(err error, text string) error {
	pos := -1
	var perr *parser.Error
	if errors.As(err, &perr) && perr.Cursorpos > 0 {
		pos = len(text)
		at := perr.Cursorpos - 1
		for i := range text {
			if at--; at < 0 {
				pos = i
				break
			}
		}
	}
	return &Unparsed{Reason: ReasonSyntax, Position: pos}
}

func newFacts(text string) *Facts {
	return &Facts{Text: text, HasWhere: true, RowsLimit: -1, Normalized: Normalize(text), ParamCount: paramCount(text)}
}

// cut returns the statement's part of the text.
func cut(text string, raw *pg.RawStmt) string {
	from := min(int(raw.StmtLocation), len(text))
	to := len(text)
	if raw.StmtLen > 0 {
		to = min(from+int(raw.StmtLen), len(text))
	}
	return strings.TrimSpace(text[from:to])
}

// sub starts the analysis of a view or routine body: own facts, the same limits.
func (a *analysis) sub(path, run []string, via string) *analysis {
	if a.via != "" {
		via = a.via
	}
	return &analysis{shared: a.shared, cat: a.cat, ses: a.ses, path: path, run: run, via: via,
		quiet: a.quiet, f: &Facts{HasWhere: true, RowsLimit: -1}}
}

// step counts one visited node and ends the analysis when there are too many.
func (s *shared) step() { s.spend(1) }

// spend counts n nodes' worth of work.
func (s *shared) spend(n int) {
	if s.steps += n; s.steps > s.cfg.MaxSteps {
		panic(bail{ReasonTooComplex})
	}
}

// finish turns the collected sets into the facts' lists.
func (a *analysis) finish() {
	a.f.ColumnsRead = a.refs(newRefSet(a.read))
	a.f.ColumnsWritten = a.refs(newRefSet(a.written))
	a.f.Write = a.f.Write || a.writes()
}

func (a *analysis) writes() bool {
	if a.f.Opaque || a.f.DynamicSQL {
		return true
	}
	for i := range a.f.Accesses {
		if a.f.Accesses[i].Action.writes() {
			return true
		}
	}
	for i := range a.f.Functions {
		if a.f.Functions[i].Writes {
			return true
		}
	}
	return false
}

func (a *analysis) refs(ids refSet) []ColumnRef {
	if len(ids) == 0 {
		return nil
	}
	out := make([]ColumnRef, len(ids))
	for i, id := range ids {
		out[i] = a.ref(id)
	}
	return out
}

// ref names a column of the catalog or of a temporary relation.
func (a *analysis) ref(id colID) ColumnRef {
	if id == 0 {
		return ColumnRef{}
	}
	if a.cat.byOID[id.relation()] == nil && a.ses != nil {
		for _, r := range a.ses.Temp {
			if r.OID == id.relation() {
				return columnRef(r, id)
			}
		}
	}
	return a.cat.ref(id)
}

func (a *analysis) access(x Access) {
	if x.Via == "" {
		x.Via = a.via
	}
	if a.seenAccess[x] {
		return
	}
	if a.seenAccess == nil {
		a.seenAccess = map[Access]bool{}
	}
	a.seenAccess[x] = true
	a.f.Accesses = append(a.f.Accesses, x)
	if x.Action == ActionUpdate && x.System && x.Name == "pg_settings" {
		a.set(SetEffect{Scope: ScopeSession, Unknown: true}) // its update rule calls set_config
	}
}

func (a *analysis) flow(x Flow) {
	if a.seenFlow[x] {
		return
	}
	if a.seenFlow == nil {
		a.seenFlow = map[Flow]bool{}
	}
	a.seenFlow[x] = true
	a.f.Flows = append(a.f.Flows, x)
}

// flowAll records that v is stored at a place.
func (a *analysis) flowAll(v value, to ColumnRef, target string) {
	for _, id := range v.refs {
		a.flow(Flow{From: a.ref(id), To: to, Target: target})
	}
	if v.opaque {
		a.flow(Flow{To: to, Target: target, Opaque: true})
	}
}

func (a *analysis) function(x FunctionRef) {
	if a.seenFunc[x] {
		return
	}
	if a.seenFunc == nil {
		a.seenFunc = map[FunctionRef]bool{}
	}
	a.seenFunc[x] = true
	a.f.Functions = append(a.f.Functions, x)
}

func (a *analysis) missing(what, name string) {
	n := Name{What: what, Name: name}
	if a.seenName[n] {
		return
	}
	if a.seenName == nil {
		a.seenName = map[Name]bool{}
	}
	a.seenName[n] = true
	a.f.Unresolved = append(a.f.Unresolved, n)
}

// filter records that v decides about rows.
func (a *analysis) filter(v value, clause Clause) { a.filterUse(v, clause, false) }

func (a *analysis) filterUse(v value, clause Clause, equality bool) {
	if a.quiet {
		return
	}
	for _, id := range v.refs {
		u := ColumnUse{Column: a.ref(id), Clause: clause, Equality: equality}
		if a.seenUse[u] {
			continue
		}
		if a.seenUse == nil {
			a.seenUse = map[ColumnUse]bool{}
		}
		a.seenUse[u] = true
		a.f.Filters = append(a.f.Filters, u)
	}
}

// reads records that v's sources are used.
func (a *analysis) reads(v value) value {
	if a.quiet {
		return v
	}
	a.read = append(a.read, v.refs...)
	if len(a.read) >= 1<<14 {
		a.read = newRefSet(a.read)
	}
	return v
}

// absorb adds what a view or routine does to the statement's facts, reached through it.
func (a *analysis) absorb(f *Facts) {
	for _, x := range f.Accesses {
		if a.via != "" {
			x.Via = a.via
		}
		a.access(x)
	}
	for _, x := range f.Functions {
		a.function(x)
	}
	for _, n := range f.Unresolved {
		a.missing(n.What, n.Name)
	}
	for _, u := range f.Filters {
		a.filterUse(value{refs: refSet{newColID(u.Column.Relation, u.Column.Num)}}, u.Clause, u.Equality)
	}
	for _, e := range f.Sets {
		a.set(e)
	}
	for _, x := range f.Flows {
		a.flow(x)
	}
	a.f.HasWhere = a.f.HasWhere && f.HasWhere
	a.f.DynamicSQL = a.f.DynamicSQL || f.DynamicSQL
	a.f.Opaque = a.f.Opaque || f.Opaque
	a.f.Write = a.f.Write || f.Write
	a.f.Cursors = a.f.Cursors || f.Cursors
	a.f.Secret = a.f.Secret || f.Secret
}
