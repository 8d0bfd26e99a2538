package e2e

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/test/kubetest"
	"github.com/writhq/writ/test/world"
)

// gateway is a cluster behind Writ, and an agent who may read there.
type gateway struct {
	*world.World
	t     *testing.T
	lab   *kubetest.Lab
	agent string
}

const readerPolicy = `
@id("all") permit (principal in Group::"agents", action in [Action::"access:request", Action::"session:open", Action::"k8s:read"], resource);
`

func newGateway(t *testing.T, lab kubetest.Config, controlEnv ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, lab: kubetest.Start(t, lab)}
	policy := t.TempDir()
	if err := os.WriteFile(filepath.Join(policy, "p.cedar"), []byte(readerPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	g.lab.Kubectl(t, "apply", "-f", "../../deployments/kubernetes/rbac.yaml")
	g.World = world.Start(t, world.Config{Policy: policy, ControlEnv: controlEnv})
	g.agent = g.Token("ada@example.com", "agent", "agents")
	return g
}

// join puts the cluster into the inventory with a credential, and gives the agent a grant and a kubeconfig.
func (g *gateway) join(credential string) (kubeconfig string) {
	g.t.Helper()
	ca := g.file("ca.pem", g.lab.CAPEM)
	err := g.Apply(g.t.Context(), fmt.Sprintf("kind: kubernetes\nname: lab\nedges: [edge-a]\nendpoint: %q\nallow_loopback: true\ntls: {ca_file: %q}\ncredential:\n  %s\n",
		strings.TrimPrefix(g.lab.Server, "https://"), ca, credential))
	if err != nil {
		g.t.Fatal(err)
	}
	kubeconfig = filepath.Join(g.t.TempDir(), "config")
	for _, args := range [][]string{
		{"request", "lab", "--for", "30m", "--reason", "look", "--no-wait"}, {"kube", "login", "lab", "--kubeconfig", kubeconfig},
	} {
		if out, err := g.Writ(g.t.Context(), g.agent, args...); err != nil {
			g.t.Fatalf("writ %v: %v\n%s", args, err, out)
		}
	}
	return kubeconfig
}

func (g *gateway) file(name string, content []byte) string {
	g.t.Helper()
	path := filepath.Join(g.t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// actsAs has the agent ask for pods, and returns who signed in at the API server for it.
func (g *gateway) actsAs(kubeconfig string) kubetest.AuditUser {
	g.t.Helper()
	mark := g.lab.Mark(g.t)
	k, err := g.lab.FindKubectl("")
	if err != nil {
		g.t.Skip(err)
	}
	cmd := k.Command(g.t.Context(), kubeconfig, "get", "pods", "-n", "default")
	cmd.Env = append(append(cmd.Env, g.Command(g.t.Context(), g.agent).Env...), "PATH="+g.Bin+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		g.t.Fatalf("get pods: %v\n%s", err, out)
	}
	e := g.lab.AwaitAudit(g.t, mark, "the list of pods", func(e kubetest.AuditEvent) bool {
		return e.ObjectRef.Resource == "pods" && e.Stage == kubetest.ResponseComplete
	})
	who := e.ImpersonatedUser
	if who == nil || who.Username != "writ:ada@example.com" || !slices.Contains(who.Groups, "writ:agents") || !slices.Contains(who.Groups, "writ:principals") ||
		len(who.Extra["writ.dev/session"]) != 1 || len(who.Extra["writ.dev/grant"]) != 1 {
		g.t.Fatalf("the cluster saw %+v", who)
	}
	return e.User
}

// TestKubernetesByClientCertificate signs in with a certificate that may impersonate and nothing else.
func TestKubernetesByClientCertificate(t *testing.T) {
	g := newGateway(t, kubetest.Config{})
	g.lab.Kubectl(t, "create", "clusterrolebinding", "writ-impersonator-cert", "--clusterrole=writ-impersonator", "--user=writ-gateway")
	certificate, key := g.lab.ClientCertificate(t, "writ-gateway")
	kubeconfig := g.join(fmt.Sprintf("client_certificate: {certificate_file: %q, key_file: %q}", g.file("c.pem", certificate), g.file("k.pem", key)))
	if user := g.actsAs(kubeconfig); user.Username != "writ-gateway" {
		t.Errorf("signed in as %+v", user)
	}
	block, _ := pem.Decode(key)
	g.nowhere(string(key), string(block.Bytes))
}

// nowhere looks for a secret in what was written to disk.
func (g *gateway) nowhere(secrets ...string) {
	g.t.Helper()
	g.Stop()
	err := filepath.WalkDir(g.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, s := range secrets {
			if strings.Contains(string(content), s) {
				g.t.Errorf("%s holds a secret", path)
			}
		}
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
}
