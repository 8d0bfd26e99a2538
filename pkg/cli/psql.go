package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

type psqlCmd struct {
	Resource string   `arg:"" help:"The resource's name."`
	Args     []string `arg:"" optional:"" help:"Arguments for psql, after --."`
	Grant    string   `placeholder:"GRANT" help:"Use this grant. Default: the active one that lasts longest."`
}

// Help is shown below the usage.
func (psqlCmd) Help() string {
	return "Exits as psql does.\n\n" +
		examples("writ psql orders-db", "writ psql orders-db -- -c 'select count(*) from orders'")
}

// keptPG are the libpq variables that psql keeps. The others could lead it past the tunnel.
var keptPG = []string{
	"PGAPPNAME", "PGCLIENTENCODING", "PGCONNECT_TIMEOUT", "PGDATESTYLE", "PGGEQO", "PGLOCALEDIR", "PGOPTIONS", "PGTZ",
}

// ownTokens are variables that hold writ's own tokens, which the programs that it starts do not get.
var ownTokens = []string{"WRIT_TOKEN", "WRIT_OIDC_TOKEN", "WRIT_ADMIN_TOKEN"}

// Run starts psql behind a tunnel in a private folder.
func (c *psqlCmd) Run(ctx context.Context, a *app) error {
	program, err := a.findPsql()
	if err != nil {
		return err
	}
	source, tunnel, err := a.tunnel(ctx, c.Resource, c.Grant)
	if err != nil {
		return err
	}
	dir, err := a.privateFolder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ln, err := listenSocket(ctx, dir)
	if err != nil {
		return err
	}
	// A signal is psql's to act on: it ends the tunnel only by ending psql.
	served, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- tunnel.Serve(served, ln) }()
	defer func() { stop(); <-done }()

	_, tok := source.about()
	cmd := exec.Command(program, c.Args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.env.Stdin, a.env.Stdout, a.env.Stderr
	cmd.Env = psqlEnviron(a.env.Environ, dir, tok.GetUser(), tok.GetDatabase())
	return a.runChild(cmd)
}

// privateFolder makes a folder that only the user may enter, with a short name, as a socket's path has to be short.
func (a *app) privateFolder() (string, error) {
	base := a.env.get("XDG_RUNTIME_DIR")
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "writ-") // mode 0700
	if err != nil {
		return "", fmt.Errorf("make private folder: %w", err)
	}
	return dir, nil
}

// find looks for a program on the PATH.
func (a *app) find(program string) (path string, ok bool) {
	for dir := range strings.SplitSeq(a.env.get("PATH"), string(os.PathListSeparator)) {
		if path, err := exec.LookPath(dir + "/" + program); dir != "" && err == nil {
			return path, true
		}
	}
	return "", false
}

func (a *app) findPsql() (string, error) {
	if path, ok := a.find("psql"); ok {
		return path, nil
	}
	return "", failed("install it (Debian: apt install postgresql-client; macOS: brew install libpq), or use `writ connect` and a client of your own",
		"psql is not installed")
}

// psqlEnviron is the environment without what would lead psql elsewhere and without writ's own token.
func psqlEnviron(environ []string, dir, user, database string) []string {
	out := slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(ownTokens, name) ||
			strings.HasPrefix(name, "PG") && !slices.Contains(keptPG, name)
	})
	return append(out, "PGHOST="+dir, "PGPORT="+strconv.Itoa(socketPort), "PGUSER="+user, "PGDATABASE="+database,
		"PGSSLMODE=disable", "PGGSSENCMODE=disable")
}

// runChild runs cmd to its end, passes signals on and takes over its exit code. On a terminal, Ctrl-C and Ctrl-\ reach
// the child by themselves.
func (a *app) runChild(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	ended := make(chan struct{})
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		for {
			select {
			case s := <-signals:
				if s != os.Interrupt && s != syscall.SIGQUIT || !a.env.Interactive {
					_ = cmd.Process.Signal(s)
				}
			case <-ended:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-passed
	return childStatus(err)
}

// childStatus is nil for success, else the child's code, or 128 and the signal that ended it.
func childStatus(err error) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return exitStatus(128 + int(ws.Signal()))
	}
	return exitStatus(exit.ExitCode())
}
