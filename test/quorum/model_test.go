package quorum

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// what an operation does.
type what int

const (
	vote what = iota
	use
	read
)

// input is one operation on the approval.
type input struct {
	what   what
	person string // who votes, whatever the sign-in
}

// answer is what a caller was told.
type answer int

const (
	unknown answer = iota // it may have happened, once, at any time from then on
	never                 // nobody was there to ask
	lost                  // it happened, at some time from then on, and nobody was told
	counted               // the vote is counted
	voted                 // this person has voted already
	closed                // it no longer waits for votes
	early                 // it is not approved yet
	used                  // this use is the one
	spent                 // another use was the one
	seen                  // the state that was read
)

// output is the answer, and how many votes were there with it.
type output struct {
	answer answer
	votes  int
	state  state
}

// state is one approval: who voted, in any order, and whether it was used.
type state struct {
	voters string // sorted, divided by spaces
	spent  bool
}

func (s state) list() []string { return strings.Fields(s.voters) }

func (s state) with(person string) state {
	all := append(s.list(), person)
	slices.Sort(all)
	return state{voters: strings.Join(all, " ")}
}

// model is what one approval promises, however many ask at once: each person counts once, wanted people approve it, and
// it is used once.
func model(wanted int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, in, out any) (bool, any) {
			before := s.(state)
			after, told := before.step(wanted, in.(input))
			return out.(output).fits(before, after, told), after
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
		DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
	}
}

// step is what an operation does, and what its caller is told.
func (s state) step(wanted int, in input) (after state, told answer) {
	pending := len(s.list()) < wanted
	switch {
	case in.what == read:
		return s, seen
	case in.what == vote && !pending:
		return s, closed
	case in.what == vote && slices.Contains(s.list(), in.person):
		return s, voted
	case in.what == vote:
		return s.with(in.person), counted
	case pending:
		return s, early
	case s.spent:
		return s, spent
	}
	return state{voters: s.voters, spent: true}, used
}

// fits reports whether the caller may have been told this.
func (o output) fits(before, after state, told answer) bool {
	switch {
	case o.answer == lost:
		return after != before
	case o.answer != told:
		return false
	case told == counted:
		return o.votes == len(after.list())
	case told == seen:
		return o.state == before
	}
	return true
}

// history is what everybody asked and was told, and when.
type history struct {
	began time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// do runs one operation and notes it.
func (h *history) do(client int, in input, run func() output) output {
	call := time.Since(h.began).Nanoseconds()
	out := run()
	back := time.Since(h.began).Nanoseconds()
	if out.answer == never {
		return out
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call, Return: back})
	return out
}

// count is how often something was answered.
func (h *history) count(a answer) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, op := range h.ops {
		if op.Output.(output).answer == a {
			n++
		}
	}
	return n
}

// certain is the history without guesses, seen from its end. Of the unanswered operations that are the same, one
// happened if what they do is there and nobody was told to have done it, at some time after the first of them began;
// otherwise none did.
func (h *history) certain(end state) []porcupine.Operation {
	done, began := map[input]bool{}, map[input]int64{}
	var all []porcupine.Operation
	for _, op := range h.ops {
		in, out := op.Input.(input), op.Output.(output)
		if out.answer == unknown {
			if first, ok := began[in]; !ok || op.Call < first {
				began[in] = op.Call
			}
			continue
		}
		all = append(all, op)
		done[in] = done[in] || out.answer == counted || out.answer == used
	}
	for in, call := range began {
		there := in.what == use && end.spent || in.what == vote && slices.Contains(end.list(), in.person)
		if there && !done[in] {
			all = append(all, porcupine.Operation{Input: in, Output: output{answer: lost}, Call: call, Return: math.MaxInt64})
		}
	}
	return all
}

// binding leaves out what is implied. An approval only ever moves on, from pending to approved to used, so an answer that
// changed nothing says no more than "not yet when I began" or "already when I was told": of all that say the same, the
// one that began last, or was told first, says what the others say. It keeps the checker from trying them in every order.
func binding(ops []porcupine.Operation) []porcupine.Operation {
	type said struct {
		answer answer
		person string
	}
	last, first := map[said]porcupine.Operation{}, map[said]porcupine.Operation{}
	var all []porcupine.Operation
	for _, op := range ops {
		what := said{answer: op.Output.(output).answer}
		if what.answer == voted {
			what.person = op.Input.(input).person
		}
		if !slices.Contains([]answer{voted, closed, early, spent}, what.answer) {
			all = append(all, op)
			continue
		}
		if kept, ok := last[what]; what.answer != closed && what.answer != spent && (!ok || op.Call > kept.Call) {
			last[what] = op
		}
		if kept, ok := first[what]; what.answer != early && (!ok || op.Return < kept.Return) {
			first[what] = op
		}
	}
	return slices.Concat(all, slices.Collect(maps.Values(last)), slices.Collect(maps.Values(first)))
}
