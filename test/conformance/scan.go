package conformance

import "strings"

// scan reads one step of a script.
type scan struct {
	s     *Script
	start int
	out   strings.Builder
	words []string // the first words of the statement, in lower case
	paren int
	begin int // depth of BEGIN ATOMIC and of CASE within
}

// step reads up to a semicolon or a psql command.
func (q *scan) step() Step {
	s := q.s
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		c := rest[0]
		switch {
		case strings.HasPrefix(rest, "--"):
			s.restOfLine()
			q.out.WriteByte('\n')
		case strings.HasPrefix(rest, "/*"):
			q.take(comment(rest))
		case c == '\'':
			q.take(quoted(rest, 1, false))
		case c == '"':
			q.take(quoted(rest, 1, false))
		case c == '$':
			q.take(dollar(rest))
		case c == '(':
			q.paren++
			q.take(1)
		case c == ')':
			q.paren = max(q.paren-1, 0)
			q.take(1)
		case c == ';' && q.paren == 0 && q.begin == 0:
			s.pos++
			return q.done("")
		case c == ':':
			q.colon(rest)
		case c == '\\':
			if meta, ends := q.backslash(rest); ends {
				return q.done(meta)
			}
		case wordByte(c):
			q.word(rest)
		default:
			q.take(1)
		}
	}
	return q.done("")
}

func (q *scan) done(meta string) Step {
	sql := q.out.String()
	lead := len(q.s.text[q.start:]) - len(strings.TrimLeft(q.s.text[q.start:], " \t\r\n"))
	return Step{Line: 1 + strings.Count(q.s.text[:q.start+lead], "\n"), SQL: sql, Meta: meta}
}

// take moves n bytes into the statement.
func (q *scan) take(n int) {
	q.out.WriteString(q.s.text[q.s.pos : q.s.pos+n])
	q.s.pos += n
}

func (q *scan) colon(rest string) {
	switch value, n := q.s.variable(rest); {
	case strings.HasPrefix(rest, "::"):
		q.take(2)
	case n > 0:
		q.out.WriteString(value)
		q.s.pos += n
	default:
		q.take(1)
	}
}

// backslash reads a psql command. Most leave the statement alone; the \g family sends it.
func (q *scan) backslash(rest string) (meta string, ends bool) {
	if strings.HasPrefix(rest, `\;`) {
		q.out.WriteByte(';')
		q.s.pos += 2
		q.words = nil
		return "", false
	}
	line := q.s.restOfLine()
	if i := strings.Index(line[1:], `\`); i >= 0 && !strings.HasPrefix(line[1+i:], `\.`) {
		q.s.pos -= len(line) - 1 - i // another command on the line
		line = line[:1+i]
	}
	meta = strings.TrimSpace(line)
	if strings.HasPrefix(meta, `\g`) && !strings.HasPrefix(meta, `\getenv`) || strings.HasPrefix(meta, `\crosstabview`) {
		return meta, true
	}
	if strings.TrimSpace(q.out.String()) == "" {
		return meta, true
	}
	q.s.command(meta)
	return "", false
}

// word takes a word and follows the bodies of SQL-standard routines, in which semicolons
// end nothing. A quote that follows E, B, X, N or U& belongs to it.
func (q *scan) word(rest string) {
	n := 1
	for n < len(rest) && (wordByte(rest[n]) || rest[n] == '$') {
		n++
	}
	w := strings.ToLower(rest[:n])
	if n < len(rest) && rest[n] == '\'' && w == "e" {
		q.take(quoted(rest, n+1, true))
		return
	}
	q.take(n)
	if len(q.words) < 4 {
		q.words = append(q.words, w)
	}
	if q.paren > 0 || !q.routine() {
		return
	}
	switch {
	case w == "begin", w == "case" && q.begin > 0:
		q.begin++
	case w == "end" && q.begin > 0:
		q.begin--
	}
}

// routine tells whether the statement creates a function or procedure.
func (q *scan) routine() bool {
	w := strings.Join(q.words, " ")
	for _, p := range []string{"create function", "create procedure", "create or replace function", "create or replace procedure"} {
		if strings.HasPrefix(w, p) {
			return true
		}
	}
	return false
}

// quoted returns the length of a quoted text whose opening quote ends at from.
func quoted(text string, from int, escapes bool) int {
	quote := text[from-1]
	for i := from; i < len(text); i++ {
		switch {
		case text[i] == '\\' && escapes:
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// dollar returns the length of a dollar-quoted text, or 1.
func dollar(text string) int {
	n := 1
	for n < len(text) && wordByte(text[n]) {
		n++
	}
	if n >= len(text) || text[n] != '$' || n > 1 && text[1] >= '0' && text[1] <= '9' {
		return 1
	}
	tag := text[:n+1]
	if i := strings.Index(text[n+1:], tag); i >= 0 {
		return n + 1 + i + len(tag)
	}
	return len(text)
}

// comment returns the length of a comment with those nested in it.
func comment(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}
