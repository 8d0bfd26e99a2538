package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A reader that stops reading does not hold the handler, over either version of HTTP; one that reads late is waited for.
func TestPatience(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				p := newPatient(w, 200*time.Millisecond)
				if r.URL.Path == "/quiet" {
					_, _ = p.Write([]byte("a"))
					p.Flush()
					time.Sleep(time.Second) // well over the limit of a write
					_, _ = p.Write([]byte("b"))
					return
				}
				ended <- flood(p)
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			quiet, err := server.Client().Get(server.URL + "/quiet")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(quiet.Body); string(got) != "ab" {
				t.Errorf("got %q, %v", got, err)
			}
			stalled, err := server.Client().Get(server.URL + "/flood")
			if err != nil {
				t.Fatal(err)
			}
			defer stalled.Body.Close()
			if <-ended == nil {
				t.Error("everything was written to nobody")
			}
		})
	}
}

// flood writes more than any buffer on the way holds.
func flood(w *patient) error {
	chunk := make([]byte, 64<<10)
	for range 4096 {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		if err := w.FlushError(); err != nil {
			return err
		}
	}
	return nil
}
