package node

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
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

// process is a local one.
type process struct {
	cmd    *exec.Cmd
	began  time.Time
	stdin  io.WriteCloser // nil: there is none
	tty    *os.File       // nil: there is none
	copied sync.WaitGroup // of its output
	gone   chan struct{}  // closed when it has ended and its output is copied
}

func start(s settings) (*process, error) {
	p := &process{cmd: exec.Command(s.argv[0], s.argv[1:]...), began: time.Now(), gone: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = s.dir, s.env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	begin := p.startPipes
	if s.tty {
		begin = p.startTerminal
	}
	if err := begin(s); err != nil {
		return nil, err
	}
	return p, nil
}

// startPipes starts the process with pipes of its own: those of exec.Cmd would hide its end for as long as another
// process has them.
func (p *process) startPipes(s settings) (err error) {
	var ends []*os.File
	defer func() {
		for _, end := range ends {
			_ = end.Close()
		}
	}()
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	stdout, out := pipe()
	stderr, errs := pipe()
	var stdin, in *os.File
	if s.stdin {
		stdin, in = pipe()
		p.cmd.Stdin = stdin
	}
	ends = append(ends, out, errs, stdin)
	if err != nil {
		return err
	}
	p.cmd.Stdout, p.cmd.Stderr = out, errs
	if err := p.cmd.Start(); err != nil {
		ends = append(ends, stdout, stderr, in)
		return err
	}
	if in != nil {
		p.stdin = in
	}
	p.copy(s.out, stdout)
	p.copy(s.err, stderr)
	return nil
}

// copy passes output on until no process has the other end.
func (p *process) copy(w io.Writer, from *os.File) {
	p.copied.Go(func() {
		_, _ = io.Copy(w, from)
		_ = from.Close()
	})
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
	p.copy(s.out, tty)
	return nil
}

// keepOpen is a terminal's input: that its client has no more to say does not close the terminal.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// resize changes the terminal's size as told, until told no more.
func (p *process) resize(sizes <-chan remotecommand.TerminalSize) {
	for s := range sizes {
		if p.tty != nil {
			_ = pty.Setsize(p.tty, &pty.Winsize{Rows: s.Height, Cols: s.Width})
		}
	}
}

// wait waits for the end of the process, calls ended, and waits for what it and its children have written.
func (p *process) wait(ended func()) error {
	defer close(p.gone)
	err := p.cmd.Wait()
	ended()
	p.copied.Wait()
	return err
}

// killMarked kills every process that was started with the variable in its environment, and so its children too.
func killMarked(variable string) {
	for range 10 { // one may start another while they are looked through
		marked := marked(variable)
		if len(marked) == 0 {
			return
		}
		for _, pid := range marked {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// marked finds the processes that have the variable in their environment. The dead that nobody has waited for have none.
func marked(variable string) (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	want := []byte("\x00" + variable + "\x00")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && bytes.Contains(append([]byte("\x00"), env...), want) {
			pids = append(pids, pid)
		}
	}
	return pids
}

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
