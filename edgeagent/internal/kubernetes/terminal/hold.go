package terminal

import "bytes"

// hold keeps input for a moment: without a terminal nothing is echoed, and the prompt may come after the answer.
func (r *Recorder) hold(p []byte) {
	if in := r.stream(StreamInput); in.kept == maxStream {
		in.total += int64(len(p))
		return
	}
	if r.asks() {
		r.withhold(p)
		return
	}
	if len(r.held) == 0 {
		r.patiently(r.release)
	}
	for len(p) > 0 {
		n := min(len(p), maxPiece)
		r.held, p = append(r.held, p[:n]...), p[n:]
		if len(r.held) >= maxPiece {
			r.releaseLines()
		}
	}
}

// withhold records that there was input, once for each answer, whose length is nobody's business.
func (r *Recorder) withhold(p []byte) {
	if !r.hiding {
		r.record(StreamInput, []byte(Withheld+"\n"))
	}
	r.hiding = !bytes.ContainsAny(p, "\r\n")
	if !r.hiding {
		for _, s := range r.streams {
			s.screen.answered()
		}
	}
}

// releaseLines records the whole lines of what was held, or all of it where it has none.
func (r *Recorder) releaseLines() {
	n := bytes.LastIndexByte(r.held, '\n') + 1
	if n == 0 {
		n = len(r.held)
	}
	rest := bytes.Clone(r.held[n:])
	r.held = r.held[:n]
	r.release()
	r.held = rest
}

// release records the input that was held.
func (r *Recorder) release() {
	if len(r.held) == 0 {
		return
	}
	held := r.held
	r.held = nil
	r.record(StreamInput, r.cfg.MaskInput(held))
}

// watchPrompt looks for prompts in the output of a command without a terminal.
func (r *Recorder) watchPrompt(s *screen, p []byte) {
	r.hiding = false
	if len(r.held) == 0 {
		s.show(s.skip(p), func(event, byte) {})
		return
	}
	asked := false
	s.show(p, func(e event, _ byte) { asked = asked || e == newline && s.asked() })
	if asked || s.asked() {
		r.withhold(r.held)
		r.held = nil
		r.calm()
	}
}
