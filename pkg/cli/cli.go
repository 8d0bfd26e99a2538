// Package cli is writ, the command line for people, agents and CI jobs. Commands are clients of access.v1 and of
// edges; they hold no rights of their own. Secrets come from standard input, files and the environment, never from
// arguments, and nothing that came from elsewhere reaches the terminal unescaped.
package cli

import (
	"context"
	"io"
	"net"
	"os"
	"os/user"
	"strings"
	"time"

	"golang.org/x/term"
)

// Env is the process around a command.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ is the environment as "NAME=value"; of repeated names the last counts.
	Environ []string
	// Interactive says that a person can answer a question on Stdin.
	Interactive bool
	// Width is the terminal's width in columns; 0 is no terminal, whose lines are not cut.
	Width int
	// User is the operating system's name of the user; may be empty.
	User string
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Sleep waits for so long or until ctx ends; the default uses a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Dial connects to the control plane and to edges; the default is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Process returns the Env of the running process.
func Process() Env {
	env := Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}
	env.Interactive = term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		env.Width = w
	}
	if u, err := user.Current(); err == nil {
		env.User = u.Username
	}
	return env
}

func (e Env) withDefaults() Env {
	if e.Stdin == nil {
		e.Stdin = strings.NewReader("")
	}
	if e.Stdout == nil {
		e.Stdout = io.Discard
	}
	if e.Stderr == nil {
		e.Stderr = io.Discard
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Sleep == nil {
		e.Sleep = sleep
	}
	if e.Dial == nil {
		e.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	return e
}

// get returns a variable, "" for one that is not set.
func (e Env) get(name string) string {
	for i := len(e.Environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(e.Environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run runs one command, args without the program's name, and returns its exit code. The end of ctx is an interrupt.
func Run(ctx context.Context, env Env, args []string) int {
	a, err := newApp(env.withDefaults())
	if err != nil {
		return exitFailure
	}
	return a.report(a.run(ctx, args))
}
