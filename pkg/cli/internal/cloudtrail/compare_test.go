package cloudtrail

import (
	"strconv"
	"testing"
	"time"
)

var (
	shop = Role{"123456789012", "shop"}
	noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

// at is an event of Writ's session ses-1, made so many minutes after noon.
func at(id, request string, minutes int) Event {
	return Event{
		ID: id, RequestID: request, Time: noon.Add(time.Duration(minutes) * time.Minute), Service: "iam.amazonaws.com", Name: "GetRole",
		Role: shop, Session: "ses-1", SourceIdentity: "ada@example.com",
	}
}

func with(e Event, change func(*Event)) Event {
	change(&e)
	return e
}

func ids(events []Event) (all string) {
	for _, e := range events {
		all += e.ID + " "
	}
	return all
}

func TestReport(t *testing.T) {
	c, err := New([]Role{shop})
	if err != nil {
		t.Fatal(err)
	}
	reader := func(e *Event) { e.Session, e.SourceIdentity = readerSession, readerSource }
	for _, e := range []Event{
		at("late", "r-9", 9), at("recorded", "r-1", 0), at("recorded", "r-1", 0), at("again", "r-1", 0),
		with(at("another session", "r-1", 1), func(e *Event) { e.Session = "ses-2" }),
		at("no request", "", 2),
		with(at("service", "r-3", 3), func(e *Event) { e.InvokedBy = "cloudformation.amazonaws.com" }),
		with(at("nobody", "r-1", 4), func(e *Event) { e.SourceIdentity = "" }),
		with(at("reader", "r-4", 4), reader),
		with(at("not the reader", "r-5", 5), func(e *Event) { reader(e); e.Name = "CreateUser" }),
		with(at("nor this", "r-6", 6), func(e *Event) { reader(e); e.SourceIdentity = "ada@example.com" }),
		with(at("nor that", "r-7", 7), func(e *Event) { reader(e); e.Service = "organizations.amazonaws.com" }),
		with(at("not ours", "r-8", 500), func(e *Event) { e.Role.Name = "other" }),
		with(at("not here", "r-8", 500), func(e *Event) { e.Role.Account = "210987654321" }),
	} {
		if err := c.AddEvent(e); err != nil {
			t.Fatal(err)
		}
	}
	for request, minutes := range map[string]int{"r-1": 1, "": 2, "r-10": 5, "r-11": -1, "r-12": 60} {
		if err := c.AddCall(Call{Session: "ses-1", RequestID: request, Time: noon.Add(time.Duration(minutes) * time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	c.AddDamage("a block is gone")
	r := c.Report()
	if got, want := ids(r.Unrecorded), "another session no request not the reader nor this nor that late "; got != want {
		t.Errorf("without a record: %s", got)
	}
	if got := ids(r.Unidentified); got != "nobody " || r.Recorded != 2 || r.ByServices != 1 || r.ByWrit != 1 || r.InRoles != 11 || r.Findings() != 8 {
		t.Errorf("%+v", r)
	}
	if len(r.Undelivered) != 2 || r.Undelivered[0].RequestID != "" || r.Undelivered[1].RequestID != "r-10" || r.From != noon || r.Until != noon.Add(9*time.Minute) {
		t.Errorf("records without an event: %+v", r.Undelivered)
	}
}

func TestComparisonIsBounded(t *testing.T) {
	if _, err := New(nil); err == nil {
		t.Error("a comparison in no roles")
	}
	c, err := New([]Role{shop})
	if err != nil {
		t.Fatal(err)
	}
	c.events = make([]Event, maxKept)
	if err := c.AddEvent(at("one more", "r", 0)); err != ErrTooMany {
		t.Errorf("got %v", err)
	}
	for i := range maxKept {
		c.calls[key{request: strconv.Itoa(i)}] = Call{}
	}
	if err := c.AddCall(Call{}); err != ErrTooMany {
		t.Errorf("got %v", err)
	}
}
