package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

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

const podJSON = `{"metadata":{"name":"p-%d","labels":{"app":"bench","n":"%d"}},"spec":{"schedulerName":"none","automountServiceAccountToken":false,"containers":[{"name":"main","image":"registry.example.com/shop/main:1.2.3","env":[{"name":"A","value":"some value"},{"name":"B","value":"another value"}],"resources":{"requests":{"cpu":"100m","memory":"128Mi"}}}]}}`

// fill makes pods that no node runs.
func (k *kube) fill(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "making", k.pods, "pods")
	numbers := make(chan int)
	errs := make(chan error, 16)
	var wg sync.WaitGroup
	for range cap(errs) {
		wg.Go(func() {
			for n := range numbers {
				resp, err := k.paths[0].do(ctx, "POST", "/api/v1/namespaces/bench/pods", "application/json", fmt.Sprintf(podJSON, n, n), "application/json")
				if err != nil {
					errs <- err
					for range numbers {
					}
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	for n := range k.pods {
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	close(errs)
	return <-errs
}

// lists reads all pods at once.
func (k *kube) lists(ctx context.Context) ([]Figure, error) {
	var figures []Figure
	for _, form := range []struct{ name, accept, encoding string }{
		{"JSON", "application/json", ""}, {"protobuf", "application/vnd.kubernetes.protobuf", ""}, // compressed where the server does, as client-go has it
		{"JSON uncompressed", "application/json", "identity"}, {"protobuf uncompressed", "application/vnd.kubernetes.protobuf", "identity"},
	} {
		times := make([][]time.Duration, len(k.paths))
		for range max(k.rounds, 3) {
			for i, p := range k.paths {
				d, err := p.list(ctx, form.accept, form.encoding)
				if err != nil {
					return nil, err
				}
				times[i] = append(times[i], d)
			}
		}
		direct, proxy, edge := shortest(times[0]).Seconds(), shortest(times[1]).Seconds(), shortest(times[2]).Seconds()
		name := fmt.Sprintf("list of %d pods, %s", k.pods, form.name)
		figures = append(figures, atMost(name, "s", edge, direct, "direct", 1.1), atMost(name, "s", edge, proxy, "kubectl proxy", 1))
	}
	return figures, nil
}

func (p kubePath) list(ctx context.Context, accept, encoding string) (time.Duration, error) {
	began := time.Now()
	resp, err := p.do(ctx, "GET", "/api/v1/namespaces/bench/pods", "", "", accept, "Accept-Encoding", encoding)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n < 1<<16 {
		err = fmt.Errorf("%s: a list of %d bytes", p.name, n)
	}
	return time.Since(began), err
}

// watchTime is how long events come, watchRate how many a second are asked of the writers.
const (
	watchTime = 5 * time.Second
	watchRate = 1000
)

// watches compares how late events come through the edge and through kubectl proxy, side by side.
func (k *kube) watches(ctx context.Context) ([]Figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchers := make([]*watcher, len(k.paths))
	var wg sync.WaitGroup
	for i, p := range k.paths {
		p.client = clientOf(p.ca) // a connection of its own, as an informer has
		watchers[i] = &watcher{kubePath: p}
		if err := watchers[i].open(ctx); err != nil {
			return nil, err
		}
	}
	for _, w := range watchers {
		wg.Go(func() { w.err = w.follow(ctx) })
	}
	sent, err := k.events(ctx)
	if err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Second) // for the last to come
	cancel()
	wg.Wait()
	for _, w := range watchers {
		if w.err != nil {
			return nil, w.err
		}
		if len(w.late) != sent {
			return nil, fmt.Errorf("%s: got %d events of %d", w.name, len(w.late), sent)
		}
		slices.Sort(w.late)
		if w.again > 0 {
			fmt.Fprintf(os.Stderr, "note: the API server ended the watch %d times: %s\n", w.again, w.name)
		}
	}
	ms := func(i int, q float64) float64 {
		return watchers[i].late[int(q*float64(sent-1))].Seconds() * 1000
	}
	rate := fmt.Sprintf("watch of %d events/s", int(float64(sent)/watchTime.Seconds()))
	return []Figure{
		atMost(rate+", p50", "ms", ms(2, 0.5), ms(1, 0.5), "kubectl proxy", 1), atMost(rate+", p99", "ms", ms(2, 0.99), ms(1, 0.99), "kubectl proxy", 1),
		atMost(rate+", p50", "ms", ms(2, 0.5), ms(0, 0.5), "direct", 1.1),
	}, nil
}

// watcher follows objects as informers do: where the API server ends a watch, for whatever reason, it begins again where it was.
type watcher struct {
	kubePath
	resp    *http.Response
	version string
	late    []time.Duration
	again   int
	err     error
}

func (w *watcher) open(ctx context.Context) (err error) {
	w.resp, err = w.do(ctx, "GET", "/api/v1/namespaces/bench/configmaps?watch=true&labelSelector=bench&resourceVersion="+w.version, "", "", "application/json")
	return err
}

// follow notes how long ago each event was sent, by the time that it carries, until ctx ends.
func (w *watcher) follow(ctx context.Context) error {
	for {
		err := w.read()
		w.resp.Body.Close()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		w.again++
		if err := w.open(ctx); err != nil {
			return err
		}
	}
}

func (w *watcher) read() error {
	events := json.NewDecoder(bufio.NewReaderSize(w.resp.Body, 64<<10))
	for {
		var e struct {
			Type   string
			Object struct {
				Metadata struct{ ResourceVersion string }
				Data     struct {
					At int64 `json:"at,string"`
				}
				Message string
			}
		}
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if e.Type == "ERROR" {
			return errors.New(e.Object.Message)
		}
		w.late = append(w.late, time.Since(time.Unix(0, e.Object.Data.At)))
		w.version = e.Object.Metadata.ResourceVersion
	}
}

// events makes objects at a steady rate, each with the time at which it was sent.
func (k *kube) events(ctx context.Context) (int, error) {
	tick := time.NewTicker(time.Second / watchRate)
	defer tick.Stop()
	end := time.Now().Add(watchTime)
	room := make(chan struct{}, 64)
	errs := make(chan error, cap(room))
	var wg sync.WaitGroup
	sent := 0
	for time.Now().Before(end) {
		<-tick.C
		room <- struct{}{}
		sent++
		n := sent
		wg.Go(func() {
			defer func() { <-room }()
			body := fmt.Sprintf(`{"metadata":{"name":"e-%d","labels":{"bench":""}},"data":{"at":"%d"}}`, n, time.Now().UnixNano())
			resp, err := k.paths[0].do(ctx, "POST", "/api/v1/namespaces/bench/configmaps", "application/json", body, "application/json")
			if err != nil {
				select {
				case errs <- err:
				default:
				}
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	wg.Wait()
	close(errs)
	return sent, <-errs
}

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
