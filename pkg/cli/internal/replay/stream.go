package replay

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// ErrNone is a command that the recording does not have, or that has no stream.
var ErrNone = errors.New("nothing is recorded of command")

// Streams of a command, as edgeagent/internal/kubernetes/terminal names them.
const (
	streamInput  = "stdin"
	streamResize = "resize"
	streamNote   = "note"
	noteTerminal = "a terminal of unknown size"
)

// chunk is a piece of a command's stream.
type chunk struct {
	stream string
	data   []byte
	at     time.Duration // since the command began
}

func (r record) chunk() (chunk, bool) {
	if r.Kind != "stream" || len(r.Params) == 0 {
		return chunk{}, false
	}
	c := chunk{data: r.Params[0].data}
	for _, a := range r.Attrs {
		if a.Name == "stream" {
			c.stream = a.Value
		}
	}
	c.at, _ = time.ParseDuration(r.Duration)
	return c, true
}

// opens reports whether the piece says that the command has a terminal.
func (c chunk) opens() bool {
	return c.stream == streamResize || c.stream == streamNote && string(c.data) == noteTerminal
}

// streamed is the headline of a piece.
func streamed(r record) string {
	c, ok := r.chunk()
	switch {
	case !ok:
		return words("stream", "", "of", r.Command)
	case c.stream == streamResize:
		return words("terminal of "+string(c.data), "", "of", r.Command)
	case c.stream == streamNote:
		return words("note:", string(c.data), "of", r.Command)
	}
	return words(c.stream, strconv.Itoa(len(c.data))+" bytes", "of", r.Command)
}

// piece shows what passed as text.
func (p *Player) piece(c chunk) error {
	if c.stream == streamResize || c.stream == streamNote || len(c.data) == 0 {
		return nil
	}
	return p.cfg.Printer.Text(margin+"| ", strings.ReplaceAll(string(c.data), "\r\n", "\n"))
}

// maxLater bounds the records that wait for a terminal to end.
const maxLater = 1000

// stage is where a terminal plays: one command at a time has it, and everything else is told afterwards.
type stage struct {
	terminals map[string]bool // commands that are known to have a terminal
	playing   string
	screen    *screen
	later     []record
	dropped   int
}

// act shows a record where it belongs.
func (p *Player) act(r record) error {
	c, streamed := r.chunk()
	if streamed && c.opens() {
		p.stage.terminals[r.Command] = true
	}
	switch {
	case p.stage.playing == "" && streamed && p.cfg.Terminal != nil && p.stage.terminals[r.Command]:
		return p.enter(r, c)
	case p.stage.playing == "":
		return p.show(r)
	case p.stage.playing == r.Command && streamed:
		return p.draw(c)
	case p.stage.playing == r.Command && r.Kind == "outcome", r.Kind == "session_close":
		if err := p.leave(); err != nil {
			return err
		}
		return p.show(r)
	}
	p.put(r, streamed)
	return nil
}

// put keeps a record for later. Streams of other commands have to be asked for by themselves.
func (p *Player) put(r record, streamed bool) {
	if streamed || len(p.stage.later) == maxLater {
		p.stage.dropped++
		return
	}
	p.stage.later = append(p.stage.later, r)
}

// enter hands the terminal to a command.
func (p *Player) enter(r record, c chunk) error {
	size := ""
	if c.stream == streamResize {
		size = " of " + string(c.data)
	}
	if err := p.cfg.Printer.Printf("----- %s plays on a terminal%s -----", r.Command, size); err != nil {
		return err
	}
	p.stage.playing, p.stage.screen = r.Command, newScreen(p.cfg.Terminal)
	return p.draw(c)
}

// draw shows what the terminal showed. What was typed is in it, as far as it was shown.
func (p *Player) draw(c chunk) error {
	switch c.stream {
	case streamInput, streamResize, streamNote:
		return nil
	}
	_, err := p.stage.screen.Write(c.data)
	return err
}

// leave ends the playing, if there is any, and tells what had to wait.
func (p *Player) leave() error {
	if p.stage.playing == "" {
		return nil
	}
	if err := p.stage.screen.Close(); err != nil {
		return err
	}
	if err := p.cfg.Printer.Printf("----- end of %s -----", p.stage.playing); err != nil {
		return err
	}
	later, dropped := p.stage.later, p.stage.dropped
	p.stage.playing, p.stage.later, p.stage.dropped = "", nil, 0
	for _, r := range later {
		if err := p.show(r); err != nil {
			return err
		}
	}
	if dropped > 0 {
		return p.cfg.Printer.Printf("%10s  and %d more of other commands; --command shows one by itself", "", dropped)
	}
	return nil
}
