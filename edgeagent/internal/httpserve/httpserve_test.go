package httpserve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	server := New(ctx, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	}), hclog.NewNullLogger())
	l := listen(t)
	ended := make(chan error)
	go func() { ended <- Run(ctx, server, func() error { return server.Serve(l) }) }()
	go func() {
		if resp, err := http.Get("http://" + l.Addr().String()); err == nil {
			resp.Body.Close()
		}
	}()
	<-began
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v, want nil", err)
	}
}

func TestRunSaysWhyItEnded(t *testing.T) {
	server := New(t.Context(), http.NotFoundHandler(), hclog.NewNullLogger())
	l := listen(t)
	l.Close()
	if err := Run(t.Context(), server, func() error { return server.Serve(l) }); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run: %v, want %v", err, net.ErrClosed)
	}
}

func TestSlots(t *testing.T) {
	slots := make(Slots, 1)
	log := hclog.NewNullLogger()
	outer, inner := httptest.NewRecorder(), httptest.NewRecorder()
	var served, busy int
	slots.Serve(outer, log, func() {
		served++
		slots.Serve(inner, log, func() { served++ }, func() { busy++ })
	}, func() { busy++ })
	if served != 1 || busy != 1 || inner.Header().Get("Retry-After") == "" {
		t.Errorf("served %d, busy %d, header %v; want 1, 1 and Retry-After", served, busy, inner.Header())
	}
	slots.Serve(outer, log, func() { served++ }, func() { busy++ })
	if served != 2 {
		t.Error("the slot was not given back")
	}
}

func TestPanicAbortsTheAnswer(t *testing.T) {
	slots := make(Slots, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		slots.Serve(w, hclog.NewNullLogger(), func() {
			_, _ = io.WriteString(w, "half of it")
			_ = http.NewResponseController(w).Flush()
			panic("broken")
		}, func() {})
	}))
	t.Cleanup(server.Close)
	for range 2 { // the slot is given back
		resp, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Error("the client took half an answer for whole")
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
