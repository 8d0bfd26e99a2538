package auditexport

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Writer writes rows in one form. Close it at the end; it does not close what is below it.
type Writer interface {
	Write(Row) error
	Close() error
}

// lines writes JSON lines.
type lines struct {
	w *bufio.Writer
	e *json.Encoder
}

// NewJSONLines returns a writer of one JSON object a line, each with every column.
func NewJSONLines(w io.Writer) Writer {
	b := bufio.NewWriterSize(w, 64<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &lines{w: b, e: e}
}

func (l *lines) Write(row Row) error { return wrote(l.e.Encode(row)) }

func (l *lines) Close() error { return wrote(l.w.Flush()) }

// table writes CSV.
type table struct {
	w     *csv.Writer
	cells []string
}

// NewCSV returns a writer of CSV by RFC 4180, with a line of column names. Lists are JSON. A cell that a spreadsheet would take for a
// formula begins with an apostrophe, which is then not part of the value.
func NewCSV(w io.Writer) (Writer, error) {
	t := &table{w: csv.NewWriter(w)}
	for _, c := range Columns() {
		t.cells = append(t.cells, c.Name)
	}
	return t, wrote(t.w.Write(t.cells))
}

func (t *table) Write(row Row) error {
	v := reflect.ValueOf(row)
	for i := range t.cells {
		cell, err := cellOf(v.Field(i))
		if err != nil {
			return err
		}
		t.cells[i] = cell
	}
	return wrote(t.w.Write(t.cells))
}

func (t *table) Close() error {
	t.w.Flush()
	return wrote(t.w.Error())
}

func cellOf(v reflect.Value) (string, error) {
	switch v.Kind() {
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), nil
	case reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), nil
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), nil
	case reflect.Slice:
		return jsonText(v.Len(), v.Interface())
	}
	return harmless(strings.ToValidUTF8(v.String(), "\ufffd")), nil
}

// formulas are what a formula begins with in a spreadsheet, also in full width.
const formulas = "=+-@\uff1d\uff0b\uff0d\uff20"

// harmless puts an apostrophe before what a spreadsheet would take for a formula. Spaces, controls and what cannot be seen before it
// count, since spreadsheets skip some of them; so does a tab or a line end at the start. What begins with an apostrophe gets another, so that
// the first one is always to be taken away.
func harmless(cell string) string {
	if cell == "" {
		return cell
	}
	rest := strings.TrimLeftFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) })
	first, _ := utf8.DecodeRuneInString(rest)
	if strings.IndexByte("\t\r\n'", cell[0]) >= 0 || strings.ContainsRune(formulas, first) {
		return "'" + cell
	}
	return cell
}

func wrote(err error) error {
	if err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}
