package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Verdict says how one statement compared.
type Verdict int

// Verdicts.
const (
	Identical  Verdict = iota + 1 // the same messages, byte by byte
	Refused                       // refused by design, and not run at the database either
	SameError                     // the gateway answered in the database's place, with the same SQLSTATE
	OtherError                    // the same, with another SQLSTATE: both refuse, for different faults of the statement
	Unstable                      // two direct connections do not agree either
	Different                     // the client sees something else
	Hung                          // no answer in time
)

var verdictNames = [...]string{"", "identical", "refused", "same error", "other error", "unstable", "different", "hung"}

func (v Verdict) String() string { return verdictNames[v] }

// Tally counts verdicts.
type Tally struct {
	Statements int
	Count      map[Verdict]int
	Reasons    map[string]int // why statements were refused
	Bytes      int64          // of identical answers
}

// NewTally returns an empty one.
func NewTally() *Tally { return &Tally{Count: map[Verdict]int{}, Reasons: map[string]int{}} }

// Add adds what another counted.
func (t *Tally) Add(o *Tally) {
	t.Statements += o.Statements
	t.Bytes += o.Bytes
	for v, n := range o.Count {
		t.Count[v] += n
	}
	for r, n := range o.Reasons {
		t.Reasons[r] += n
	}
}

// String renders the counts, reasons by frequency.
func (t *Tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d statements, %d bytes of identical answers:", t.Statements, t.Bytes)
	for v := Identical; v <= Hung; v++ {
		fmt.Fprintf(&b, " %s %d,", v, t.Count[v])
	}
	reasons := slices.SortedFunc(maps.Keys(t.Reasons), func(x, y string) int { return t.Reasons[y] - t.Reasons[x] })
	for _, r := range reasons {
		fmt.Fprintf(&b, "\n%6d  %s", t.Reasons[r], r)
	}
	return b.String()
}

// Replay runs a script on three equal databases, one of them behind the gateway, and keeps them
// equal: a statement that the gateway refuses is not run at the others.
type Replay struct {
	Gateway, Direct, Control string // connection strings
	// Extended runs single statements in the extended protocol, results alternately in text
	// and binary.
	Extended bool
	// Env answers \getenv.
	Env map[string]string
	// Tell gets everything that is not identical. Required.
	Tell func(file string, step Step, v Verdict, detail string)

	links [3]*Link
	turn  int
}

// Run replays one file on fresh connections.
func (r *Replay) Run(ctx context.Context, file, text string) (*Tally, error) {
	t := NewTally()
	defer r.hangUp()
	if err := r.dial(ctx); err != nil {
		return t, err
	}
	script := NewScript(text, r.Env)
	for {
		step, ok := script.Next()
		if !ok {
			return t, nil
		}
		if strings.HasPrefix(step.Meta, `\c`) && step.SQL == "" {
			if len(strings.Fields(step.Meta)) > 2 || !strings.HasPrefix(step.Meta+" ", `\c `) {
				return t, nil // as another user: the rest means something else
			}
			if err := r.dial(ctx); err != nil {
				return t, err
			}
			continue
		}
		if step.SQL == "" {
			continue
		}
		if err := r.step(ctx, t, file, script, step); err != nil {
			return t, err
		}
	}
}

func (r *Replay) hangUp() {
	for _, l := range r.links {
		if l != nil {
			l.Close()
		}
	}
	r.links = [3]*Link{}
}

func (r *Replay) dial(ctx context.Context) error {
	r.hangUp()
	for i, dsn := range []string{r.Gateway, r.Direct, r.Control} {
		l, err := Dial(ctx, dsn)
		if err != nil {
			return err
		}
		r.links[i] = l
	}
	return nil
}

// step runs one statement everywhere, and those that \gexec makes of its rows.
func (r *Replay) step(ctx context.Context, t *Tally, file string, script *Script, step Step) error {
	answers, err := r.statement(ctx, t, file, script, step)
	if err != nil || answers == nil {
		return err
	}
	switch name, rest, _ := strings.Cut(step.Meta, " "); name {
	case `\gset`:
		if rows := Rows(answers); len(rows) == 1 {
			for i, c := range Columns(answers) {
				script.Set(strings.TrimSpace(rest)+c, rows[0][i])
			}
		}
	case `\gexec`:
		for _, row := range Rows(answers) {
			for _, sql := range row {
				if _, err := r.statement(ctx, t, file, script, Step{Line: step.Line, SQL: sql}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// statement compares one statement and returns the direct answer, nil when there is none.
func (r *Replay) statement(ctx context.Context, t *Tally, file string, script *Script, step Step) ([]Message, error) {
	t.Statements++
	r.turn++
	var data []byte
	asked := false
	rows := func() []byte {
		if !asked {
			data, asked = script.CopyData(), true
		}
		return data
	}
	through, err := r.exchange(r.links[0], step, rows)
	if err != nil {
		return nil, r.broken(ctx, t, file, step, err)
	}
	why, local := refusalOf(through)
	if why != "" && !local {
		t.Count[Refused]++
		t.Reasons[reason(why)]++
		r.Tell(file, step, Refused, why)
		if copyIn.MatchString(step.SQL) && script.HasCopyData() {
			script.CopyData()
		}
		return nil, r.failToo()
	}
	var answers [2][]Message
	for i, l := range r.links[1:] {
		if answers[i], err = r.exchange(l, step, rows); err != nil {
			return nil, r.broken(ctx, t, file, step, fmt.Errorf("direct: %w", err))
		}
	}
	v, detail := judge(through, answers, local)
	t.Count[v]++
	if v == Identical {
		for _, m := range through {
			t.Bytes += int64(len(m.Body) + 5)
		}
	} else {
		r.Tell(file, step, v, detail)
	}
	if r.links[0].Tx != r.links[1].Tx { // keep the sessions alike whatever happened
		for _, l := range r.links {
			if _, err := l.Simple("ROLLBACK", nil); err != nil {
				return nil, err
			}
		}
	}
	return answers[0], nil
}

func judge(through []Message, direct [2][]Message, local bool) (Verdict, string) {
	d := Difference(through, direct[0])
	if d == "" {
		return Identical, ""
	}
	if local {
		if e := Failure(direct[0]); e != nil && e.Code == Failure(through).Code {
			return SameError, e.Code
		} else if e != nil {
			return OtherError, d
		}
		return Different, d
	}
	if Difference(direct[0], direct[1]) != "" {
		return Unstable, ""
	}
	return Different, d
}

// exchange runs one statement at one server. What a later statement's text is made of is asked for in text.
func (r *Replay) exchange(l *Link, step Step, rows func() []byte) ([]Message, error) {
	if !r.Extended || several.MatchString(step.SQL) {
		return l.Simple(step.SQL, rows)
	}
	format := int16(r.turn & 1)
	if name, _, _ := strings.Cut(step.Meta, " "); name == `\gset` || name == `\gexec` {
		format = 0
	}
	return l.Extended(step.SQL, format, rows)
}

var (
	several = regexp.MustCompile(`;\s*\S`) // cheap: what only looks like several goes the simple way
	copyIn  = regexp.MustCompile(`(?is)^copy\b.*\bfrom\s+stdin`)
	values  = regexp.MustCompile(`"[^"]*"|the setting \S+|\d+`)
)

func reason(why string) string { return values.ReplaceAllString(why, "…") }

// refusalOf tells why the gateway refused. local says that it only spoke in the database's place.
func refusalOf(ms []Message) (why string, local bool) {
	e := Failure(ms)
	switch {
	case e == nil:
		return "", false
	case strings.HasPrefix(e.Message, "denied by Writ: "):
		return strings.TrimPrefix(e.Message, "denied by Writ: "), false
	case strings.Contains(e.Hint, "The gateway"), e.File == "":
		return e.Message, true
	}
	return "", false
}

// failToo fails the direct sessions' transaction where the gateway's failed.
func (r *Replay) failToo() error {
	for _, l := range r.links[1:] {
		if l.Tx != 'T' {
			continue
		}
		if _, err := l.Simple("a refused statement", nil); err != nil {
			return err
		}
	}
	return nil
}

// broken counts a hang or a lost connection, and connects again.
func (r *Replay) broken(ctx context.Context, t *Tally, file string, step Step, err error) error {
	v := Different
	if errors.Is(err, ErrHang) {
		v = Hung
	}
	t.Count[v]++
	r.Tell(file, step, v, err.Error())
	return r.dial(ctx)
}
