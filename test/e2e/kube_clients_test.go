package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/test/kubetest"
)

// clientsPolicy allows everything; its %s is what a Secret must be for its data to be shown.
const clientsPolicy = `
@id("work") permit (principal in Group::"agents", action, resource);
@id("mask-secret") @mask("redact") forbid (principal, action == Action::"k8s:reveal", resource in DataClass::"secret")%s;
`

// helmReleases is the exception that docs/policy-kubernetes.md names.
const helmReleases = `
unless { resource.group == "" && resource.resource == "secrets" && resource.name like "sh.helm.release.v1.*" }`

// TestKubernetesClients runs programs of others, as they are, directly and through an edge.
func TestKubernetesClients(t *testing.T) {
	s := newKubeStory(t)
	s.clientsPolicy(helmReleases)
	t.Run("client-go", func(t *testing.T) { s.within(t).informs() })
	t.Run("client-go with protobuf and streamed lists", func(t *testing.T) { s.within(t).informs("-protobuf", "-watchlist") })
	t.Run("helm", func(t *testing.T) { s.within(t).helms() })
}

func (s *kubeStory) clientsPolicy(unless string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.policyDir, "kube.cedar"), fmt.Appendf(nil, clientsPolicy, unless), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.writ(s.Administrator(), "policy", "push", s.policyDir, "-m", "what programs may do")
}

// within is the story in a test of its own.
func (s *kubeStory) within(t *testing.T) *kubeStory {
	part := *s
	part.t = t
	return &part
}

// asAgent lets a program find the exec plugin and sign in.
func (s *kubeStory) asAgent(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, s.Command(s.t.Context(), s.agent).Env...)
	cmd.Env = append(cmd.Env, "PATH="+s.Bin+":"+os.Getenv("PATH"))
	return cmd
}

// informs compares what a program of client-go sees.
func (s *kubeStory) informs(flags ...string) {
	direct := s.lab.UserKubeconfig(s.t, "writ:ada@example.com", "writ:agents", "writ:principals")
	beside, through := s.lab.Namespace(s.t, "direct"), s.lab.Namespace(s.t, "edge")
	before := s.lab.Mark(s.t)
	want := s.parts(s.lab.Informer(s.t.Context(), direct, beside, flags...))
	between := s.lab.Mark(s.t)
	got := s.parts(s.asAgent(s.lab.Informer(s.t.Context(), s.kubeconfig, through, flags...)))
	mask := strings.NewReplacer("hunter2", "***", "hunter3", "***", "aHVudGVyMg==", "Kioq", "aHVudGVyMw==", "Kioq")
	for part, saw := range want {
		if part == "media" {
			saw = withoutProtobufOfSecrets(s.t, saw)
		}
		if masked := mask.Replace(saw); got[part] != masked {
			s.t.Errorf("%s\ndirectly:         %s\nthrough the edge: %s", part, masked, got[part])
		}
	}
	if len(got) != len(want) || len(got) < 10 {
		s.t.Errorf("%d parts directly, %d through the edge", len(want), len(got))
	}
	asked := s.lab.AuditSince(s.t, between)
	s.sameRequests(requests(s.lab.AuditSince(s.t, before), beside), s.ofAda(asked, through))
	streamed := slices.ContainsFunc(asked, func(e kubetest.AuditEvent) bool {
		return e.ObjectRef.Namespace == through && e.ObjectRef.Resource == "secrets" && strings.Contains(e.RequestURI, "sendInitialEvents=true")
	})
	if streamed != slices.Contains(flags, "-watchlist") {
		s.t.Errorf("lists were streamed: %v", streamed)
	}
}

// parts runs the program and gives what it saw of each part.
func (s *kubeStory) parts(cmd *exec.Cmd) map[string]string {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	parts := map[string]string{}
	for line := range strings.Lines(stdout.String()) {
		var p struct {
			Part string
			Saw  json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		parts[p.Part] = string(p.Saw)
	}
	if err != nil {
		s.t.Fatalf("after %d parts: %v\n%s", len(parts), err, stderr.String())
	}
	return parts
}

// withoutProtobufOfSecrets is what docs/kubernetes.md says: where fields are classified, answers are JSON.
func withoutProtobufOfSecrets(t *testing.T, saw string) string {
	t.Helper()
	var media map[string][]string
	if err := json.Unmarshal([]byte(saw), &media); err != nil {
		t.Fatal(err)
	}
	for what := range media {
		if strings.HasPrefix(what, "secrets ") {
			media[what] = []string{"application/json"}
		}
	}
	out, err := json.Marshal(media)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// requests are the sorts of requests in a namespace, each once. Conflicts are left out: some come by chance, and are tried again.
func requests(events []kubetest.AuditEvent, namespace string) []string {
	var found []string
	for _, e := range events {
		if e.ObjectRef.Namespace != namespace || !strings.HasPrefix(e.Actor(), "writ:") || e.Stage != kubetest.ResponseComplete ||
			e.ResponseStatus.Code == http.StatusConflict {
			continue
		}
		o := e.ObjectRef
		found = append(found, fmt.Sprintf("%s %s/%s/%s %d", e.Verb, o.APIGroup, o.Resource, o.Subresource, e.ResponseStatus.Code))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// ofAda are the requests in a namespace, which are all the agent's by way of the edge.
func (s *kubeStory) ofAda(events []kubetest.AuditEvent, namespace string) []string {
	s.t.Helper()
	for _, e := range events {
		byEdge := e.User.Username == "system:serviceaccount:writ:writ-edge"
		if byEdge && (e.Actor() != "writ:ada@example.com" || len(e.ImpersonatedUser.Extra["writ.dev/session"]) != 1) {
			s.t.Errorf("not as the agent: %s", e)
		}
		if !byEdge && strings.HasPrefix(e.Actor(), "writ:") {
			s.t.Errorf("not by the edge: %s", e)
		}
	}
	return requests(events, namespace)
}

func (s *kubeStory) sameRequests(direct, through []string) {
	s.t.Helper()
	for _, r := range direct {
		if !slices.Contains(through, r) {
			s.t.Errorf("the API server was never asked: %s", r)
		}
	}
	for _, r := range through {
		if !slices.Contains(direct, r) {
			s.t.Errorf("the API server was asked only through the edge: %s", r)
		}
	}
	if len(direct) < 20 {
		s.t.Errorf("only %d sorts of requests", len(direct))
	}
}

// chart is what Helm installs: the sorts of objects that most charts have, and a hook.
var chart = map[string]string{
	"Chart.yaml":  "{apiVersion: v2, name: shop, version: 0.1.0}\n",
	"values.yaml": "{colour: red, replicas: 1}\n",
	"templates/all.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {colour: '{{ .Values.colour }}'}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {password: hunter2}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: 'shop:{{ .Values.colour }}', command: [sleep, '600']}]}
`,
	"templates/hook.yaml": `
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: 'shop:1', command: ['true']}]}
`,
}

// helms lives through a release, and is told why it could not where its Secrets are masked.
func (s *kubeStory) helms() {
	dir := s.t.TempDir()
	for name, text := range chart {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	namespace := s.lab.Namespace(s.t, "helm")
	colour := func() string {
		return s.lab.Kubectl(s.t, "-n", namespace, "get", "configmap/shop", "deployment/shop",
			"-o", "jsonpath={.items[0].data.colour} {.items[1].spec.template.spec.containers[0].image} {.items[1].spec.replicas}")
	}
	for _, step := range []struct {
		args        []string
		says, state string
	}{
		{[]string{"install", "shop", dir, "--wait", "--timeout", "90s"}, "STATUS: deployed", "red shop:red 1"},
		{[]string{"list"}, "shop-0.1.0", "red shop:red 1"},
		{[]string{"upgrade", "shop", dir, "--set", "colour=blue,replicas=2", "--wait", "--timeout", "90s"}, "REVISION: 2", "blue shop:blue 2"},
		{[]string{"history", "shop"}, "superseded", "blue shop:blue 2"},
		{[]string{"rollback", "shop", "1", "--wait", "--timeout", "90s"}, "Rollback was a success", "red shop:red 1"},
		{[]string{"status", "shop"}, "REVISION: 3", "red shop:red 1"},
		{[]string{"get", "manifest", "shop"}, "shop:red", "red shop:red 1"},
	} {
		out, err := s.helm(namespace, step.args...)
		if state := colour(); err != nil || !strings.Contains(out, step.says) || state != step.state {
			s.t.Fatalf("helm %s: %v; the cluster has %s\n%s", strings.Join(step.args, " "), err, state, out)
		}
	}
	if got := s.lab.Kubectl(s.t, "-n", namespace, "get", "secret", "shop", "-o", "jsonpath={.data.password}"); got != "aHVudGVyMg==" {
		s.t.Errorf("the Secret of the chart holds %q", got)
	}
	s.helmIsMasked(namespace, dir)
	if out, err := s.helm(namespace, "uninstall", "shop", "--wait", "--timeout", "90s"); err != nil || !strings.Contains(out, `release "shop" uninstalled`) {
		s.t.Errorf("helm uninstall: %v\n%s", err, out)
	}
	if left := s.lab.Kubectl(s.t, "-n", namespace, "get", "deployments,services,secrets", "-o", "name"); left != "" {
		s.t.Errorf("left: %s", left)
	}
}

// helmIsMasked tries to go on without what Helm has kept, which says why it cannot, and changes nothing.
func (s *kubeStory) helmIsMasked(namespace, dir string) {
	s.t.Helper()
	s.clientsPolicy("")
	releases := func() string {
		return s.lab.Kubectl(s.t, "-n", namespace, "get", "secrets", "-l", "owner=helm", "-o", "json")
	}
	before := releases()
	for _, args := range [][]string{{"status", "shop"}, {"upgrade", "shop", dir}, {"rollback", "shop", "1"}, {"uninstall", "shop"}, {"install", "shop", dir}} {
		out, err := s.helm(namespace, args...)
		if err == nil || !strings.Contains(out, "Helm's releases are masked for you") {
			s.t.Errorf("helm %s without its releases: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if out, err := s.helm(namespace, "list"); err != nil || strings.Contains(out, "shop") || !strings.Contains(out, "Helm's releases are masked for you") {
		s.t.Errorf("helm list without its releases: %v\n%s", err, out)
	}
	if releases() != before {
		s.t.Error("the releases were changed by a Helm that could not read them")
	}
	s.clientsPolicy(helmReleases)
}

func (s *kubeStory) helm(namespace string, args ...string) (string, error) {
	s.t.Helper()
	out, err := s.asAgent(s.lab.Helm(s.t.Context(), s.kubeconfig, append(args, "-n", namespace)...)).CombinedOutput()
	return string(out), err
}
