package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/output"
)

// DefaultIdle is how long a player waits at most, however long the session rested.
const DefaultIdle = 3 * time.Second

// Config of a player.
type Config struct {
	// Printer takes the text. Required.
	Printer *output.Printer
	// Terminal takes what terminals showed, as far as it is safe to show it on another. Default: it is shown as text.
	Terminal io.Writer
	// Command limits what is shown to one command. Default: all of the session.
	Command string
	// Speed divides the session's own pauses: 1 is real time, 2 twice as fast; 0 does not wait.
	Speed float64
	// Idle bounds each wait. Default: DefaultIdle.
	Idle time.Duration
	// Sleep waits. Required where Speed is not 0.
	Sleep func(context.Context, time.Duration) error
	// Now is the clock by which time that has passed already, waiting for records, is not waited again. Default: none has.
	Now func() time.Time
}

// Player shows the records of one session in order. Close it at the end.
type Player struct {
	cfg         Config
	first, last time.Time
	since       time.Time // when the last record was shown, by Now
	protocol    string    // of the session
	found       bool      // something of Command
	stage       stage
}

// NewPlayer returns a player at the start of a recording.
func NewPlayer(cfg Config) (*Player, error) {
	if cfg.Printer == nil || cfg.Speed < 0 || cfg.Idle < 0 || (cfg.Speed > 0 && cfg.Sleep == nil) {
		return nil, errors.New("player needs a printer, a speed of 0 or more, and a way to wait")
	}
	if cfg.Idle == 0 {
		cfg.Idle = DefaultIdle
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Time{} }
	}
	p := &Player{cfg: cfg, since: cfg.Now()}
	p.stage.terminals = map[string]bool{}
	return p, nil
}

// Play waits as long as the session did and shows one record, which is the JSON of pkg/audit. Errors: ErrRecord,
// those of the wait and of the writer.
func (p *Player) Play(ctx context.Context, raw []byte) error {
	r, err := parse(raw)
	if err != nil {
		return err
	}
	if r.Kind == "session_open" {
		p.protocol = r.Protocol
	}
	if p.cfg.Command != "" && r.Command != p.cfg.Command && r.Kind != "damage" {
		return nil
	}
	p.found = p.found || r.Command == p.cfg.Command
	if r.Time.IsZero() { // what is said about the recording has no time of its own
		r.Time = p.last
	}
	if p.first.IsZero() {
		p.first, p.last = r.Time, r.Time
	}
	if err := p.wait(ctx, r.Time.Sub(p.last)); err != nil {
		return err
	}
	p.last, p.since = r.Time, p.cfg.Now()
	return p.act(r)
}

// Close gives the terminal back. It fails with ErrNone where nothing was of the command that was asked for.
func (p *Player) Close() error {
	if err := p.leave(); err != nil {
		return err
	}
	if !p.found && p.cfg.Command != "" {
		return fmt.Errorf("%w %s", ErrNone, p.cfg.Command)
	}
	return nil
}

func (p *Player) wait(ctx context.Context, pause time.Duration) error {
	if p.cfg.Speed == 0 || pause <= 0 {
		return nil
	}
	pause = min(time.Duration(float64(pause)/p.cfg.Speed), p.cfg.Idle) - p.cfg.Now().Sub(p.since)
	if pause <= 0 {
		return nil
	}
	return p.cfg.Sleep(ctx, pause)
}

func (p *Player) show(r record) error {
	at := fmt.Sprintf("+%.3fs", r.Time.Sub(p.first).Seconds())
	if err := p.cfg.Printer.Printf("%10s  %s", at, headline(r)); err != nil {
		return err
	}
	if c, ok := r.chunk(); ok {
		return p.piece(c)
	}
	if err := p.detail(r); err != nil {
		return err
	}
	return p.rows(r)
}

// headline is the one line that says what happened.
func headline(r record) string {
	switch r.Kind {
	case "session_open":
		return words("session opened by", r.Principal, "on", r.Resource, "through", r.Edge, "from", r.ClientAddr, "with", r.Application)
	case "session_close":
		return words("session closed:", r.Reason)
	case "command":
		return verdict("allow", r)
	case "refusal":
		return verdict("deny", r)
	case "hold":
		return words(verdict("hold", r), "as", r.HoldID)
	case "hold_decided":
		return words("hold", r.HoldID+" "+r.Decision, "because", r.Reason)
	case "outcome":
		return outcome(r)
	case "rows":
		return masked(strconv.Itoa(len(r.Rows))+" rows recorded", r)
	case "notice":
		return words("notice", r.Reason, "", r.ErrorMessage)
	case "stream":
		return streamed(r)
	}
	return words(strings.ReplaceAll(r.Kind, "_", " "), r.Decision, "", r.Reason)
}

// words joins a text with pairs of a word and what it introduces, leaving out the pairs that introduce nothing.
func words(text string, rest ...string) string {
	if len(rest)%2 == 1 {
		text = strings.TrimSpace(text + " " + rest[0])
		rest = rest[1:]
	}
	for i := 0; i+1 < len(rest); i += 2 {
		if rest[i+1] != "" {
			text += strings.TrimRight(" "+rest[i], " ") + " " + rest[i+1]
		}
	}
	return text
}

func verdict(decision string, r record) string {
	if r.Decision != "" {
		decision = r.Decision
	}
	s := words(decision, "", "by", strings.Join(r.PolicyIDs, ", "))
	if r.Revision > 0 {
		s += " at revision " + strconv.FormatUint(r.Revision, 10)
	}
	return words(s, "because", r.Reason)
}

func outcome(r record) string {
	if r.ErrorCode != "" {
		return words("error "+r.ErrorCode+":", r.ErrorMessage)
	}
	s := words("done", r.CommandTag)
	if r.RowCount > 0 {
		s += ", " + strconv.FormatInt(r.RowCount, 10) + " rows"
	}
	return masked(words(s, "in", r.Duration), r)
}

func masked(s string, r record) string {
	if len(r.MaskedColumns) == 0 {
		return s
	}
	return s + ", masked " + strings.Join(r.MaskedColumns, ", ")
}

const margin = "              "

func (p *Player) detail(r record) error {
	if r.Statement != "" {
		if err := p.cfg.Printer.Text(margin+"| ", r.Statement); err != nil {
			return err
		}
	}
	for i, v := range r.Params {
		if p.protocol == "kubernetes" { // the body
			if err := p.cfg.Printer.Text(margin+"> ", string(v.data)); err != nil {
				return err
			}
			continue
		}
		if p.protocol == "aws" { // each says itself what it is
			if err := p.cfg.Printer.Param(margin, string(v.data)); err != nil {
				return err
			}
			continue
		}
		if err := p.cfg.Printer.Printf(margin+"$%d = %s", i+1, v.shown); err != nil {
			return err
		}
	}
	for _, a := range r.Attrs {
		if err := p.cfg.Printer.Printf(margin+"%s: %s", a.Name, a.Value); err != nil {
			return err
		}
	}
	if r.Trimmed {
		return p.cfg.Printer.Printf(margin + "(cut to fit the record)")
	}
	return nil
}

func (p *Player) rows(r record) error {
	if len(r.Rows) == 0 {
		return nil
	}
	headings := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		headings[i] = output.Line(c) + "~"
	}
	table := output.NewTable(headings...)
	for _, row := range r.Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = v.shown
		}
		table.Add(cells...)
	}
	return p.cfg.Printer.Table(margin, table, "")
}
