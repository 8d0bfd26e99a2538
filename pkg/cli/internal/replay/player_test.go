package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/replay"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// recording is a session in pkg/audit's own JSON.
func recording(t testing.TB) [][]byte {
	records := []audit.Record{
		{Kind: audit.KindSessionOpen, Principal: "kim@example.com", Resource: "orders-db", Edge: "edge-a"},
		{Time: start.Add(time.Second), Kind: audit.KindCommand, Decision: audit.Allow, PolicyIDs: []string{"dev-read"}, Revision: 4,
			Statement: "select id,\n  email from customers where id = $1", Params: []audit.Param{{Data: []byte("7")}}},
		{Time: start.Add(time.Second), Kind: audit.KindRows, Columns: []string{"id", "email"}, MaskedColumns: []string{"public.customers.email"},
			Rows: [][]audit.Value{{{Data: []byte("7")}, {Data: []byte("****\x1b[31m"), Masked: true}}, {{Null: true}, {Data: []byte{0xff}}}}},
		{Time: start.Add(2 * time.Second), Kind: audit.KindOutcome, CommandTag: "SELECT 2", RowCount: 2, Duration: 12 * time.Millisecond},
		{Time: start.Add(time.Hour), Kind: audit.KindRefusal, Decision: audit.Deny, PolicyIDs: []string{"no-ddl"}, Reason: "no DDL", Statement: "drop table x"},
		{Time: start.Add(time.Hour), Kind: audit.KindOutcome, ErrorCode: "42601", ErrorMessage: "syntax error"},
	}
	var out [][]byte
	for _, r := range records {
		if r.Time.IsZero() {
			r.Time = start
		}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw)
	}
	return out
}

const want = `   +0.000s  session opened by kim@example.com on orders-db through edge-a
   +1.000s  allow by dev-read at revision 4
              | select id,
              |   email from customers where id = $1
              $1 = 7
   +1.000s  2 rows recorded, masked public.customers.email
              id    email
              7     ****\u{1b}[31m
              NULL  base64:/w==
   +2.000s  done SELECT 2, 2 rows in 12ms
+3600.000s  deny by no-ddl because no DDL
              | drop table x
+3600.000s  error 42601: syntax error
`

func TestPlay(t *testing.T) {
	var out bytes.Buffer
	printer, err := output.New(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	p, err := replay.NewPlayer(replay.Config{Printer: printer, Speed: 2, Sleep: func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range recording(t) {
		if err := p.Play(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if !slices.Equal(pauses, []time.Duration{500 * time.Millisecond, 500 * time.Millisecond, 3 * time.Second}) {
		t.Errorf("paused %v", pauses)
	}
}

// TestPlayAWS: the values of a call of the AWS API say themselves what they are.
func TestPlayAWS(t *testing.T) {
	var out bytes.Buffer
	printer, err := output.New(&out, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := replay.NewPlayer(replay.Config{Printer: printer})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []audit.Record{
		{Time: start, Kind: audit.KindSessionOpen, Principal: "kim@example.com", Resource: "prod", Edge: "edge-a", Protocol: "aws"},
		{Time: start, Kind: audit.KindCommand, Decision: audit.Allow, Statement: "ssm:PutParameter eu-west-1 111122223333", Params: []audit.Param{{Data: []byte("Name=p")}, {Data: []byte("Value=***\nx")}}},
	} {
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Play(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	want := `              | ssm:PutParameter eu-west-1 111122223333
              Name=p
              Value=***
              | x
`
	if got := out.String(); !strings.HasSuffix(got, want) {
		t.Errorf("%s", got)
	}
}

func FuzzPlay(f *testing.F) {
	for _, raw := range recording(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out bytes.Buffer
		printer, err := output.New(&out, 80)
		if err != nil {
			t.Fatal(err)
		}
		p, err := replay.NewPlayer(replay.Config{Printer: printer})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Play(t.Context(), raw); err != nil && !errors.Is(err, replay.ErrRecord) {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\x07\r") {
			t.Fatalf("wrote %q", out.String())
		}
	})
}
