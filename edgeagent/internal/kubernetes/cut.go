package kubernetes

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/kubemask"
)

// tells reports whether the answer is of a kind in which a client can be told why it was stopped.
func (a *answer) tells() bool {
	if a.resp.StatusCode != http.StatusOK {
		return false
	}
	json := strings.HasPrefix(a.resp.Header.Get("Content-Type"), "application/json")
	return a.x.r.Verb == "watch" && json || a.x.r.Subresource == "log"
}

// sayWhy ends a watch with an event of type ERROR, and a log with a line of its own.
func (a *answer) sayWhy(cut error) {
	if !a.tells() {
		return
	}
	st := newStatus(http.StatusForbidden, cut.Error())
	var d *enforce.Denied
	if errors.As(cut, &d) {
		st = statusOf(d, &a.x.r)
	}
	text := []byte("\n" + st.Message + "\n")
	if a.x.r.Verb == "watch" {
		var err error
		if text, err = json.Marshal(map[string]any{"type": "ERROR", "object": st}); err != nil {
			return
		}
		text = append(text, '\n')
	}
	_, _ = a.x.w.Write(text)
	a.flush()
}

// statusText takes the reason and the message out of the beginning of an error.
func statusText(head []byte) (reason, message string) {
	var st status
	if json.Unmarshal(head, &st) != nil {
		return "", ""
	}
	return st.Reason, st.Message
}

// idleFlush is how long a log or terminal may be silent before what is kept back of it is shown.
const idleFlush = 100 * time.Millisecond

// copyText passes a log through a detector. What may be the beginning of a hit is kept back until more comes, or nothing
// does for a moment.
func (a *answer) copyText(term *kubemask.Terminal) error {
	a.flush()
	type piece struct {
		data []byte
		err  error
	}
	pieces := make(chan piece)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			buf := make([]byte, 16<<10)
			n, err := a.body.Read(buf)
			select {
			case pieces <- piece{buf[:n], err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	idle := time.NewTimer(idleFlush)
	defer idle.Stop()
	pauses := idle.C
	if !a.streams() {
		pauses = nil // nobody waits for what comes next, so it can be read to its end
	}
	for {
		var out []byte
		var last error
		select {
		case p := <-pieces:
			last = p.err
			if out = term.Write(nil, p.data); last != nil {
				out = term.Flush(out)
			}
			idle.Reset(idleFlush)
		case <-pauses:
			out = term.Flush(nil)
		}
		if len(out) > 0 {
			if _, err := a.Write(out); err != nil {
				return err
			}
			a.flush()
		}
		if last != nil {
			if errors.Is(last, io.EOF) {
				return nil
			}
			return last
		}
	}
}
