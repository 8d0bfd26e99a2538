package terminal

// line is what was typed up to the key that ended it, and how much of it the terminal has shown. Bytes that are shown one
// after the other, as they were typed, are an echo; so are bytes between which the terminal drew something else and went
// back. What an editing key does cannot be known, so after one anything may be shown before the rest.
type line struct {
	raw    []byte // as typed, with the key that ended it
	want   []byte // its printable bytes; edit stands for editing keys
	at     int    // how much of want was shown
	from   int    // where in want the run of bytes that is awaited begins
	astray bool   // something else was shown since
	again  int    // how much of the run was shown once more while astray

	size   int  // what it counts for in Recorder.ahead
	done   bool // its last key was typed
	ahead  bool // it was begun before the line before it was shown
	secret bool // it answers a prompt for a secret
	long   bool // it is longer than maxTyped: not kept
}

const (
	edit     = 0        // in want
	maxTyped = 4 << 10  // bytes of a line; a terminal's own limit, N_TTY_BUF_SIZE
	maxAhead = 64 << 10 // bytes of lines that wait for their echo
	lineCost = 64       // bytes that a line takes besides what was typed
)

// add takes one key. Keys that are more than a byte are editing keys.
func (l *line) add(key []byte, ends bool) {
	if len(l.raw)+len(key) > maxTyped {
		l.long, l.raw, l.want, l.at, l.from, l.astray = true, nil, nil, 0, 0, false
	}
	if !l.long || ends {
		l.raw = append(l.raw, key...)
	}
	l.done = ends
	switch {
	case ends || l.long:
	case printable(key):
		l.want = append(l.want, key[0])
	case len(l.want) > 0 && l.want[len(l.want)-1] != edit:
		l.want = append(l.want, edit)
	}
}

func printable(key []byte) bool { return len(key) == 1 && key[0] >= ' ' && key[0] != del }

// silent reports whether nothing was typed that a terminal would show.
func (l *line) silent() bool { return len(l.want) == 0 && !l.long }

// shown takes a byte that the terminal shows.
func (l *line) shown(b byte) {
	l.passEdit()
	switch {
	case l.at < len(l.want) && !l.astray && l.want[l.at] == b:
		l.at++
	case l.at == l.from && !l.astray: // before a run anything may come
	case !l.astray:
		l.astray, l.again = true, 0
		l.repeat(b)
	default:
		l.repeat(b)
	}
}

// repeat follows a run that is shown again from its beginning, as when a line is drawn anew.
func (l *line) repeat(b byte) {
	run := l.want[l.from:]
	if l.again < len(run) && run[l.again] == b {
		l.again++
	} else if l.again = 0; run[0] == b {
		l.again = 1
	}
	if l.from+l.again >= l.at && l.again > 0 {
		l.at, l.astray, l.again = l.from+l.again, false, 0
	}
}

// passEdit goes past editing keys, where everything before them was shown.
func (l *line) passEdit() {
	if l.at < len(l.want) && l.want[l.at] == edit && !l.astray {
		l.at++
		l.from = l.at
	}
}

// moved says that the cursor went elsewhere: what is shown next may go on where the echo was left.
func (l *line) moved() {
	if l.astray {
		l.astray, l.again = false, 0
	}
}

// restart says that a new line began on the screen, so that the run must be shown from its beginning.
func (l *line) restart() {
	l.passEdit()
	l.at, l.astray, l.again = l.from, false, 0
}

// echoed reports whether all that was typed was shown, and nothing after it.
func (l *line) echoed() bool {
	l.passEdit()
	return l.at == len(l.want) && !l.astray && !l.long
}
