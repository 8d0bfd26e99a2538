package kubetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHelm(t *testing.T) {
	l := cluster.Lab(t)
	ns := l.Namespace(t, "helm")
	chart := t.TempDir()
	if err := os.Mkdir(filepath.Join(chart, "templates"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Chart.yaml":         "{apiVersion: v2, name: app, version: 0.1.0}\n",
		"templates/app.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: app}, data: {key: '{{ .Values.key }}'}}\n",
	} {
		if err := os.WriteFile(filepath.Join(chart, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"install", "app", chart, "--set", "key=one"}, {"upgrade", "app", chart, "--set", "key=two"}, {"rollback", "app", "1", "--wait"},
	} {
		if out, err := l.Helm(t.Context(), l.Kubeconfig, append(args, "-n", ns)...).CombinedOutput(); err != nil {
			t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if got := l.Kubectl(t, "-n", ns, "get", "configmap", "app", "-o", "jsonpath={.data.key}"); got != "one" {
		t.Errorf("%q", got)
	}
}
