package kubernetes

import (
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

const pod = `apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  containers: [{name: main, image: shell:1}]
`

// running makes a pod that runs.
func (b *bed) running() (namespace string) {
	b.t.Helper()
	namespace = b.lab.Namespace(b.t, "exec")
	b.lab.Apply(b.t, strings.Replace(pod, "metadata: {", "metadata: {namespace: "+namespace+", ", 1))
	b.lab.Kubectl(b.t, "-n", namespace, "wait", "--for=condition=Ready", "pod/shell", "--timeout=60s")
	return namespace
}

func TestExecByEveryKubectl(t *testing.T) {
	b := newBed(t)
	ns := b.running()
	for _, k := range b.lab.Kubectls() {
		t.Run("kubectl "+k.Version, func(t *testing.T) {
			out, err := b.kubectlVersion(k.Version, "card 4111 1111 1111 1111\n", "-n", ns, "exec", "-i", "shell", "--", "sh", "-c", "cat; echo done; exit 3")
			if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(out, "done") || strings.Contains(out, "4111 1111") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	r := b.Records.Await(t, audit.KindOutcome, func(r audit.Record) bool { return r.CommandTag == "exit 3" })
	if r.Duration <= 0 {
		t.Error("no duration")
	}
	if b.Records.Contain("4111 1111 1111 1111") {
		t.Error("a card number is recorded")
	}
}

func TestExecIsCutByPolicy(t *testing.T) {
	b := newBed(t)
	ns := b.running()
	done := make(chan string, 1)
	go func() {
		out, _ := b.kubectl("", "-n", ns, "exec", "shell", "--", "sh", "-c", "echo started; sleep 60; echo never")
		done <- out
	}()
	b.Records.Await(t, audit.KindStream, func(r audit.Record) bool { return strings.Contains(string(r.Params[0].Data), "started") })
	b.Policies.Set(t, permitAll+`@id("no-exec") @reason("Hands off") forbid (principal, action in Action::"k8s:connect", resource);`)
	select {
	case out := <-done:
		if !strings.Contains(out, "Hands off") || strings.Contains(out, "never") {
			t.Errorf("kubectl: %s", out)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("exec goes on")
	}
	b.Records.Await(t, audit.KindOutcome, func(r audit.Record) bool { return strings.Contains(r.Reason, "Hands off") })
}
