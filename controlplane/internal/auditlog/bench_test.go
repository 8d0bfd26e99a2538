package auditlog_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/recordindex"
	"github.com/writhq/writ/pkg/audit"
)

var benchRecords = flag.Int("records", 100_000, "records that BenchmarkSearch searches")

// quick is a Folder that does not wait for the disk.
type quick struct {
	*auditlog.Folder
	dir string
}

func (q quick) Put(_ context.Context, key string, data []byte) error {
	path := filepath.Join(q.dir, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

const (
	benchBlock   = 500 // records
	benchEdges   = 20
	benchAgents  = 500
	benchSession = 100 // records
)

// bench is a store of ten days of the work of many agents.
type bench struct {
	b     *testing.B
	dir   string
	objs  auditlog.ObjectStore
	book  *book
	feed  *feed
	began time.Time
	bytes int64
}

func newBench(b *testing.B, records int) *bench {
	b.Helper()
	x := &bench{b: b, dir: b.TempDir(), book: &book{all: map[string]auditlog.Session{}}, began: noon.Add(-240 * time.Hour)}
	folder, err := auditlog.OpenFolder(filepath.Join(x.dir, "objects"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = folder.Close() })
	x.objs, x.feed = quick{folder, filepath.Join(x.dir, "objects")}, &feed{book: x.book}
	log := x.log(nil, nil)
	ids, err := audit.NewIDSource(mustSeed())
	if err != nil {
		b.Fatal(err)
	}
	blocks := (records + benchBlock - 1) / benchBlock
	r := rand.New(rand.NewPCG(1, 1))
	for n := range blocks {
		at := x.began.Add(240 * time.Hour * time.Duration(n) / time.Duration(blocks))
		block := x.block(r, ids, n, at)
		x.bytes += int64(len(block.Data))
		if err := log.Ship(b.Context(), block); err != nil {
			b.Fatal(err)
		}
	}
	x.feed.place(blocks)
	return x
}

func mustSeed() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

func (x *bench) log(index *recordindex.Index, feed auditlog.Feed) *auditlog.Log {
	x.b.Helper()
	log, err := auditlog.New(auditlog.Config{
		Objects: x.objs, Sessions: x.book, Registrar: x.book, Replica: "bench", Now: func() time.Time { return noon }, Poll: time.Millisecond,
		Index: index, Feed: feed,
	})
	if err != nil {
		x.b.Fatal(err)
	}
	return log
}

// block has the work of some sessions: two commands in three records, and what became of them.
func (x *bench) block(r *rand.Rand, ids *audit.IDSource, n int, at time.Time) auditlog.Block {
	x.b.Helper()
	edge := fmt.Sprintf("edge-%d", n%benchEdges)
	enc, err := audit.NewBlockEncoder(edge)
	if err != nil {
		x.b.Fatal(err)
	}
	var raw [][]byte
	for s := range benchBlock / benchSession {
		chain, err := audit.NewChain(edge, fmt.Sprintf("ses-%08d%d", n, s))
		if err != nil {
			x.b.Fatal(err)
		}
		agent := r.IntN(benchAgents)
		for i := range benchSession {
			at := at.Add(time.Duration(i) * time.Millisecond)
			rec := audit.Record{ID: ids.Next(at), Time: at, Kind: audit.KindOutcome, RowCount: int64(r.IntN(100)), CommandTag: "SELECT 20"}
			if i%3 != 2 {
				command(r, &rec)
				rec.Principal, rec.Resource = fmt.Sprintf("agent-%d", agent), fmt.Sprintf("orders-%d", agent%40)
			}
			b, err := chain.Append(nil, &rec)
			if err != nil {
				x.b.Fatal(err)
			}
			raw = append(raw, b)
		}
	}
	data, err := enc.Encode(nil, raw)
	if err != nil {
		x.b.Fatal(err)
	}
	return auditlog.Block{Edge: edge, Boot: "boot", Sequence: uint64(n + 1), Data: data}
}

func command(r *rand.Rand, rec *audit.Record) {
	rec.Kind, rec.Decision, rec.PolicyIDs = audit.KindCommand, audit.Allow, []string{fmt.Sprintf("policy-%d", r.IntN(30))}
	rec.PrincipalKind, rec.Protocol, rec.Application = "agent", "postgres", "psql"
	switch r.IntN(4) {
	case 0:
		rec.Statement = fmt.Sprintf("SELECT id, total, status FROM orders WHERE customer_id = %d AND status = 'open' ORDER BY created_at DESC LIMIT 20", r.IntN(1e9))
		rec.Actions, rec.Tables = []string{"sql:select"}, []string{"public.orders"}
	case 1:
		rec.Statement = fmt.Sprintf("UPDATE accounts_%d SET balance = balance - %d WHERE id = %d", r.IntN(100), r.IntN(1000), r.IntN(1e9))
		rec.Actions, rec.Tables = []string{"sql:update"}, []string{"public.accounts"}
	case 2:
		rec.Statement = fmt.Sprintf("INSERT INTO events (id, kind, payload) VALUES (%d, 'k%d', $1)", r.IntN(1e9), r.IntN(50))
		rec.Actions, rec.Tables = []string{"sql:insert"}, []string{"audit.events"}
	default:
		rec.Statement = fmt.Sprintf("DELETE FROM sessions WHERE token = '%08x%08x'", r.Uint32(), r.Uint32())
		rec.Actions, rec.Tables = []string{"sql:delete"}, []string{"public.sessions"}
	}
	if r.IntN(1000) == 0 {
		rec.Kind, rec.Decision, rec.PolicyIDs = audit.KindRefusal, audit.Deny, []string{"prod-delete"}
	}
}

// query is one of a mix, over all ten days, of what there is much of, little, and nothing.
func (x *bench) query(r *rand.Rand) (kind string, q auditlog.Query) {
	agent := fmt.Sprintf("Agent-%d", r.IntN(benchAgents))
	mix := []struct {
		kind  string
		query auditlog.Query
	}{
		{"principal", auditlog.Query{Principal: agent}},
		{"resource", auditlog.Query{Resource: fmt.Sprintf("orders-%d", r.IntN(40))}},
		{"denied", auditlog.Query{Decision: "deny"}},
		{"denied of principal", auditlog.Query{Decision: "deny", Principal: agent}},
		{"policy", auditlog.Query{PolicyID: fmt.Sprintf("policy-%d", r.IntN(30))}},
		{"table and verb", auditlog.Query{Table: "accounts", Action: "update"}},
		{"table, verb, principal, policy", auditlog.Query{Table: "events", Action: "insert", Principal: agent, PolicyID: "prod-delete"}},
		{"common text", auditlog.Query{Text: "delete from"}},
		{"rare text", auditlog.Query{Text: fmt.Sprintf("customer_id = %d", r.IntN(1e6))}},
		{"token", auditlog.Query{Text: fmt.Sprintf("%04x%04x", r.IntN(1<<16), r.IntN(1<<16))}},
		{"text of principal", auditlog.Query{Text: fmt.Sprintf("accounts_%d set", r.IntN(100)), Principal: agent}},
		{"session", auditlog.Query{Session: fmt.Sprintf("ses-%08d%d", r.IntN(max(1, len(x.feed.all()))), r.IntN(5))}},
		{"nobody", auditlog.Query{Principal: "eve"}},
		{"no such text", auditlog.Query{Text: "drop table"}},
		{"text in a day", auditlog.Query{Text: "id = 77", From: noon.Add(-72 * time.Hour), Until: noon.Add(-48 * time.Hour)}},
	}
	m := mix[r.IntN(len(mix))]
	if m.query.From.IsZero() {
		m.query.From = x.began.Add(-time.Hour)
	}
	return m.kind, m.query
}

// BenchmarkSearch measures how fast records are indexed, how large the index is, and how long the first page of a search takes:
//
//	go test ./controlplane/internal/auditlog -run '^$' -bench Search -benchtime 500x -timeout 60m -args -records 10000000
func BenchmarkSearch(b *testing.B) {
	x := newBench(b, *benchRecords)
	dir := filepath.Join(x.dir, "index")
	index, err := recordindex.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = index.Close() })
	log := x.log(index, x.feed)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	began := time.Now()
	go func() { defer close(done); _ = log.RunIndex(ctx) }()
	for next := int64(0); next < int64(len(x.feed.all())); next, _ = index.Next() {
		time.Sleep(time.Millisecond)
	}
	ingest := time.Since(began)
	cancel()
	<-done
	if err := index.Save(); err != nil {
		b.Fatal(err)
	}
	records := float64(len(x.feed.all()) * benchBlock)
	r := rand.New(rand.NewPCG(2, 2))
	took := map[string][]time.Duration{}
	var all []time.Duration
	pages, hits := 0, 0
	for b.Loop() {
		kind, q := x.query(r)
		began := time.Now()
		for { // to the first page, or to the end
			found, err := log.Search(b.Context(), q)
			if err != nil {
				b.Fatal(err)
			}
			pages, hits = pages+1, hits+len(found.Hits)
			if q.After = found.Next; q.After == "" || len(found.Hits) > 0 {
				break
			}
		}
		d := time.Since(began)
		all, took[kind] = append(all, d), append(took[kind], d)
	}
	for kind, times := range took {
		b.Logf("%-32s p50 %8s  max %8s", kind, quantile(times, 50).Round(time.Microsecond), quantile(times, 100).Round(time.Microsecond))
	}
	b.ReportMetric(records, "records")
	b.ReportMetric(records/ingest.Seconds(), "indexed/s")
	b.ReportMetric(float64(size(b, dir))/records, "index-B/record")
	b.ReportMetric(float64(x.bytes)/records, "stored-B/record")
	b.ReportMetric(float64(quantile(all, 50).Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(quantile(all, 99).Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(hits)/float64(pages), "hits/page")
}

func quantile(times []time.Duration, percent int) time.Duration {
	slices.Sort(times)
	return times[min(len(times)*percent/100, len(times)-1)]
}

func size(b *testing.B, dir string) (n int64) {
	b.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			b.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
