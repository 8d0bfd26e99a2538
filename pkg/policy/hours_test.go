package policy

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func at(t *testing.T, zone, text string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	when, err := time.ParseInLocation("2006-01-02 15:04", text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestHoursContain(t *testing.T) {
	const office = "Mon-Fri 08:00-18:00 Europe/Berlin"
	tests := []struct {
		name, hours, zone, when string
		want                    bool
	}{
		{"always", "", "UTC", "2026-11-22 03:00", true},
		{"the first minute", office, "Europe/Berlin", "2026-11-23 08:00", true},
		{"the minute before", office, "Europe/Berlin", "2026-11-23 07:59", false},
		{"the last minute", office, "Europe/Berlin", "2026-11-23 17:59", true},
		{"the minute after", office, "Europe/Berlin", "2026-11-23 18:00", false},
		{"a Sunday", office, "Europe/Berlin", "2026-11-22 12:00", false},
		{"Friday", office, "Europe/Berlin", "2026-11-27 12:00", true},
		{"winter in UTC", office, "UTC", "2026-11-23 07:30", true},
		{"summer in UTC", office, "UTC", "2026-07-06 06:30", true},
		{"winter, one hour early", office, "UTC", "2026-11-23 06:30", false},
		{"the Monday after the clocks went back", office, "UTC", "2026-10-26 07:00", true},
		{"already Monday in Tokyo", "Mon 00:00-24:00 Asia/Tokyo", "UTC", "2026-11-22 15:00", true},
		{"half an hour's offset", "Mon 09:00-10:00 Asia/Kolkata", "UTC", "2026-11-23 03:30", true},
		{"a whole day to its end", "Mon 00:00-24:00 UTC", "UTC", "2026-11-23 23:59", true},
		{"and not into the next", "Mon 00:00-24:00 UTC", "UTC", "2026-11-24 00:00", false},

		{"night, before midnight", "Mon-Fri 22:00-06:00 UTC", "UTC", "2026-11-27 23:00", true},
		{"night of Friday, on Saturday", "Mon-Fri 22:00-06:00 UTC", "UTC", "2026-11-28 05:59", true},
		{"night of Saturday", "Mon-Fri 22:00-06:00 UTC", "UTC", "2026-11-28 22:00", false},
		{"night of Sunday, on Monday", "Mon-Fri 22:00-06:00 UTC", "UTC", "2026-11-23 05:00", false},
		{"to midnight", "Mon 22:00-00:00 UTC", "UTC", "2026-11-23 23:59", true},
		{"and no further", "Mon 22:00-00:00 UTC", "UTC", "2026-11-24 00:00", false},
		{"days over the weekend", "Fri-Mon 08:00-09:00 UTC", "UTC", "2026-11-22 08:30", true},
		{"not in the middle of the week", "Fri-Mon 08:00-09:00 UTC", "UTC", "2026-11-25 08:30", false},

		{"the second span", "Mon-Fri 08:00-18:00, Sat 10:00-14:00 UTC", "UTC", "2026-11-28 11:00", true},
		{"between spans", "Mon-Fri 08:00-18:00, Sat 10:00-14:00 UTC", "UTC", "2026-11-28 09:00", false},
		{"both windows", office + " and Mon-Sun 12:00-20:00 UTC", "UTC", "2026-11-23 12:30", true},
		{"one of two windows", office + " and Mon-Sun 12:00-20:00 UTC", "UTC", "2026-11-23 11:30", false},
		{"the other of two windows", office + " and Mon-Sun 12:00-20:00 UTC", "UTC", "2026-11-23 19:30", false},

		// On 2026-03-29 clocks in Berlin go from 02:00 to 03:00, on 2026-10-25 from 03:00 back to 02:00.
		{"before the hour that is not there", "Sun 01:30-03:30 Europe/Berlin", "UTC", "2026-03-29 00:45", true},
		{"after it", "Sun 01:30-03:30 Europe/Berlin", "UTC", "2026-03-29 01:15", true},
		{"past it", "Sun 01:30-03:30 Europe/Berlin", "UTC", "2026-03-29 01:31", false},
		{"the hour that comes twice, first", "Sun 02:00-03:00 Europe/Berlin", "UTC", "2026-10-25 00:30", true},
		{"the hour that comes twice, again", "Sun 02:00-03:00 Europe/Berlin", "UTC", "2026-10-25 01:30", true},
		{"after both", "Sun 02:00-03:00 Europe/Berlin", "UTC", "2026-10-25 02:00", false},
		{"a night with a clock change", "Sat 22:00-04:00 Europe/Berlin", "UTC", "2026-10-25 02:59", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Approval{Count: 1, Group: "dba", Hours: tt.hours}.OpenAt(at(t, tt.zone, tt.when))
			if err != nil || got != tt.want {
				t.Errorf("%q at %s %s: %v, %v; want %v", tt.hours, tt.when, tt.zone, got, err, tt.want)
			}
		})
	}
}

func TestHoursThatMeanNothingAreRefused(t *testing.T) {
	for _, text := range []string{
		" ", "always", "Mon-Fri 08:00-18:00", "08:00-18:00 UTC", "Mon-Fri UTC", "Mon–Fri 08:00-18:00 UTC", "mon-fri 08:00-18:00 UTC",
		"Mon-Fri 8:00-18:00 UTC", "Mon-Fri 08:00-18:60 UTC", "Mon-Fri 08:00-25:00 UTC", "Mon-Fri 08:00-24:01 UTC", "Mon-Fri 24:00-25:00 UTC",
		"Mon-Fri 24:00-06:00 UTC", "Mon-Fri 08:00-08:00 UTC", "Mon-Fri  08:00-18:00 UTC", "Mon-Fri 08:00-18:00  UTC", "Mon-Fri 08:00-18:00 Local",
		"Mon-Fri 08:00-18:00 ../etc/passwd", "Mon-Fri 08:00-18:00 /UTC", "Mon-Fri 08:00-18:00 UTC ", "Mon-Fri 08:00-18:00 UTC and ",
		"Mon-Fri 08:00-18:00,, Sat 08:00-09:00 UTC", "Mon-Fri 08:00-18:00,  Sat 08:00-09:00 UTC", "Montag 08:00-18:00 UTC",
		strings.Repeat("Mon 08:00-09:00,", 10) + "Mon 08:00-09:00 UTC", strings.Repeat("Mon 08:00-09:00 UTC and ", 20) + "Mon 08:00-09:00 UTC",
		strings.Repeat("x", 2000),
	} {
		if h, err := ParseHours(text); err == nil {
			t.Errorf("ParseHours(%q) = %s", text, h)
		}
		if open, err := (Approval{Hours: text}).OpenAt(noon); err == nil || open {
			t.Errorf("%q is open: %v, %v", text, open, err)
		}
	}
}

func TestAnUnknownZoneIsNeverOpen(t *testing.T) {
	const text = "Mon-Sun 00:00-24:00 Mars/Olympus"
	open, err := Approval{Hours: text}.OpenAt(noon)
	if open || !errors.Is(err, ErrZone) {
		t.Fatal(open, err)
	}
	if open, err := (Approval{Hours: "Sat 10:00-11:00 UTC and " + text}).OpenAt(noon); open || !errors.Is(err, ErrZone) {
		t.Fatal("behind a closed window:", open, err)
	}
	b := oneFile("@id(\"a\")\n  @approval(\"1 of dba\") @approval_hours(\"" + text + "\")\nforbid (principal, action == Action::\"sql:delete\", resource) unless { context.approved };")
	s, err := Compile(b)
	if err != nil {
		t.Fatal("what a zone means is not asked when a bundle is compiled:", err)
	}
	var refused *BundleError
	if err := s.CheckZones(); !errors.As(err, &refused) || len(refused.Problems) != 1 {
		t.Fatal(err)
	}
	want := `p.cedar:2:25: policy "a": @approval_hours: unknown time zone "Mars/Olympus" (use a name such as "Europe/Berlin" or "UTC")`
	if got := refused.Problems[0].String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestApprovalHoursAreMergedToTheStricter(t *testing.T) {
	const policies = `
@id("all") permit (principal, action, resource);
@id("day") @approval("1 of dba") @approval_hours("Mon-Fri 08:00-18:00 UTC")
forbid (principal, action in [Action::"sql:delete", Action::"sql:update"], resource) unless { context.approved };
@id("late") @approval("2 of dba") @approval_hours("Mon-Sun 12:00-20:00 UTC")
forbid (principal, action in [Action::"sql:delete", Action::"sql:merge"], resource) unless { context.approved };
@id("any") @approval("1 of dba")
forbid (principal, action in [Action::"sql:delete", Action::"sql:insert"], resource) unless { context.approved };`
	s, err := Compile(oneFile(policies))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.For(Principal{Kind: KindAgent, ID: "a"}, Resource{Name: shop}, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	const both = "2 of dba (Mon-Fri 08:00-18:00 UTC and Mon-Sun 12:00-20:00 UTC)"
	if d := e.ask(SQLDelete); d.Effect != Hold || approvalsText(d.Approvals) != both {
		t.Fatalf("%s %s", d.Effect, approvalsText(d.Approvals))
	}
	m := Merge(e.ask(SQLUpdate), e.ask(SQLMerge))
	if approvalsText(m.Approvals) != both {
		t.Fatal(approvalsText(m.Approvals))
	}
	day := Approval{Count: 2, Group: "dba", Hours: "Mon-Fri 08:00-18:00 UTC"}
	if d := e.ask(SQLDelete, day); d.Effect != Hold {
		t.Error("approvals of one window released what needs both")
	}
	if d := e.ask(SQLUpdate, Approval{Count: 2, Group: "dba"}); d.Effect != Hold {
		t.Error("approvals of no window released what needs one")
	}
	if d := e.ask(SQLDelete, m.Approvals...); d.Effect != Allow {
		t.Error("approvals of both windows did not release it:", d.Reason)
	}
	if d := e.ask(SQLInsert, m.Approvals...); d.Effect != Allow {
		t.Error("approvals of stricter hours did not release what has none:", d.Reason)
	}
}

// FuzzHours: what is read is written as it is read again, and asking it never fails but for its zones.
func FuzzHours(f *testing.F) {
	f.Add("Mon-Fri 08:00-18:00 Europe/Berlin", int64(1e9))
	f.Add("Fri-Mon 22:00-06:00, Tue 00:00-24:00 UTC and Sun 01:00-02:00 Asia/Kolkata", int64(1e9))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		h, err := ParseHours(text)
		if err != nil {
			return
		}
		again, err := ParseHours(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("%q is written as %q: %v", text, h, err)
		}
		when := time.Unix(unix%(1<<33), 0)
		first, err := h.Contain(when)
		second, err2 := again.Contain(when)
		if first != second || (err == nil) != (err2 == nil) || err != nil && !errors.Is(err, ErrZone) {
			t.Fatal(first, second, err, err2)
		}
	})
}
