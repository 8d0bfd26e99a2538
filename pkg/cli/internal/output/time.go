package output

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Time returns the moment in UTC to the second, or "" for none.
func Time(t *timestamppb.Timestamp) string {
	if t == nil || !t.IsValid() {
		return ""
	}
	return t.AsTime().UTC().Format("2006-01-02 15:04:05Z")
}

// Relative returns how far t is from now: "in 29m", "3m ago", or "" for none.
func Relative(now time.Time, t *timestamppb.Timestamp) string {
	if t == nil || !t.IsValid() {
		return ""
	}
	d := t.AsTime().Sub(now)
	if d < 0 {
		return Span(-d) + " ago"
	}
	return "in " + Span(d)
}

// Moment is Time with Relative behind it.
func Moment(now time.Time, t *timestamppb.Timestamp) string {
	if at := Time(t); at != "" {
		return at + " (" + Relative(now, t) + ")"
	}
	return ""
}

// Duration returns d as Span does, or "" for none.
func Duration(d *durationpb.Duration) string {
	if d == nil || !d.IsValid() {
		return ""
	}
	return Span(d.AsDuration())
}

// Span returns d to its two largest units: "45s", "29m30s", "3h5m", "2d4h".
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return d.Truncate(time.Second).String()
	case d < time.Hour:
		return pair(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return pair(d, time.Hour, "h", time.Minute, "m")
	}
	return pair(d, day, "d", time.Hour, "h")
}

func pair(d, large time.Duration, largeUnit string, small time.Duration, smallUnit string) string {
	s := strconv.FormatInt(int64(d/large), 10) + largeUnit
	if rest := int64(d % large / small); rest > 0 {
		s += strconv.FormatInt(rest, 10) + smallUnit
	}
	return s
}
