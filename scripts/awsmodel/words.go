package main

import (
	"cmp"
	"maps"
	"slices"
)

// sharedWords returns the strings of blocks that several have, by what sharing them saves.
func sharedWords(blocks [][]byte) []string {
	count := map[string]int{}
	for _, b := range blocks {
		seen := map[string]bool{}
		start := 0
		for i := 0; i <= len(b); i++ {
			if i < len(b) && b[i] >= ' ' && b[i] < 0x7f {
				continue
			}
			if w := string(b[start:i]); len(w) >= 5 && len(w) <= 120 && !seen[w] {
				seen[w] = true
				count[w]++
			}
			start = i + 1
		}
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n < 4 })
	words := slices.Collect(maps.Keys(count))
	slices.SortFunc(words, func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b]*len(b), count[a]*len(a)), cmp.Compare(a, b))
	})
	return words
}
