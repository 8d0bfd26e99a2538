package cli_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/writhq/writ/pkg/cli"
)

// fakePsql prints its environment and a line when it is ready, then waits for a signal.
const fakePsql = `#!/bin/sh
trap 'exit 7' TERM
env
echo ready
while :; do sleep 0.05; done
`

// TestPsqlGetsSignalsAndACleanEnvironment has a psql that tells.
func TestPsqlGetsSignalsAndACleanEnvironment(t *testing.T) {
	b := newBench(t)
	b.run(t, openManifest, 0, "resources", "apply", "-f", "-")
	b.run(t, "", 0, "request", "orders-db", "--for", "30m", "--reason", "x")
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "psql"), []byte(fakePsql), 0o700); err != nil {
		t.Fatal(err)
	}
	env := b.env
	env.Environ = append(env.Environ, "PATH="+bin+":/usr/bin:/bin", "PGSERVICE=elsewhere", "PGHOSTADDR=10.0.0.1", "PGPASSWORD=pw", "PGTZ=UTC")
	r, w := io.Pipe()
	env.Stdout = w
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(context.Background(), env, []string{"psql", "orders-db"})
		w.Close()
	}()
	vars := map[string]string{}
	for lines := bufio.NewScanner(r); lines.Scan() && lines.Text() != "ready"; {
		name, value, _ := strings.Cut(lines.Text(), "=")
		vars[name] = value
	}
	go io.Copy(io.Discard, r)
	info, err := os.Stat(vars["PGHOST"])
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("socket folder %q: %v", vars["PGHOST"], err)
	}
	for name, want := range map[string]string{
		"PGUSER": "kim@example.com", "PGDATABASE": "orders", "PGSSLMODE": "disable", "PGTZ": "UTC",
		"PGSERVICE": "", "PGHOSTADDR": "", "PGPASSWORD": "", "WRIT_TOKEN": "",
	} {
		if vars[name] != want {
			t.Errorf("%s is %q, want %q", name, vars[name], want)
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != 7 {
		t.Errorf("exit code %d, want psql's 7", got)
	}
	if _, err := os.Stat(vars["PGHOST"]); err == nil {
		t.Error("the socket folder was left behind")
	}
}
