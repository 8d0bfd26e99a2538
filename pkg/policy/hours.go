package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Hours are when approvers approve: windows of the week, all of which must be open. The zero value is always.
type Hours struct{ windows []window }

// window is open in any of its spans, by the wall clock of its zone.
type window struct {
	spans []span
	zone  string // of the IANA time zone database
}

// span is a part of each of the days from first to last. One whose to is not after its from ends on the day after.
type span struct {
	first, last time.Weekday
	from, to    int // minutes since midnight
}

// Limits of hours.
const (
	maxHours   = 1000 // bytes
	maxWindows = 20
	maxSpans   = 10 // in one window
	minutesDay = 24 * 60
)

var (
	spanPattern = regexp.MustCompile(`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? ([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])$`)
	zonePattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]{0,30}(?:/[A-Z][A-Za-z0-9_+-]{0,30}){0,2}$`)
	dayNames    = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"} // by time.Weekday
)

// bothWords join windows of which each must be open.
const bothWords = " and "

// ParseHours reads "Mon-Fri 08:00-18:00 Europe/Berlin": days, hours and an IANA time zone. Further spans of one window
// follow with commas ("Mon-Fri 08:00-18:00, Sat 10:00-14:00 Europe/Berlin"), and windows that must all be open with
// " and ". A span such as 22:00-06:00 ends on the next day; 24:00 is the end of a day. Whether the zone exists is asked
// when the hours are used. The empty text is always.
func ParseHours(text string) (Hours, error) {
	if text == "" {
		return Hours{}, nil
	}
	if len(text) > maxHours {
		return Hours{}, fmt.Errorf("longer than %d bytes", maxHours)
	}
	parts := strings.Split(text, bothWords)
	if len(parts) > maxWindows {
		return Hours{}, fmt.Errorf("%d windows; at most %d are possible", len(parts), maxWindows)
	}
	var h Hours
	for _, part := range parts {
		w, err := parseWindow(part)
		if err != nil {
			return Hours{}, err
		}
		h.windows = append(h.windows, w)
	}
	return h, nil
}

func parseWindow(text string) (window, error) {
	at := strings.LastIndexByte(text, ' ')
	if at < 0 {
		return window{}, fmt.Errorf("%q has no time zone", text)
	}
	w := window{zone: text[at+1:]}
	if !zonePattern.MatchString(w.zone) || w.zone == "Local" {
		return window{}, fmt.Errorf("%q is not a time zone", w.zone)
	}
	parts := strings.Split(text[:at], ",")
	if len(parts) > maxSpans {
		return window{}, fmt.Errorf("%d spans; at most %d are possible", len(parts), maxSpans)
	}
	for i, part := range parts {
		if i > 0 {
			part = strings.TrimPrefix(part, " ")
		}
		s, err := parseSpan(part)
		if err != nil {
			return window{}, err
		}
		w.spans = append(w.spans, s)
	}
	return w, nil
}

func parseSpan(text string) (span, error) {
	m := spanPattern.FindStringSubmatch(text)
	if m == nil {
		return span{}, fmt.Errorf("%q is not of the form %q", text, "Mon-Fri 08:00-18:00")
	}
	s := span{first: weekday(m[1]), last: weekday(m[1]), from: minutes(m[3], m[4]), to: minutes(m[5], m[6])}
	if m[2] != "" {
		s.last = weekday(m[2])
	}
	switch {
	case s.from >= minutesDay || s.to > minutesDay:
		return span{}, fmt.Errorf("%q: a day ends at 24:00", text)
	case s.from == s.to:
		return span{}, fmt.Errorf("%q begins when it ends; a whole day is 00:00-24:00", text)
	}
	return s, nil
}

func weekday(name string) time.Weekday { return time.Weekday(slices.Index(dayNames, name)) }

func minutes(hh, mm string) int { // the pattern holds two digits in each
	return (int(hh[0]-'0')*10+int(hh[1]-'0'))*60 + int(mm[0]-'0')*10 + int(mm[1]-'0')
}

// String is what ParseHours reads, with one space where spaces are.
func (h Hours) String() string {
	parts := make([]string, len(h.windows))
	for i, w := range h.windows {
		parts[i] = w.String()
	}
	return strings.Join(parts, bothWords)
}

func (w window) String() string {
	parts := make([]string, len(w.spans))
	for i, s := range w.spans {
		parts[i] = s.String()
	}
	return strings.Join(parts, ", ") + " " + w.zone
}

func (s span) String() string {
	days := dayNames[s.first]
	if s.last != s.first {
		days += "-" + dayNames[s.last]
	}
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d", days, s.from/60, s.from%60, s.to/60, s.to%60)
}

// ErrZone is a time zone that the time zone database does not have.
var ErrZone = errors.New("unknown time zone")

// Contain reports whether every window is open at t. With ErrZone nothing is known, and nobody may approve.
func (h Hours) Contain(t time.Time) (bool, error) {
	open := true
	for _, w := range h.windows {
		loc, err := time.LoadLocation(w.zone)
		if err != nil {
			return false, fmt.Errorf("%w %q", ErrZone, w.zone)
		}
		open = open && w.open(t.In(loc))
	}
	return open, nil
}

// CheckZones fails with ErrZone for a zone that does not exist.
func (h Hours) CheckZones() error {
	_, err := h.Contain(time.Time{})
	return err
}

// open compares what a clock on the wall shows, so that a span keeps its hours when the clocks change.
func (w window) open(local time.Time) bool {
	day, minute := local.Weekday(), local.Hour()*60+local.Minute()
	before := (day + 6) % 7
	return slices.ContainsFunc(w.spans, func(s span) bool {
		if s.to > s.from {
			return s.on(day) && minute >= s.from && minute < s.to
		}
		return s.on(day) && minute >= s.from || s.on(before) && minute < s.to
	})
}

// on reports whether a span begins on the day. Fri-Mon goes over the weekend.
func (s span) on(day time.Weekday) bool {
	return (day-s.first+7)%7 <= (s.last-s.first+7)%7
}

// bothHours are the hours in which both are open, as texts that were parsed.
func bothHours(a, b string) string {
	switch {
	case a == b || b == "":
		return a
	case a == "":
		return b
	}
	all := append(strings.Split(a, bothWords), strings.Split(b, bothWords)...)
	slices.Sort(all)
	return strings.Join(slices.Compact(all), bothWords)
}

// keepsHours reports whether what was given in the hours given was given in the hours wanted: each window that is
// wanted is one of those given.
func keepsHours(given, wanted string) bool {
	if given == wanted || wanted == "" {
		return true
	}
	had := strings.Split(given, bothWords)
	return !slices.ContainsFunc(strings.Split(wanted, bothWords), func(w string) bool { return !slices.Contains(had, w) })
}
