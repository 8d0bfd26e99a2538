package terminal

// typed takes keys from a terminal.
func (r *Recorder) typed(p []byte) {
	for len(p) > 0 {
		n := keyLen(p)
		r.key(p[:n])
		p = p[n:]
	}
	if l := r.last(); l != nil && !l.done && l.silent() && len(r.lines) == 1 {
		r.settle() // editing keys alone say nothing that was not shown
	}
	for r.ahead > maxAhead {
		r.settle()
	}
}

// keyLen is the length of the key at the front of p. Sequences that a terminal sends as a whole are one key; of any other,
// the rest counts as typed.
func keyLen(p []byte) int {
	const longest = 24
	switch {
	case p[0] != esc || len(p) < 2 || !printable(p[1:2]):
		return 1
	case p[1] == 'O' && len(p) > 2:
		return 3
	case p[1] != '[' || len(p) == 2:
		return 2 // with Alt
	}
	for i := 2; i < min(len(p), longest); i++ {
		if p[i] >= '@' && p[i] <= '~' {
			return i + 1
		}
		if p[i] < ' ' || p[i] > '~' {
			break
		}
	}
	return 1
}

func (r *Recorder) key(key []byte) {
	l := r.last()
	if l != nil && l.done && len(r.lines) == 1 && r.heard {
		r.settle() // who types on after an answer does not wait for the echo
		l = nil
	}
	if l == nil || l.done {
		l = &line{ahead: l != nil, size: lineCost}
		r.ahead += lineCost
		r.lines = append(r.lines, l)
	}
	if printable(key) && len(l.want) == 0 && r.asks() {
		l.secret = true
	}
	stops := key[0] == 3 || key[0] == 4 || key[0] == 26 // Ctrl-C, Ctrl-D, Ctrl-Z
	l.size, r.ahead = l.size+len(key), r.ahead+len(key)
	l.add(key, stops || key[0] == '\r' || key[0] == '\n')
	if l.done {
		r.heard = false
	}
	if !l.done || len(r.lines) > 1 {
		return
	}
	if stops || l.silent() || l.echoed() && !l.secret {
		r.settle()
		return
	}
	r.await()
}

func (r *Recorder) last() *line {
	if len(r.lines) == 0 {
		return nil
	}
	return r.lines[len(r.lines)-1]
}

// await gives the first line some time for its echo.
func (r *Recorder) await() { r.patiently(r.settle) }

// patiently calls f, with the recorder locked, unless something else comes first that has to do with what waits.
func (r *Recorder) patiently(f func()) {
	r.calm()
	epoch := r.epoch
	r.stopLines = r.cfg.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed && epoch == r.epoch {
			f()
		}
	})
}

func (r *Recorder) calm() {
	r.epoch++
	if r.stopLines != nil {
		r.stopLines()
		r.stopLines = nil
	}
}

// settle records the first line, or that there was one, and turns to the next that has to wait.
func (r *Recorder) settle() {
	r.calm()
	for len(r.lines) > 0 {
		l := r.lines[0]
		r.lines = r.lines[1:]
		r.ahead -= l.size
		r.record(StreamInput, r.asRecorded(l))
		if len(r.lines) == 0 || !r.lines[0].done {
			return
		}
		if !r.lines[0].silent() {
			r.await()
			return
		}
	}
}

func (r *Recorder) settleAll() {
	for len(r.lines) > 0 {
		r.settle()
	}
}

// asRecorded is what is recorded of a line. Where the line is not, the key that ended it is.
func (r *Recorder) asRecorded(l *line) []byte {
	instead := NotEchoed
	switch {
	case l.secret:
		instead = Withheld
	case l.silent():
		return l.raw
	case l.echoed():
		return r.cfg.MaskInput(l.raw)
	}
	if !l.done {
		return []byte(instead)
	}
	return append([]byte(instead), l.raw[len(l.raw)-1])
}

// watchEcho compares what a terminal shows with what was typed.
func (r *Recorder) watchEcho(s *screen, p []byte) {
	if len(r.lines) == 0 {
		p = s.skip(p)
	}
	s.show(p, r.see)
	if len(r.lines) > 0 {
		r.suspect()
	}
}

func (r *Recorder) see(e event, b byte) {
	if len(r.lines) == 0 {
		return
	}
	l := r.lines[0]
	switch e {
	case printed:
		r.heard = true
		l.shown(b)
	case moved:
		l.moved()
	case newline:
		r.suspect()
		if l.done && (l.echoed() || !l.ahead || l.secret) {
			r.settle()
			return
		}
		l.restart()
	}
}

// suspect marks the first line as a secret where it was not shown and the terminal asks for one.
func (r *Recorder) suspect() {
	if l := r.lines[0]; !l.secret && !l.silent() && !l.echoed() && r.asks() {
		l.secret = true
	}
}
