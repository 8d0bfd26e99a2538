package replay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/output"
)

// entry is one record on a page. All of its text is fit to be shown, and not yet escaped for HTML.
type entry struct {
	Class, At, Stamp  string
	Verdict, Headline string
	Statement         string
	Terminal          string
	Blocks            []string
	Details           []fact
	Columns           []column
	Rows              [][]cell

	of    string // command and stream whose next piece belongs here
	drawn bool   // the stream is a terminal's
	text  strings.Builder
}

type column struct {
	Name   string
	Masked bool
}

type cell struct {
	Text string
	Null bool
}

// entry returns what is shown of a record.
func (p *Page) entry(r record) *entry {
	verdict, rest, _ := strings.Cut(headline(r), " ")
	e := &entry{
		Class: classOf(r), At: fmt.Sprintf("+%.3fs", r.Time.Sub(p.first).Seconds()), Stamp: r.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
		Verdict: output.Line(verdict), Headline: output.Line(rest), Statement: output.Block(r.Statement),
	}
	for i, v := range r.Params {
		switch {
		case r.Kind == "stream":
		case p.protocol == "kubernetes" || p.protocol == "aws":
			e.Blocks = append(e.Blocks, output.Block(v.shown))
		default:
			e.Details = append(e.Details, fact{fmt.Sprintf("$%d", i+1), output.Line(v.shown)})
		}
	}
	for _, a := range r.Attrs {
		e.Details = append(e.Details, fact{output.Line(a.Name), output.Line(a.Value)})
	}
	if r.Trimmed {
		e.Details = append(e.Details, fact{"note", "cut to fit the record"})
	}
	e.table(r)
	return e
}

func (e *entry) table(r record) {
	for _, name := range r.Columns {
		e.Columns = append(e.Columns, column{output.Line(name), slices.Contains(r.MaskedColumns, name)})
	}
	for _, row := range r.Rows {
		cells := make([]cell, len(row))
		for i, v := range row {
			cells[i] = cell{output.Block(v.shown), v.data == nil}
		}
		e.Rows = append(e.Rows, cells)
	}
}

// classOf is how a record looks; a word of the style, and never of the record.
func classOf(r record) string {
	switch {
	case r.Kind == "damage":
		return "damage"
	case r.Kind == "outcome" && r.ErrorCode != "":
		return "failed"
	case r.Kind == "outcome":
		return "done"
	case r.Kind == "refusal", r.Kind == "hold_decided" && r.Decision == "deny":
		return "deny"
	case r.Kind == "command", r.Kind == "hold_decided" && r.Decision == "allow":
		return "allow"
	case r.Kind == "hold":
		return "hold"
	}
	return "other"
}

// maxPiece bounds what of a stream is shown in one block, in bytes.
const maxPiece = 64 << 10

// piece adds what passed through a stream to the block of the pieces before it.
func (p *Page) piece(r record, c chunk) error {
	if c.opens() && p.terminals[r.Command] == nil {
		p.terminals[r.Command] = newTerminalText()
	}
	terminal := p.terminals[r.Command]
	if terminal != nil && c.stream == streamInput {
		return nil // what was typed is in what the terminal showed, as far as it was shown
	}
	of := r.Command + "\x00" + c.stream
	if p.pending == nil || p.pending.of != of || p.pending.text.Len() > maxPiece {
		if err := p.flush(); err != nil {
			return err
		}
		p.pending = p.entry(r)
		p.pending.Details, p.pending.of = nil, of
		p.pending.Verdict, p.pending.Headline = output.Line(c.stream), output.Line("of "+r.Command)
	}
	switch {
	case c.stream == streamResize, c.stream == streamNote:
		p.pending.Headline += ": " + output.Line(string(c.data))
	case terminal != nil:
		p.pending.drawn = true
		p.pending.text.WriteString(terminal.read(c.data))
	default:
		p.pending.text.Write(c.data)
	}
	return nil
}

// flush writes the block of a stream, if there is one.
func (p *Page) flush() error {
	e := p.pending
	if p.pending = nil; e == nil {
		return nil
	}
	text := lineEnds.ReplaceAllString(e.text.String(), "\n")
	if e.drawn {
		e.Terminal = output.Block(erased(strings.ReplaceAll(text, "\r", "\n")))
	} else if text != "" {
		e.Blocks = []string{output.Block(text)}
	}
	return p.render("record", e)
}

var lineEnds = regexp.MustCompile(`\r+\n`)

// terminalText reads what a terminal showed as text: what draws, and what acts, is left out.
type terminalText struct {
	drawn  strings.Builder
	screen *screen
}

func newTerminalText() *terminalText {
	t := new(terminalText)
	t.screen = newScreen(&t.drawn)
	return t
}

// drawing is a control sequence that a screen passes on, which it does whole.
var drawing = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|[()*+][ -~]|#[0-9]|[ -~])|[\x07\x0e\x0f\v\f]`)

func (t *terminalText) read(data []byte) string {
	t.drawn.Reset()
	_, _ = t.screen.Write(data) // a builder takes everything
	return drawing.ReplaceAllString(t.drawn.String(), "")
}

// erased takes away what a backspace went over.
func erased(text string) string {
	if !strings.ContainsRune(text, '\b') {
		return text
	}
	var out []rune
	for _, r := range text {
		switch {
		case r != '\b':
			out = append(out, r)
		case len(out) > 0 && out[len(out)-1] != '\n':
			out = out[:len(out)-1]
		}
	}
	return string(out)
}
