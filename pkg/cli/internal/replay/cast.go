package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/cli/internal/output"
)

// CastConfig of a Cast.
type CastConfig struct {
	// Printer takes the lines. Required.
	Printer *output.Printer
	// Command is whose streams are written. Default: the first command with a terminal.
	Command string
	// Idle is what players are told to bound pauses to. Default: they are told nothing.
	Idle time.Duration
}

// Cast writes the streams of one command as an asciicast, version 2: a header, then a line for each event.
// https://docs.asciinema.org/manual/asciicast/v2/
type Cast struct {
	cfg     CastConfig
	header  header
	titles  map[string]string // statements of commands that may yet turn out to have a terminal
	others  []string          // commands with streams that are not written
	seen    bool              // something of Command
	begun   bool              // the header is written
	raw     bool              // lines end as a program ends them, not as a terminal does
	waiting []event           // before the size is known
	held    int               // bytes of waiting
	parts   map[string][]byte // bytes of a character that is not complete, by stream
	last    float64
}

type header struct {
	Version   int     `json:"version"`
	Width     int     `json:"width"`
	Height    int     `json:"height"`
	Timestamp int64   `json:"timestamp,omitempty"`
	IdleLimit float64 `json:"idle_time_limit,omitempty"`
	Title     string  `json:"title,omitempty"`
}

// event is [seconds, code, data].
type event struct {
	at         float64
	code, data string
}

func (e event) MarshalJSON() ([]byte, error) { return json.Marshal([]any{e.at, e.code, e.data}) }

const (
	castWidth, castHeight = 80, 24
	maxSizeless           = 1 << 20 // bytes of events that wait for a size
	maxTitles             = 10_000
	maxTitle              = 500 // bytes
)

// NewCast returns a Cast. Close it at the end.
func NewCast(cfg CastConfig) (*Cast, error) {
	if cfg.Printer == nil || cfg.Idle < 0 {
		return nil, errors.New("cast needs a printer and an idle time of 0 or more")
	}
	return &Cast{
		cfg: cfg, titles: map[string]string{}, parts: map[string][]byte{}, raw: true,
		header: header{Version: 2, Width: castWidth, Height: castHeight, IdleLimit: cfg.Idle.Seconds()},
	}, nil
}

// Add takes one record, which is the JSON of pkg/audit. Errors: ErrRecord and those of the writer.
func (c *Cast) Add(raw []byte) error {
	r, err := parse(raw)
	if err != nil {
		return err
	}
	piece, ok := r.chunk()
	if !ok {
		return c.other(r)
	}
	if c.cfg.Command == "" && piece.opens() {
		c.cfg.Command = r.Command
	}
	if r.Command != c.cfg.Command || r.Command == "" {
		if !slices.Contains(c.others, r.Command) {
			c.others = append(c.others, r.Command)
		}
		return nil
	}
	if !c.seen {
		c.seen, c.header.Timestamp, c.header.Title = true, max(0, r.Time.Add(-piece.at).Unix()), c.titles[r.Command]
		c.titles = nil
	}
	return c.add(piece)
}

// other looks at a record that is no piece of a stream.
func (c *Cast) other(r record) error {
	switch {
	case r.Kind == "command" && !c.seen && len(c.titles) < maxTitles && (c.cfg.Command == "" || c.cfg.Command == r.Command):
		c.titles[r.Command] = strings.ToValidUTF8(r.Statement[:min(len(r.Statement), maxTitle)], "")
	case r.Kind == "damage" && c.seen:
		return c.write(event{c.last, "m", "damage: " + r.Reason})
	}
	return nil
}

// add turns a piece into an event.
func (c *Cast) add(p chunk) error {
	c.last = max(c.last, math.Round(p.at.Seconds()*1e6)/1e6)
	c.raw = c.raw && !p.opens()
	e := event{at: c.last, code: "o", data: string(p.data)}
	switch p.stream {
	case streamResize:
		return c.resize(e)
	case streamNote:
		if e.code = "m"; p.opens() {
			return nil
		}
		return c.write(e)
	case streamInput:
		e.code = "i"
	}
	if e.data = c.whole(p.stream, p.data); e.data == "" {
		return nil
	}
	return c.write(e)
}

// resize takes a size; the first one goes into the header.
func (c *Cast) resize(e event) error {
	var cols, rows int
	if n, err := fmt.Sscanf(e.data, "%dx%d", &cols, &rows); n != 2 || err != nil || cols <= 0 || rows <= 0 {
		return nil
	}
	if !c.begun {
		c.header.Width, c.header.Height = cols, rows
		return c.begin()
	}
	e.code, e.data = "r", fmt.Sprintf("%dx%d", cols, rows)
	return c.write(e)
}

// whole returns the characters that are complete with p, and keeps the bytes of one that is not.
func (c *Cast) whole(stream string, p []byte) string {
	p = append(c.parts[stream], p...)
	cut := len(p)
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		if b := p[len(p)-back]; utf8.RuneStart(b) {
			if !utf8.FullRune(p[len(p)-back:]) {
				cut = len(p) - back
			}
			break
		}
	}
	c.parts[stream] = slices.Clone(p[cut:])
	return string(p[:cut])
}

// write writes an event, or keeps it until the header is written.
func (c *Cast) write(e event) error {
	if c.raw && e.code == "o" {
		e.data = returns(e.data)
	}
	if c.begun {
		return c.line(e)
	}
	c.waiting = append(c.waiting, e)
	if c.held += len(e.data) + 64; c.held > maxSizeless {
		return c.begin()
	}
	return nil
}

// returns ends lines as a terminal wants them.
func returns(text string) string {
	out := make([]byte, 0, len(text)+16)
	for i := range len(text) {
		if text[i] == '\n' && (i == 0 || text[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, text[i])
	}
	return string(out)
}

func (c *Cast) begin() error {
	c.begun = true
	if err := c.line(c.header); err != nil {
		return err
	}
	for _, e := range c.waiting {
		if err := c.line(e); err != nil {
			return err
		}
	}
	c.waiting = nil
	return nil
}

func (c *Cast) line(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return c.cfg.Printer.JSONLine(raw)
}

// Close writes what waits. It fails with ErrNone where nothing was written.
func (c *Cast) Close() error {
	if !c.seen {
		if c.cfg.Command == "" {
			return fmt.Errorf("%w with a terminal", ErrNone)
		}
		return fmt.Errorf("%w %s that passed through a stream", ErrNone, c.cfg.Command)
	}
	for stream, part := range c.parts {
		if len(part) > 0 && stream != streamInput {
			if err := c.write(event{c.last, "o", string(utf8.RuneError)}); err != nil {
				return err
			}
		}
	}
	if !c.begun {
		return c.begin()
	}
	return nil
}

// Others are the commands whose streams were not written, in their order.
func (c *Cast) Others() []string { return c.others }
