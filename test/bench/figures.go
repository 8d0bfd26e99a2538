package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
)

// masked compares a masked result of many rows with the same result unmasked, both
// through the edge.
func (b *bed) masked(ctx context.Context) ([]Figure, error) {
	agent := b.paths[2]
	reader := agent
	reader.user = "reader@example.com"
	token, err := b.w.Grant(ctx, b.w.Token(reader.user, "agent", "agents", "pii-readers"))
	if err != nil {
		return nil, err
	}
	reader.password = token
	var with, without []time.Duration
	for range max(b.rounds, 3) {
		for _, r := range []struct {
			p   path
			all *[]time.Duration
		}{{agent, &with}, {reader, &without}} {
			d, err := b.readAll(ctx, r.p)
			if err != nil {
				return nil, err
			}
			*r.all = append(*r.all, d)
		}
	}
	ours, peer := shortest(with).Seconds(), shortest(without).Seconds()
	return []Figure{atMost(fmt.Sprintf("masked result of %d rows", b.rows), "s", ours, peer, "the same unmasked", 1.3)}, nil
}

func shortest(d []time.Duration) time.Duration {
	least := d[0]
	for _, v := range d {
		least = min(least, v)
	}
	return least
}

// readAll reads every row without decoding it.
func (b *bed) readAll(ctx context.Context, p path) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, b.w.DSN(p.user, p.password))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	began := time.Now()
	results := conn.PgConn().Exec(ctx, "SELECT id, name, email, city FROM big")
	n := 0
	for results.NextResult() {
		for rr := results.ResultReader(); rr.NextRow(); n++ {
		}
	}
	if err := results.Close(); err != nil {
		return 0, err
	}
	if n != b.rows {
		return 0, fmt.Errorf("read %d rows of %d", n, b.rows)
	}
	return time.Since(began), nil
}

// footprint measures the edge's binary and memory.
func (b *bed) footprint(context.Context) ([]Figure, error) {
	info, err := os.Stat(filepath.Join(b.bin, "writ-edge"))
	if err != nil {
		return nil, err
	}
	figures := []Figure{atMost("edge binary", "MB", float64(info.Size())/1e6, 40, "the limit", 1)}
	return append(figures,
		atMost("edge memory when idle", "MB", b.idle/1000, 40, "the limit", 1),
		atMost("edge memory for an idle session", "KB", b.session, 64, "the limit", 1)), nil
}

// idleSessions is how many sessions are opened to measure one.
const idleSessions = 100

// measureIdle notes the edge's memory before any load, and what an idle session adds.
func (b *bed) measureIdle(ctx context.Context) error {
	token, err := b.w.Grant(ctx, b.w.Token("idle@example.com", "agent", "agents"))
	if err != nil {
		return err
	}
	if b.idle, err = resident(b.w.Edge.PID()); err != nil {
		return err
	}
	var conns []*pgx.Conn
	defer func() {
		for _, c := range conns {
			c.Close(ctx)
		}
	}()
	open := func(n int) error {
		for range n {
			c, err := pgx.Connect(ctx, b.w.DSN("idle@example.com", token))
			if err != nil {
				return err
			}
			conns = append(conns, c)
		}
		return nil
	}
	if err := open(5); err != nil { // the first ones pay for the catalog
		return err
	}
	before, err := resident(b.w.Edge.PID())
	if err != nil {
		return err
	}
	if err := open(idleSessions); err != nil {
		return err
	}
	after, err := resident(b.w.Edge.PID())
	b.session = max(0, after-before) / idleSessions
	return err
}

// resident is a process's resident memory in KB, where /proc tells it.
func resident(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("no resident memory of process %d", pid)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// inProcess measures masking and decisions by themselves.
func inProcess() ([]Figure, error) {
	masking, err := maskingRate()
	if err != nil {
		return nil, err
	}
	fresh, err := decisionTime(1000)
	if err != nil {
		return nil, err
	}
	return []Figure{
		atLeast("masking row text, one core", "MB/s", masking, 500, "the target", 1),
		atMost("decision under 1000 policies", "us", fresh, 5, "the target", 1),
	}, nil
}

func maskingRate() (float64, error) {
	det, err := mask.New(mask.Config{})
	if err != nil {
		return 0, err
	}
	plan, err := mask.NewPlan([]mask.Column{{OID: 20}, {OID: 25}, {OID: 25}, {OID: 25, Rule: &mask.Rule{Kind: mask.Redact}}}, mask.Key{})
	if err != nil {
		return 0, err
	}
	row := []byte{0, 4}
	for _, v := range []string{"1234567", "Customer number one", "A longer note about what was ordered, where it went and why it came back to us.", "customer1234@example.com"} {
		row = append(row, 0, 0, 0, byte(len(v)))
		row = append(row, v...)
	}
	r := testing.Benchmark(func(b *testing.B) {
		dst := make([]byte, 0, 512)
		for b.Loop() {
			if dst, _, err = mask.RewriteDataRow(dst[:0], row, plan, det); err != nil {
				b.Fatal(err)
			}
		}
	})
	return float64(len(row)) * float64(r.N) / r.T.Seconds() / 1e6, nil
}

// decisionTime is the time of one decision, in microseconds, under n policies of many teams.
func decisionTime(n int) (float64, error) {
	text := "@id(\"p0\")\npermit (principal in Group::\"g0\", action in Action::\"sql:read\", resource in Schema::\"db/public\");\n"
	for i := 1; i < n; i++ {
		text += fmt.Sprintf("@id(\"p%d\")\npermit (principal in Group::\"g%d\", action in Action::\"sql:read\", resource in Schema::\"db/s%d\");\n", i, i%50, i%40)
	}
	set, err := policy.Compile(policy.Bundle{Files: map[string][]byte{"p.cedar": []byte(text)}})
	if err != nil {
		return 0, err
	}
	eval, err := set.For(policy.Principal{Kind: policy.KindAgent, ID: "a", Groups: []string{"g0", "g1"}}, policy.Resource{Name: "db", Kind: "postgres"}, policy.Origin{})
	if err != nil {
		return 0, err
	}
	q := policy.Question{Action: policy.SQLSelect, Entity: policy.ResourceName("db").Table("public", "orders", policy.TableInfo{})}
	facts := policy.Statement{Kind: "select", Where: true, Tables: []string{"public.orders"}}.Facts()
	moment := policy.Moment{Now: time.Now()}
	if d := eval.Decide(moment, facts, q); d.Effect != policy.Allow {
		return 0, fmt.Errorf("the decision is %s: %s", d.Effect, d.Reason)
	}
	r := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			eval.Decide(moment, facts, q)
		}
	})
	return float64(r.T.Nanoseconds()) / float64(r.N) / 1000, nil
}
