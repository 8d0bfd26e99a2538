package api

import (
	"net/http"
	"time"
)

// patience is how long a stream waits for its reader to take what was written.
const patience = 30 * time.Second

// patient is the writer of a stream. It gives up on a reader that has stopped reading, which would otherwise hold the
// handler for ever, and lets a stream outlive the limit of reading a request.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	wait    time.Duration
}

func newPatient(w http.ResponseWriter, wait time.Duration) *patient {
	return &patient{ResponseWriter: w, control: http.NewResponseController(w), wait: wait}
}

// Unwrap is for http.ResponseController.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *patient) Write(b []byte) (int, error) {
	defer p.limit()()
	return p.ResponseWriter.Write(b)
}

// FlushError implements what http.ResponseController flushes with.
func (p *patient) FlushError() error {
	defer p.limit()()
	return p.control.Flush()
}

// Flush implements http.Flusher.
func (p *patient) Flush() { _ = p.FlushError() }

// limit sets the deadline of one write and returns what takes it away. A writer without deadlines is as patient as it is.
func (p *patient) limit() (lift func()) {
	_ = p.control.SetReadDeadline(time.Time{}) // the request has been read
	_ = p.control.SetWriteDeadline(time.Now().Add(p.wait))
	return func() { _ = p.control.SetWriteDeadline(time.Time{}) }
}
