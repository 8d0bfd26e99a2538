package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sqlclass"
)

// analysed is a command's classification as the pipeline and the masker need it. It is
// immutable and shared by the sessions of a resource.
type analysed struct {
	batch   *sqlclass.Batch
	subject *enforce.Subject
	parts   []*part
	// missing is the first name that the target does not know either; such a command is
	// answered by the gateway as the target would.
	missing *sqlclass.Name
	// steers says that the command may change what later ones mean: nothing behind it is
	// classified before it is through.
	steers bool
	// resync says that the session's path or temporary tables may be different afterwards,
	// relist that the catalog may be.
	resync, relist bool
	// endsTx says that it may take back what a transaction changed, acrossTx that it goes on
	// with names after that.
	endsTx, acrossTx bool
}

// part is one statement of a command.
type part struct {
	facts  *sqlclass.Facts
	output []output
	opaque bool // nothing is known about its result columns
}

// output is one result column.
type output struct {
	name    string
	sources []int // indexes into the subject's columns
	direct  bool
	opaque  bool
	labeled bool // one of its sources has a data class
	origin  sqlclass.ColumnRef
	castOf  sqlclass.ColumnRef // what the target reports in its place where a cast changes nothing
	typeOID uint32
}

// subjectBuilder collects the questions about one command.
type subjectBuilder struct {
	name    policy.ResourceName
	labels  *labels
	subject *enforce.Subject
	index   map[colKey]int
	asked   map[askKey]bool
	ask     *enforce.Ask
}

type colKey struct {
	relation uint32
	num      int16
}

type askKey struct {
	action policy.Action
	entity string
}

// analyse turns facts into questions. all lists every stored column of the target.
func analyse(res *Resource, labels *labels, batch *sqlclass.Batch, cat *sqlclass.Catalog, all func() *enforce.ColumnList) *analysed {
	a := &analysed{batch: batch, subject: &enforce.Subject{}}
	b := &subjectBuilder{name: res.Policy.Name, labels: labels, subject: a.subject, index: map[colKey]int{}}
	var before sequence
	for _, f := range batch.Statements {
		b.begin(f, len(batch.Statements) > 1)
		b.statement(f)
		p := b.part(f)
		if a.relist || before.behind(f) || movesNames(f) && callsRoutine(f) {
			b.unknown(f, p)
		}
		b.near(f, cat, all)
		a.acrossTx = a.acrossTx || before.ended && resolves(f)
		a.parts = append(a.parts, p)
		a.note(f)
		before.add(f)
	}
	if a.subject.Opaque || a.subject.OpaqueFlow {
		a.subject.Everything = all()
	}
	return a
}

// unknown marks a statement whose names cannot be told from its text and the catalog.
func (b *subjectBuilder) unknown(f *sqlclass.Facts, p *part) {
	p.opaque, b.subject.Opaque = p.opaque || f.ReturnsRows, true
	b.subject.OpaqueFlow = b.subject.OpaqueFlow || len(f.Flows) > 0
}

// near adds the columns that an error or notice of a statement may quote besides those it
// names: all of the relations it changes, and at the end of a transaction any.
func (b *subjectBuilder) near(f *sqlclass.Facts, cat *sqlclass.Catalog, all func() *enforce.ColumnList) {
	if f.Kind == sqlclass.KindTransaction && f.Tx == sqlclass.TxCommit {
		b.subject.NearEverything, b.subject.Everything = true, all()
		return
	}
	for _, acc := range f.Accesses {
		r := cat.Relation(acc.OID)
		if r == nil || acc.Action == sqlclass.ActionSelect || acc.System {
			continue
		}
		for _, c := range r.Columns {
			ref := sqlclass.ColumnRef{Relation: r.OID, Num: c.Num, Schema: r.Schema, Table: r.Name, Column: c.Name}
			b.subject.Near = append(b.subject.Near, b.labels.column(b.name, ref))
		}
	}
}

// note keeps what the statement does to the session.
func (a *analysed) note(f *sqlclass.Facts) {
	for i, n := range f.Unresolved {
		made := a.relist && (n.What == "relation" || n.What == "column") // perhaps by an earlier statement of the text
		if a.missing == nil && !made {
			a.missing = &f.Unresolved[i]
		}
	}
	a.resync = a.resync || movesNames(f)
	switch f.Kind {
	case sqlclass.KindTransaction:
		a.endsTx = a.endsTx || f.Tx != sqlclass.TxBegin && f.Tx != sqlclass.TxSavepoint
	case sqlclass.KindDiscard, sqlclass.KindReset, sqlclass.KindDrop, sqlclass.KindDDL:
		a.resync = true
	}
	if f.Opaque || f.DynamicSQL || len(f.Creates) > 0 || f.Kind == sqlclass.KindDo || f.Kind == sqlclass.KindCall || hasOpaque(f) {
		a.resync = true
	}
	for _, acc := range f.Accesses {
		if acc.Action == sqlclass.ActionDDL || acc.Action == sqlclass.ActionDrop {
			a.resync, a.relist = true, true
		}
	}
	switch f.Kind {
	case sqlclass.KindPrepare, sqlclass.KindDeallocate, sqlclass.KindDeclare, sqlclass.KindClose:
		a.steers = true
	}
	a.steers = a.steers || f.Cursors || a.resync || a.relist || len(f.Sets) > 0
}

// opens are the transaction commands that take nothing back and end nothing.
var opens = map[sqlclass.TxAction]bool{sqlclass.TxBegin: true, sqlclass.TxSavepoint: true, sqlclass.TxRelease: true}

func hasOpaque(f *sqlclass.Facts) bool {
	return slices.ContainsFunc(f.Functions, func(fn sqlclass.FunctionRef) bool { return fn.Opaque })
}

// begin opens the questions of one statement.
func (b *subjectBuilder) begin(f *sqlclass.Facts, multi bool) {
	st := policy.Statement{Kind: kindOf(f), Where: f.HasWhere, Multi: multi, Dynamic: f.DynamicSQL}
	for _, acc := range f.Accesses {
		if acc.OID != 0 || acc.Schema != "" {
			st.Tables = append(st.Tables, policy.Dotted(acc.Schema, acc.Name))
		}
	}
	for _, c := range f.ColumnsRead {
		st.Columns = append(st.Columns, policy.Dotted(c.Schema, c.Table, c.Column))
	}
	for _, c := range f.ColumnsWritten {
		st.Columns = append(st.Columns, policy.Dotted(c.Schema, c.Table, c.Column))
	}
	for _, fn := range f.Functions {
		st.Functions = append(st.Functions, policy.Dotted(fn.Schema, fn.Name))
	}
	b.subject.Asks = append(b.subject.Asks, enforce.Ask{Facts: st.Facts()})
	b.ask = &b.subject.Asks[len(b.subject.Asks)-1]
	b.asked = map[askKey]bool{}
	b.subject.Tables = merge(b.subject.Tables, st.Tables)
	if f.Write || slices.ContainsFunc(f.Functions, func(fn sqlclass.FunctionRef) bool { return fn.Writes || fn.Opaque || fn.Dangerous }) {
		b.subject.Durable = true
	}
	if f.Opaque || f.DynamicSQL {
		b.subject.Durable = true
	}
}

// question adds one, once.
func (b *subjectBuilder) question(a policy.Action, e policy.Entity) {
	key := askKey{a, e.String()}
	if b.asked[key] {
		return
	}
	b.asked[key] = true
	b.ask.Questions = append(b.ask.Questions, policy.Question{Action: a, Entity: e})
	b.subject.Actions = merge(b.subject.Actions, []string{string(a)})
}

func (b *subjectBuilder) unreadable(format string, args ...any) {
	if b.subject.Unreadable == "" {
		b.subject.Unreadable = fmt.Sprintf(format, args...)
	}
}

// column returns the subject's index of a column.
func (b *subjectBuilder) column(c sqlclass.ColumnRef) int {
	key := colKey{c.Relation, c.Num}
	if i, ok := b.index[key]; ok {
		return i
	}
	i := len(b.subject.Columns)
	b.index[key] = i
	b.subject.Columns = append(b.subject.Columns, b.labels.column(b.name, c))
	return i
}

// column is the entity of one stored column with its data classes.
func (l *labels) column(resource policy.ResourceName, c sqlclass.ColumnRef) enforce.Column {
	info := policy.TableInfo{System: systemSchema(c.Schema)}
	return enforce.Column{Entity: resource.Column(c.Schema, c.Table, c.Column, info, l.of(c)...), Name: c.Schema + "." + c.Table + "." + c.Column}
}

func systemSchema(schema string) bool {
	return schema == "pg_catalog" || schema == "information_schema" || schema == "pg_toast"
}

// part notes the columns that reach the result, filters and other places.
func (b *subjectBuilder) part(f *sqlclass.Facts) *part {
	p := &part{facts: f, opaque: f.ReturnsRows && !f.OutputKnown}
	for _, out := range f.Output {
		o := output{name: out.Name, direct: out.Direct, opaque: out.Opaque, origin: out.Origin, castOf: out.CastOf, typeOID: out.TypeOID}
		for _, src := range out.Sources {
			o.sources = append(o.sources, b.column(src))
			o.labeled = o.labeled || len(b.labels.of(src)) > 0
		}
		b.subject.Opaque = b.subject.Opaque || out.Opaque
		p.output = append(p.output, o)
	}
	b.subject.Opaque = b.subject.Opaque || p.opaque
	for _, use := range f.Filters {
		b.subject.Filters = append(b.subject.Filters, enforce.Filter{Column: b.column(use.Column), Equality: use.Equality})
	}
	for _, c := range f.ColumnsWritten {
		b.column(c)
	}
	for _, c := range f.ColumnsRead {
		b.column(c)
	}
	b.flows(f)
	return p
}

// flows notes values that are stored elsewhere. Back into the very same column is no flow.
func (b *subjectBuilder) flows(f *sqlclass.Facts) {
	b.subject.OpaqueFlow = b.subject.OpaqueFlow || hidesWrites(f)
	for _, flow := range f.Flows {
		switch {
		case flow.Opaque:
			b.subject.OpaqueFlow = true
		case flow.From == flow.To:
		default:
			b.subject.Flows = append(b.subject.Flows, b.column(flow.From))
		}
	}
}

// kindOf is the word policies see: for EXPLAIN ANALYZE, PREPARE, EXECUTE and the like still
// that of the outer statement.
func kindOf(f *sqlclass.Facts) string {
	if f.Kind == sqlclass.KindTransaction {
		return f.Tx.String()
	}
	return f.Kind.String()
}

func merge(into, add []string) []string {
	for _, s := range add {
		if !slices.Contains(into, s) {
			into = append(into, s)
		}
	}
	return into
}

// names renders the masked columns of a command for its record.
func maskedNames(sub *enforce.Subject, masks *enforce.Masks, outputs []output) []string {
	var names []string
	for _, o := range outputs {
		for _, i := range o.sources {
			if masks.Columns[i].Kind != policy.MaskReveal {
				names = merge(names, []string{sub.Columns[i].Name})
			}
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
