package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a bundle. Line and Column start at 1; 0 means
// the file as a whole.
type Problem struct {
	File    string
	Line    int
	Column  int
	Message string
	Hint    string // what to do about it, may be empty
}

// String is "file:line:column: message (hint)".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// BundleError says why a bundle is refused, in the order of its files.
type BundleError struct{ Problems []Problem }

// maxShown is how many problems Error prints.
const maxShown = 20

// Error prints one problem per line, at most 20.
func (e *BundleError) Error() string {
	lines := make([]string, 0, min(len(e.Problems), maxShown)+2)
	lines = append(lines, fmt.Sprintf("policy bundle refused: %d problem(s)", len(e.Problems)))
	for i, p := range e.Problems {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Problems)-maxShown))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// refusal is the error for problems, nil when there are none.
func refusal(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &BundleError{Problems: slices.Compact(problems)}
}

// nearest is a hint that names the known word closest to word, or "" where none is close.
func nearest(prefix, word string, known []string) string {
	best, bestDistance := "", len(word)/2+1
	for _, k := range known {
		d := distance(word, k)
		if d < bestDistance || d == bestDistance && best != "" && strings.HasPrefix(k, word) {
			best, bestDistance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + prefix + best + "?"
}

// distance is the Levenshtein distance between a and b, over bytes.
func distance(a, b string) int {
	if len(a) > maxReason || len(b) > maxReason {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
