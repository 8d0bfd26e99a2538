package partiql

import (
	"slices"
	"strings"
)

// parser is recursive descent over one statement. After an error every token is the end, so that all of it returns.
type parser struct {
	scanner
	tok    token
	params int
	depth  int
}

func (p *parser) next() { p.tok = p.scan() }

func (p *parser) is(texts ...string) bool {
	return (p.tok.kind == word || p.tok.kind == sign) && slices.Contains(texts, p.tok.text)
}

// take passes a token of one of the texts.
func (p *parser) take(texts ...string) bool {
	if !p.is(texts...) {
		return false
	}
	p.next()
	return true
}

func (p *parser) want(texts ...string) {
	for _, t := range texts {
		if !p.take(t) {
			p.fail(p.tok.at, "expected "+t)
			p.tok = token{}
			return
		}
	}
}

func (p *parser) refuse(why string) {
	p.fail(p.tok.at, why)
	p.tok = token{}
}

func (p *parser) statement() Statement {
	var s Statement
	switch {
	case p.take("select"):
		s = p.selects()
	case p.take("insert"):
		s = p.insert()
	case p.take("update"):
		s = p.update()
	case p.take("delete"):
		s = p.deletes()
	case p.take("exists"):
		p.want("(", "select")
		s = p.selects()
		s.Kind = Exists
		p.want(")")
	default:
		p.refuse("expected SELECT, INSERT, UPDATE, DELETE or EXISTS")
	}
	p.take(";")
	if p.tok.kind != end {
		p.refuse("more than one statement, or a clause that is not known")
	}
	return s
}

// selects reads a SELECT behind its first word: SELECT paths FROM table[.index] [WHERE ...] [ORDER BY ...].
func (p *parser) selects() Statement {
	s := Statement{Kind: Select}
	if !p.take("*") {
		p.list(p.path)
	}
	p.want("from")
	s.Table, s.Index = p.table(true)
	s.Where = p.where()
	if p.take("order") {
		p.want("by")
		p.list(func() {
			p.path()
			p.take("asc", "desc")
		})
	}
	return s
}

// insert reads INTO table VALUE {...}.
func (p *parser) insert() Statement {
	s := Statement{Kind: Insert}
	p.want("into")
	s.Table, _ = p.table(false)
	p.want("value")
	switch {
	case p.is("{"), p.is("?"):
		p.operand()
	default:
		p.refuse("expected an item")
	}
	return s
}

// update reads table, SET and REMOVE clauses, WHERE and RETURNING.
func (p *parser) update() Statement {
	s := Statement{Kind: Update}
	s.Table, _ = p.table(false)
	if !p.is("set", "remove") {
		p.refuse("expected SET or REMOVE")
	}
	for p.is("set", "remove") {
		sets := p.tok.text == "set"
		p.next()
		p.list(func() {
			p.path()
			if sets {
				p.want("=")
				p.value()
			}
		})
	}
	s.Where = p.where()
	s.Returning = p.returning()
	return s
}

func (p *parser) deletes() Statement {
	s := Statement{Kind: Delete}
	p.want("from")
	s.Table, _ = p.table(false)
	s.Where = p.where()
	s.Returning = p.returning()
	return s
}

func (p *parser) where() bool {
	if !p.take("where") {
		return false
	}
	p.condition()
	return true
}

func (p *parser) returning() bool {
	if !p.take("returning") {
		return false
	}
	if !p.take("all", "modified") || !p.take("old", "new") || !p.take("*") {
		p.refuse("expected ALL or MODIFIED, OLD or NEW, and *")
	}
	return true
}

// table reads the name of a table, and of an index of it where one may stand.
func (p *parser) table(index bool) (table, idx string) {
	at := p.tok.at
	table = p.name()
	if index && p.take(".") {
		idx = p.name()
	}
	if p.err == nil && (!isTable(table) || idx != "" && !isName(idx)) {
		p.fail(at, "it is not the name of a table or index")
		p.tok = token{}
	}
	return table, idx
}

// name reads a name: in quotes, or a word that is none of the language's.
func (p *parser) name() string {
	t := p.tok
	switch {
	case t.kind == quoted:
		p.next()
		return t.text
	case t.kind == word && !reserved[t.text]:
		p.next()
		return t.raw
	}
	p.refuse("expected a name")
	return ""
}

// list reads one or more of something, with commas between.
func (p *parser) list(one func()) {
	for one(); p.take(","); {
		one()
	}
}

// reserved are the words that no name may be without quotes.
var reserved = wordSet(`select from where order by asc desc insert into value values update set remove delete returning exists and or not
	in between is missing null true false as at join inner left right outer cross on union intersect except group having limit offset let
	pivot unpivot case when then else end cast like escape with create drop exec execute merge upsert replace conflict distinct all any
	some table index`)

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}
