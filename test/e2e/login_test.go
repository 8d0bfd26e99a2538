package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/test/openidtest"
	"github.com/writhq/writ/test/world"
)

// terminal is a `writ login` that waits for its person.
type terminal struct {
	*exec.Cmd
	stdout        bytes.Buffer
	stderr        *bufio.Reader
	address, code string
}

var shownCode = regexp.MustCompile(`it shows the code ([A-Z0-9-]+)\. Elsewhere: (\S+)`)

// login starts `writ login` and reads what it asks of the person.
func login(ctx context.Context, t *testing.T, w *world.World, args ...string) *terminal {
	t.Helper()
	c := &terminal{Cmd: w.Command(ctx, "", append([]string{"login"}, args...)...)}
	c.Stdout = &c.stdout
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stderr = bufio.NewReader(stderr)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for c.code == "" {
		line, err := c.stderr.ReadString('\n')
		seen.WriteString(line)
		if m := shownCode.FindStringSubmatch(line); m != nil {
			c.code, c.address = m[1], m[2]
		}
		if err != nil {
			t.Fatalf("no code shown: %s", seen.String())
		}
	}
	return c
}

// end waits for the command and returns its exit code and the rest of what it said.
func (c *terminal) end(t *testing.T) (code int, said string) {
	t.Helper()
	rest, err := io.ReadAll(c.stderr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // its code says it
	return c.ProcessState.ExitCode(), string(rest)
}

// People sign in from a terminal with a code, at a real OpenID provider.
func TestLoginWithACode(t *testing.T) {
	provider := openidtest.Start(t, openidtest.Config{
		Users:   []openidtest.User{{Name: "u-1", Password: "tea", Email: "dana@example.com", Verified: true, Groups: []string{"dba"}, Kind: "person"}},
		Clients: []openidtest.Client{{ID: "writ-cli", Device: true}},
	})
	w := world.Start(t, world.Config{Issuers: fmt.Sprintf(
		"- url: %s\n  name: Example Corp\n  audiences: [writ]\n  kind_claim: kind\n  name_prefix: \"corp:\"\n  device: {client_id: writ-cli, scopes: [openid, email, groups]}\n",
		provider.Issuer)})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	t.Run("allowed", func(t *testing.T) {
		c := login(ctx, t, w, "-o", "json")
		if err := provider.Decide(ctx, c.address, c.code, "u-1", "tea", true); err != nil {
			t.Fatal(err)
		}
		code, said := c.end(t)
		var result struct {
			Principal struct{ Name, Kind string }
		}
		if err := json.Unmarshal(c.stdout.Bytes(), &result); err != nil || code != 0 || result.Principal.Name != "corp:dana@example.com" {
			t.Fatalf("exit %d, %v: %s%s", code, err, c.stdout.String(), said)
		}
		out, err := w.Writ(ctx, "", "whoami")
		if err != nil || !strings.Contains(out, "corp:dana@example.com") || !strings.Contains(out, "dba") {
			t.Errorf("whoami: %s %v", out, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		c := login(ctx, t, w, "--issuer", "example corp")
		if err := provider.Decide(ctx, c.address, c.code, "u-1", "tea", false); err != nil {
			t.Fatal(err)
		}
		if code, said := c.end(t); code != 3 || !strings.Contains(said, "error: the sign-in was refused") {
			t.Errorf("exit %d: %s", code, said)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		c := login(ctx, t, w)
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if code, said := c.end(t); code != 1 || !strings.Contains(said, "error: interrupted; nobody is signed in") {
			t.Errorf("exit %d: %s", code, said)
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		_, err := w.Writ(ctx, "", "login", "--issuer", "https://evil.example")
		if err == nil || !strings.Contains(err.Error(), "nobody signs in there with a code") {
			t.Errorf("%v", err)
		}
	})
}
