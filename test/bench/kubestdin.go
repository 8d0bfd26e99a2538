package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/writhq/writ/test/kubetest"
)

// stdinBytes are sent into a container.
const stdinBytes = 50 << 20

// stdin sends 50 MB through kubectl exec.
func (k *kube) stdin(ctx context.Context) ([]Figure, error) {
	if _, err := k.kubectl(ctx, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"shell","namespace":"bench"},"spec":{"containers":[{"name":"main","image":"i"}]}}`, "apply", "-f", "-"); err != nil {
		return nil, err
	}
	if _, err := k.kubectl(ctx, "", "-n", kubeNamespace, "wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"); err != nil {
		return nil, err
	}
	tool, err := k.lab.FindKubectl("")
	if err != nil {
		return nil, err
	}
	var figures []Figure
	for _, m := range []struct {
		name  string
		bytes int
	}{{"50 MB into kubectl exec", stdinBytes}, {"32 bytes into kubectl exec", 32}} {
		input := bytes.Repeat([]byte("0123456789abcdef0123456789abcde\n"), m.bytes/32)
		times := make([][]time.Duration, len(k.paths))
		for range max(k.rounds, 3) {
			for i, p := range k.paths {
				d, err := p.pipe(ctx, tool, input)
				if err != nil {
					return nil, err
				}
				times[i] = append(times[i], d)
			}
		}
		direct, proxy, edge := shortest(times[0]).Seconds(), shortest(times[1]).Seconds(), shortest(times[2]).Seconds()
		figures = append(figures, atMost(m.name, "s", edge, proxy, "kubectl proxy", 1), atMost(m.name, "s", edge, direct, "direct", 1.1))
	}
	return figures, nil
}

// pipe runs a kubectl that sends input into the container.
func (p kubePath) pipe(ctx context.Context, tool kubetest.Kubectl, input []byte) (time.Duration, error) {
	cmd := tool.Command(ctx, p.kubeconfig, "-n", kubeNamespace, "exec", "-i", "shell", "--", "wc", "-c")
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	began := time.Now()
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(len(input)) {
		return 0, fmt.Errorf("%s: exec: %w: %s%s", p.name, err, out, stderr.String())
	}
	return time.Since(began), nil
}
