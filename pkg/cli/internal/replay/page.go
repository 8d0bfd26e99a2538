package replay

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/output"
)

//go:embed page.css
var pageStyle string

//go:embed page.html
var pageSource string

// page is the templates of a page. It has no script, and its policy lets a browser run none, load nothing and send nothing: all that a page may
// use is its own style, by its hash.
var page = template.Must(template.New("page").Parse(strings.NewReplacer(
	"POLICY", `<meta http-equiv="Content-Security-Policy" content="`+pagePolicy(pageStyle)+`">`, "STYLE", "<style>"+pageStyle+"</style>",
).Replace(pageSource)))

func pagePolicy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// PageConfig is what a Page needs.
type PageConfig struct {
	// Out takes the HTML. Required.
	Out io.Writer
	// Session is the session's id. Required.
	Session string
	// Command limits what is shown to one command. Default: all of the session.
	Command string
	// Made says when and with what the page was made, in the footer. Default: nothing.
	Made string
}

// Page writes a recording as one HTML file that needs nothing else and runs nothing. What was recorded is hostile: each text is first shown as on
// a terminal (output.Block), so that nothing in it hides or turns around, and then escaped for HTML. Close it at the end.
type Page struct {
	cfg       PageConfig
	begun     bool
	found     bool
	first     time.Time
	last      time.Time
	protocol  string
	terminals map[string]*terminalText // by command
	pending   *entry                   // of a stream, to which the next piece may belong
	counts    counts
}

// counts are what the footer says.
type counts struct{ records, allowed, denied, held, failed, damaged int }

// NewPage returns a page at the start of a recording.
func NewPage(cfg PageConfig) (*Page, error) {
	if cfg.Out == nil || cfg.Session == "" {
		return nil, errors.New("page needs a session and a place to write it to")
	}
	return &Page{cfg: cfg, terminals: map[string]*terminalText{}}, nil
}

// Add writes one record, which is the JSON of pkg/audit. Errors: ErrRecord, and those of the writer.
func (p *Page) Add(raw []byte) error {
	r, err := parse(raw)
	if err != nil {
		return err
	}
	if r.Time.IsZero() { // what is said about the recording has no time of its own
		r.Time = p.last
	}
	if !p.begun {
		p.begun, p.first = true, r.Time
		if err := p.head(r); err != nil {
			return err
		}
	}
	p.last = r.Time
	if r.Kind == "session_open" {
		p.protocol = r.Protocol
	}
	if p.cfg.Command != "" && r.Command != p.cfg.Command && r.Kind != "damage" {
		return nil
	}
	p.found = p.found || r.Command == p.cfg.Command
	p.counts.add(r)
	if c, ok := r.chunk(); ok {
		return p.piece(r, c)
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.render("record", p.entry(r))
}

// Close writes the end. It fails with ErrNone where nothing was of the command that was asked for.
func (p *Page) Close() error {
	if !p.begun {
		p.begun = true
		if err := p.head(record{}); err != nil {
			return err
		}
	}
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.render("foot", p.counts.lines(p.cfg.Made)); err != nil {
		return err
	}
	if !p.found && p.cfg.Command != "" {
		return fmt.Errorf("%w %s", ErrNone, p.cfg.Command)
	}
	return nil
}

func (p *Page) render(name string, data any) error {
	if err := page.ExecuteTemplate(p.cfg.Out, name, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// fact is a name and a value, both fit to be shown.
type fact struct{ Name, Value string }

// facts leaves out what is empty.
func facts(pairs ...string) (all []fact) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, fact{pairs[i], output.Line(pairs[i+1])})
		}
	}
	return all
}

func (p *Page) head(r record) error {
	began := ""
	if !r.Time.IsZero() {
		began = r.Time.UTC().Format("2006-01-02 15:04:05.000 UTC")
	}
	all := facts("began", began)
	if r.Kind == "session_open" {
		all = append(all, facts("principal", r.Principal, "resource", r.Resource, "edge", r.Edge, "protocol", r.Protocol,
			"client", r.ClientAddr, "application", r.Application)...)
	}
	all = append(all, facts("shown", p.cfg.Command)...)
	return p.render("head", struct {
		Session string
		Facts   []fact
	}{output.Line(p.cfg.Session), all})
}

func (c *counts) add(r record) {
	c.records++
	switch {
	case r.Kind == "command":
		c.allowed++
	case r.Kind == "refusal":
		c.denied++
	case r.Kind == "hold":
		c.held++
	case r.Kind == "outcome" && r.ErrorCode != "":
		c.failed++
	case r.Kind == "damage":
		c.damaged++
	}
}

func (c *counts) lines(made string) []string {
	said := fmt.Sprintf("%d records: %d commands allowed, %d refused, %d held, %d failed at the target.", c.records, c.allowed, c.denied, c.held, c.failed)
	if c.damaged > 0 {
		said += fmt.Sprintf(" The recording is damaged in %d places.", c.damaged)
	}
	return slices.DeleteFunc([]string{said, "What was masked is masked here as it was recorded. Characters that cannot be seen or that look like others are " +
		`written as \u{hex}. This page proves nothing by itself: writ audit prove does, record by record.`, output.Line(made)}, func(s string) bool { return s == "" })
}
