package api

import (
	"slices"
	"testing"
)

func TestFollowsIsTheOrderOfTheList(t *testing.T) {
	order := []string{"hold-03", "hold-02", "hold-01", "req-09", "req-08", "req-01"}
	for i, after := range order {
		var rest []string
		for _, id := range order {
			if follows(id, after) {
				rest = append(rest, id)
			}
		}
		if !slices.Equal(rest, order[i+1:]) {
			t.Errorf("after %s: %v", after, rest)
		}
	}
	for _, id := range order {
		if !follows(id, "") {
			t.Errorf("%s is not on the first page", id)
		}
	}
}
