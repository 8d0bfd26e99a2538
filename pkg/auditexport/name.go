package auditexport

import (
	"strconv"
	"strings"
	"time"
)

// outside tells from a block's name alone that none of its records is of the span. Names begin with the time of the first record, and of an
// edge's block also the last, in Unix milliseconds. A name that says nothing is read.
func (r *reader) outside(edge, name string) bool {
	first, rest, _ := strings.Cut(name, "_")
	if at, ok := millis(first); ok && !at.Before(r.cfg.Until.Add(skew)) {
		return true
	}
	last, _, _ := strings.Cut(rest, "_")
	at, ok := millis(last)
	return edge != "" && ok && at.Add(skew).Before(r.cfg.From)
}

func millis(text string) (time.Time, bool) {
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms), err == nil && len(text) == 13
}
