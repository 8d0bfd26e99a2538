package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/writhq/writ/pkg/oidctest"
	"github.com/writhq/writ/test/world"
)

// ciIssuer is how the control plane knows the pipelines of one repository. Their principals' names begin with "ci:".
const ciIssuer = `- url: %s
  audiences: [writ]
  name_prefix: "ci:"
  kind: job
  groups: [agents]
  require: {repository: acme/shop, ref: refs/heads/main}
`

// TestScript runs the stories in testdata/script, one after another, with the real binaries before a real database. $ROOT
// administers, $DANA is a person in the group dba; "ci-token NAME CLAIM=VALUE..." sets $NAME to a token of the pipelines'
// issuer.
func TestScript(t *testing.T) {
	ci, err := oidctest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ci.Close() })
	w := world.Start(t, world.Config{Issuers: fmt.Sprintf(ciIssuer, ci.URL())})
	// The same database once more, as production.
	prod := strings.NewReplacer("name: orders-db", "name: billing-db", "env: demo", "env: prod").Replace(world.Manifest)
	if err := w.Apply(t.Context(), prod); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"PATH":        filepath.Clean(w.Bin) + ":" + env.Getenv("PATH"),
				"WRIT_SERVER": "https://" + w.Access, "WRIT_CA_FILE": w.CAFile, "WRIT_HOME": filepath.Join(env.WorkDir, "home"),
				"ROOT": w.Administrator(), "DANA": w.Token("dana@example.com", "person", "dba"),
				"ORDERS_DB": fmt.Sprintf("host=127.0.0.1 port=%s dbname=%s sslmode=verify-full sslrootcert=%s", portOf(w.Postgres), world.Resource, w.CAFile),
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ci-token": func(ts *testscript.TestScript, neg bool, args []string) { ciToken(ts, ci, args) },
			"await":    func(ts *testscript.TestScript, neg bool, args []string) { awaitOutput(ts, args) },
			"target":   func(ts *testscript.TestScript, neg bool, args []string) { target(ts, w, args) },
		},
	})
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// ciToken runs "ci-token NAME CLAIM=VALUE...".
func ciToken(ts *testscript.TestScript, ci *oidctest.Issuer, args []string) {
	claims := oidctest.Claims{
		"sub": "repo:acme/shop:ref:refs/heads/main", "aud": "writ", "repository": "acme/shop", "ref": "refs/heads/main",
		"repository_owner": "acme", "run_id": "4711", "exp": time.Now().Add(10 * time.Minute).Unix(),
	}
	for _, pair := range args[1:] {
		name, value, _ := strings.Cut(pair, "=")
		claims[name] = value
	}
	token, err := ci.Token(claims)
	ts.Check(err)
	ts.Setenv(args[0], token)
}

// awaitOutput runs "await NAME PATTERN COMMAND ARGS...": the command again and again, until its output matches; $NAME is the
// first group of the match.
func awaitOutput(ts *testscript.TestScript, args []string) {
	pattern := regexp.MustCompile(args[1])
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ts.Exec(args[2], args[3:]...) != nil {
			continue
		}
		if m := pattern.FindStringSubmatch(ts.ReadFile("stdout")); m != nil {
			ts.Setenv(args[0], m[len(m)-1])
			return
		}
	}
	ts.Fatalf("%q never matched %s", strings.Join(args[2:], " "), pattern)
}

// target runs "target SQL WANT" at the database itself, past the edge. What ends elsewhere, such as a session's role, may
// take a moment to.
func target(ts *testscript.TestScript, w *world.World, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := w.PG.Connect(ctx, world.Database)
	ts.Check(err)
	defer conn.Close(context.Background())
	var got string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		ts.Check(conn.QueryRow(ctx, "SELECT ("+args[0]+")::text").Scan(&got))
		if got == args[1] {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: got %s, want %s", args[0], got, args[1])
		}
	}
}
