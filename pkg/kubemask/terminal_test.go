package kubemask

import (
	"bytes"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/mask"
)

func terminal(t testing.TB, cfg mask.Config) (*Terminal, *mask.Detector) {
	t.Helper()
	det, err := mask.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	term, err := NewTerminal(det)
	if err != nil {
		t.Fatal(err)
	}
	return term, det
}

const (
	someJWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
	somePEM = "-----BEGIN RSA PRIVATE KEY-----\r\nMIIEow+/x=\r\nabcd\r\n-----END RSA PRIVATE KEY-----"
)

// A screen is what a terminal shows, with things to hide between what passes.
var screens = []string{
	"root@pod-1:~# cat card\r\n4111 1111 1111 1111\r\nroot@pod-1:~# ",
	"x 3782 822463 10005, 123-45-6789 and 123 45 6789!", "call +1 (415) 555-2671 or (415) 555-2671 or +49 30 901820 now",
	"DE89 3704 0044 0532 0130 00 gb29 nwbk 6016 1331 9268 19 NO93 8601 1117 947 ok", "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
	"id AKIAIOSFODNN7EXAMPLE\r\nsecret = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\r\n$ ",
	"token: " + someJWT + " $ ", "alice@example.com,bob@example.com; $ ", somePEM + "\r\n$ ", "a" + somePEM + somePEM + " $ ",
	"ghp_" + strings.Repeat("a1B2", 9) + " xoxb-123456789012-abcdef $ ", "2026-11-23 10:00:00 2026-11-24 \x1b]0;title\x07$ ",
	"x4111111111111111y 41111111111111112222 5 4111 1111 1111 1111 22", "josé@exämple.de \xff\xfe 4111-1111-1111-1111",
	"no prompt 12 (34) .. 56 -- 78", "BADGE-4711 of Alice\r\nBADGE-12 ",
}

var badge = mask.Config{Custom: []mask.Pattern{{Name: "badge", Regexp: "BADGE-[0-9]+ of [A-Z][a-z]+", Literal: "BADGE"}}}

func TestTerminalCutAnywhere(t *testing.T) {
	for _, cfg := range []mask.Config{{}, badge} {
		for _, screen := range screens {
			for i := range len(screen) + 1 {
				for j := i; j <= len(screen); j += 7 {
					term, det := terminal(t, cfg)
					var got []byte
					for _, chunk := range []string{screen[:i], screen[i:j], screen[j:]} {
						got = term.Write(got, []byte(chunk))
					}
					got = term.Flush(got)
					if want := det.Redact(nil, []byte(screen)); !bytes.Equal(got, want) {
						t.Fatalf("%q cut at %d and %d:\ngot  %q\nwant %q", screen, i, j, got, want)
					}
				}
			}
			term, det := terminal(t, cfg)
			var got []byte
			for i := range len(screen) {
				got = term.Write(got, []byte(screen[i:i+1]))
			}
			if want := det.Redact(nil, []byte(screen)); !bytes.Equal(term.Flush(got), want) {
				t.Fatalf("%q byte by byte: %q", screen, got)
			}
		}
	}
}

func TestTerminalShowsPrompts(t *testing.T) {
	for _, prompt := range []string{
		"$ ", "root@pod:/# ", "Password: ", "mysql> ", ">>> ", "(gdb) ", "\x1b[01;32muser@host\x1b[00m:\x1b[01;34m~\x1b[00m$ ",
		"Proceed? [y/N] ", "\x1b[?2004h# ", "progress 50%\r", "line\n",
	} {
		term, _ := terminal(t, mask.Config{})
		if got := term.Write(nil, []byte("hello\r\n"+prompt)); string(got) != "hello\r\n"+prompt {
			t.Errorf("of %q shows %q", prompt, got)
		}
	}
}

func TestTerminalColours(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[1malice\x1b[31m@\x1b[0mexample.com \x1b[K": "\x1b[1m***\x1b[31m\x1b[0m \x1b[K",
		"4111\x1b[7m1111\x1b[27m11111111 ":               "***\x1b[7m\x1b[27m ",
		"\x1b[4111111111111111m":                         "\x1b[***m",
		"\x1b(Balice@example.com\x1b":                    "\x1b(B***\x1b",
		"\x1b\x1b[31malice@example.com":                  "\x1b\x1b[31m***",
	} {
		for i := range len(in) {
			term, _ := terminal(t, mask.Config{})
			got := term.Write(term.Write(nil, []byte(in[:i])), []byte(in[i:]))
			if got = term.Flush(got); string(got) != want {
				t.Fatalf("%q cut at %d: %q", in, i, got)
			}
		}
	}
}

func TestTerminalFlush(t *testing.T) {
	term, _ := terminal(t, mask.Config{})
	got := term.Write(nil, []byte("$ l"))
	if string(got) != "$ " || term.Held() != 1 {
		t.Fatalf("shows %q, holds %d", got, term.Held())
	}
	if got = term.Flush(nil); string(got) != "l" || term.Held() != 0 {
		t.Fatalf("shows %q, holds %d", got, term.Held())
	}
	got = term.Flush(term.Write(nil, []byte("\r\n"+somePEM[:50])))
	got = term.Write(got, []byte(somePEM[50:]))
	if got = term.Flush(got); string(got) != "\r\n***-----END RSA PRIVATE KEY-----" {
		t.Errorf("of a key that paused shows %q", got)
	}
}

func TestTerminalLongWord(t *testing.T) {
	term, _ := terminal(t, mask.Config{})
	var got []byte
	for range 2 * maxHeld / 64 {
		got = term.Write(got, bytes.Repeat([]byte("a"), 64))
	}
	if got = term.Write(got, []byte(" alice@example.com $ ")); string(got) != "*** *** $ " {
		t.Errorf("shows %.100q", got)
	}
}
