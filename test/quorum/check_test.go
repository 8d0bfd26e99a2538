package quorum

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The judge itself: it takes histories that keep the promise, and finds what breaks it.
func TestTheJudge(t *testing.T) {
	op := func(call, back int64, in input, out output) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: call, Return: back}
	}
	ann, bob, cid := input{what: vote, person: "ann"}, input{what: vote, person: "bob"}, input{what: vote, person: "cid"}
	some := input{what: use}
	votes := func(n int) output { return output{answer: counted, votes: n} }
	told := func(a answer) output { return output{answer: a} }
	both := state{voters: "ann bob", spent: true}
	last := op(90, 91, input{what: read}, output{answer: seen, state: both})
	for name, tt := range map[string]struct {
		ops  []porcupine.Operation
		want bool
	}{
		"in order": {[]porcupine.Operation{
			op(1, 2, some, told(early)), op(3, 4, ann, votes(1)), op(5, 6, ann, told(voted)), op(7, 8, bob, votes(2)),
			op(9, 10, cid, told(closed)), op(11, 12, some, told(used)), op(13, 14, some, told(spent)), last}, true},
		"at once":              {[]porcupine.Operation{op(1, 9, bob, votes(2)), op(1, 9, some, told(used)), op(1, 9, ann, votes(1)), last}, true},
		"a vote unanswered":    {[]porcupine.Operation{op(1, 2, ann, told(unknown)), op(3, 4, ann, told(voted)), op(5, 6, bob, votes(2)), op(7, 8, some, told(used)), last}, true},
		"a use unanswered":     {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, bob, votes(2)), op(5, 6, some, told(unknown)), op(7, 8, some, told(spent)), last}, true},
		"one person twice":     {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, ann, votes(2)), op(5, 6, bob, told(voted)), op(7, 8, some, told(used)), last}, false},
		"two uses":             {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, bob, votes(2)), op(5, 6, some, told(used)), op(5, 7, some, told(used)), last}, false},
		"a use too early":      {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, some, told(used)), op(5, 6, bob, votes(2)), last}, false},
		"a vote that vanished": {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, bob, votes(1)), op(5, 6, some, told(used)), last}, false},
		"a vote too many":      {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, bob, votes(2)), op(5, 6, cid, votes(3)), op(7, 8, some, told(used)), last}, false},
		"early, after the end": {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, bob, votes(2)), op(5, 6, some, told(early)), op(7, 8, some, told(used)), last}, false},
		"spent, by nobody":     {[]porcupine.Operation{op(1, 2, ann, votes(1)), op(3, 4, bob, votes(2)), op(5, 6, some, told(spent)), op(7, 8, some, told(used)), last}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := history{ops: tt.ops}
			if got := porcupine.CheckOperations(model(2), binding(h.certain(both))); got != tt.want {
				t.Errorf("it is linearizable: %v, want %v", got, tt.want)
			}
			if got := porcupine.CheckOperations(model(2), h.certain(both)); got != tt.want {
				t.Errorf("without leaving anything out: %v, want %v", got, tt.want)
			}
		})
	}
}
