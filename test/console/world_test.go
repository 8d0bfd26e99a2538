package console

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/test/openidtest"
	"github.com/writhq/writ/test/world"
)

const password = "correct horse"

// office is a world whose people sign in at a real OpenID provider.
type office struct {
	*world.World
	home string // the console's address
}

// issuer is the provider in the control plane's settings.
const issuer = `- url: %s
  name: Example Corp
  audiences: [writ-console]
  name_prefix: "corp:"
  kind_claim: kind
  browser: {client_id: writ-console, client_secret_file: %s, scopes: [openid, email, profile, groups]}
`

func newOffice(t *testing.T) *office {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	home := fmt.Sprintf("https://localhost:%d", port)
	provider := openidtest.Start(t, openidtest.Config{
		Users: []openidtest.User{{
			Name: "dana", Password: password, Email: "dana@example.com", Verified: true, Kind: "person", Groups: []string{"dba", "writ-admins"},
		}},
		Clients: []openidtest.Client{{ID: "writ-console", Secret: "not much of one", Redirects: []string{home + "/signin/callback"}}},
	})
	secret := filepath.Join(t.TempDir(), "client-secret")
	if err := os.WriteFile(secret, []byte("not much of one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &office{home: home, World: world.Start(t, world.Config{
		AccessPort: port, ControlSettings: "public-url: " + home + "\n", Issuers: fmt.Sprintf(issuer, provider.Issuer, secret),
	})}
}

// dana signs in with a browser of her own.
func (o *office) dana(t *testing.T, width, height int) *browser {
	t.Helper()
	b := open(t, width, height)
	b.theme("light")
	b.visit(o.home, "Example Corp")
	o.signIn(b)
	return b
}

// signIn signs dana in from the sign-in page.
func (o *office) signIn(b *browser) {
	b.t.Helper()
	b.press("link", "Continue with Example Corp")
	b.fill("User", "dana")
	b.fill("Password", password)
	b.press("button", "Sign in")
	b.reads("corp:dana@example.com")
}

// client is a command of an agent that runs while the test goes on.
type client struct {
	cancel context.CancelFunc
	done   chan error

	mu  sync.Mutex
	out bytes.Buffer
}

func (c *client) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *client) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// psql runs SQL as the agent ada, through the edge.
func (o *office) psql(t *testing.T, token string, sql ...string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	args := []string{"psql", world.Resource, "--", "-At"}
	for _, s := range sql {
		args = append(args, "-c", s)
	}
	cmd := o.Command(ctx, token, args...)
	c := &client{cancel: cancel, done: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = c, c
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	go func() { c.done <- cmd.Wait() }()
	return c
}

// prints waits until the client has printed the text.
func (c *client) prints(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(c.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("psql never said %q: %s", text, c)
		}
	}
}

// ends waits for the client and returns what it printed.
func (c *client) ends(t *testing.T) (string, error) {
	t.Helper()
	select {
	case err := <-c.done:
		return c.String(), err
	case <-time.After(time.Minute):
		t.Fatalf("psql does not end: %s", c)
		return "", nil
	}
}

// count asks the target itself.
func (o *office) count(t *testing.T, what string) (n int) {
	t.Helper()
	conn, err := o.PG.Connect(t.Context(), world.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+what).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
