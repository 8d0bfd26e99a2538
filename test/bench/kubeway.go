package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ways opens the three ways.
func (k *kube) ways(ctx context.Context) error {
	secret, err := k.kubectl(ctx, `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"direct","namespace":"bench"}}`, "apply", "-f", "-")
	if err == nil {
		_, err = k.kubectl(ctx, "", "create", "clusterrolebinding", "bench-direct", "--clusterrole=cluster-admin", "--serviceaccount=bench:direct")
	}
	if err == nil {
		secret, err = k.kubectl(ctx, "", "-n", kubeNamespace, "create", "token", "direct", "--duration", "1h")
	}
	if err != nil {
		return err
	}
	tool, err := k.lab.FindKubectl("")
	if err != nil {
		return err
	}
	k.proxy = tool.Command(context.WithoutCancel(ctx), k.lab.Kubeconfig, "proxy", "--port=0", "--reject-paths=^$")
	out, err := k.proxy.StdoutPipe()
	if err != nil {
		return err
	}
	if err := k.proxy.Start(); err != nil {
		return err
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	proxied := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`).FindString(line)
	if proxied == "" {
		return fmt.Errorf("kubectl proxy says %q", line)
	}
	agent := k.w.Token("bench@example.com", "agent", "agents")
	if _, err := k.w.Writ(ctx, agent, "request", "cluster", "--for", "30m", "--reason", "bench", "--no-wait"); err != nil {
		return err
	}
	access, err := k.w.Writ(ctx, agent, "token", "cluster")
	if err != nil {
		return err
	}
	access = strings.TrimSpace(access)
	edgeCA, err := os.ReadFile(k.w.CAFile)
	if err != nil {
		return err
	}
	k.paths = []kubePath{
		{name: "direct", url: k.lab.Server, ca: k.lab.CAPEM, client: clientOf(k.lab.CAPEM), auth: "Bearer " + secret},
		{name: "kubectl proxy", url: "http://" + proxied, client: clientOf(nil)},
		{name: "writ-edge", url: "https://" + k.w.Kubernetes, ca: edgeCA, client: clientOf(edgeCA), auth: "Bearer " + access},
	}
	for i, p := range k.paths {
		if k.paths[i].kubeconfig, err = k.writeConfig(p); err != nil {
			return err
		}
	}
	return nil
}

func clientOf(caPEM []byte) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(caPEM)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
}

// writeConfig writes a kubeconfig for one way.
func (k *kube) writeConfig(p kubePath) (string, error) {
	ca := k.lab.CAPEM
	if p.name == "writ-edge" {
		var err error
		if ca, err = os.ReadFile(k.w.CAFile); err != nil {
			return "", err
		}
	}
	cluster := map[string]any{"server": p.url}
	if strings.HasPrefix(p.url, "https") {
		cluster["certificate-authority-data"] = ca
	}
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": []any{map[string]any{"name": "c", "cluster": cluster}},
		"users":    []any{map[string]any{"name": "u", "user": map[string]any{"token": strings.TrimPrefix(p.auth, "Bearer ")}}},
		"contexts": []any{map[string]any{"name": "c", "context": map[string]any{"cluster": "c", "user": "u"}}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	file := filepath.Join(k.dir, "kubeconfig-"+strings.ReplaceAll(p.name, " ", "-"))
	return file, os.WriteFile(file, text, 0o600)
}

// do sends a request; more are names of headers with their values, of which the empty ones are left out.
func (p kubePath) do(ctx context.Context, method, path, media, body, accept string, more ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if body != "" {
		req.Header.Set("Content-Type", media)
	}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			req.Header.Set(more[i], more[i+1])
		}
	}
	if p.auth != "" {
		req.Header.Set("Authorization", p.auth)
	}
	resp, err := p.client.Do(req)
	if err == nil && resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s %s: %s %s", p.name, method, path, resp.Status, text)
	}
	return resp, err
}
