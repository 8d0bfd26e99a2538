package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/pkg/cli"
	"github.com/writhq/writ/pkg/cli/clitest"
)

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const openManifest = `kind: postgres
name: orders-db
endpoint: h:1
database: orders
credential: {rds_iam: {user: u, region: r}}
`

type bench struct {
	cp    *clitest.ControlPlane
	edge  *clitest.Edge
	clock *clock
	env   cli.Env
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{cp: clitest.StartControlPlane(t), clock: &clock{now: time.Now()}}
	b.edge = clitest.StartEdge(t, b.cp)
	populate(b.cp)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, b.cp.CAPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	b.env = cli.Env{
		Environ: []string{"WRIT_SERVER=" + b.cp.URL, "WRIT_CA_FILE=" + ca, "WRIT_TOKEN=kim-token", "PATH=" + t.TempDir(), "WRIT_HOME=" + t.TempDir()},
		Now:     b.clock.Now, User: "osuser",
	}
	return b
}

// run runs one command to its end.
func (b *bench) run(t *testing.T, stdin string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, diag bytes.Buffer
	env := b.env
	env.Stdin, env.Stdout, env.Stderr = strings.NewReader(stdin), &out, &diag
	if got := cli.Run(t.Context(), env, args); got != want {
		t.Fatalf("writ %q: exit code %d, want %d\n%s%s", args, got, want, out.String(), diag.String())
	}
	return out.String(), diag.String()
}

// connect starts `writ connect` and returns what it prints, until the test ends.
func (b *bench) connect(t *testing.T, args ...string) (url string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	env := b.env
	env.Stdout = w
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(ctx, env, append([]string{"connect", "orders-db", "-o", "json"}, args...))
		w.Close()
	}()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != 0 {
			t.Errorf("writ connect: exit code %d", code)
		}
	})
	var c struct {
		URL      string `json:"url"`
		Database string `json:"database"`
	}
	if err := json.NewDecoder(r).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c.URL
}

func whoami(t *testing.T, url string) string {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	results, err := conn.Exec(t.Context(), "whoami").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return string(results[0].Rows[0][0])
}

func TestConnect(t *testing.T) {
	b := newBench(t)
	b.run(t, openManifest, 0, "resources", "apply", "-f", "-")
	b.run(t, "", 0, "request", "orders-db", "--for", "30m", "--reason", "x")
	dir := filepath.Join(t.TempDir(), "s")
	for name, args := range map[string][]string{"port": nil, "socket": {"--socket", dir}} {
		t.Run(name, func(t *testing.T) {
			if got := whoami(t, b.connect(t, args...)); got != "kim@example.com|orders|" {
				t.Errorf("the edge saw %q", got)
			}
		})
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("socket folder: %v, %v", info, err)
	}
}

// TestConnectRenewsTheToken lets a grant's first end pass after it was extended.
func TestConnectRenewsTheToken(t *testing.T) {
	b := newBench(t)
	b.run(t, openManifest, 0, "resources", "apply", "-f", "-")
	b.run(t, "", 0, "request", "orders-db", "--for", "30m", "--reason", "x")
	url := b.connect(t)
	whoami(t, url)
	whoami(t, url)
	b.run(t, "", 0, "request", "orders-db", "--for", "2h", "--reason", "x", "--extend", "grant-2")
	b.clock.Add(45 * time.Minute)
	whoami(t, url)
	logins := b.edge.Logins()
	if logins[0].Password != logins[1].Password {
		t.Error("a good token was not kept")
	}
	if logins[2].Password == logins[1].Password {
		t.Error("an old token was not renewed")
	}
}

func TestConnectSaysThatTheGrantEnded(t *testing.T) {
	b := newBench(t)
	b.run(t, openManifest, 0, "resources", "apply", "-f", "-")
	b.run(t, "", 0, "request", "orders-db", "--for", "30m", "--reason", "x")
	url := b.connect(t)
	b.run(t, "", 0, "revoke", "grant-2", "--reason", "x")
	b.clock.Add(45 * time.Minute)
	_, err := pgconn.Connect(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "no active grant for orders-db") {
		t.Errorf("got %v", err)
	}
}

func TestPsqlIsMissing(t *testing.T) {
	b := newBench(t)
	_, diag := b.run(t, "", 1, "psql", "orders-db")
	if !strings.Contains(diag, "error: psql is not installed\nhint: install it") {
		t.Errorf("got %q", diag)
	}
}

// TestApproveAsks has a person at a terminal.
func TestApproveAsks(t *testing.T) {
	b := newBench(t)
	b.env.Environ = append(b.env.Environ, "WRIT_TOKEN=dana-token")
	b.env.Interactive = true
	if _, diag := b.run(t, "no\n", 1, "approve", "hold-1"); !strings.Contains(diag, "digest: d1935700") {
		t.Errorf("with standard output elsewhere, asked without showing: %q", diag)
	}
	b.env.Width = 120
	for answer, want := range map[string]int{"": 1, "no\n": 1, "y\n": 1} {
		if out, _ := b.run(t, answer, want, "approve", "hold-1"); !strings.Contains(out, "digest: d1935700") {
			t.Errorf("asked without showing: %q", out)
		}
	}
	if out, _ := b.run(t, "", 0, "show", "hold-1"); !strings.Contains(out, "pending") {
		t.Error("approved without a yes")
	}
	b.run(t, "yes\n", 0, "approve", "hold-1")
	if out, _ := b.run(t, "", 0, "show", "hold-1"); !strings.Contains(out, "approved by: ") {
		t.Errorf("not approved: %q", out)
	}
}

// TestNoEscapeReachesTheTerminal puts control characters wherever the control plane could.
func TestNoEscapeReachesTheTerminal(t *testing.T) {
	b := newBench(t)
	evil := "\x1b]0;x\x07\r\u202e\u009b2J"
	for _, args := range [][]string{
		{"list"}, {"show", "hold-1"}, {"show", "hold-1", "-o", "json"}, {"sessions", "list"}, {"sessions", "list", "-o", "json"},
		{"sessions", "show", "sess-1"}, {"show", evil}, {"request", evil, "--for", "1h", "--reason", evil}, {evil},
		{"lock", "principal", evil, "--reason", evil}, {"locks", "list"}, {"locks", "list", "-o", "json"}, {"edges", "join", evil, "--name", evil},
		{"edges", "list"}, {"policy", "test", evil}, {"resources", "apply", "-f", evil}, {"token", evil},
	} {
		var out bytes.Buffer
		env := b.env
		env.Stdout, env.Stderr = &out, &out
		cli.Run(t.Context(), env, args)
		if i := strings.IndexAny(out.String(), "\x1b\x07\r\u202e\u009b"); i >= 0 || out.Len() == 0 {
			t.Errorf("writ %q wrote %q", args, out.String())
		}
	}
}
