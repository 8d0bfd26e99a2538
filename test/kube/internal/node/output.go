package node

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// longestLine is where a line of a log is split, in bytes.
const longestLine = 16 << 10

// output keeps what a container's processes write in a log file of the format of the container runtime interface, and shows it
// to those who are attached.
type output struct {
	path    string
	mu      sync.Mutex
	file    *os.File
	viewers map[*viewer]struct{}
	streams []*stream
}

// viewer is one who is attached.
type viewer struct{ out, err io.Writer }

func newOutput(path string) *output { return &output{path: path, viewers: map[*viewer]struct{}{}} }

// open makes the log file where there is none.
func (o *output) open() (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		o.file, err = os.OpenFile(o.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	return err
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		_ = o.file.Close()
		o.file = nil
	}
}

// end writes what has no end of line, when the processes that wrote it have ended.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.streams {
		s.flush()
	}
	o.streams = nil
}

// stream is one of "stdout" and "stderr". Its writer is not for concurrent use.
func (o *output) stream(name string) *stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &stream{output: o, name: name}
	o.streams = append(o.streams, s)
	return s
}

// attach shows what is written from now on, until the returned function is called. A nil writer sees nothing.
func (o *output) attach(v *viewer) (detach func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.viewers[v] = struct{}{}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.viewers, v)
	}
}

type stream struct {
	output  *output
	name    string
	pending []byte // the line that has no end yet
}

// Write never fails: a container does not notice what becomes of its output.
func (s *stream) Write(b []byte) (int, error) {
	s.output.mu.Lock()
	defer s.output.mu.Unlock()
	for v := range s.output.viewers {
		w := v.out
		if s.name == "stderr" {
			w = v.err
		}
		if w != nil {
			_, _ = w.Write(b)
		}
	}
	s.pending = append(s.pending, b...)
	for {
		line, rest, whole := bytes.Cut(s.pending, []byte("\n"))
		switch {
		case len(line) > longestLine:
			s.line(line[:longestLine], "P")
			s.pending = s.pending[longestLine:]
		case whole:
			s.line(line, "F")
			s.pending = rest
		default:
			return len(b), nil
		}
	}
}

// flush writes a last line that has no end. The lock is held.
func (s *stream) flush() {
	if len(s.pending) > 0 {
		s.line(s.pending, "P")
		s.pending = nil
	}
}

func (s *stream) line(text []byte, tag string) {
	if s.output.file != nil {
		_, _ = fmt.Fprintf(s.output.file, "%s %s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), s.name, tag, text)
	}
}
