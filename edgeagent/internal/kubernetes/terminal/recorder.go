// Package terminal turns what passes through an exec, an attach or another stream into what may be recorded of it: output
// as it was shown, input unless it is a secret, sizes, all in pieces that are neither tiny nor huge. It is pure.
package terminal

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Names of the streams that the recorder itself writes. Output streams have the names their caller gives them.
const (
	StreamInput  = "stdin"
	StreamResize = "resize" // data is COLSxROWS in ASCII
	StreamNote   = "note"   // data is a sentence about the recording
)

// NoteTerminal is the note that comes before the output of a terminal whose size is not known by then, so that readers can
// tell a terminal from other streams.
const NoteTerminal = "a terminal of unknown size"

// What stands in a recording in the place of input.
const (
	NotEchoed = "[not echoed]" // typed, and not shown by the terminal
	Withheld  = "[withheld]"   // typed where a secret was asked for
)

const (
	maxPiece  = 32 << 10              // bytes of one stream that are gathered at most
	maxStream = 1 << 20               // bytes recorded of each stream without a terminal
	gather    = 30 * time.Millisecond // how long the first byte of a piece waits at most
	patience  = 2 * time.Second       // how long input waits for its echo, or for the prompt that asked for it
)

// Config of a recorder.
type Config struct {
	// Sink takes what is recorded, in order and one piece at a time. The data is the sink's to keep. It must not call the
	// recorder. Required.
	Sink func(stream string, data []byte)
	// TTY says that a terminal is at the other end, which echoes what is typed. Streams without one are recorded up to
	// 1 MiB each, and then only counted.
	TTY bool
	// MaskInput takes out of a line of input what must not be recorded though it was echoed; it may change its argument.
	// Default: nothing is taken out.
	MaskInput func(line []byte) []byte
	// AfterFunc calls f after d in a goroutine of its own unless stop comes first. Default: time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
}

// Recorder decides what is recorded of one command's streams. It is safe for concurrent use.
type Recorder struct {
	cfg Config

	mu      sync.Mutex
	closed  bool
	opened  bool      // the recording shows that there is a terminal
	streams []*stream // in the order in which they first had something
	waiting []*stream // with bytes not yet given to the sink, the oldest first
	stop    func() bool

	lines     []*line // typed and not yet decided about: complete but for the last
	ahead     int     // bytes of lines
	heard     bool    // something was shown since the last line was ended
	stopLines func() bool
	epoch     int // of the head of lines, so that an old timer does not judge a new line

	held   []byte // without a terminal: input that a prompt may yet turn out to have asked for
	hiding bool   // a part of an answer to a prompt was withheld
}

// stream is one stream's place in the recording.
type stream struct {
	name   string
	screen screen // of an output stream
	piece  []byte
	kept   int   // bytes taken into the recording
	total  int64 // bytes seen
}

// New returns a recorder. It fails without a sink.
func New(cfg Config) (*Recorder, error) {
	if cfg.Sink == nil {
		return nil, errors.New("terminal recorder needs a sink")
	}
	if cfg.MaskInput == nil {
		cfg.MaskInput = func(line []byte) []byte { return line }
	}
	if cfg.AfterFunc == nil {
		cfg.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	return &Recorder{cfg: cfg}, nil
}

// Output takes bytes of an output stream as they are shown, already masked. It does not keep p.
func (r *Recorder) Output(stream string, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(p) == 0 {
		return
	}
	r.record(stream, p)
	if r.cfg.TTY {
		r.watchEcho(&r.stream(stream).screen, p)
	} else {
		r.watchPrompt(&r.stream(stream).screen, p)
	}
}

// Input takes bytes from the client, before they are sent on, so that their echo cannot come first. It does not keep p.
func (r *Recorder) Input(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed || len(p) == 0:
	case r.cfg.TTY:
		r.typed(p)
	default:
		r.hold(p)
	}
}

// Resize takes a new size of the terminal, in characters.
func (r *Recorder) Resize(cols, rows uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.opened = true
	r.flush()
	r.cfg.Sink(StreamResize, fmt.Appendf(nil, "%dx%d", cols, rows))
}

// Close decides about what is still waiting and gives everything to the sink, with a note for each stream of which a part
// was only counted. What comes later is ignored.
func (r *Recorder) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.settleAll()
	r.release()
	r.flush()
	r.closed = true
	if r.stopLines != nil {
		r.stopLines()
	}
	for _, s := range r.streams {
		if left := s.total - int64(s.kept); left > 0 {
			r.cfg.Sink(StreamNote, fmt.Appendf(nil, "%s: the first %d of %d bytes are recorded", s.name, s.kept, s.total))
		}
	}
}

// record adds bytes to a stream's piece and passes pieces on when they are large enough.
func (r *Recorder) record(name string, p []byte) {
	if r.cfg.TTY && !r.opened {
		r.opened = true
		r.cfg.Sink(StreamNote, []byte(NoteTerminal))
	}
	s := r.stream(name)
	s.total += int64(len(p))
	if !r.cfg.TTY {
		p = p[:min(len(p), maxStream-s.kept)]
	}
	s.kept += len(p)
	for len(p) > 0 {
		if len(s.piece) == 0 {
			r.waiting = append(r.waiting, s)
			r.arm()
		}
		n := min(len(p), maxPiece-len(s.piece))
		s.piece, p = append(s.piece, p[:n]...), p[n:]
		if len(s.piece) == maxPiece {
			r.flush()
		}
	}
}

func (r *Recorder) stream(name string) *stream {
	i := slices.IndexFunc(r.streams, func(s *stream) bool { return s.name == name })
	if i < 0 {
		i = len(r.streams)
		r.streams = append(r.streams, &stream{name: name})
	}
	return r.streams[i]
}

// asks reports whether a prompt for a secret is the last that an output stream showed.
func (r *Recorder) asks() bool {
	return slices.ContainsFunc(r.streams, func(s *stream) bool { return s.screen.asks() })
}

// arm sees to it that what waits is passed on in time.
func (r *Recorder) arm() {
	if r.stop != nil {
		return
	}
	r.stop = r.cfg.AfterFunc(gather, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			r.flush()
		}
	})
}

// flush gives the sink what waits, in the order in which it began to wait.
func (r *Recorder) flush() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
	for _, s := range r.waiting {
		piece := s.piece
		s.piece = nil
		r.cfg.Sink(s.name, piece)
	}
	r.waiting = r.waiting[:0]
}
