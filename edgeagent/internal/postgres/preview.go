package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sqlclass"
)

// viewing is one preview of a held command. It looks over the session's own connection while the client waits: with the
// session's role and settings, and with what its transaction has changed.
type viewing struct {
	p      *proxy
	text   *text
	facts  *sqlclass.Facts
	portal *portal // of an Execute
	look   enforce.Look
	types  []uint32 // of the parameters, as the target resolved them

	estimate, count *sight
	notes           []string
}

// sight is one look of a preview.
type sight struct {
	step
	flight *enforce.Flight
}

// preview implements enforce.Command's Preview.
func (p *proxy) preview(ctx context.Context, c *enforce.Command, look enforce.Look) (_ enforce.Preview, withdrawn bool) {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	p.gaveUp.Store(false)
	stop := func() {
		p.gaveUp.Store(true)
		giveUp()
	}
	p.holding.Store(&stop) // until held replaces it
	t, ok := c.Text.(*text)
	if !ok || t.batch == nil {
		return enforce.Preview{}, false
	}
	v := &viewing{p: p, text: t, look: look, portal: p.bound}
	out := v.view(ctx)
	return out, p.gaveUp.Load()
}

func (v *viewing) view(ctx context.Context) enforce.Preview {
	if why := v.simple(); why != "" {
		return enforce.Preview{Detail: "no preview: " + why}
	}
	room, why := v.p.makeRoom(ctx, v.portal)
	if why != "" {
		return enforce.Preview{Detail: "no preview: " + why}
	}
	defer room.leave()
	if why := room.prepare(ctx, v); why != "" {
		return enforce.Preview{Detail: "no preview: " + why}
	}
	v.choose(room.block)
	if v.estimate == nil && v.count == nil {
		return enforce.Preview{Detail: "no preview: " + strings.Join(v.notes, "; ")}
	}
	if !v.run(ctx, room) {
		return enforce.Preview{Detail: "no preview: the target did not answer in time"}
	}
	return v.result(room.block)
}

// previewed are the kinds of statements that a plan can be asked for.
var previewed = map[sqlclass.Kind]bool{
	sqlclass.KindInsert: true, sqlclass.KindUpdate: true, sqlclass.KindDelete: true, sqlclass.KindMerge: true,
	sqlclass.KindSelect: true, sqlclass.KindExecute: true,
}

// simple returns why the command cannot be previewed at all.
func (v *viewing) simple() string {
	if len(v.text.batch.Statements) != 1 {
		return "the text holds several statements"
	}
	v.facts = v.text.batch.Statements[0]
	if !previewed[v.facts.Kind] {
		return "there is none for " + strings.ToUpper(v.facts.Kind.String())
	}
	if f := v.facts; len(f.Sets) > 0 || f.DynamicSQL || f.Opaque || f.Cursors || f.Secret || len(f.Unresolved) > 0 {
		return "what it does cannot be told from its text"
	}
	return unsafe(v.facts, v.facts.Kind == sqlclass.KindExecute)
}

// unsafe names a function of a statement that looking could run and must not: the planner runs what is not volatile,
// a count everything. What the database and its extensions bring is run as they declare it.
func unsafe(f *sqlclass.Facts, runs bool) string {
	for _, fn := range f.Functions {
		known := fn.Builtin || fn.Language == "c"
		if !known || fn.Dangerous || fn.LargeObject || fn.Sensitive || fn.Opaque || runs && (fn.Volatile || fn.Writes) {
			return "it calls " + policy.Dotted(fn.Schema, fn.Name)
		}
	}
	return ""
}

// choose decides which looks are possible and permitted.
func (v *viewing) choose(block bool) {
	var why string
	if v.estimate, why = v.estimating(block); why != "" {
		v.notes = append(v.notes, "not estimated: "+why)
	}
	if v.count, why = v.counting(block); why != "" {
		v.notes = append(v.notes, "not counted: "+why)
	}
}

// estimating is EXPLAIN of the command. For that the session needs sql:explain, and sql:select where the command writes.
func (v *viewing) estimating(block bool) (*sight, string) {
	sql := "EXPLAIN (FORMAT JSON) " + v.text.sql
	a, err := v.p.analyse(sql)
	if err != nil || len(a.parts) != 1 || a.missing != nil || a.parts[0].facts.Kind != sqlclass.KindExplain || a.parts[0].facts.ExplainAnalyze {
		return nil, "the plan cannot be asked for"
	}
	return v.sight(sql, a.batch, asRead(a.subject), block)
}

// asRead is what a subject asks when it is looked at and not run.
func asRead(s *enforce.Subject) *enforce.Subject {
	read := *s
	read.Asks, read.Actions = nil, nil
	for _, ask := range s.Asks {
		seen := map[string]bool{}
		var questions []policy.Question
		for _, q := range ask.Questions {
			if q.Action.In(policy.SQLWrite) {
				q.Action = policy.SQLSelect
			}
			if key := string(q.Action) + " " + q.Entity.String(); !seen[key] {
				seen[key] = true
				questions = append(questions, q)
				read.Actions = merge(read.Actions, []string{string(q.Action)})
			}
		}
		read.Asks = append(read.Asks, enforce.Ask{Facts: ask.Facts, Questions: questions})
	}
	return &read
}

const notPlain = "it is no plain UPDATE or DELETE of one table"

// counting is SELECT count(*) under the command's own condition.
func (v *viewing) counting(block bool) (*sight, string) {
	sql, ok := v.p.target.classifier.CountQuery(v.text.sql)
	if !ok {
		return nil, notPlain
	}
	a, err := v.p.analyse(sql)
	if err != nil || len(a.parts) != 1 || a.missing != nil {
		return nil, notPlain
	}
	f := a.parts[0].facts
	if why := unsafe(f, true); why != "" {
		return nil, why
	}
	if !f.ReadOnly() || f.Kind != sqlclass.KindSelect || !v.p.oneTable(f, v.facts) {
		return nil, notPlain
	}
	return v.sight(sql, a.batch, a.subject, block)
}

// sight asks the pipeline for a look.
func (v *viewing) sight(sql string, batch *sqlclass.Batch, subject *enforce.Subject, block bool) (*sight, string) {
	t := &text{sql: sql, batch: batch, params: v.text.params, detector: v.text.detector}
	f, err := v.look(&enforce.Command{Subject: subject, Text: t, Digest: t.digest(), InTransaction: block})
	if err == nil {
		if err = f.Ready(); err != nil {
			f.End(enforce.Outcome{Cut: "not forwarded: the session ended"})
		}
	}
	if err != nil {
		return nil, err.Error()
	}
	return &sight{step: step{sql: sql, params: v.text.params, types: v.types}, flight: f}, ""
}

// oneTable reports whether a count reads one ordinary table and nothing else, the one that the command changes.
func (p *proxy) oneTable(count, command *sqlclass.Facts) bool {
	if len(count.Accesses) != 1 || count.Accesses[0].System || count.Accesses[0].OID == 0 {
		return false
	}
	oid := count.Accesses[0].OID
	for _, acc := range command.Accesses {
		if acc.OID != oid {
			return false
		}
	}
	for _, r := range p.env.temp {
		if r.OID == oid {
			return r.Kind == 'r'
		}
	}
	cat := p.private
	if cat == nil {
		cat = p.target.catalog.now.Load()
	}
	r := cat.Relation(oid)
	return r != nil && (r.Kind == 'r' || r.Kind == 'p' && !partlyForeign(cat, oid)) && len(r.Rules) == 0
}

// partlyForeign reports whether the rows of some table below a partitioned one are another server's.
func partlyForeign(cat *sqlclass.Catalog, oid uint32) bool {
	for r := range cat.Relations() {
		if r.Kind == 'f' && below(cat, r, oid, 16) {
			return true
		}
	}
	return false
}

func below(cat *sqlclass.Catalog, r *sqlclass.Relation, oid uint32, depth int) bool {
	for _, parent := range r.InheritsFrom {
		if parent == oid || depth == 0 {
			return true
		}
		if up := cat.Relation(parent); up != nil && below(cat, up, oid, depth-1) {
			return true
		}
	}
	return false
}

// run looks, behind what takes everything back.
func (v *viewing) run(ctx context.Context, room *room) bool {
	secured := &step{sql: "SELECT pg_catalog.row_security_active(" + fmt.Sprint(v.countedTable()) + "::pg_catalog.oid)"}
	steps := room.open(estimateTimeout)
	if v.estimate != nil {
		steps = append(steps, &v.estimate.step)
	}
	if v.count != nil {
		steps = append(steps, secured, limits(countTimeout), &v.count.step)
	}
	steps = append(steps, room.close()...)
	ok := room.run(ctx, steps)
	for _, s := range []*sight{v.estimate, v.count} {
		if s != nil {
			s.flight.End(s.outcome(ok))
		}
	}
	if ok && v.count != nil && secured.code == "" && secured.value() != "f" {
		v.count = nil
		v.notes = append(v.notes, "not counted: row security decides which rows it reaches")
	}
	return ok
}

func (v *viewing) countedTable() uint32 {
	if len(v.facts.Accesses) == 0 {
		return 0
	}
	return v.facts.Accesses[0].OID
}

func (s *sight) outcome(answered bool) enforce.Outcome {
	switch {
	case !answered:
		return enforce.Outcome{Cut: "the target did not answer in time"}
	case s.code != "":
		return enforce.Outcome{ErrorCode: string(s.code), ErrorMessage: "the look failed"}
	}
	return enforce.Outcome{Tag: "look", Rows: 1}
}
