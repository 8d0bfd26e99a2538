package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Kubectl is a kubectl program.
type Kubectl struct {
	Version string // "1.28"; "" is the one that was built with the lab, of its version
	Path    string
	cache   string
}

// ErrNoKubectl is a machine without a kubectl of the version.
var ErrNoKubectl = errors.New("no kubectl of this version")

// FindKubectl finds a kubectl by its version, as "1.28"; "" is the one beside the lab's program.
func (l *Lab) FindKubectl(version string) (Kubectl, error) {
	for _, k := range l.Kubectls() {
		if k.Version == version {
			return k, nil
		}
	}
	return Kubectl{}, fmt.Errorf("%w: %q", ErrNoKubectl, version)
}

// Kubectls gives every kubectl of this machine: first the one beside the lab's program, then those called kubectl.VERSION, in
// the search path or beside the kubectl that is found there.
func (l *Lab) Kubectls() []Kubectl {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	if first, err := exec.LookPath("kubectl"); err == nil {
		if real, err := filepath.EvalSymlinks(first); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	var found []Kubectl
	if own := filepath.Join(filepath.Dir(l.bin), "kubectl"); isFile(own) {
		found = append(found, Kubectl{Path: own})
	}
	for _, dir := range dirs {
		paths, _ := filepath.Glob(filepath.Join(dir, "kubectl.1.*"))
		for _, path := range paths {
			found = append(found, Kubectl{Version: strings.TrimPrefix(filepath.Base(path), "kubectl."), Path: path})
		}
	}
	slices.SortStableFunc(found, func(a, b Kubectl) int { return strings.Compare(a.Version, b.Version) })
	found = slices.CompactFunc(found, func(a, b Kubectl) bool { return a.Version == b.Version })
	for i := range found {
		found[i].cache = filepath.Join(l.Dir, "kubectl-cache")
	}
	return found
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Command prepares a kubectl with a kubeconfig. It keeps no cache outside of the lab, and reads no settings of the person who
// runs the tests. With SPDY of newer versions, which prefer WebSockets, see WithoutWebSockets.
func (k Kubectl) Command(ctx context.Context, kubeconfig string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, k.Path, args...)
	cmd.Env = append(environment(), "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+k.cache, "KUBERC=off")
	return cmd
}

// environment is that of this process without the settings of Kubernetes' clients.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "KUBE") || strings.HasPrefix(e, "HELM") })
}

// WithoutWebSockets makes a kubectl that prefers WebSockets use SPDY for exec, attach and port-forward.
func WithoutWebSockets(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false", "KUBECTL_PORT_FORWARD_WEBSOCKETS=false")
	return cmd
}

// Kubectl runs the lab's kubectl as the administrator and gives its standard output. It fails the test where that fails.
func (l *Lab) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return l.kubectl(t, "", args...)
}

// Apply applies manifests as the administrator.
func (l *Lab) Apply(t testing.TB, yaml string) {
	t.Helper()
	l.kubectl(t, yaml, "apply", "-f", "-")
}

func (l *Lab) kubectl(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	k, err := l.FindKubectl("")
	if err != nil {
		t.Fatal(err)
	}
	cmd := k.Command(t.Context(), l.Kubeconfig, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return stdout.String()
}

// Namespace makes a namespace of the test's own, whose name begins with prefix, and waits until pods can be made in it.
func (l *Lab) Namespace(t testing.TB, prefix string) string {
	t.Helper()
	made := l.kubectl(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "`+prefix+`-"}}`, "create", "-f", "-", "-o", "name")
	name := strings.TrimPrefix(strings.TrimSpace(made), "namespace/")
	l.Kubectl(t, "-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=60s")
	return name
}

// Token makes a token of a service account, which lives an hour.
func (l *Lab) Token(t testing.TB, namespace, account string) string {
	t.Helper()
	return strings.TrimSpace(l.Kubectl(t, "-n", namespace, "create", "token", account))
}
