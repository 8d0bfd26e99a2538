package conformance

import (
	"maps"
	"strings"
)

// Step is one thing that a script does: a query string to send, or a psql command.
type Step struct {
	Line int    // where it begins, from 1
	SQL  string // the query string; empty for a psql command that sends nothing
	Meta string // the psql command that ended the query or stands alone, "" for a semicolon
}

// Script reads a file written for psql as psql does (fe_utils/psqlscan.l): it splits it at
// semicolons outside of quotes, parentheses and SQL-standard routine bodies, and substitutes
// variables. It knows \set, \getenv, \if and \; and hands other commands to the caller.
type Script struct {
	text string
	pos  int
	vars map[string]string
	env  map[string]string
	dead []bool // one per open \if: whether its branch is off
}

// NewScript reads text. env answers \getenv.
func NewScript(text string, env map[string]string) *Script {
	return &Script{text: text, vars: map[string]string{}, env: maps.Clone(env)}
}

// Set gives a variable its value, as \gset does.
func (s *Script) Set(name, value string) { s.vars[name] = value }

// Next returns the next step, and false at the end.
func (s *Script) Next() (Step, bool) {
	for s.pos < len(s.text) {
		q := scan{s: s, start: s.pos}
		step := q.step()
		if s.off() {
			step.SQL = ""
		}
		step.SQL = strings.TrimSpace(step.SQL)
		if step.Meta != "" && s.command(step.Meta) {
			step.Meta = ""
		}
		if s.off() {
			continue
		}
		if step.SQL != "" || step.Meta != "" {
			return step, true
		}
	}
	return Step{}, false
}

// CopyData takes the lines up to the next end-of-copy mark out of the script.
func (s *Script) CopyData() []byte {
	var data strings.Builder
	s.restOfLine()
	for s.pos < len(s.text) {
		line := s.restOfLine()
		if strings.TrimRight(line, "\r\n") == `\.` {
			break
		}
		data.WriteString(line)
	}
	return []byte(data.String())
}

// HasCopyData tells whether the next lines look like rows that end with a mark.
func (s *Script) HasCopyData() bool {
	rest := s.text[s.pos:]
	mark := strings.Index(rest, "\n\\.\n")
	return mark >= 0 && !strings.Contains(rest[:mark], ";\n")
}

// restOfLine takes the current line, its end included.
func (s *Script) restOfLine() string {
	rest := s.text[s.pos:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i+1]
	}
	s.pos += len(rest)
	return rest
}

func (s *Script) off() bool {
	for _, d := range s.dead {
		if d {
			return true
		}
	}
	return false
}

// command runs the psql commands that concern the script alone.
func (s *Script) command(meta string) bool {
	name, rest, _ := strings.Cut(meta, " ")
	switch args := s.words(rest); name {
	case `\set`:
		if len(args) > 0 && !s.off() {
			s.vars[args[0]] = strings.Join(args[1:], "")
		}
	case `\unset`:
		if len(args) > 0 {
			delete(s.vars, args[0])
		}
	case `\getenv`:
		if len(args) == 2 {
			if v, ok := s.env[args[1]]; ok {
				s.vars[args[0]] = v
			}
		}
	case `\if`:
		s.dead = append(s.dead, len(args) == 0 || !truth[strings.ToLower(args[0])])
	case `\elif`:
		if n := len(s.dead); n > 0 {
			s.dead[n-1] = true
		}
	case `\else`:
		if n := len(s.dead); n > 0 {
			s.dead[n-1] = !s.dead[n-1]
		}
	case `\endif`:
		if n := len(s.dead); n > 0 {
			s.dead = s.dead[:n-1]
		}
	case `\q`, `\quit`:
		if !s.off() {
			s.pos = len(s.text)
		}
	case `\echo`, `\qecho`, `\warn`, `\pset`, `\a`, `\t`, `\x`, `\f`, `\H`, `\timing`, `\encoding`, `\r`, `\reset`, `\prompt`:
	default:
		return false
	}
	return true
}

var truth = map[string]bool{"t": true, "true": true, "on": true, "1": true, "yes": true}

// words splits the arguments of a psql command, with quotes and variables.
func (s *Script) words(rest string) (words []string) {
	var w strings.Builder
	open := false
	end := func() {
		if open {
			words = append(words, w.String())
			w.Reset()
			open = false
		}
	}
	for i := 0; i < len(rest); {
		switch c := rest[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			end()
			i++
		case c == '\'' || c == '"':
			open = true
			j := strings.IndexByte(rest[i+1:], c)
			if j < 0 {
				j = len(rest) - i - 1
			}
			w.WriteString(rest[i+1 : i+1+j])
			i = min(i+j+2, len(rest))
		case c == ':':
			open = true
			value, n := s.variable(rest[i:])
			if n == 0 {
				value, n = ":", 1
			}
			w.WriteString(value)
			i += n
		default:
			open = true
			w.WriteByte(c)
			i++
		}
	}
	end()
	return words
}

// variable reads :name, :'name' or :"name" and returns the value and the length read, 0
// where there is no such variable.
func (s *Script) variable(text string) (value string, n int) {
	quote, i := byte(0), 1
	if i < len(text) && (text[i] == '\'' || text[i] == '"') {
		quote = text[i]
		i++
	}
	start := i
	for i < len(text) && wordByte(text[i]) {
		i++
	}
	value, ok := s.vars[text[start:i]]
	if !ok || start == i {
		return "", 0
	}
	if quote == 0 {
		return value, i
	}
	if i >= len(text) || text[i] != quote {
		return "", 0
	}
	q := string(quote)
	return q + strings.ReplaceAll(value, q, q+q) + q, i + 1
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
