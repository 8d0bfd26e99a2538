package node

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// slowestRestart bounds the wait before a container that keeps ending is started again; the first wait is a second.
const slowestRestart = 10 * time.Second

// startFailed is the exit code of a container whose command could not be started.
const startFailed = 128

// container runs one process after another, as its pod's restart policy says.
type container struct {
	client  kubernetes.Interface
	pod     *corev1.Pod
	spec    corev1.Container
	restart corev1.RestartPolicy
	dir     string // its own folder, which processes start in
	output  *output
	ended   chan struct{} // closed when nothing of it runs or will

	mu       sync.Mutex
	env      []string
	main     *process                         // the one that runs now, or nil
	last     *corev1.ContainerStateTerminated // how the last one ended
	restarts int32
	over     bool
}

func newContainer(client kubernetes.Interface, pod *corev1.Pod, spec corev1.Container, restart corev1.RestartPolicy, dir string) *container {
	return &container{
		client: client, pod: pod, spec: spec, restart: restart, dir: dir, output: newOutput(dir + ".log"), ended: make(chan struct{}),
	}
}

// run keeps the container running until ctx ends or it is over, and calls changed after each change of its state.
func (c *container) run(ctx context.Context, changed func()) {
	defer close(c.ended)
	defer c.output.close()
	defer context.AfterFunc(ctx, c.kill)()
	for wait := time.Second; ; wait = min(2*wait, slowestRestart) {
		began := metav1.Now()
		main, err := c.start(ctx)
		if err == nil {
			c.set(func() { c.main = main })
			changed()
			err = main.wait(c.kill)
			c.output.end()
		}
		c.set(func() { c.stopped(began, main, err) })
		if ctx.Err() != nil {
			return
		}
		changed()
		if c.isOver() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// start prepares the folder and starts the main process.
func (c *container) start(ctx context.Context) (*process, error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	if err := c.output.open(); err != nil {
		return nil, err
	}
	env, err := environment(ctx, c.client, c.pod, c.spec, c.dir)
	if err != nil {
		return nil, err
	}
	env = append([]string{c.mark()}, env...)
	c.set(func() { c.env = env })
	argv := append(append([]string{}, c.spec.Command...), c.spec.Args...)
	if len(argv) == 0 {
		argv = []string{"sleep", "infinity"}
	}
	return start(settings{argv: argv, dir: c.dir, env: env, tty: c.spec.TTY, stdin: c.spec.Stdin, out: c.output.stream("stdout"), err: c.output.stream("stderr")})
}

// stopped notes how the main process ended. The lock is held.
func (c *container) stopped(began metav1.Time, main *process, err error) {
	code := exitCode(err)
	state := &corev1.ContainerStateTerminated{ExitCode: int32(code), Reason: "Completed", StartedAt: began, FinishedAt: metav1.Now()}
	if code != 0 {
		state.Reason = "Error"
	}
	if main == nil {
		state.ExitCode, state.Reason, state.Message = startFailed, "StartError", err.Error()
	}
	c.main, c.last = nil, state
	c.over = c.restart == corev1.RestartPolicyNever || c.restart == corev1.RestartPolicyOnFailure && state.ExitCode == 0
	if !c.over {
		c.restarts++
	}
}

// status is the container's in its pod's; over says that it will not run again.
func (c *container) status() (s corev1.ContainerStatus, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	running := c.main != nil
	s = corev1.ContainerStatus{
		Name: c.spec.Name, Image: c.spec.Image, ImageID: c.spec.Image, Ready: running, Started: &running, RestartCount: c.restarts,
	}
	if c.last != nil {
		s.LastTerminationState.Terminated = c.last
	}
	switch {
	case running:
		s.ContainerID = fmt.Sprintf("process://%d", c.main.cmd.Process.Pid)
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.main.began)}
	case c.over:
		s.State.Terminated = c.last
	case c.last != nil:
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
	default:
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	}
	return s, c.over
}

// exec starts a further process in the container.
func (c *container) exec(s settings) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.main == nil {
		return nil, fmt.Errorf("container %s does not run", c.spec.Name)
	}
	s.dir, s.env = c.dir, c.env
	return start(s)
}

// mark is the variable by which the container's processes are known.
func (c *container) mark() string {
	return "KUBELAB_CONTAINER=" + string(c.pod.UID) + "/" + c.spec.Name
}

// kill ends every process of the container, as happens to one whose main process ends.
func (c *container) kill() { killMarked(c.mark()) }

// running gives the main process, or nil.
func (c *container) running() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.main
}

func (c *container) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

func (c *container) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}
