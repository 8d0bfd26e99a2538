package auditlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/pkg/audit"
)

// noon is the clock of the searching log.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// counting counts what is read from an object store.
type counting struct {
	auditlog.ObjectStore
	mu   sync.Mutex
	gets int
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, error) {
	c.mu.Lock()
	c.gets++
	c.mu.Unlock()
	return c.ObjectStore.Get(ctx, key)
}

// searchable is a log over many blocks and what is in them.
type searchable struct {
	*fixture
	objects *counting
	search  *auditlog.Log
	all     []audit.Record // newest first
	now     func() time.Time
}

func newSearchable(t *testing.T) *searchable {
	t.Helper()
	s := &searchable{fixture: newFixture(t), now: func() time.Time { return noon }}
	s.objects = &counting{ObjectStore: s.objs}
	s.reopen()
	return s
}

// reopen forgets what the log remembers.
func (s *searchable) reopen() {
	s.t.Helper()
	log, err := auditlog.New(auditlog.Config{
		Objects: s.objects, Sessions: s.book, Registrar: s.book, Replica: fmt.Sprintf("cp-%d", rand.Uint32()), Now: func() time.Time { return s.now() },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.search = log
}

// put ships a block with one record for each time.
func (s *searchable) put(edge, session string, fill func(n int, r *audit.Record), times ...time.Time) auditlog.Block {
	s.t.Helper()
	chain, err := audit.NewChain(edge, session)
	if err != nil {
		s.t.Fatal(err)
	}
	var raw [][]byte
	for n, at := range times {
		r := audit.Record{ID: s.ids.Next(at), Time: at, Kind: audit.KindCommand, Decision: audit.Allow, Principal: "bot", Resource: "orders"}
		fill(n, &r)
		b, err := chain.Append(nil, &r)
		if err != nil {
			s.t.Fatal(err)
		}
		decoded, err := audit.Decode(b)
		if err != nil {
			s.t.Fatal(err)
		}
		raw, s.all = append(raw, b), append(s.all, decoded)
	}
	b := s.block(edge, raw...)
	s.ship(b)
	slices.SortFunc(s.all, func(a, b audit.Record) int { return strings.Compare(b.ID.String(), a.ID.String()) })
	return b
}

func (s *searchable) walk(q auditlog.Query) (ids []string, damaged, calls int) {
	s.t.Helper()
	for {
		found, err := s.search.Search(s.t.Context(), q)
		if err != nil {
			s.t.Fatal(err)
		}
		calls++
		for _, h := range found.Hits {
			if h.Damage != nil {
				damaged++
				continue
			}
			ids = append(ids, h.Record.ID.String())
		}
		if q.After = found.Next; q.After == "" {
			return ids, damaged, calls
		}
		if calls > 10_000 {
			s.t.Fatal("the search does not come to its end")
		}
	}
}

func (s *searchable) want(keep func(r audit.Record) bool) (ids []string) {
	for _, r := range s.all {
		if keep(r) {
			ids = append(ids, r.ID.String())
		}
	}
	return ids
}

// fillIn makes blocks of three edges over thirty hours that overlap in time.
func (s *searchable) fillIn(blocks int) {
	s.book.all["ses-c"] = auditlog.Session{ID: "ses-c", Edge: "edge-c", Started: noon}
	source := rand.New(rand.NewPCG(1, 2))
	var starts []time.Time
	for range blocks {
		starts = append(starts, noon.Add(-time.Duration(source.Int64N(int64(30*time.Hour)))))
	}
	slices.SortFunc(starts, time.Time.Compare) // ids only grow
	for i, at := range starts {
		which := i % 3
		var times []time.Time
		for n := range 1 + source.IntN(5) {
			times = append(times, at.Add(time.Duration(n)*30*time.Second))
		}
		s.put([]string{"edge-a", "edge-b", "edge-c"}[which], []string{"ses-a", "ses-b", "ses-c"}[which], func(n int, r *audit.Record) {
			r.Principal, r.Resource = []string{"bot", "alice", "job"}[(i+n)%3], []string{"orders", "users"}[i%2]
			r.Statement = fmt.Sprintf("SELECT %d FROM Orders_%d", n, i)
			if (i+n)%4 == 0 {
				r.Kind, r.Decision, r.PolicyIDs = audit.KindRefusal, audit.Deny, []string{"prod-delete"}
			}
			if r.Principal == "job" {
				r.OnBehalfOf = []string{"Alice"}
			}
		}, times...)
	}
}

func (s *searchable) admin(method, principal string, attrs ...audit.Attr) {
	s.t.Helper()
	r := audit.Record{Kind: audit.KindAdmin, Principal: principal, Decision: audit.Allow, Attrs: append([]audit.Attr{{Name: "method", Value: method}}, attrs...)}
	if err := s.search.RecordAdmin(s.t.Context(), r); err != nil {
		s.t.Fatal(err)
	}
}

func TestSearch(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(200)
	within := func(d time.Duration) func(audit.Record) bool {
		return func(r audit.Record) bool { return !r.ID.Time().Before(noon.Add(-d)) }
	}
	day := within(24 * time.Hour)
	for name, tt := range map[string]struct {
		query auditlog.Query
		keep  func(r audit.Record) bool
	}{
		"the last day": {auditlog.Query{}, day},
		"everything":   {auditlog.Query{From: noon.Add(-40 * time.Hour)}, func(audit.Record) bool { return true }},
		"an hour":      {auditlog.Query{From: noon.Add(-5 * time.Hour), Until: noon.Add(-4 * time.Hour)}, func(r audit.Record) bool { return within(5*time.Hour)(r) && !within(4*time.Hour)(r) }},
		"principal":    {auditlog.Query{Principal: "alice"}, func(r audit.Record) bool { return day(r) && r.Principal != "bot" }},
		"resource":     {auditlog.Query{Resource: "users"}, func(r audit.Record) bool { return day(r) && r.Resource == "users" }},
		"session":      {auditlog.Query{Session: "ses-b"}, func(r audit.Record) bool { return day(r) && r.Session == "ses-b" }},
		"kind":         {auditlog.Query{Kind: "refusal"}, func(r audit.Record) bool { return day(r) && r.Kind == audit.KindRefusal }},
		"decision":     {auditlog.Query{Decision: "deny"}, func(r audit.Record) bool { return day(r) && r.Decision == audit.Deny }},
		"policy":       {auditlog.Query{PolicyID: "prod-delete"}, func(r audit.Record) bool { return day(r) && r.Decision == audit.Deny }},
		"text":         {auditlog.Query{Text: "select 0 FROM orders_1"}, func(r audit.Record) bool { return day(r) && strings.Contains(r.Statement, "SELECT 0 FROM Orders_1") }},
		"nothing":      {auditlog.Query{Principal: "eve"}, func(audit.Record) bool { return false }},
		"people's":     {auditlog.Query{Kind: auditlog.Calls}, func(audit.Record) bool { return false }},
		"several": {auditlog.Query{Principal: "bot", Decision: "deny", Resource: "orders"}, func(r audit.Record) bool {
			return day(r) && r.Principal == "bot" && r.Decision == audit.Deny && r.Resource == "orders"
		}},
	} {
		for _, limit := range []int{1, 7, 200} {
			t.Run(fmt.Sprint(name, " by ", limit), func(t *testing.T) {
				tt.query.Limit = limit
				got, damaged, _ := s.walk(tt.query)
				if want := s.want(tt.keep); !slices.Equal(got, want) || damaged != 0 {
					t.Fatalf("%d records, %d damaged, want %d records", len(got), damaged, len(want))
				}
			})
		}
	}
}

func TestSearchOfCalls(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(20)
	s.now = func() time.Time { return noon.Add(time.Minute) }
	s.admin("/access.v1.SessionService/KillSession", "alice", audit.Attr{Name: "id", Value: "ses-a"})
	s.now = func() time.Time { return noon.Add(2 * time.Minute) }
	s.admin("/access.v1.EdgeService/ListEdges", "bob")
	reads := func(procedure string) bool { return strings.Contains(procedure, "/List") }
	for name, tt := range map[string]struct {
		query auditlog.Query
		want  int
	}{
		"calls":      {auditlog.Query{Kind: "admin"}, 2},
		"procedure":  {auditlog.Query{Text: "killsession"}, 1},
		"who called": {auditlog.Query{Kind: "admin", Principal: "bob"}, 1},
		"a session":  {auditlog.Query{Session: "ses-a", Kind: "admin"}, 1},
		"no reads":   {auditlog.Query{Kind: "admin", Without: reads}, 1},
		"a read":     {auditlog.Query{Kind: "admin", Principal: "bob", Without: reads}, 0},
		"not calls": {
			auditlog.Query{Session: "ses-b", From: noon.Add(-40 * time.Hour), Without: func(string) bool { return true }},
			len(s.want(func(r audit.Record) bool { return r.Session == "ses-b" })),
		},
	} {
		got, _, _ := s.walk(tt.query)
		if len(got) != tt.want {
			t.Errorf("%s: got %d", name, len(got))
		}
	}
	for _, r := range []audit.Record{{Decision: audit.Deny}, {Decision: audit.Allow, ErrorCode: "internal"}} {
		r.Kind, r.Principal, r.Attrs = audit.KindAdmin, "eve", []audit.Attr{{Name: "method", Value: "/access.v1.EdgeService/ListEdges"}}
		if err := s.search.RecordAdmin(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, _ := s.walk(auditlog.Query{Principal: "eve", Without: reads}); len(got) != 2 {
		t.Errorf("of two reads that were refused or failed there are %d", len(got))
	}
	found, err := s.search.Search(t.Context(), auditlog.Query{Limit: 1})
	if err != nil || len(found.Hits) != 1 || found.Hits[0].Record.Principal != "eve" || !found.Back.Equal(found.Hits[0].Record.ID.Time()) {
		t.Fatalf("%+v, %v", found, err)
	}
}

// Tables and actions are found by what they are called, with what is before it or without.
func TestSearchOfTables(t *testing.T) {
	s := newSearchable(t)
	s.put("edge-a", "ses-a", func(_ int, r *audit.Record) {
		r.Tables, r.Actions = []string{"public.users", "shop.Orders"}, []string{"sql:select", "sql:delete"}
	}, noon.Add(-time.Minute))
	s.put("edge-a", "ses-a", func(_ int, r *audit.Record) {
		r.Tables, r.Actions = []string{"arn:aws:s3:::backup/2026/users.csv"}, []string{"aws:read"}
	}, noon.Add(-time.Second))
	for name, tt := range map[string]struct {
		query auditlog.Query
		want  int
	}{
		"whole":          {auditlog.Query{Table: "shop.orders"}, 1},
		"without schema": {auditlog.Query{Table: "ORDERS"}, 1},
		"of two schemas": {auditlog.Query{Table: "users"}, 1},
		"schema":         {auditlog.Query{Table: "shop"}, 0},
		"part of a name": {auditlog.Query{Table: "rders"}, 0},
		"bucket's path":  {auditlog.Query{Table: "2026/users.csv"}, 1},
		"path's end":     {auditlog.Query{Table: "csv"}, 1},
		"verb":           {auditlog.Query{Action: "Delete"}, 1},
		"action":         {auditlog.Query{Action: "sql:delete"}, 1},
		"prefix":         {auditlog.Query{Action: "sql"}, 0},
		"both":           {auditlog.Query{Action: "read", Table: "users"}, 0},
	} {
		if got, _, _ := s.walk(tt.query); len(got) != tt.want {
			t.Errorf("%s: %d records, want %d", name, len(got), tt.want)
		}
	}
	for _, q := range []auditlog.Query{{Table: strings.Repeat("x", 501)}, {Action: strings.Repeat("x", 501)}} {
		if _, err := s.search.Search(t.Context(), q); !errors.Is(err, auditlog.ErrQuery) {
			t.Errorf("a long name: %v", err)
		}
	}
}

// A time that is no whole hour, searched in as many calls as there are parts of it.
func TestSearchEndsWithinAnHour(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(30)
	from := noon.Add(-40*time.Hour + 17*time.Minute + 300*time.Microsecond)
	late := noon
	s.now = func() time.Time { late = late.Add(4 * time.Second); return late }
	if got, _, _ := s.walk(auditlog.Query{From: from, Until: noon}); len(got) != len(s.all) {
		t.Errorf("%d of %d records", len(got), len(s.all))
	}
}

// A terminal leaves many pieces, which would bury what is looked for.
func TestSearchLeavesOutStreams(t *testing.T) {
	s := newSearchable(t)
	s.put("edge-a", "s-term", func(n int, r *audit.Record) {
		if n > 0 {
			r.Kind, r.Decision = audit.KindStream, ""
		}
	}, noon.Add(-time.Minute), noon.Add(-50*time.Second), noon.Add(-40*time.Second))
	for kind, want := range map[string]int{"": 1, "command": 1, "stream": 2} {
		ids, _, _ := s.walk(auditlog.Query{Session: "s-term", Kind: kind})
		if len(ids) != want {
			t.Errorf("of kind %q %d records are found, want %d", kind, len(ids), want)
		}
	}
}

// Blocks that cannot be read are named once each, and everything else is found.
func TestSearchNamesDamage(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(90)
	lost := map[string]bool{}
	files := s.files("/records/v1/")
	for n, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n%30 != 7 {
			continue
		}
		data[len(data)/2] ^= 0x20
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		lost[filepath.Base(file)] = true
	}
	intact := map[string]bool{}
	for _, limit := range []int{1, 200} {
		s.reopen()
		got, damaged, _ := s.walk(auditlog.Query{From: noon.Add(-40 * time.Hour), Limit: limit})
		if damaged != len(lost) || len(lost) < 3 {
			t.Fatalf("by %d: %d of %d damaged blocks are named", limit, damaged, len(lost))
		}
		for _, id := range got {
			intact[id] = true
		}
		if len(got) != len(intact) || len(got) >= len(s.all) || len(got) < len(s.all)-5*len(lost) {
			t.Fatalf("by %d: %d of %d records, %d of them different", limit, len(got), len(s.all), len(intact))
		}
	}
}

// A second search reads only what can match.
func TestSearchRemembersBlocks(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(60)
	s.put("edge-a", "ses-a", func(_ int, r *audit.Record) { r.Principal, r.Decision = "rare", audit.Hold }, noon.Add(-time.Second))
	if got, _, _ := s.walk(auditlog.Query{Principal: "rare"}); len(got) != 1 || s.objects.gets < 40 {
		t.Fatalf("%d records from %d blocks", len(got), s.objects.gets)
	}
	for _, q := range []auditlog.Query{{Principal: "rare"}, {Decision: "hold"}} {
		s.objects.gets = 0
		if got, _, _ := s.walk(q); len(got) != 1 || s.objects.gets != 1 {
			t.Fatalf("%d records from %d blocks", len(got), s.objects.gets)
		}
	}
	s.objects.gets = 0
	if _, _, _ = s.walk(auditlog.Query{Session: "ses-b"}); s.objects.gets > 30 {
		t.Fatalf("a session's search read %d blocks", s.objects.gets)
	}
}

// A search that takes long returns what it has and goes on from there, and each call gets somewhere.
func TestSearchIsBounded(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(200)
	var mu sync.Mutex
	late := noon
	s.now = func() time.Time { // every look at the clock costs two seconds
		mu.Lock()
		defer mu.Unlock()
		late = late.Add(2 * time.Second)
		return late
	}
	got, _, calls := s.walk(auditlog.Query{From: noon.Add(-40 * time.Hour), Until: noon.Add(time.Hour), Principal: "bot", Limit: 200})
	if want := s.want(func(r audit.Record) bool { return r.Principal == "bot" }); !slices.Equal(got, want) || calls < 10 {
		t.Fatalf("%d records in %d calls, want %d", len(got), calls, len(want))
	}
}

func TestSearchRefuses(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(20)
	first, err := s.search.Search(t.Context(), auditlog.Query{Limit: 1})
	if err != nil || first.Next == "" {
		t.Fatal(first, err)
	}
	for name, q := range map[string]auditlog.Query{
		"kind": {Kind: "x"}, "decision": {Decision: "maybe"}, "text": {Text: strings.Repeat("x", 501)},
		"backwards":     {From: noon, Until: noon.Add(-time.Hour)},
		"no token":      {After: "x"},
		"short token":   {After: first.Next[:20]},
		"another query": {After: first.Next, Principal: "bot"},
		"version":       {After: "ff" + first.Next[2:]},
		"upside down":   {After: first.Next[:34] + strings.Repeat("0", 32)},
		"far ahead":     {After: first.Next[:34] + strings.Repeat("f", 32)},
	} {
		if _, err := s.search.Search(t.Context(), q); !errors.Is(err, auditlog.ErrQuery) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Outcomes and rows name only their session. They are of its principal and its resource: as another record beside them
// says, or else as it was opened, at that edge.
func TestSearchKnowsWhoseSessionsAre(t *testing.T) {
	s := newSearchable(t)
	at := func(d time.Duration) []time.Time { return []time.Time{noon.Add(-d), noon.Add(-d + time.Second)} }
	outcome := func(_ int, r *audit.Record) {
		r.Kind, r.Decision, r.Principal, r.Resource = audit.KindOutcome, "", "", ""
	}
	begun := func(n int, r *audit.Record) {
		if r.OnBehalfOf = []string{"lee"}; n == 1 {
			outcome(n, r)
			r.OnBehalfOf = nil
		}
	}
	bots := auditlog.Session{Edge: "edge-a", Principals: []string{"bot", "lee"}, Resource: "orders"}
	s.book.all["ses-opened"] = bots
	s.put("edge-a", "ses-told", begun, at(5*time.Hour)...)
	s.put("edge-a", "ses-opened", outcome, at(4*time.Hour)...)
	s.put("edge-a", "ses-elsewhere", outcome, at(3*time.Hour)...)
	s.put("edge-a", "ses-forgotten", outcome, at(2*time.Hour)...)
	bots.Edge = "edge-b"
	s.book.all["ses-elsewhere"] = bots
	want := s.want(func(r audit.Record) bool { return r.Session == "ses-told" || r.Session == "ses-opened" })
	for round := range 2 { // the second knows what is in the blocks
		for name, q := range map[string]auditlog.Query{
			"principal": {Principal: "Bot"}, "whom it acts for": {Principal: "lee"}, "resource": {Resource: "orders"}, "both": {Principal: "bot", Resource: "orders"},
		} {
			if got, _, _ := s.walk(q); !slices.Equal(got, want) {
				t.Errorf("round %d, %s: %d records, want %d", round, name, len(got), len(want))
			}
		}
		if got, _, _ := s.walk(auditlog.Query{Principal: "eve"}); len(got) != 0 {
			t.Errorf("eve has %d records", len(got))
		}
	}
	if got, _, _ := s.walk(auditlog.Query{}); len(got) != len(s.all) {
		t.Errorf("%d of %d records", len(got), len(s.all))
	}
}

// A token carries on with the query that it was given for, whichever part of that is changed.
func TestSearchTokensAreOfOneQuery(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(20)
	query := func(change func(*auditlog.Query)) auditlog.Query {
		q := auditlog.Query{From: noon.Add(-40 * time.Hour), Until: noon, Limit: 1}
		change(&q)
		return q
	}
	first, err := s.search.Search(t.Context(), query(func(*auditlog.Query) {}))
	if err != nil || first.Next == "" {
		t.Fatal(first, err)
	}
	for name, tt := range map[string]struct {
		change func(*auditlog.Query)
		ok     bool
	}{
		"nothing":    {func(*auditlog.Query) {}, true},
		"page size":  {func(q *auditlog.Query) { q.Limit = 2 }, true},
		"principal":  {func(q *auditlog.Query) { q.Principal = "bot" }, false},
		"resource":   {func(q *auditlog.Query) { q.Resource = "bot" }, false},
		"session":    {func(q *auditlog.Query) { q.Session = "bot" }, false},
		"kind":       {func(q *auditlog.Query) { q.Kind = auditlog.Calls }, false},
		"decision":   {func(q *auditlog.Query) { q.Decision = "deny" }, false},
		"policy":     {func(q *auditlog.Query) { q.PolicyID = "bot" }, false},
		"text":       {func(q *auditlog.Query) { q.Text = "bot" }, false},
		"table":      {func(q *auditlog.Query) { q.Table = "bot" }, false},
		"action":     {func(q *auditlog.Query) { q.Action = "bot" }, false},
		"reads":      {func(q *auditlog.Query) { q.Without = func(string) bool { return false } }, false},
		"from":       {func(q *auditlog.Query) { q.From = q.From.Add(-time.Hour) }, false},
		"until":      {func(q *auditlog.Query) { q.Until = q.Until.Add(time.Hour) }, false},
		"no time":    {func(q *auditlog.Query) { q.From, q.Until = time.Time{}, time.Time{} }, false},
		"its length": {func(q *auditlog.Query) { q.After += "00" }, false},
	} {
		_, err := s.search.Search(t.Context(), query(func(q *auditlog.Query) { q.After = first.Next; tt.change(q) }))
		if tt.ok != (err == nil) || err != nil && !errors.Is(err, auditlog.ErrQuery) {
			t.Errorf("with another %s: %v", name, err)
		}
	}
	// A value in one place is not the same value in another.
	moved, err := s.search.Search(t.Context(), query(func(q *auditlog.Query) { q.Principal = "bot" }))
	if err != nil || moved.Next == "" {
		t.Fatal(moved, err)
	}
	for _, change := range []func(*auditlog.Query){
		func(q *auditlog.Query) { q.Resource = "bot" }, func(q *auditlog.Query) { q.Principal, q.Resource = "bo", "t" },
	} {
		if _, err := s.search.Search(t.Context(), query(func(q *auditlog.Query) { q.After = moved.Next; change(q) })); !errors.Is(err, auditlog.ErrQuery) {
			t.Errorf("a value in another place: %v", err)
		}
	}
}

type unreadable struct{ auditlog.ObjectStore }

func (unreadable) Get(context.Context, string) ([]byte, error) { return nil, auditlog.ErrStorage }

// Storage that is out of reach is no damage, and no empty answer either.
func TestSearchNeedsItsStorage(t *testing.T) {
	s := newSearchable(t)
	s.fillIn(20)
	log, err := auditlog.New(auditlog.Config{Objects: unreadable{s.objs}, Sessions: s.book, Registrar: s.book, Replica: "cp-x", Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := log.Search(t.Context(), auditlog.Query{}); !errors.Is(err, auditlog.ErrStorage) {
		t.Fatalf("%+v, %v", found, err)
	}
}

func FuzzSearchToken(f *testing.F) {
	f.Add("", "bot")
	f.Add(strings.Repeat("0", 66), "")
	f.Add("01"+strings.Repeat("f", 64), "")
	log, err := auditlog.New(auditlog.Config{Objects: emptyStore{}, Sessions: &book{}, Registrar: &book{}, Replica: "cp-f", Now: func() time.Time { return noon }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token, principal string) {
		found, err := log.Search(t.Context(), auditlog.Query{After: token, Principal: principal})
		if err != nil && !errors.Is(err, auditlog.ErrQuery) || err == nil && len(found.Hits) > 0 {
			t.Fatalf("%+v, %v", found, err)
		}
	})
}

type emptyStore struct{ auditlog.ObjectStore }

func (emptyStore) Folders(context.Context, string) ([]string, error) { return nil, nil }
