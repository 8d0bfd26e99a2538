package kubetest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childVariable makes the test program start a lab and wait to be killed.
const childVariable = "KUBETEST_CHILD"

// remains is what a lab could leave behind.
type remains struct {
	Dir string
	PID int
}

func child() int {
	l, err := Run(Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_ = json.NewEncoder(os.Stdout).Encode(remains{Dir: l.Dir, PID: l.cmd.Process.Pid})
	select {}
}

// A lab goes away with the process that started it, however that ends.
func TestNothingRemainsOfKilledTests(t *testing.T) {
	if _, err := binary(); err != nil {
		giveUp(t, err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), childVariable+"=1"), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var left remains
	if err == nil {
		err = json.Unmarshal(line, &left)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	left.await(t)
}

// What containers started goes away too, even what has left their session.
func TestNothingRemainsOfContainers(t *testing.T) {
	l := Start(t, Config{})
	seconds := strconv.Itoa(1e6 + os.Getpid()) // tells the process from those of other tests
	daemon := "sleep\x00" + seconds + "\x00"
	l.Apply(t, `
apiVersion: v1
kind: Pod
metadata: {name: daemon, namespace: default}
spec: {containers: [{name: main, image: none, command: [sh, -c, 'setsid sleep `+seconds+` & sleep infinity']}]}
`)
	l.Kubectl(t, "wait", "--for=condition=Ready", "pod/daemon", "--timeout=30s")
	for deadline := time.Now().Add(10 * time.Second); !runs(daemon); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the container's process does not run")
		}
	}
	left := remains{Dir: l.Dir, PID: l.cmd.Process.Pid}
	l.Stop()
	if runs(daemon) {
		t.Error("a process of a container remains")
	}
	left.await(t)
}

// await waits until nothing is left.
func (r remains) await(t *testing.T) {
	t.Helper()
	var left string
	for deadline := time.Now().Add(stopLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		left = ""
		if _, err := os.Stat(r.Dir); !errors.Is(err, fs.ErrNotExist) {
			left += " folder " + r.Dir
		}
		if !ended(r.PID) {
			left += fmt.Sprint(" process ", r.PID)
		}
		if runs(r.Dir + "/") {
			left += " processes with files of " + r.Dir
		}
		if left == "" {
			return
		}
	}
	t.Errorf("the lab leaves%s", left)
}

// ended tells whether a process is no more, or only waits to be reaped.
func ended(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// runs tells whether a process has the text in its command line, whose arguments end with a zero byte.
func runs(text string) bool {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), text) {
			return true
		}
	}
	return false
}
