// Package output writes what writ shows: tables, fields, text blocks and JSON. Nothing that came from elsewhere
// reaches the terminal unescaped, so that no name or statement can move the cursor, hide itself or pass for another.
package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Printer writes to one stream. It escapes every string it is given.
type Printer struct {
	w     io.Writer
	width int
}

// New returns a printer for w. columns is the terminal's width; 0 is no terminal, whose lines are not cut.
func New(w io.Writer, columns int) (*Printer, error) {
	if w == nil {
		return nil, errors.New("printer needs a writer")
	}
	return &Printer{w: w, width: columns}, nil
}

// Writer returns the stream, for what has to go out byte for byte.
func (p *Printer) Writer() io.Writer { return p.w }

// Printf writes one line. Arguments that are strings or errors are escaped; the format is the program's own.
func (p *Printer) Printf(format string, args ...any) error {
	_, err := fmt.Fprintf(p.w, format+"\n", escapeAll(args)...)
	return err
}

func escapeAll(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			out[i] = Line(a)
		case error:
			out[i] = Line(a.Error())
		case fmt.Stringer:
			out[i] = Line(a.String())
		default:
			out[i] = a
		}
	}
	return out
}

// JSON writes v indented: a proto message, a json.RawMessage or anything encoding/json takes.
func (p *Printer) JSON(v any) error {
	b, err := jsonOf(v)
	if err != nil {
		return err
	}
	_, err = p.w.Write(b)
	return err
}

// JSONLine writes one JSON value on one line.
func (p *Printer) JSONLine(raw []byte) error {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return fmt.Errorf("read json: %w", err)
	}
	_, err := p.w.Write(append(safeJSON(b.Bytes()), '\n'))
	return err
}

// Param writes a value that says itself what it is. Its first line stands behind prefix, and further ones behind a bar, so that none of
// them passes for a value of its own.
func (p *Printer) Param(prefix, text string) error {
	first, rest, more := strings.Cut(text, "\n")
	if err := p.Printf("%s%s", prefix, first); err != nil || !more {
		return err
	}
	return p.Text(prefix+"| ", rest)
}

// Text writes text of several lines, each behind prefix, so that it cannot pass for anything around it. A line that the
// terminal would break is broken here; it goes on behind the prefix, with a colon in the place of its bar.
func (p *Printer) Text(prefix, text string) error {
	for line := range strings.SplitSeq(strings.TrimSuffix(Block(text), "\n"), "\n") {
		at := prefix
		for first := true; first || line != ""; first = false {
			piece := line
			if room := p.width - columns(prefix); p.width > 0 && prefix != "" {
				piece = head(line, max(room, least))
			}
			if _, err := fmt.Fprintf(p.w, "%s%s\n", at, piece); err != nil {
				return err
			}
			line, at = line[len(piece):], strings.ReplaceAll(prefix, "|", ":")
		}
	}
	return nil
}

// head is as much of s as fits into so many cells, a rune at least. A tab counts for as many as it may take.
func head(s string, cells int) string {
	used := 0
	for i, r := range s {
		n := runeColumns(r)
		if r == '\t' {
			n = 8
		}
		if used += n; used > cells && i > 0 {
			return s[:i]
		}
	}
	return s
}

// Field is one named value.
type Field struct {
	Name  string
	Value string
}

// Fields writes one field a line, names aligned; fields without a value are left out. A value of several lines
// follows its name, set apart.
func (p *Printer) Fields(fields ...Field) error {
	longest := 0
	for _, f := range fields {
		if f.Value != "" {
			longest = max(longest, len(f.Name))
		}
	}
	for _, f := range fields {
		if err := p.field(longest, f); err != nil {
			return err
		}
	}
	return nil
}

func (p *Printer) field(longest int, f Field) error {
	switch {
	case f.Value == "":
		return nil
	case strings.Contains(f.Value, "\n"):
		if _, err := fmt.Fprintf(p.w, "%s:\n", f.Name); err != nil {
			return err
		}
		return p.Text("  | ", f.Value)
	}
	_, err := fmt.Fprintf(p.w, "%-*s %s\n", longest+1, f.Name+":", Line(f.Value))
	return err
}

// columns is how many cells a terminal gives s.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens s to so many cells and marks that it did.
func cut(s string, cells int) string {
	if columns(s) <= cells {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeColumns(r); used > cells-1 {
			return s[:i] + "…"
		}
	}
	return s
}
