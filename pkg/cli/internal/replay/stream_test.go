package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/replay"
)

// tape builds a Kubernetes session in pkg/audit's own JSON.
type tape struct {
	t   testing.TB
	raw [][]byte
}

func (k *tape) add(at time.Duration, r audit.Record) {
	r.Time = start.Add(at)
	raw, err := json.Marshal(r)
	if err != nil {
		k.t.Fatal(err)
	}
	k.raw = append(k.raw, raw)
}

func (k *tape) piece(command, stream string, at time.Duration, data string) {
	k.add(at, audit.Record{
		Kind: audit.KindStream, Command: command, Duration: at - time.Second, Params: []audit.Param{{Data: []byte(data)}},
		Attrs: []audit.Attr{{Name: "stream", Value: stream}},
	})
}

// kubernetes is a session with a get, an exec with a terminal (c2) and one without (c3).
func kubernetes(t testing.TB) [][]byte {
	k := &tape{t: t}
	k.add(0, audit.Record{Kind: audit.KindSessionOpen, Principal: "kim@example.com", Resource: "shop", Protocol: "kubernetes"})
	k.add(time.Second, audit.Record{Kind: audit.KindCommand, Command: "c1", Decision: audit.Allow, Statement: "POST /api/v1/namespaces/shop/pods", Params: []audit.Param{{Data: []byte("{\"a\":1}")}}})
	k.add(time.Second, audit.Record{Kind: audit.KindOutcome, Command: "c1", CommandTag: "201 Created"})
	k.add(time.Second, audit.Record{Kind: audit.KindCommand, Command: "c2", Decision: audit.Allow, Statement: "exec shop/web -- sh"})
	k.piece("c2", "resize", time.Second+100*time.Millisecond, "120x40")
	k.piece("c2", "stdout", 2*time.Second, "$ \x1b[1mgr\xc3")
	k.add(2*time.Second, audit.Record{Kind: audit.KindRefusal, Command: "c9", Decision: audit.Deny, Statement: "DELETE /api/v1/namespaces/shop\x1b[2J"})
	k.piece("c2", "stdout", 3*time.Second, "\xbc\xc3\x9f\x1b[0m\x1b]0;title\x07\r\n")
	k.piece("c2", "stdin", 3*time.Second, "gr\xc3\xbc\xc3\x9f\r")
	k.piece("c3", "stdout", 3*time.Second, "one\ntwo\x1b[31m\n")
	k.piece("c2", "resize", 4*time.Second, "80x24")
	k.add(5*time.Second, audit.Record{Kind: audit.KindOutcome, Command: "c2", CommandTag: "101 Switching Protocols"})
	k.piece("c3", "stderr", 6*time.Second, "bad \xc3")
	k.piece("c3", "note", 6*time.Second, "stdout: the first 8 of 9 bytes are recorded")
	k.add(6*time.Second, audit.Record{Kind: audit.KindOutcome, Command: "c3", CommandTag: "exit 1"})
	k.add(7*time.Second, audit.Record{Kind: audit.KindSessionClose, Reason: "done"})
	return k.raw
}

func played(t testing.TB, raw [][]byte, terminal bool, command string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	printer, err := output.New(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg := replay.Config{Printer: printer, Command: command}
	if terminal {
		cfg.Terminal = &out
	}
	p, err := replay.NewPlayer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		if err := p.Play(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	err = p.Close()
	return out.String(), err
}

const back = "\x1b7\x1b[r\x1b8\x1b[0m\x1b[4l\x1b[?5l\x1b[?7h\x1b[?25h\x1b(B\x0f\r\n"

func TestPlayTerminal(t *testing.T) {
	got, err := played(t, kubernetes(t), true, "")
	if err != nil {
		t.Fatal(err)
	}
	want := `   +0.000s  session opened by kim@example.com on shop
   +1.000s  allow
              | POST /api/v1/namespaces/shop/pods
              > {"a":1}
   +1.000s  done 201 Created
   +1.000s  allow
              | exec shop/web -- sh
----- c2 plays on a terminal of 120x40 -----
` + "$ \x1b[1mgrüß\x1b[0m\r\n" + back + `----- end of c2 -----
   +2.000s  deny
              | DELETE /api/v1/namespaces/shop\u{1b}[2J
            and 1 more of other commands; --command shows one by itself
   +5.000s  done 101 Switching Protocols
   +6.000s  stderr 5 bytes of c3
              | bad \x{c3}
   +6.000s  note: stdout: the first 8 of 9 bytes are recorded of c3
   +6.000s  done exit 1
   +7.000s  session closed: done
`
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestPlayWithoutATerminal(t *testing.T) {
	got, err := played(t, kubernetes(t), false, "c2")
	if err != nil {
		t.Fatal(err)
	}
	want := `   +0.000s  allow
              | exec shop/web -- sh
   +0.100s  terminal of 120x40 of c2
   +1.000s  stdout 9 bytes of c2
              | $ \u{1b}[1mgr\x{c3}
   +2.000s  stdout 19 bytes of c2
              | \x{bc}ß\u{1b}[0m\u{1b}]0;title\u{7}
   +2.000s  stdin 7 bytes of c2
              | grüß\u{d}
   +3.000s  terminal of 80x24 of c2
   +4.000s  done 101 Switching Protocols
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := played(t, kubernetes(t), false, "c77"); !errors.Is(err, replay.ErrNone) {
		t.Errorf("an unknown command: %v", err)
	}
}

// A recording that is cut off leaves the person's terminal as it was.
func TestPlayGivesTheTerminalBack(t *testing.T) {
	got, err := played(t, kubernetes(t)[:6], true, "")
	if err != nil || !strings.HasSuffix(got, back+"----- end of c2 -----\n") {
		t.Errorf("error %v, ends with %q", err, got[max(0, len(got)-80):])
	}
}

func TestPlayPace(t *testing.T) {
	printer, err := output.New(&bytes.Buffer{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	now := start
	p, err := replay.NewPlayer(replay.Config{
		Printer: printer, Speed: 1, Idle: 700 * time.Millisecond, Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error {
			pauses = append(pauses, d)
			now = now.Add(d)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range kubernetes(t)[:6] {
		if i == 4 {
			now = now.Add(40 * time.Millisecond) // it took so long to arrive
		}
		if err := p.Play(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if want := []time.Duration{700 * time.Millisecond, 60 * time.Millisecond, 700 * time.Millisecond}; !slices.Equal(pauses, want) {
		t.Errorf("paused %v, want %v", pauses, want)
	}
}

func cast(t testing.TB, raw [][]byte, cfg replay.CastConfig) (string, []string, error) {
	t.Helper()
	var out bytes.Buffer
	printer, err := output.New(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Printer = printer
	c, err := replay.NewCast(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		if err := c.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	err = c.Close()
	return out.String(), c.Others(), err
}

func TestCast(t *testing.T) {
	text, others, err := cast(t, kubernetes(t), replay.CastConfig{Idle: 2 * time.Second})
	if err != nil || !slices.Equal(others, []string{"c3"}) {
		t.Fatalf("error %v, others %v", err, others)
	}
	h, events := readCast(t, text)
	if h.Width != 120 || h.Height != 40 || h.Timestamp != start.Add(time.Second).Unix() || h.Title != "exec shop/web -- sh" || h.IdleTimeLimit != 2 {
		t.Errorf("header %+v", h)
	}
	want := []castEvent{{1, "o", "$ \x1b[1mgr"}, {2, "o", "üß\x1b[0m\x1b]0;title\a\r\n"}, {2, "i", "grüß\r"}, {3, "r", "80x24"}}
	if !slices.Equal(events, want) {
		t.Errorf("got %v, want %v", events, want)
	}
}

func TestCastWithoutATerminal(t *testing.T) {
	text, _, err := cast(t, kubernetes(t), replay.CastConfig{Command: "c3"})
	if err != nil {
		t.Fatal(err)
	}
	h, events := readCast(t, text)
	if h.Width != 80 || h.Height != 24 {
		t.Errorf("header %+v", h)
	}
	want := []castEvent{{2, "o", "one\r\ntwo\x1b[31m\r\n"}, {5, "o", "bad "}, {5, "m", "stdout: the first 8 of 9 bytes are recorded"}, {5, "o", "\uFFFD"}}
	if !slices.Equal(events, want) {
		t.Errorf("got %v, want %v", events, want)
	}
	for command, raw := range map[string][][]byte{"c1": kubernetes(t), "c77": kubernetes(t), "": recording(t)} {
		if _, _, err := cast(t, raw, replay.CastConfig{Command: command}); !errors.Is(err, replay.ErrNone) {
			t.Errorf("of %q: %v", command, err)
		}
	}
}

// A terminal that never says its size does not make the recording wait for it in memory.
func TestCastOfNoSize(t *testing.T) {
	k := &tape{t: t}
	k.piece("c1", "note", time.Second, "a terminal of unknown size")
	for i := range 3000 {
		k.piece("c1", "stdout", time.Second+time.Duration(i)*time.Millisecond, strings.Repeat("x", 1024))
	}
	k.piece("c1", "resize", 9*time.Second, "100x30")
	text, _, err := cast(t, k.raw, replay.CastConfig{})
	if err != nil {
		t.Fatal(err)
	}
	h, events := readCast(t, text)
	if h.Width != 80 || len(events) != 3001 || events[3000] != (castEvent{8, "r", "100x30"}) {
		t.Errorf("header %+v, %d events, last %v", h, len(events), events[len(events)-1])
	}
}

type castHeader struct {
	Version       int     `json:"version"`
	Width         int     `json:"width"`
	Height        int     `json:"height"`
	Timestamp     int64   `json:"timestamp"`
	IdleTimeLimit float64 `json:"idle_time_limit"`
	Title         string  `json:"title"`
}

type castEvent struct {
	at         float64
	code, data string
}

// readCast reads an asciicast as its description says, and no more than that: newline-delimited JSON, a header object
// with version 2 and a size, then arrays of a time that does not go back, a code, and data.
// https://docs.asciinema.org/manual/asciicast/v2/
func readCast(t testing.TB, text string) (castHeader, []castEvent) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var h castHeader
	dec := json.NewDecoder(strings.NewReader(lines[0]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil || h.Version != 2 || h.Width < 1 || h.Height < 1 {
		t.Fatalf("header %q: %v", lines[0], err)
	}
	var events []castEvent
	last := 0.0
	for _, line := range lines[1:] {
		var e []any
		if err := json.Unmarshal([]byte(line), &e); err != nil || len(e) != 3 {
			t.Fatalf("event %q: %v", line, err)
		}
		at, okAt := e[0].(float64)
		code, okCode := e[1].(string)
		data, okData := e[2].(string)
		if !okAt || !okCode || !okData || at < last || !strings.Contains("oimr", code) || len(code) != 1 {
			t.Fatalf("event %q", line)
		}
		var cols, rows int
		if n, err := fmt.Sscanf(data, "%dx%d", &cols, &rows); code == "r" && (n != 2 || err != nil || fmt.Sprintf("%dx%d", cols, rows) != data) {
			t.Fatalf("resize %q", data)
		}
		last = at
		events = append(events, castEvent{at, code, data})
	}
	return h, events
}

func FuzzCast(f *testing.F) {
	f.Add([]byte("a\xc3"), []byte("\xbc\n"), "120x40", "stdout")
	f.Add([]byte("\xf0\x9f"), []byte("\x99\x82\xff"), "0x0", "stdin")
	f.Fuzz(func(t *testing.T, a, b []byte, size, stream string) {
		k := &tape{t: t}
		k.piece("c1", "note", time.Second, "a terminal of unknown size")
		k.piece("c1", stream, 2*time.Second, string(a))
		k.piece("c1", "resize", 2*time.Second, size)
		k.piece("c1", stream, 3*time.Second, string(b))
		text, _, err := cast(t, k.raw, replay.CastConfig{})
		if err != nil {
			t.Fatal(err)
		}
		_, events := readCast(t, text)
		shown := ""
		for _, e := range events {
			if e.code == "o" {
				shown += e.data
			}
		}
		if want := strings.ToValidUTF8(string(a)+string(b), ""); stream == "stdout" && strings.ReplaceAll(shown, "\uFFFD", "") != strings.ReplaceAll(want, "\uFFFD", "") {
			t.Fatalf("%q and %q became %q", a, b, shown)
		}
	})
}
