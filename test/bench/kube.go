package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/writhq/writ/test/kubetest"
)

// kube is a cluster with three ways to it.
type kube struct {
	*bed
	lab   *kubetest.Lab
	proxy *exec.Cmd
	paths []kubePath // direct, kubectl proxy, edge
}

// kubePath is one way to the API server.
type kubePath struct {
	name, url  string
	ca         []byte
	client     *http.Client
	auth       string
	kubeconfig string
}

const kubeNamespace = "bench"

// kubernetes compares the edge with kubectl proxy and with the API server itself. Without the lab there is nothing to compare.
func (b *bed) kubernetes(ctx context.Context) ([]Figure, error) {
	lab, err := kubetest.Run(kubetest.Config{})
	if errors.Is(err, kubetest.ErrMissing) {
		fmt.Fprintln(os.Stderr, "note: Kubernetes is left out:", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer lab.Stop()
	k := &kube{bed: b, lab: lab}
	defer k.stop()
	if err := k.prepare(ctx); err != nil {
		return nil, err
	}
	var figures []Figure
	for _, measure := range []struct {
		what string
		run  func(context.Context) ([]Figure, error)
	}{{"reading lists", k.lists}, {"watching", k.watches}, {"sending into a container", k.stdin}} {
		fmt.Fprintln(os.Stderr, measure.what)
		more, err := measure.run(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

func (k *kube) stop() {
	if k.proxy != nil {
		_ = k.proxy.Process.Signal(syscall.SIGTERM)
		_ = k.proxy.Wait()
	}
}

const kubeManifest = `
kind: kubernetes
name: cluster
labels: {env: demo}
edges: [edge-a]
endpoint: %q
allow_loopback: true
tls: {mode: verify-full, ca_file: %q}
credential:
  service_account: {namespace: writ, name: writ-edge, token_file: %q}
`

// prepare puts the cluster into the inventory, and makes the pods to list.
func (k *kube) prepare(ctx context.Context) error {
	admin := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"bench"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"Group","name":"writ:agents","apiGroup":"rbac.authorization.k8s.io"}]}`
	rbac, err := findUp("deployments/kubernetes/rbac.yaml")
	if err != nil {
		return err
	}
	if _, err := k.kubectl(ctx, "", "apply", "-f", rbac); err != nil {
		return err
	}
	if _, err := k.kubectl(ctx, admin, "apply", "-f", "-"); err != nil {
		return err
	}
	if _, err := k.kubectl(ctx, "", "create", "namespace", kubeNamespace); err != nil {
		return err
	}
	token, err := k.kubectl(ctx, "", "-n", "writ", "create", "token", "writ-broker", "--duration", "1h")
	if err != nil {
		return err
	}
	tokenFile, caFile := filepath.Join(k.dir, "broker"), filepath.Join(k.dir, "cluster-ca.pem")
	if err := errors.Join(os.WriteFile(tokenFile, []byte(token), 0o600), os.WriteFile(caFile, k.lab.CAPEM, 0o600)); err != nil {
		return err
	}
	if err := k.w.Apply(ctx, fmt.Sprintf(kubeManifest, strings.TrimPrefix(k.lab.Server, "https://"), caFile, tokenFile)); err != nil {
		return err
	}
	return errors.Join(k.ways(ctx), k.fill(ctx))
}

func findUp(name string) (string, error) {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name), nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.Join(fmt.Errorf("no %s", name), err)
}

// kubectl runs one as the administrator.
func (k *kube) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	tool, err := k.lab.FindKubectl("")
	if err != nil {
		return "", err
	}
	cmd := tool.Command(ctx, k.lab.Kubeconfig, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
