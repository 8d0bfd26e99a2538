// Package mask hides values: whole columns by rule, and what looks like a card number, an address or a secret by
// detection, in PostgreSQL's row and COPY formats. It is pure and recovers from nothing: a caller that recovers a
// panic of it must withhold the row, never send it as it was.
package mask

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Kind is a way to hide a value. The zero value hides most.
type Kind uint8

// The kinds of masks.
const (
	Null    Kind = iota // the value becomes NULL
	Redact              // the value becomes ***
	Partial             // *** and the last few characters
	Hash                // a keyed hash: equal values stay equal
)

// Rule is a kind and its parameter. The zero value is null.
type Rule struct {
	Kind Kind
	Keep int // characters that Partial leaves, at the end
}

// MaxKeep is the most characters a partial mask may leave.
const MaxKeep = 16

// Redacted is what stands for a hidden text.
const Redacted = "***"

// ErrRule is a mask that Parse does not understand.
var ErrRule = errors.New("unknown mask")

// Parse reads a rule as policies write it: "null", "redact", "hash" or "partial:4".
func Parse(s string) (Rule, error) {
	name, arg, hasArg := strings.Cut(s, ":")
	if name == "partial" {
		keep, err := strconv.Atoi(arg)
		if err != nil || keep < 1 || keep > MaxKeep || arg != strconv.Itoa(keep) {
			return Rule{}, fmt.Errorf("%w %q: partial takes the number of characters to keep, 1 to %d, as in partial:4",
				ErrRule, s, MaxKeep)
		}
		return Rule{Kind: Partial, Keep: keep}, nil
	}
	for kind, known := range kindNames {
		if known == name && !hasArg {
			return Rule{Kind: Kind(kind)}, nil
		}
	}
	return Rule{}, fmt.Errorf("%w %q: want null, redact, hash or partial:4", ErrRule, s)
}

var kindNames = [...]string{Null: "null", Redact: "redact", Partial: "partial", Hash: "hash"}

// String returns the form that Parse reads.
func (r Rule) String() string {
	switch {
	case int(r.Kind) >= len(kindNames):
		return kindNames[Null]
	case r.Kind == Partial:
		return "partial:" + strconv.Itoa(r.Keep)
	}
	return kindNames[r.Kind]
}

// Stricter returns the one of two rules that hides more, for a column that two policies mask. Of two partial masks
// that is the one that keeps fewer characters.
func Stricter(a, b Rule) Rule {
	rank := [...]int{Null: 0, Redact: 1, Hash: 2, Partial: 3}
	switch {
	case int(a.Kind) >= len(rank) || int(b.Kind) >= len(rank):
		return Rule{}
	case a.Kind == Partial && b.Kind == Partial:
		return Rule{Kind: Partial, Keep: min(a.Keep, b.Keep)}
	case rank[a.Kind] <= rank[b.Kind]:
		return a
	}
	return b
}
