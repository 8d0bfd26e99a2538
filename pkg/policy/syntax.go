package policy

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	inputPosition = regexp.MustCompile(`<input>:(\d+):(\d+):? ?`)
	quotedToken   = regexp.MustCompile(`^parse error at ("(?:[^"\\]|\\.)*")?: ?`)
	wrongToken    = regexp.MustCompile(`^(?:exact got (\S*) want (\S+)|unexpected effect: (\S+))$`)
)

// syntaxProblem takes the position out of a parser error. For some errors the parser names
// the token after the wrong one; then the position is moved back.
func syntaxProblem(name string, text []byte, err error) Problem {
	message := strings.TrimPrefix(err.Error(), "parser error: ")
	p := Problem{File: name, Line: 1, Column: 1}
	if m := inputPosition.FindStringSubmatch(message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		message = inputPosition.ReplaceAllString(message, "")
	}
	message = quotedToken.ReplaceAllString(message, "")
	m := wrongToken.FindStringSubmatch(message)
	switch {
	case m == nil:
	case m[3] != "":
		p.moveBack(text, m[3])
		message = fmt.Sprintf("expected permit or forbid, found %q", m[3])
	case m[1] == "":
		message = fmt.Sprintf("expected %q, found the end of the file", m[2])
	default:
		p.moveBack(text, m[1])
		message = fmt.Sprintf("expected %q, found %q", m[2], m[1])
	}
	p.Message = "syntax: " + message
	return p
}

// moveBack moves p to the last token before it.
func (p *Problem) moveBack(text []byte, token string) {
	offset, line := 0, 1
	for line < p.Line {
		nl := bytes.IndexByte(text[offset:], '\n')
		if nl < 0 {
			return
		}
		offset += nl + 1
		line++
	}
	for range p.Column - 1 {
		_, size := utf8.DecodeRune(text[offset:])
		offset += size
	}
	at := bytes.LastIndex(text[:min(offset, len(text))], []byte(token))
	if at < 0 {
		return
	}
	before := text[:at]
	p.Line = 1 + bytes.Count(before, []byte("\n"))
	p.Column = 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}
