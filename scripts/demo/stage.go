package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/writhq/writ/test/world"
)

// stage is where the story is told: it runs commands as the actors, shows them and checks what came of them.
type stage struct {
	w      *world.World
	out    io.Writer
	envDir string
	checks int

	mu sync.Mutex // over out
}

// commandLimit ends a command of the story that hangs.
const commandLimit = 2 * time.Minute

func (s *stage) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format, args...)
}

// scene begins a part of the story.
func (s *stage) scene(title, about string) {
	s.printf("\n--- %s\n    %s\n", title, about)
}

// claim is one thing that a step must have brought about.
type claim struct {
	holds bool
	what  string
}

// verify says what holds. The first claim that does not, or err, fails the demo.
func (s *stage) verify(err error, claims ...claim) error {
	if err != nil {
		return err
	}
	for _, c := range claims {
		if !c.holds {
			return fmt.Errorf("this does not hold: %s", c.what)
		}
		s.checks++
		s.printf("  ok  %s\n", c.what)
	}
	return nil
}

// ran is a command that ended.
type ran struct {
	text string // both of its outputs
	code int
}

// play runs a command line as an actor, and shows it and its output as they come.
func (s *stage) play(ctx context.Context, a actor, line string) (ran, error) {
	c, err := s.begin(ctx, a, line)
	if err != nil {
		return ran{}, err
	}
	return c.wait()
}

// command is a running command of the story.
type command struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc

	mu    sync.Mutex
	text  bytes.Buffer
	shown *lineWriter
}

// begin starts a command line as an actor.
func (s *stage) begin(ctx context.Context, a actor, line string) (*command, error) {
	token, err := s.token(a)
	if err != nil {
		return nil, err
	}
	s.printf("\n%s$ %s\n", a.short, line)
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	c := &command{cmd: exec.CommandContext(ctx, "sh", "-c", line), cancel: cancel, shown: &lineWriter{s: s}}
	c.cmd.Env = append(s.environment(a, token),
		"PATH="+s.w.Bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+s.w.Dir, "LC_ALL=C.UTF-8", "PSQLRC=/dev/null", "PAGER=cat")
	c.cmd.Stdout, c.cmd.Stderr = c, c
	// The command and what it starts form a group, so that the end of the demo ends all of them.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.cmd.Cancel = func() error { return syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) }
	c.cmd.WaitDelay = 5 * time.Second
	if err := c.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %q: %w", line, err)
	}
	return c, nil
}

// Write takes a piece of output.
func (c *command) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Write(b)
	c.shown.write(b)
	return len(b), nil
}

func (c *command) wait() (ran, error) {
	defer c.cancel()
	err := c.cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown.flush()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ran{}, err
	}
	if c.cmd.ProcessState.ExitCode() < 0 {
		return ran{}, fmt.Errorf("%q was ended: %s", c.cmd.Args[len(c.cmd.Args)-1], c.cmd.ProcessState)
	}
	return ran{text: c.text.String(), code: c.cmd.ProcessState.ExitCode()}, nil
}

// await waits for text in the output of a running command.
func (c *command) await(ctx context.Context, pattern *regexp.Regexp) (string, error) {
	var found string
	err := poll(ctx, 30*time.Second, func() (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		found = pattern.FindString(c.text.String())
		return found != "", nil
	})
	if err != nil {
		return "", fmt.Errorf("wait for %s in its output: %w", pattern, err)
	}
	return found, nil
}

// poll asks every 50 ms.
func poll(ctx context.Context, limit time.Duration, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lineWriter shows whole lines, indented.
type lineWriter struct {
	s       *stage
	partial []byte
}

func (l *lineWriter) write(b []byte) {
	l.partial = append(l.partial, b...)
	for {
		line, rest, ok := bytes.Cut(l.partial, []byte("\n"))
		if !ok {
			return
		}
		l.show(line)
		l.partial = rest
	}
}

func (l *lineWriter) show(line []byte) {
	l.s.printf("%s\n", strings.TrimRight("    "+string(line), " "))
}

func (l *lineWriter) flush() {
	if len(l.partial) > 0 {
		l.show(l.partial)
		l.partial = nil
	}
}

// value asks the database itself, past the edge, for one value.
func (s *stage) value(ctx context.Context, sql string, args ...any) (string, error) {
	conn, err := s.w.PG.Connect(ctx, world.Database)
	if err != nil {
		return "", fmt.Errorf("ask the database: %w", err)
	}
	defer conn.Close(ctx)
	var v string
	if err := conn.QueryRow(ctx, "SELECT ("+sql+")::text", args...).Scan(&v); err != nil {
		return "", fmt.Errorf("ask the database: %w", err)
	}
	return v, nil
}
