package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// environment is what a statement's meaning depends on in this session.
type environment struct {
	path    sqlclass.Path
	temp    []*sqlclass.Relation
	tempKey uint64
}

// tempKeys numbers the temporary schemas that sessions have had.
var tempKeys atomic.Uint64

// environmentQuery asks the target for the session's effective search path and its
// temporary relations. Names are qualified, so that no object of the user's can stand in.
const environmentQuery = `SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text,
 coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
   'oid', c.oid::bigint, 'name', c.relname, 'kind', c.relkind::pg_catalog.text, 'rowtype', c.reltype::bigint,
   'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('num', a.attnum, 'name', a.attname, 'type', a.atttypid::bigint, 'notnull', a.attnotnull))
      FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped AND c.relkind OPERATOR(pg_catalog.<>) ALL ('{i,I}'::pg_catalog."char"[]))))
  FROM pg_catalog.pg_class c WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
   AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,p,S,f,m,i,I}'::pg_catalog."char"[])), '[]')::pg_catalog.text,
 pg_catalog.current_setting('standard_conforming_strings')`

// errRefused is a query of the gateway's own that the target answered with an error: the
// client's settings, such as its statement_timeout, hold for those as well.
var errRefused = errors.New("the target refused the gateway's own query")

// readEnvironment asks the target what this session's names mean now.
func (p *proxy) readEnvironment() error {
	var row []string
	err := p.ask(environmentQuery, func(cols []string) { row = cols })
	if errors.Is(err, errRefused) {
		return &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the session's settings cannot be read, so the statement cannot be understood", Next: "try again, perhaps with a longer statement_timeout"}
	}
	if err != nil {
		return fmt.Errorf("read session environment: %w", err)
	}
	env, err := parseEnvironment(row)
	if err != nil {
		return err
	}
	p.env = env
	return nil
}

type tempRelation struct {
	OID     uint32 `json:"oid"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	RowType uint32 `json:"rowtype"`
	Columns []struct {
		Num     int16  `json:"num"`
		Name    string `json:"name"`
		Type    uint32 `json:"type"`
		NotNull bool   `json:"notnull"`
	} `json:"columns"`
}

func parseEnvironment(row []string) (environment, error) {
	if len(row) != 3 || row[2] != "on" {
		return environment{}, errors.New("the session's settings are not ones the gateway can follow")
	}
	var schemas []string
	var temps []tempRelation
	if err := json.Unmarshal([]byte(row[0]), &schemas); err != nil {
		return environment{}, fmt.Errorf("parse search path: %w", err)
	}
	if err := json.Unmarshal([]byte(row[1]), &temps); err != nil {
		return environment{}, fmt.Errorf("parse temporary relations: %w", err)
	}
	env := environment{path: effectivePath(schemas)}
	for _, t := range temps {
		if len(t.Kind) != 1 {
			return environment{}, errors.New("parse temporary relations: bad kind")
		}
		r := &sqlclass.Relation{OID: t.OID, Schema: "pg_temp", Name: t.Name, Kind: t.Kind[0], RowType: t.RowType}
		for _, c := range t.Columns {
			r.Columns = append(r.Columns, sqlclass.Column{Num: c.Num, Name: c.Name, TypeOID: c.Type, NotNull: c.NotNull})
		}
		env.temp = append(env.temp, r)
	}
	if len(env.temp) > 0 {
		env.tempKey = tempKeys.Add(1)
	}
	return env, nil
}

// effectivePath turns current_schemas(true), which names the temporary schema by its own
// name, into a path.
func effectivePath(schemas []string) sqlclass.Path {
	for i, s := range schemas {
		if len(s) > 8 && s[:8] == "pg_temp_" {
			schemas[i] = "pg_temp"
		}
	}
	return sqlclass.NewPath(schemas...)
}

// ask runs a query of the gateway's own on the session's connection, with nothing else in
// the air, and hands out its rows as text.
func (p *proxy) ask(sql string, row func(cols []string)) error {
	if _, skipping, err := p.drain(); err != nil || skipping {
		return errors.Join(err, errIf(skipping, errors.New("the transaction has failed")))
	}
	var bad error
	last, err := p.sendAsk(sql, func(body []byte) {
		cols, err := textColumns(body)
		if err != nil {
			bad = err
			return
		}
		row(cols)
	})
	if err != nil {
		return err
	}
	if _, _, alive := p.due.drain(); !alive {
		return errGone
	}
	p.askLeft = !last.stmt.confirmed.Load()
	return errors.Join(bad, errIf(p.askLeft, errRefused))
}

// errGone is a target that hung up.
var errGone = errors.New("the target went away")

// sendAsk sends a query of the gateway's own and returns the answer that comes last. What an ask
// before it left behind, because it failed on its way, is closed first.
func (p *proxy) sendAsk(sql string, rows func(body []byte)) (last *expect, err error) {
	const name = reserved + "ask"
	closing := []pgwire.Message{&pgwire.Close{Kind: pgwire.KindPortal, Name: name}, &pgwire.Close{Kind: pgwire.KindStatement, Name: name}}
	var msgs []pgwire.Message
	if p.askLeft {
		p.due.push(&expect{kind: expectClose, internal: true})
		p.due.push(&expect{kind: expectClose, internal: true})
		msgs = append(msgs, closing...)
	}
	last = &expect{kind: expectClose, internal: true, stmt: &prepared{}}
	for _, e := range []*expect{
		{kind: expectParse, internal: true}, {kind: expectBind, internal: true}, {kind: expectExecute, internal: true, rows: rows},
		{kind: expectClose, internal: true, portal: &portal{}}, last,
	} {
		p.due.push(e)
	}
	msgs = append(msgs, &pgwire.Parse{Name: name, SQL: sql}, &pgwire.Bind{Portal: name, Statement: name}, &pgwire.Execute{Portal: name})
	msgs = append(msgs, closing...)
	frames, err := pgwire.AppendAll(nil, msgs...)
	if err != nil {
		return nil, err
	}
	if p.midBatch {
		frames = pgwire.AppendEmpty(frames, pgwire.TypeFlush)
	} else {
		p.due.push(&expect{kind: expectSync, internal: true})
		frames = pgwire.AppendEmpty(frames, pgwire.TypeSync)
	}
	if err := p.sout.add(frames); err != nil {
		return nil, err
	}
	return last, p.sout.flush()
}

func errIf(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// textColumns copies a row's values out; NULL is "".
func textColumns(body []byte) ([]string, error) {
	var m pgwire.DataRow
	if err := m.Decode(body); err != nil {
		return nil, err
	}
	cols := make([]string, 0, m.Len())
	for _, v := range m.Values() {
		cols = append(cols, string(v))
	}
	return cols, nil
}
