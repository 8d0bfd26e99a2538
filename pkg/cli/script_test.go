package cli_test

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/cli"
	"github.com/writhq/writ/pkg/cli/clitest"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"aws-go": awsGo, "writ": func() {
		ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		os.Exit(cli.Run(ctx, cli.Process(), os.Args[1:]))
	}})
}

// TestScript runs the stories in testdata/script, each against a control plane and an edge of its own. $KIM, $DANA and
// $ROOT are login tokens; Kim asks, Dana is in the group dba.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			tb := env.T().(testing.TB)
			cp := clitest.StartControlPlane(tb)
			edge := clitest.StartEdge(tb, cp)
			clitest.StartAWSEdge(tb, cp)
			populate(cp)
			env.Values[controlKey{}] = cp
			ca := filepath.Join(env.WorkDir, "ca.pem")
			for name, value := range map[string]string{
				"WRIT_SERVER": cp.URL, "WRIT_CA_FILE": ca, "WRIT_HOME": filepath.Join(env.WorkDir, "home"), "PIN": cp.Pin,
				"KIM": "kim-token", "DANA": "dana-token", "ROOT": "root-token", "WRIT_TOKEN": "kim-token", "EDGE": edge.Addr,
			} {
				env.Setenv(name, value)
			}
			return os.WriteFile(ca, cp.CAPEM, 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"expect-exit": expectExit, "until-waiting": untilWaiting, "add-account": addAccount},
	})
}

// expectExit runs "expect-exit CODE writ ARGS...".
func expectExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: expect-exit code command args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if exit, ok := err.(interface{ ExitCode() int }); ok {
		code = string(rune('0' + exit.ExitCode()))
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// untilWaiting waits until a command waits for something to happen at the control plane.
func untilWaiting(ts *testscript.TestScript, _ bool, _ []string) {
	cp := ts.Value(controlKey{}).(*clitest.ControlPlane)
	select {
	case <-cp.Waiting():
	case <-time.After(30 * time.Second):
		ts.Fatalf("nobody waits")
	}
}

// addAccount adds an AWS account to the inventory.
func addAccount(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(controlKey{}).(*clitest.ControlPlane).AddAccount(args[0])
}

type controlKey struct{}

func populate(cp *clitest.ControlPlane) {
	kim := &accessv1.Principal{
		Name: "kim@example.com", Kind: accessv1.PrincipalKind_PRINCIPAL_KIND_AGENT, Groups: []string{"dev"},
		Issuer: "https://idp.example", OnBehalfOf: []string{"lee@example.com"},
	}
	cp.AddPrincipal("kim-token", "kim-oidc", kim)
	cp.AddPrincipal("dana-token", "dana-oidc", &accessv1.Principal{
		Name: "dana@example.com", Kind: accessv1.PrincipalKind_PRINCIPAL_KIND_PERSON, Groups: []string{"dba"}})
	cp.AddPrincipal("root-token", "admin-once", &accessv1.Principal{Name: "admin", Issuer: "writ"})
	cp.AddHold(&accessv1.HeldCommand{
		Id: "hold-1", Principal: kim, Resource: "orders-db", Edge: "edge-a", Session: "sess-1", Grant: "grant-9",
		Statement: "DELETE FROM ord\u0435rs\nWHERE id > $1 -- \u202ehidden\x1b[2K", Params: []string{"100"},
		Actions: []string{"sql:delete"}, Tables: []string{"app.orders"}, Reason: "Bulk delete in production", RequestReason: "clean up",
		PolicyIds: []string{"prod-delete"}, Revision: 12, Requirements: []*accessv1.Requirement{{Count: 1, Group: "dba"}},
		Preview: &accessv1.Preview{
			EstimatedRows: proto.Float64(12), ExactRows: proto.Int64(7), Detail: "counted as this session sees them",
			Plan: "Delete on app.orders\n  Seq Scan on app.orders (rows about 12)",
		},
		Flags:  []*accessv1.TextFlag{{Offset: 15, Length: 2, Kind: "confusable", Detail: "U+0435, a Cyrillic letter, looks like 'e'"}, {Param: 1, Offset: 3, Length: 3, Kind: "bidi", Detail: "x\x1b"}},
		Digest: "d1935700", State: accessv1.HoldState_HOLD_STATE_PENDING,
		CreatedAt: timestamppb.New(time.Now()), ExpiresAt: timestamppb.New(time.Now().Add(time.Hour)),
	})
	cp.AddSession(&accessv1.Session{
		Id: "sess-1", Principal: kim, Resource: "orders-db", Edge: "edge-a", Protocol: "postgres", Application: "psql\x1b]0;x\x07",
		Live: true, StartedAt: timestamppb.New(time.Now().Add(-time.Minute)), RequestReason: "clean up",
	},
		&accessv1.Record{Json: `{"kind":"session_open","time":"2026-03-01T12:00:00Z","principal":"kim@example.com","resource":"orders-db"}`},
		&accessv1.Record{Json: `{"kind":"command","time":"2026-03-01T12:00:01Z","decision":"allow","policy_ids":["dev-read"],"revision":4,"statement":"select 1"}`},
		&accessv1.Record{Json: `{"kind":"rows","time":"2026-03-01T12:00:01Z","columns":["email"],"rows":[["****"]],"masked_columns":["c.email"]}`},
	)
	addTerminal(cp, kim)
	for _, method := range []string{"PushPolicy", "ListLocks"} {
		cp.AddAdminRecord(&accessv1.Record{
			Kind: "admin", Principal: "admin", Time: timestamppb.New(time.Unix(1772366400, 0)),
			Json: `{"kind":"admin","time":"2026-03-01T12:00:00Z","decision":"allow","attrs":[{"name":"method","value":"` + method + `"}]}`,
		})
	}
}

// addTerminal adds a session with an exec, c1, and a stream without a terminal, c2.
func addTerminal(cp *clitest.ControlPlane, who *accessv1.Principal) {
	records := []*accessv1.Record{
		{Json: `{"kind":"session_open","time":"2026-03-01T12:00:00Z","principal":"kim@example.com","resource":"shop","protocol":"kubernetes"}`},
		{Json: `{"kind":"command","command":"c1","time":"2026-03-01T12:00:01Z","decision":"allow","statement":"exec shop/web -- sh"}`},
	}
	piece := func(command, stream, after, data string) {
		records = append(records, &accessv1.Record{Json: `{"kind":"stream","command":"` + command + `","time":"2026-03-01T12:00:02Z","duration":"` + after +
			`","params":["` + data + `"],"attrs":[{"name":"stream","value":"` + stream + `"}]}`})
	}
	piece("c1", "resize", "10ms", "100x30")
	piece("c1", "stdout", "100ms", `$ \u001b[1mls\u001b[0m\u001b]0;x\u0007\r\n`)
	piece("c1", "stdin", "200ms", `ls\r`)
	piece("c2", "body", "200ms", `a line\n`)
	records = append(records, &accessv1.Record{Json: `{"kind":"outcome","command":"c1","time":"2026-03-01T12:00:02Z","command_tag":"101 Switching Protocols"}`})
	cp.AddSession(&accessv1.Session{
		Id: "sess-k", Principal: who, Resource: "shop", Edge: "edge-a", Protocol: "kubernetes", StartedAt: timestamppb.New(time.Now().Add(-time.Hour)),
	}, records...)
}
