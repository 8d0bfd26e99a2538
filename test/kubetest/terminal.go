package kubetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminalWait is how long a terminal may take to show what a test waits for.
const terminalWait = 30 * time.Second

// Terminal is a command that runs in a terminal, as under a person's hands.
type Terminal struct {
	cmd    *exec.Cmd
	tty    *os.File
	exited chan struct{}
	err    error

	mu    sync.Mutex
	shown bytes.Buffer
}

// StartTerminal starts a command in a terminal of a size. It is killed at the end of the test.
func StartTerminal(t testing.TB, cmd *exec.Cmd, rows, columns uint16) *Terminal {
	t.Helper()
	tty, end, err := openTerminal()
	if err != nil {
		t.Fatalf("open a terminal: %v", err)
	}
	defer end.Close()
	terminal := &Terminal{cmd: cmd, tty: tty, exited: make(chan struct{})}
	terminal.Resize(t, rows, columns)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		_ = tty.Close()
		t.Fatal(err)
	}
	go terminal.follow()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-terminal.exited })
	return terminal
}

// openTerminal gives both ends of a new one: what a person has, and what programs have.
func openTerminal() (tty, end *os.File, err error) {
	if tty, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		end, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = tty.Close()
	}
	return tty, end, err
}

// follow keeps what is shown until the command and all that it started have closed the terminal.
func (t *Terminal) follow() {
	defer close(t.exited)
	defer t.tty.Close()
	part := make([]byte, 4096)
	for {
		n, err := t.tty.Read(part)
		t.mu.Lock()
		t.shown.Write(part[:n])
		t.mu.Unlock()
		if err != nil {
			break
		}
	}
	t.err = t.cmd.Wait()
}

// Shown is all that the terminal showed so far.
func (t *Terminal) Shown() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shown.String()
}

// Await waits until the terminal has shown text.
func (t *Terminal) Await(tb testing.TB, text string) {
	tb.Helper()
	for deadline := time.Now().Add(terminalWait); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(t.Shown(), text) {
			return
		}
	}
	tb.Fatalf("the terminal does not show %q, but %q", text, t.Shown())
}

// Type types text; "\r" is the return key and "\x04" ends the input.
func (t *Terminal) Type(tb testing.TB, text string) {
	tb.Helper()
	if _, err := t.tty.WriteString(text); err != nil {
		tb.Fatalf("type %q: %v", text, err)
	}
}

// Resize changes the size, which the command is told of.
func (t *Terminal) Resize(tb testing.TB, rows, columns uint16) {
	tb.Helper()
	if err := unix.IoctlSetWinsize(int(t.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		tb.Fatalf("resize a terminal: %v", err)
	}
}

// Wait waits for the end of the command and gives its error, as exec.Cmd does.
func (t *Terminal) Wait(tb testing.TB) error {
	tb.Helper()
	select {
	case <-t.exited:
		return t.err
	case <-time.After(terminalWait):
		tb.Fatalf("the command in the terminal does not end; it showed %q", t.Shown())
		return nil
	}
}
