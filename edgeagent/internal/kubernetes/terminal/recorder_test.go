package terminal_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/terminal"
)

// tape is a sink, and a clock that goes only when it is told to.
type tape struct {
	mu     sync.Mutex
	pieces []piece
	now    time.Duration
	timers []*timer
}

type piece struct {
	stream string
	data   string
}

type timer struct {
	at time.Duration
	f  func()
}

func (k *tape) sink(stream string, data []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pieces = append(k.pieces, piece{stream, string(data)})
}

func (k *tape) afterFunc(d time.Duration, f func()) func() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := &timer{at: k.now + d, f: f}
	k.timers = append(k.timers, t)
	return func() bool { t.f = nil; return true }
}

// pass lets time pass.
func (k *tape) pass(d time.Duration) {
	k.now += d
	for i := 0; i < len(k.timers); i++ {
		if t := k.timers[i]; t.at <= k.now && t.f != nil {
			f := t.f
			t.f = nil
			f()
		}
	}
}

// of is everything on one stream.
func (k *tape) of(stream string) string {
	var b strings.Builder
	for _, p := range k.pieces {
		if p.stream == stream {
			b.WriteString(p.data)
		}
	}
	return b.String()
}

func record(t testing.TB, tty bool) (*terminal.Recorder, *tape) {
	t.Helper()
	k := &tape{}
	r, err := terminal.New(terminal.Config{Sink: k.sink, TTY: tty, AfterFunc: k.afterFunc})
	if err != nil {
		t.Fatal(err)
	}
	return r, k
}

// play runs a scene: ">" is typed, "<" is shown on stdout, "!" on stderr, "." lets a second pass.
func play(r *terminal.Recorder, k *tape, scene []string) {
	for _, s := range scene {
		switch s[0] {
		case '>':
			r.Input([]byte(s[1:]))
		case '<':
			r.Output("stdout", []byte(s[1:]))
		case '!':
			r.Output("stderr", []byte(s[1:]))
		case '.':
			k.pass(time.Second)
		}
	}
	r.Close()
}

func TestInputOfATerminal(t *testing.T) {
	for name, c := range map[string]struct {
		scene []string
		want  string
	}{
		"typed at a shell":             {[]string{"<$ ", ">l", "<l", ">s", "<s", ">\r", "<\r\nfile\r\n$ "}, "ls\r"},
		"pasted":                       {[]string{"<$ ", ">ls -l\r", "<ls -l\r\n"}, "ls -l\r"},
		"pasted before the prompt":     {[]string{">ls\r", "<kim@pod:~$ ls\r\nfile\r\n"}, "ls\r"},
		"several lines at once":        {[]string{"<$ ", ">echo one\recho two\rexit\r", "<echo one\r\none\r\n$ ", "<echo two\r\ntwo\r\n$ exit\r\n"}, "echo one\recho two\rexit\r"},
		"echoed at once by the kernel": {[]string{">a\nb\nc\n", "<a\r\nb\r\nc\r\n"}, "a\nb\nc\n"},
		"a shell that draws anew":      {[]string{"<% ", ">l", "<\x1b[1ml\x1b[0m", ">s", "<\b\x1b[32ml\x1b[32ms\x1b[39m", ">\r", "<\r\r\n"}, "ls\r"},
		"a suggestion":                 {[]string{"<> ", ">l", "<ls -la\x1b[5D", ">s", "<s", ">\r", "<\x1b[K\r\n"}, "ls\r"},
		"completed with tab":           {[]string{"<$ ", ">cat fo", "<cat fo", ">\t", "<o.txt ", ">\r", "<\r\n"}, "cat fo\t\r"},
		"corrected":                    {[]string{"<$ ", ">lx", "<lx", ">\x7f", "<\b \b", ">s", "<s", ">\r", "<\r\n"}, "lx\x7fs\r"},
		"in the middle of a line":      {[]string{"<$ ", ">ac", "<ac", ">\x1b[D", "<\b", ">b", "<bc\b", ">\r", "<\r\n"}, "ac\x1b[Db\r"},
		"wrapped":                      {[]string{"<$ ", ">abcdef\r", "<abc \rdef\r\n"}, "abcdef\r"},
		"keys alone":                   {[]string{"<$ ", ">\x1b[A", "<ls", ">\r", "<\r\n"}, "\x1b[A\r"},
		"interrupted":                  {[]string{"<$ ", ">sl", "<sl", ">\x03", "<^C\r\n"}, "sl\x03"},
		"utf-8":                        {[]string{"<$ ", ">echo gr\xc3\xbc\xc3\x9f\r", "<echo gr\xc3\xbc", "<\xc3\x9f\r\n"}, "echo grüß\r"},
		"not ended":                    {[]string{"<$ ", ">ls", "<ls"}, "ls"},
		"bracketed paste":              {[]string{"<$ ", ">\x1b[200~ls\x1b[201~", "<\x1b[7mls\x1b[27m", ">\r", "<\x1b[?2004l\r\r\n"}, "\x1b[200~ls\x1b[201~\r"},
		"no newline shown":             {[]string{"<\x1b[24;1H", ">:wq\r", "<:wq", ".", ".", "."}, ":wq\r"},

		"hidden":                       {[]string{"<? ", ">hunter2\r", "<\r\n$ "}, "[not echoed]\r"},
		"hidden, with no newline":      {[]string{"<$ ", ">read -s x\r", "<read -s x\r\n", ">hunter2\r", "<$ ", ">ls\r", "<ls\r\n", ">id\r", "<id\r\n"}, "read -s x\r[not echoed]\rls\rid\r"},
		"hidden, typed slowly":         {[]string{"<? ", ">h", ">u", ".", ".", ".", ">n", ">\r", "<\r\n"}, "[not echoed]\r"},
		"hidden, then a command":       {[]string{"<? ", ">hunter2\r", "<\r\n$ ", ">ls\r", "<ls\r\n"}, "[not echoed]\rls\r"},
		"stars instead":                {[]string{"<? ", ">h", "<*", ">u", "<*", ">\r", "<\r\n"}, "[not echoed]\r"},
		"the word is part of another":  {[]string{"<? ", ">root\r", "<\r\nroot@pod:~# "}, "[not echoed]\r"},
		"typed ahead, part of another": {[]string{">su\rroot\r", "<su\r\n? ", "<\r\nroot@pod:~# ", ".", ".", "."}, "su\r[not echoed]\r"},
		"partly shown":                 {[]string{"<? ", ">hunter2\r", "<hunt\r\n"}, "[not echoed]\r"},
		"shown with other text within": {[]string{"<? ", ">abc\r", "<a whole backup comes\r\n"}, "[not echoed]\r"},
		"a status line meanwhile":      {[]string{"<? ", ">hunter2\r", "<h\nu\nn\nt\ne\nr\n2\n"}, "[not echoed]\r"},
		"never answered":               {[]string{"<? ", ">hunter2\r", ".", ".", "."}, "[not echoed]\r"},
		"never ended":                  {[]string{"<? ", ">hunter2"}, "[not echoed]"},
		"interrupted while hidden":     {[]string{"<? ", ">hunt\x03", "<^C\r\n"}, "[not echoed]\x03"},
		"over two lines":               {[]string{"<? ", ">ab", "<a\n", "<b", ">\r", "<\r\n"}, "[not echoed]\r"},
		"a key after other text":       {[]string{"<? ", ">root", "<root@pod", ">\t", "<x", ">\r", "<\r\n"}, "[not echoed]\r"},
		"a terminal's answer":          {[]string{"<\x1b]52;c;?\x07", ">\x1b]52;c;aHVudGVyMg==\x07\r", "<\r\n"}, "[not echoed]\r"},
		"too long to keep":             {[]string{"<? ", ">" + strings.Repeat("x", 5000) + "\r", "<" + strings.Repeat("x", 5000) + "\r\n"}, "[not echoed]\r"},

		"a password":             {[]string{"<Password: ", ">hunter2\r", "<\r\n$ "}, "[withheld]\r"},
		"a password, shown":      {[]string{"<Password: ", ">hunter2\r", "<hunter2\r\n"}, "[withheld]\r"},
		"a coloured prompt":      {[]string{"<\x1b[1mEnter your pass", "<word\x1b[0m:\x1b[K ", ">hunter2\r", "<\r\n"}, "[withheld]\r"},
		"prompt on its own line": {[]string{"<Paste your API key:\r\n", ">hunter2\r", "<hunter2\r\n"}, "[withheld]\r"},
		"typed ahead":            {[]string{"<$ ", ">su\rhunter2\r", "<su\r\n", "<Password: ", "<\r\n# "}, "su\r[withheld]\r"},
		"typed ahead, at once":   {[]string{"<$ ", ">su\rhunter2\r", "<su\r\nPassword: \r\n# "}, "su\r[withheld]\r"},
		"typed ahead, shown":     {[]string{"<$ ", ">su\rhunter2\r", "<su\r\n", "<Password: ", "<hunter2\r\n"}, "su\r[withheld]\r"},
		"a prompt that spins":    {[]string{"<Password: |", "<\b/\b", ">hunter2\r", "<hunter2\r\n"}, "[withheld]\r"},
		"a broken title":         {[]string{"<\x1b]0;title\nPassword: ", ">hunter2\r", "<hunter2\r\n"}, "[withheld]\r"},
		"half typed ahead":       {[]string{"<$ ", ">hun", "<Password: ", ">ter2\r", "<\r\n"}, "[withheld]\r"},
		"one after the other":    {[]string{"<New password: ", ">a\r", "<\r\nRetype new password: ", ">a\r", "<\r\n$ ", ">id\r", "<id\r\n"}, "[withheld]\r[withheld]\rid\r"},
		"about a password":       {[]string{"<$ ", ">cat password", "<cat password", ">.txt\r", "<.txt\r\n"}, "cat password.txt\r"},
	} {
		t.Run(name, func(t *testing.T) {
			r, k := record(t, true)
			play(r, k, c.scene)
			if got := k.of("stdin"); got != c.want {
				t.Errorf("recorded %q, want %q", got, c.want)
			}
			shown := ""
			for _, s := range c.scene {
				if s[0] == '<' {
					shown += s[1:]
				}
			}
			if got := k.of("stdout"); got != shown {
				t.Errorf("output is recorded as %q, want %q", got, shown)
			}
		})
	}
}

func TestInputWithoutATerminal(t *testing.T) {
	for name, c := range map[string]struct {
		scene []string
		want  string
	}{
		"a script":               {[]string{">echo hi\n", "<hi\n", ">exit\n"}, "echo hi\nexit\n"},
		"after a prompt":         {[]string{"!Password: ", ">hunter2\n", "<ok\n", ">ls\n"}, "[withheld]\nls\n"},
		"in parts":               {[]string{"!Password: ", ">hun", ">ter", ">2\n"}, "[withheld]\n"},
		"before the prompt":      {[]string{">hunter2\n", "!Password: "}, "[withheld]\n"},
		"before both prompts":    {[]string{">a\na\n", "!New password: Retype new password: passwd: updated\n"}, "[withheld]\n"},
		"before a prompt's end":  {[]string{">hunter2\n", "!Password: su: failed"}, "[withheld]\n"},
		"other output between":   {[]string{"!Password: ", "<starting\n", ">hunter2\n"}, "[withheld]\n"},
		"nothing after it":       {[]string{"!Token:", ">hunter2\n", ">ls\n"}, "[withheld]\nls\n"},
		"long after it was sent": {[]string{">ls\n", ".", ".", ".", "<password: no\n"}, "ls\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r, k := record(t, false)
			play(r, k, c.scene)
			if got := k.of("stdin"); got != c.want {
				t.Errorf("recorded %q, want %q", got, c.want)
			}
		})
	}
}

func TestPrompts(t *testing.T) {
	for prompt, secret := range map[string]bool{
		"Password:": true, "[sudo] password for kim: ": true, "Password for user postgres: ": true, "Enter passphrase for key '/root/.ssh/id_ed25519': ": true,
		"Enter PIN: ": true, "OTP> ": true, "Verification code: ": true, "Token (will be hidden): ": true, "Unseal Key (will be hidden): ": true,
		"MYSQL_PWD=": true, "API_TOKEN: ": true, "Enter your secret": true, "aws_secret_access_key [None]: ": true, "MFA code: ": true, "One-time code? ": true,
		"Enter tokens: ": true, "PASS-PHRASE: ": true, "Two-factor code: ": true, "Input will not be echoed: ": true, "[Password]> ": true,
		"Password for 'https://kim@git.example': ": true, "Enter API key": true, "passwords": true, "(enter PIN)": true, "apikey:": true,
		"code: ": false, "Passport number: ": false, "compass: ": false, "pinned: ": false, "spin": false, "keys": false, "a": false, ":": false,
		"password of the day is not here, since " + strings.Repeat("x", 120) + ": ": false,
		"$ ": false, "root@secret-pod:/# ": false, "kim@token-service:~$ ": false, "login: ": false, "Continue? [y/N] ": false, "shopping list: ": false,
		"spinning up: ": false, "/ # ": false, "mysql> ": false, "Username: ": false, "tokenizer: ": false,
	} {
		r, k := record(t, true)
		play(r, k, []string{"<" + prompt, ">x\r", "<x\r\n"})
		if got := k.of("stdin") == "[withheld]\r"; got != secret {
			t.Errorf("after %q input is recorded as %q", prompt, k.of("stdin"))
		}
	}
}

func TestPieces(t *testing.T) {
	r, k := record(t, true)
	r.Resize(120, 40)
	for range 50 {
		r.Output("stdout", []byte("ab"))
	}
	if len(k.pieces) != 1 {
		t.Fatalf("%d pieces before their time", len(k.pieces))
	}
	k.pass(100 * time.Millisecond)
	r.Output("stdout", []byte("c"))
	r.Resize(80, 24)
	r.Output("stdout", bytes.Repeat([]byte("d"), 33<<10))
	r.Close()
	r.Output("stdout", []byte("late"))
	r.Input([]byte("late"))
	r.Resize(1, 1)
	r.Close()
	want := []piece{{"resize", "120x40"}, {"stdout", strings.Repeat("ab", 50)}, {"stdout", "c"}, {"resize", "80x24"},
		{"stdout", strings.Repeat("d", 32<<10)}, {"stdout", strings.Repeat("d", 1<<10)}}
	if len(k.pieces) != len(want) {
		t.Fatalf("%d pieces, want %d", len(k.pieces), len(want))
	}
	for i := range want {
		if k.pieces[i] != want[i] {
			t.Errorf("piece %d is %.40q, want %.40q", i, k.pieces[i], want[i])
		}
	}
}

func TestStreamsKeepTheirOrder(t *testing.T) {
	r, k := record(t, false)
	for range 3 {
		r.Output("stderr", []byte("e"))
		r.Output("stdout", []byte("o"))
	}
	r.Close()
	if want := []piece{{"stderr", "eee"}, {"stdout", "ooo"}}; len(k.pieces) != 2 || k.pieces[0] != want[0] || k.pieces[1] != want[1] {
		t.Errorf("got %v", k.pieces)
	}
}

func TestLimitWithoutATerminal(t *testing.T) {
	const size = 3 << 20
	for _, tty := range []bool{false, true} {
		r, k := record(t, tty)
		for range size / 8192 {
			r.Output("stdout", make([]byte, 8192))
			if !tty {
				r.Input(bytes.Repeat([]byte("tar "), 2048))
			}
		}
		r.Close()
		want, notes := 1<<20, "stdout: the first 1048576 of 3145728 bytes are recordedstdin: the first 1048576 of 3145728 bytes are recorded"
		if tty {
			want, notes = size, terminal.NoteTerminal
		}
		if got := len(k.of("stdout")); got != want {
			t.Errorf("tty %v: %d bytes of output recorded, want %d", tty, got, want)
		}
		if got := k.of("note"); got != notes {
			t.Errorf("tty %v: note %q", tty, got)
		}
	}
}

// Whoever types and never sees anything does not fill the memory.
func TestTypedAheadIsBounded(t *testing.T) {
	r, k := record(t, true)
	r.Output("stdout", []byte("? "))
	for range 5000 {
		r.Input([]byte("hunter2\r"))
	}
	if got := strings.Count(k.of("stdin"), "[not echoed]\r"); got > 5000-100 {
		t.Errorf("%d lines are recorded before the time", got)
	}
	k.pass(time.Second)
	if got := strings.Count(k.of("stdin"), "[not echoed]\r"); got < 4000 {
		t.Errorf("of 5000 lines %d are decided about", got)
	}
	r.Close()
	if got := strings.Count(k.of("stdin"), "[not echoed]\r"); got != 5000 {
		t.Errorf("%d lines recorded", got)
	}
}

func TestMaskInput(t *testing.T) {
	for _, tty := range []bool{false, true} {
		k := &tape{}
		r, err := terminal.New(terminal.Config{Sink: k.sink, TTY: tty, AfterFunc: k.afterFunc, MaskInput: func(line []byte) []byte {
			return bytes.ReplaceAll(line, []byte("AKIA1"), []byte("****"))
		}})
		if err != nil {
			t.Fatal(err)
		}
		r.Input([]byte("use AKI"))
		r.Input([]byte("A1\n"))
		r.Output("stdout", []byte("use AKIA1\r\n"))
		r.Close()
		if got := k.of("stdin"); got != "use ****\n" {
			t.Errorf("tty %v: recorded %q", tty, got)
		}
	}
}

func TestNewNeedsASink(t *testing.T) {
	if _, err := terminal.New(terminal.Config{}); err == nil {
		t.Error("made a recorder without a sink")
	}
}

func TestConcurrentUse(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{}
	r, err := terminal.New(terminal.Config{TTY: true, Sink: func(stream string, data []byte) {
		mu.Lock()
		defer mu.Unlock()
		got[stream] += len(data)
	}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, do := range []func(){
		func() { r.Output("stdout", []byte("ls\r\n")) }, func() { r.Input([]byte("ls\r")) }, func() { r.Resize(80, 24) },
	} {
		wg.Go(func() {
			for range 500 {
				do()
			}
		})
	}
	wg.Wait()
	r.Close()
	if got["stdout"] != 2000 || got["resize"] != 2500 || got["stdin"] == 0 {
		t.Errorf("recorded %v", got)
	}
}

// What is typed in capitals and never shown is never recorded, whatever else happens.
func FuzzHidden(f *testing.F) {
	f.Add([]byte("\x00$ \x01LS\x0d\x00\x0d\x0a\x02"), true)
	f.Add([]byte("\x01SECRET\x0d\x00password: \x02"), false)
	f.Add([]byte("\x00a\x08b\x1b[D\x1b]0;x\x07\x01A\x7fB\x09\x00ab\x0d\x0a"), true)
	f.Fuzz(func(t *testing.T, script []byte, tty bool) {
		r, k := record(t, tty)
		shown := ""
		op := byte(0)
		for _, b := range script {
			switch {
			case b <= 2:
				op = b
				if b == 2 {
					k.pass(700 * time.Millisecond)
				}
			case op == 1 && tty && b != 0x1b: // Alt with a letter is a key
				if b >= ' ' && b != 0x7f {
					b = 'A' + b%26
				}
				r.Input([]byte{b})
			case op == 1:
				r.Input([]byte{b})
			case op == 0:
				if b >= 'A' && b <= 'Z' {
					b += 'a' - 'A'
				}
				shown += string([]byte{b})
				r.Output("stdout", []byte{b})
			}
		}
		r.Close()
		if got := k.of("stdout"); got != shown {
			t.Fatalf("output recorded as %q, want %q", got, shown)
		}
		if in := k.of("stdin"); tty && !bytes.Contains(script, []byte{0x1b}) && strings.ContainsAny(in, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			t.Fatalf("recorded %q", in)
		}
		for _, p := range k.pieces {
			if len(p.data) == 0 || len(p.data) > 32<<10 {
				t.Fatalf("a piece of %d bytes", len(p.data))
			}
		}
	})
}
