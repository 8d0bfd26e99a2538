package ocsf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/writhq/writ/pkg/auditexport"
)

// lines writes events as JSON lines.
type lines struct {
	w *bufio.Writer
	e *json.Encoder
}

// NewLines returns a writer of rows as events, one JSON object a line.
func NewLines(w io.Writer) auditexport.Writer {
	b := bufio.NewWriterSize(w, 64<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &lines{w: b, e: e}
}

func (l *lines) Write(row auditexport.Row) error {
	event, err := Of(row)
	if err != nil {
		return err
	}
	return wrote(l.e.Encode(event))
}

func (l *lines) Close() error { return wrote(l.w.Flush()) }

func wrote(err error) error {
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}
