package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// MaskKind is how a column that may not be seen in clear is shown. The zero value is
// MaskRedact: nothing of the value is shown.
type MaskKind uint8

const (
	MaskRedact  MaskKind = iota // a fixed text, or a zero where text does not fit
	MaskNull                    // NULL
	MaskHash                    // a keyed, stable hash: equal values stay equal
	MaskPartial                 // the last Keep characters are shown
	MaskReveal                  // the value itself
)

// maxKeep is the largest N of partial:N.
const maxKeep = 16

// Mask is a masking rule. The zero value redacts.
type Mask struct {
	Kind MaskKind
	Keep int // characters that MaskPartial shows, 1 to 16; 0 otherwise
}

// String is what ParseMask reads: "redact", "null", "hash", "partial:4" or "reveal".
func (m Mask) String() string {
	switch m.Kind {
	case MaskNull:
		return "null"
	case MaskHash:
		return "hash"
	case MaskPartial:
		return "partial:" + strconv.Itoa(m.Keep)
	case MaskReveal:
		return "reveal"
	}
	return "redact"
}

// ParseMask reads a mask as @mask holds it, or "reveal".
func ParseMask(text string) (Mask, error) {
	if n, ok := strings.CutPrefix(text, "partial:"); ok {
		keep, err := strconv.Atoi(n)
		if err != nil || keep < 1 || keep > maxKeep || strconv.Itoa(keep) != n {
			return Mask{}, fmt.Errorf("bad mask %q: keep 1 to %d characters", text, maxKeep)
		}
		return Mask{Kind: MaskPartial, Keep: keep}, nil
	}
	for _, m := range []Mask{{Kind: MaskRedact}, {Kind: MaskNull}, {Kind: MaskHash}, {Kind: MaskReveal}} {
		if m.String() == text {
			return m, nil
		}
	}
	return Mask{}, fmt.Errorf("unknown mask %q", text)
}

// Stricter reports whether m shows less than o. From the strictest: null, redact, hash
// (tells equal values apart from others), partial with fewer characters, partial with more,
// reveal. NULL comes before redact because redact still tells that a value is there.
func (m Mask) Stricter(o Mask) bool {
	if m.Kind != o.Kind {
		return m.Kind.shows() < o.Kind.shows()
	}
	return m.Kind == MaskPartial && m.Keep < o.Keep
}

// shows ranks kinds by how much they show. An unknown kind shows as little as redact.
func (k MaskKind) shows() int {
	switch k {
	case MaskNull:
		return 0
	case MaskHash:
		return 2
	case MaskPartial:
		return 3
	case MaskReveal:
		return 4
	}
	return 1
}

// Masking is the answer to one reveal question.
type Masking struct {
	Mask
	PolicyIDs []string // the policies that determined it, sorted
	Depends   Depends
}
