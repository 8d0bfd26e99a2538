package output

import (
	"fmt"
	"io"
	"strings"
)

// least is how narrow a flexible column gets, in cells.
const least = 12

// gap stands between two columns.
const gap = "  "

// Table is rows under headings. A heading that ends in "~" marks a flexible column: it is cut where the terminal is
// narrow. The others, ids among them, are never cut; where even so a row does not fit, each row becomes a list of
// fields.
type Table struct {
	headings []string
	flexible []bool
	rows     [][]string
}

// NewTable returns an empty table.
func NewTable(headings ...string) *Table {
	t := new(Table)
	for _, h := range headings {
		name, flexible := strings.CutSuffix(h, "~")
		t.headings = append(t.headings, name)
		t.flexible = append(t.flexible, flexible)
	}
	return t
}

// Add appends a row; missing cells are empty, cells without a heading are dropped.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(t.headings))
	for i := range min(len(cells), len(row)) {
		row[i] = Line(cells[i])
	}
	t.rows = append(t.rows, row)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Table writes t, each line behind prefix; without rows it writes the sentence empty.
func (p *Printer) Table(prefix string, t *Table, empty string) error {
	if len(t.rows) == 0 {
		if empty == "" {
			return nil
		}
		return p.Printf("%s", empty)
	}
	widths, fits := t.fit(p.width - len(prefix))
	if p.width > 0 && !fits {
		return p.list(t)
	}
	if err := p.row(prefix, t.headings, widths); err != nil {
		return err
	}
	for _, row := range t.rows {
		if err := p.row(prefix, row, widths); err != nil {
			return err
		}
	}
	return nil
}

// fit returns the columns' widths for so many cells in all, and whether they keep to it.
func (t *Table) fit(cells int) (widths []int, fits bool) {
	widths = make([]int, len(t.headings))
	total := len(gap) * (len(widths) - 1)
	for i, h := range t.headings {
		widths[i] = columns(h)
		for _, row := range t.rows {
			widths[i] = max(widths[i], columns(row[i]))
		}
		total += widths[i]
	}
	for cells > 0 && total > cells {
		i := t.widest(widths)
		if i < 0 {
			return widths, false
		}
		widths[i]--
		total--
	}
	return widths, true
}

// widest is the widest column that can be cut, or -1.
func (t *Table) widest(widths []int) int {
	found := -1
	for i, w := range widths {
		if t.flexible[i] && w > max(least, columns(t.headings[i])) && (found < 0 || w > widths[found]) {
			found = i
		}
	}
	return found
}

func (p *Printer) row(prefix string, cells []string, widths []int) error {
	var b strings.Builder
	b.WriteString(prefix)
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(gap)
		}
		if p.width > 0 {
			cell = cut(cell, widths[i])
		}
		b.WriteString(cell)
		b.WriteString(strings.Repeat(" ", widths[i]-columns(cell)))
	}
	_, err := fmt.Fprintln(p.w, strings.TrimRight(b.String(), " "))
	return err
}

// list writes each row as lines of "heading: cell". The cells are escaped already.
func (p *Printer) list(t *Table) error {
	longest := 0
	for _, h := range t.headings {
		longest = max(longest, len(h))
	}
	var b strings.Builder
	for i, row := range t.rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, cell := range row {
			if cell != "" {
				fmt.Fprintf(&b, "%-*s %s\n", longest+1, strings.ToLower(t.headings[j])+":", cell)
			}
		}
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}
