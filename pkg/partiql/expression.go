package partiql

// deeper bounds recursion. It reports false, with an error, where it is too deep.
func (p *parser) deeper() bool {
	if p.depth++; p.depth > maxDepth {
		p.refuse("it is nested too deeply")
		return false
	}
	return true
}

// condition reads what may stand behind WHERE.
func (p *parser) condition() {
	if !p.deeper() {
		return
	}
	defer func() { p.depth-- }()
	for {
		p.term()
		if !p.take("and", "or") {
			return
		}
	}
}

// term reads one comparison, or a condition in brackets.
func (p *parser) term() {
	if p.is("not") {
		if !p.deeper() {
			return
		}
		defer func() { p.depth-- }()
		p.next()
		p.term()
		return
	}
	p.value()
	not := p.take("not")
	switch {
	case p.take("between"):
		p.value()
		p.want("and")
		p.value()
	case p.take("in"):
		p.operand()
	case not:
		p.refuse("expected BETWEEN or IN")
	case p.take("is"):
		p.take("not")
		if !p.take("missing", "null") {
			p.refuse("expected MISSING or NULL")
		}
	case p.take("=", "<>", "!=", "<", ">", "<=", ">="):
		p.value()
	}
}

// value reads operands with + and - between them.
func (p *parser) value() {
	for p.operand(); p.take("+", "-", "||"); {
		p.operand()
	}
}

// operand reads a literal, a parameter, a path, a call, or something in brackets.
func (p *parser) operand() {
	if !p.deeper() {
		return
	}
	defer func() { p.depth-- }()
	switch t := p.tok; {
	case t.kind == str, t.kind == number, p.is("true", "false", "null", "missing"):
		p.next()
	case p.take("-", "+"):
		if p.tok.kind != number {
			p.refuse("expected a number")
		}
		p.next()
	case p.take("?"):
		p.params++
	case p.take("("):
		p.list(p.condition)
		p.want(")")
	case p.take("["):
		p.items("]")
	case p.take("<<"):
		p.items(">>")
	case p.take("{"):
		p.object()
	case t.kind == word && functions[t.text]:
		p.call()
	default:
		p.path()
	}
}

// items reads values up to the closing bracket.
func (p *parser) items(closing string) {
	if p.take(closing) {
		return
	}
	p.list(p.value)
	p.want(closing)
}

// object reads 'name': value pairs up to the closing brace.
func (p *parser) object() {
	if p.take("}") {
		return
	}
	p.list(func() {
		if p.tok.kind != str && p.tok.kind != quoted {
			p.refuse("expected a member's name in quotes")
		}
		p.next()
		p.want(":")
		p.value()
	})
	p.want("}")
}

// functions are those that the reference has: in conditions, and to set values.
var functions = wordSet("attribute_type begins_with contains size list_append set_add set_delete if_not_exists")

func (p *parser) call() {
	p.next()
	if !p.is("(") { // an attribute of that name
		p.steps()
		return
	}
	p.next()
	p.items(")")
}

// path reads an attribute: a name with members and elements behind it.
func (p *parser) path() {
	p.name()
	p.steps()
}

func (p *parser) steps() {
	for {
		switch {
		case p.take("."):
			p.name()
		case p.take("["):
			if p.tok.kind != number && p.tok.kind != str {
				p.refuse("expected the number of an element")
			}
			p.next()
			p.want("]")
		default:
			return
		}
	}
}
