package auditlog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/recordindex"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/merklelog"
)

// feed gives out what a book has registered: places to the first of it.
type feed struct {
	*book
	mu     sync.Mutex
	placed int
	only   []merklelog.Entry // in the place of what the book has
}

func (f *feed) all() []merklelog.Entry {
	f.book.mu.Lock()
	defer f.book.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.only != nil {
		return f.only
	}
	return f.registered
}

func (f *feed) place(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.placed = n
}

func (f *feed) count() int {
	n := len(f.all())
	f.mu.Lock()
	defer f.mu.Unlock()
	return min(n, f.placed)
}

func (f *feed) Placed(_ context.Context, from int64, limit int) ([]merklelog.Entry, int64, error) {
	n := int64(f.count())
	if from >= n {
		return nil, n, nil
	}
	return f.all()[from:min(n, from+int64(limit))], n, nil
}

func (f *feed) Unplaced(context.Context) ([]merklelog.Entry, error) { return f.all()[f.count():], nil }

// indexed is a second log over a searchable's objects, with an index.
type indexed struct {
	*searchable
	feed  *feed
	dir   string
	index *recordindex.Index
	log   *auditlog.Log
	stop  func()
}

func newIndexed(t *testing.T, s *searchable) *indexed {
	t.Helper()
	x := &indexed{searchable: s, feed: &feed{book: s.book}, dir: filepath.Join(t.TempDir(), "index")}
	x.start()
	t.Cleanup(func() { x.stop() })
	return x
}

// openAgain opens the index, which stays as it is.
func (x *indexed) openAgain() {
	x.t.Helper()
	var err error
	if x.index, err = recordindex.Open(x.dir); err != nil {
		x.t.Fatal(err)
	}
	x.log, err = auditlog.New(auditlog.Config{
		Objects: x.objects, Sessions: x.book, Registrar: x.book, Replica: fmt.Sprintf("cp-%d", rand.Uint32()), Now: func() time.Time { return x.now() },
		Index: x.index, Feed: x.feed, Poll: time.Millisecond,
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.stop = sync.OnceFunc(func() { x.close() })
}

func (x *indexed) close() {
	if err := x.index.Close(); err != nil {
		x.t.Error(err)
	}
}

// start opens the index and follows the feed until x.stop.
func (x *indexed) start() {
	x.t.Helper()
	x.openAgain()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = x.log.RunIndex(ctx) }()
	x.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		x.close()
	})
}

// catchUp waits until the index has the first n entries.
func (x *indexed) catchUp(n int) {
	x.t.Helper()
	x.feed.place(n)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if next, _ := x.index.Next(); next == int64(n) {
			return
		} else if time.Now().After(deadline) {
			x.t.Fatalf("the index has %d entries, want %d", next, n)
		}
	}
}

func hits(t *testing.T, log *auditlog.Log, q auditlog.Query) (all []string) {
	t.Helper()
	for range 10_000 {
		found, err := log.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range found.Hits {
			what := h.Record.ID.String() + " " + h.Record.Statement
			if h.Damage != nil {
				what = h.Block
			}
			all = append(all, what)
		}
		if q.After = found.Next; q.After == "" {
			return all
		}
	}
	t.Fatal("the search does not come to its end")
	return nil
}

// random is a source of records and queries that have much in common.
type random struct{ *rand.Rand }

func (r random) of(all ...string) string { return all[r.IntN(len(all))] }

func (r random) principal() string {
	return r.of("bot", "Alice", "alice", "Straße", "ſam", "Sam", "K-9", "\u212a-9", "a\xffb")
}
func (r random) table() string {
	return r.of("public.orders", "orders", "shop/public.Orders", "arn:aws:s3:::bucket", "users", "public.users")
}
func (r random) action() string {
	return r.of("sql:select", "sql:delete", "aws:s3:GetObject", "k8s:delete")
}
func (r random) word() string {
	return r.of("select", "DELETE FROM", "orders", "İstanbul", "ab", "a", "é", "x' or 1=1", "Ⱥ", "42", "order by", "\x00", "7")
}

func (r random) fill(_ int, rec *audit.Record) {
	rec.Kind = audit.Kind(1 + r.IntN(20))
	rec.Decision = audit.Decision(r.of("", "allow", "deny", "hold"))
	rec.Principal, rec.Resource = r.principal(), r.of("orders", "users", "Orders")
	if r.IntN(4) == 0 {
		rec.Principal, rec.Resource = "", ""
	}
	if r.IntN(4) == 0 {
		rec.OnBehalfOf = []string{r.principal()}
	}
	if r.IntN(3) == 0 {
		rec.PolicyIDs = []string{r.of("p1", "p2"), r.of("p2", "p3")}
	}
	for range r.IntN(3) {
		rec.Tables, rec.Actions = append(rec.Tables, r.table()), append(rec.Actions, r.action())
	}
	for range r.IntN(5) {
		rec.Statement += r.word() + r.of("", " ")
	}
	rec.Statement = strings.ToValidUTF8(rec.Statement, "?")
	rec.Principal = strings.ToValidUTF8(rec.Principal, "\ufffd")
}

func (r random) query() auditlog.Query {
	q := auditlog.Query{From: noon.Add(-time.Duration(r.Int64N(int64(60 * time.Hour)))), Limit: 1 + r.IntN(60)}
	if r.IntN(3) == 0 {
		q.Until = q.From.Add(1 + time.Duration(r.Int64N(int64(20*time.Hour))))
	}
	for range r.IntN(4) {
		switch r.IntN(9) {
		case 0:
			q.Principal = r.principal()
		case 1:
			q.Resource = r.of("orders", "users", "none")
		case 2:
			q.Session = r.of("ses-0", "ses-1", "ses-2", "ses-known", "ses-none")
		case 3:
			q.Kind = r.of("admin", "command", "stream", "refusal", "login")
		case 4:
			q.Decision = r.of("allow", "deny", "hold")
		case 5:
			q.PolicyID = r.of("p1", "p2", "p3", "p")
		case 6:
			q.Text = r.of(r.word(), strings.ToUpper(r.word()), r.word()+r.word(), "SearchRec", "or")
		case 7:
			q.Table = r.of(r.table(), strings.ToUpper(r.table()), "bucket", "")
		case 8:
			q.Action = r.of(r.action(), "DELETE", "getobject", "sql")
		}
	}
	if r.IntN(3) == 0 {
		q.Without = func(p string) bool { return strings.Contains(p, "/List") }
	}
	return q
}

func (x *indexed) fillIn(r random, blocks int) {
	starts := make([]time.Duration, blocks)
	for i := range starts {
		starts[i] = time.Duration(r.Int64N(int64(55 * time.Hour)))
	}
	for i, back := range starts {
		if i%10 == 0 {
			x.adminAt(r, noon.Add(-back))
			continue
		}
		x.ids = mustIDs(x.t, i) // some are late
		var times []time.Time
		for n := range 1 + r.IntN(9) {
			times = append(times, noon.Add(-back).Add(time.Duration(n)*r.step()))
		}
		n := r.IntN(4)
		edge, session := r.of("edge-a", "edge-b"), fmt.Sprintf("ses-%d", n)
		if n == 3 {
			edge, session = "edge-a", "ses-known"
		}
		x.put(edge, session, r.fill, times...)
	}
}

// step keeps a block within an hour, which reading by hours relies on.
func (r random) step() time.Duration { return time.Duration(r.Int64N(int64(6 * time.Minute))) }

func mustIDs(t *testing.T, n int) *audit.IDSource {
	t.Helper()
	ids, err := audit.NewIDSource(strings.NewReader(fmt.Sprintf("%06d", n)))
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func (x *indexed) adminAt(r random, at time.Time) {
	x.t.Helper()
	now := x.now
	x.now = func() time.Time { return at }
	defer func() { x.now = now }()
	x.reopen()
	for range 1 + r.IntN(3) {
		rec := audit.Record{
			Kind: audit.KindAdmin, Principal: r.of("bot", "alice"), Decision: audit.Decision(r.of("allow", "allow", "deny")), ErrorCode: r.of("", "", "internal"),
			Attrs: []audit.Attr{{Name: "method", Value: r.of("/a.Audit/SearchRecords", "/a.Edge/ListEdges")}, {Name: "id", Value: r.of("ses-1", "x")}},
		}
		if r.IntN(5) == 0 {
			rec.Attrs = nil
		}
		if err := x.search.RecordAdmin(x.t.Context(), rec); err != nil {
			x.t.Fatal(err)
		}
	}
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("%d: got %q, want %q", i, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
	return "none"
}

// With the index a search finds what reading all blocks finds, in the same order, whatever the index has so far, also of late blocks.
func TestIndexFindsWhatReadingFinds(t *testing.T) {
	s := newSearchable(t)
	s.book.all["ses-known"] = auditlog.Session{Edge: "edge-a", Principals: []string{"ALICE", "sam"}, Resource: "users"}
	x := newIndexed(t, s)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := random{rand.New(rand.NewPCG(seed, 1))}
	x.fillIn(r, 200)
	for n, file := range s.files("/records/v1/") {
		if n%40 == 5 {
			if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.reopen()
	all := len(s.book.registered)
	queries := 20
	if testing.Short() {
		queries = 6
	}
	for _, n := range []int{0, 1, all / 3, all - 7, all} {
		x.catchUp(n)
		x.stop()
		x.openAgain()
		x.feed.place(n + r.IntN(all-n+1)) // of the rest some have their places
		for i := range queries {
			q := r.query()
			s.objects.gets = 0
			got := hits(t, x.log, q)
			want := hits(t, s.search, q)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("with %d of %d entries, query %d %+v: %d hits, want %d: %s", n, all, i, q, len(got), len(want), firstDifference(got, want))
			}
		}
		x.stop()
		x.start()
	}
}

// What is late, or not in the index for any reason, is found at once.
func TestIndexThatLags(t *testing.T) {
	s := newSearchable(t)
	x := newIndexed(t, s)
	for n := range 40 {
		s.put("edge-a", "ses-a", func(int, *audit.Record) {}, noon.Add(-time.Duration(40-n)*time.Minute))
	}
	x.catchUp(20)
	x.stop() // from here on nothing is indexed
	late := func(_ int, r *audit.Record) { r.Principal = "late" }
	s.ids = mustIDs(t, 9)
	s.put("edge-b", "ses-b", late, noon.Add(-30*time.Hour))
	x.feed.place(40) // the late one has no place yet
	x.openAgain()
	want := auditlog.Query{Principal: "late", From: noon.Add(-40 * time.Hour)}
	all := auditlog.Query{From: noon.Add(-40 * time.Hour)}
	for _, n := range []int{40, 41} {
		x.feed.place(n)
		if got := hits(t, x.log, want); len(got) != 1 {
			t.Errorf("with %d placed: %d late records", n, len(got))
		}
		if got := hits(t, x.log, all); len(got) != 41 {
			t.Errorf("with %d placed: %d records", n, len(got))
		}
	}
	// An index that is too far behind is left alone, and so is one of a longer log.
	x.feed.place(0)
	if got := hits(t, x.log, all); len(got) != 41 {
		t.Errorf("of a shorter log: %d records", len(got))
	}
	if err := x.index.Reset(); err != nil {
		t.Fatal(err)
	}
	x.feed.only = slices.Repeat(s.book.registered[:1], 5000)
	x.feed.place(5000)
	if got := hits(t, x.log, all); len(got) != 41 {
		t.Errorf("with an index far behind: %d records", len(got))
	}
}

// Whose a session is may be known only after its records were indexed.
func TestIndexOfUnownedRecords(t *testing.T) {
	s := newSearchable(t)
	x := newIndexed(t, s)
	s.put("edge-a", "ses-later", func(_ int, r *audit.Record) { r.Kind, r.Principal, r.Resource = audit.KindOutcome, "", "" }, noon.Add(-time.Hour))
	x.catchUp(1)
	s.book.mu.Lock()
	s.book.all["ses-later"] = auditlog.Session{Edge: "edge-a", Principals: []string{"ada"}, Resource: "orders"}
	s.book.mu.Unlock()
	for _, q := range []auditlog.Query{{Principal: "Ada"}, {Resource: "orders"}} {
		if got := hits(t, x.log, q); len(got) != 1 {
			t.Errorf("%+v: %d records", q, len(got))
		}
	}
	if got := hits(t, x.log, auditlog.Query{Principal: "eve"}); len(got) != 0 {
		t.Errorf("eve has %d records", len(got))
	}
}

// An index of another log, or of an end that the log does not have, is made again.
func TestIndexOfAnotherLog(t *testing.T) {
	s := newSearchable(t)
	x := newIndexed(t, s)
	s.fillIn(30)
	x.catchUp(30)
	x.stop()
	other := slices.Clone(s.book.registered)
	slices.Reverse(other)
	other = append(other, other[0])
	for name, entries := range map[string][]merklelog.Entry{"another": other, "shorter": s.book.registered[:10]} {
		x.feed.only = entries
		x.start()
		x.catchUp(len(entries))
		if got, want := hits(t, x.log, auditlog.Query{From: noon.Add(-40 * time.Hour)}), len(entries); name == "another" && len(got) != len(s.all) {
			t.Errorf("%s: %d records of %d, %d entries", name, len(got), len(s.all), want)
		}
		parts, n := x.index.Parts()
		if found, err := parts[0].Find(recordindex.Query{}); err != nil || len(found) != len(entries) || n != int64(len(entries)) {
			t.Errorf("%s: %d blocks, want %d: %v", name, len(found), len(entries), err)
		}
		x.stop()
		x.feed.only = nil
		x.start()
		x.catchUp(30)
		x.stop()
	}
}

// A block that is in the log and not in the store is named, unless the log says that its time was over, or it may never have been stored.
func TestIndexNamesWhatIsMissing(t *testing.T) {
	s := newSearchable(t)
	x := newIndexed(t, s)
	s.fillIn(30)
	x.catchUp(28)
	all := auditlog.Query{From: noon.Add(-40 * time.Hour)}
	before := hits(t, x.log, all)
	remove := func(n int) string {
		key := s.book.registered[n].Key
		if err := os.Remove(filepath.Join(s.dir, key)); err != nil {
			t.Fatal(err)
		}
		return key
	}
	missing, over := remove(3), remove(4)
	remove(29) // announced, and not stored
	retired := s.book.registered[4]
	retired.Kind = merklelog.Retired
	s.book.mu.Lock()
	s.book.registered = append(s.book.registered[:28:28], retired, s.book.registered[28], s.book.registered[29])
	s.book.mu.Unlock()
	x.catchUp(29)
	got := hits(t, x.log, all)
	if !slices.Contains(got, missing) || slices.Contains(got, over) || len(got) >= len(before) || len(got) < len(before)-15 {
		t.Errorf("%d hits of %d, the missing block among them: %v, the retired: %v", len(got), len(before), slices.Contains(got, missing), slices.Contains(got, over))
	}
	for _, h := range got {
		if strings.HasSuffix(h, ".blk") && h != missing {
			t.Errorf("%s is named", h)
		}
	}
}

// An index that cannot be read makes a search slower, and no less true.
func TestIndexThatCannotBeRead(t *testing.T) {
	s := newSearchable(t)
	x := newIndexed(t, s)
	for n := range 17 { // more than a part of the index has in memory
		s.ids = mustIDs(t, n)
		chain, err := audit.NewChain("edge-a", "ses-a")
		if err != nil {
			t.Fatal(err)
		}
		var raw [][]byte
		for i := range 5000 {
			at := noon.Add(-time.Hour + time.Duration(i)*time.Second/2)
			b, err := chain.Append(nil, &audit.Record{ID: s.ids.Next(at), Time: at, Kind: audit.KindCommand, Principal: "bot"})
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, b)
		}
		s.ship(s.block("edge-a", raw...))
	}
	x.catchUp(17)
	q := auditlog.Query{From: noon.Add(-40 * time.Hour), Until: noon.Add(-time.Hour + time.Second/2), Limit: 200}
	if got := hits(t, x.log, q); len(got) != 17 {
		t.Fatalf("%d records", len(got))
	}
	some := auditlog.Query{From: noon.Add(-40 * time.Hour), Until: noon.Add(-time.Hour + 10*time.Second)}
	ids := hits(t, x.log, some)
	slices.Reverse(ids)
	if len(ids) != 340 || !slices.IsSorted(ids) {
		t.Errorf("%d records of two parts of the index, in their order: %v", len(ids), slices.IsSorted(ids))
	}
	x.stop() // which closes its files
	if got := hits(t, x.log, q); len(got) != 17 {
		t.Fatalf("%d records without the index's files", len(got))
	}
}

func TestIndexNeedsAFeed(t *testing.T) {
	s := newSearchable(t)
	index, err := recordindex.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]auditlog.Config{"no feed": {Index: index}, "no index": {Feed: &feed{book: s.book}}} {
		cfg.Objects, cfg.Sessions, cfg.Registrar, cfg.Replica = s.objs, s.book, s.book, "cp-x"
		if _, err := auditlog.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
