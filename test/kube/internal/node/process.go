package node

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/creack/pty"
	"k8s.io/client-go/tools/remotecommand"
)

// settings say what process to start. With a terminal all output goes to out.
type settings struct {
	argv, env []string
	dir       string
	tty       bool
	size      *remotecommand.TerminalSize // of the terminal at its start
	stdin     bool
	out, err  io.Writer
}

// process is a local one in a session or group of its own.
type process struct {
	cmd    *exec.Cmd
	began  time.Time
	stdin  io.WriteCloser // nil: there is none
	tty    *os.File       // nil: there is none
	copied chan struct{}  // closed when all of the terminal's output is copied
	gone   chan struct{}  // closed when it has ended
}

func start(s settings) (*process, error) {
	p := &process{cmd: exec.Command(s.argv[0], s.argv[1:]...), began: time.Now(), copied: make(chan struct{}), gone: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = s.dir, s.env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if s.tty {
		return p, p.startTerminal(s)
	}
	close(p.copied)
	p.cmd.SysProcAttr.Setpgid = true
	p.cmd.Stdout, p.cmd.Stderr = s.out, s.err
	if s.stdin {
		// Not cmd.Stdin, whose reader Wait would wait for.
		in, err := p.cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		p.stdin = in
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) startTerminal(s settings) error {
	size := &pty.Winsize{Rows: 24, Cols: 80}
	if s.size != nil {
		size = &pty.Winsize{Rows: s.size.Height, Cols: s.size.Width}
	}
	tty, err := pty.StartWithSize(p.cmd, size)
	if err != nil {
		return err
	}
	p.tty = tty
	if s.stdin {
		p.stdin = keepOpen{tty}
	}
	go func() {
		defer close(p.copied)
		_, _ = io.Copy(s.out, tty) // ends with an error when the last program has closed the terminal
	}()
	return nil
}

// keepOpen is a terminal's input: that its client has no more to say does not close the terminal.
type keepOpen struct{ *os.File }

func (keepOpen) Close() error { return nil }

// resize changes the terminal's size as told, until told no more.
func (p *process) resize(sizes <-chan remotecommand.TerminalSize) {
	for s := range sizes {
		if p.tty != nil {
			_ = pty.Setsize(p.tty, &pty.Winsize{Rows: s.Height, Cols: s.Width})
		}
	}
}

// wait waits for the end of the process and of its output, and kills it when ctx ends.
func (p *process) wait(ctx context.Context) error {
	defer close(p.gone)
	defer context.AfterFunc(ctx, p.kill)()
	<-p.copied
	err := p.cmd.Wait()
	if p.tty != nil {
		_ = p.tty.Close()
	}
	p.kill() // what it left behind
	return err
}

// kill ends the process and those of its group.
func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// exitCode is what a shell makes of the end of a process.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
