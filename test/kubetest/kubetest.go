// Package kubetest runs a Kubernetes of real parts for tests: the lab of test/kube, which is a program of its own, so that its
// many modules stay out of the product's.
package kubetest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Limits of the lab, on a machine that has other work.
const (
	startLimit = 3 * time.Minute
	stopLimit  = 20 * time.Second
)

// ErrMissing is a machine without the lab's program.
var ErrMissing = errors.New("the Kubernetes lab is missing: make kubelab builds it (6-11 minutes, once)")

// Config says what a lab is. The zero value is a cluster with its administrator.
type Config struct {
	// Users sign in by a token of Lab.Tokens; each has its groups.
	Users map[string][]string
	// TokenWebhook is the path of a kubeconfig: the API server asks that server about tokens that it does not know.
	TokenWebhook string
	// APIServerFlags are added to those of kube-apiserver.
	APIServerFlags []string
}

// Lab is a running cluster of one node, whose containers are local processes. Images are ignored; a container without a command
// sleeps; all pods share the loopback interface and the machine's files, and start in a folder of their own.
type Lab struct {
	Server     string            // URL of the API server, on 127.0.0.1
	CAPEM      []byte            // what signed its certificate
	Version    string            // of Kubernetes
	Kubeconfig string            // path of the administrator's, by a client certificate; its user is "admin"
	Tokens     map[string]string // of Config.Users
	Node       string            // name of the one node
	Dir        string            // everything that the lab keeps; it goes away with it
	StartTime  time.Duration     // as the lab measured it

	info   info
	bin    string
	cmd    *exec.Cmd
	exited chan struct{}
	admin  *http.Client
}

// info is the line that the program prints when it is ready.
type info struct {
	Server          string            `json:"server"`
	Version         string            `json:"version"`
	CA              string            `json:"ca"`
	AdminKubeconfig string            `json:"admin_kubeconfig"`
	AdminCert       string            `json:"admin_cert"`
	AdminKey        string            `json:"admin_key"`
	ClientCACert    string            `json:"client_ca_cert"`
	ClientCAKey     string            `json:"client_ca_key"`
	Tokens          map[string]string `json:"tokens"`
	AuditLog        string            `json:"audit_log"`
	Logs            string            `json:"logs"`
	Node            string            `json:"node"`
	Dir             string            `json:"dir"`
	StartMillis     int64             `json:"start_ms"`
}

// Start runs a lab until the test ends. Without the program it skips the test, or fails it where WRIT_NEED_KUBE=1. It takes
// about three seconds: tests of one package share one by Shared.
func Start(t testing.TB, cfg Config) *Lab {
	t.Helper()
	l, err := Run(cfg)
	if err != nil {
		giveUp(t, err)
	}
	t.Cleanup(l.Stop)
	return l
}

func giveUp(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("WRIT_NEED_KUBE") != "1" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// Run runs a lab until Stop, or until this process ends.
func Run(cfg Config) (*Lab, error) {
	bin, err := binary()
	if err != nil {
		return nil, err
	}
	l := &Lab{bin: bin, exited: make(chan struct{})}
	if err := l.launch(cfg); err != nil {
		return nil, fmt.Errorf("start the Kubernetes lab: %w", err)
	}
	if err := l.read(); err != nil {
		l.Stop()
		return nil, fmt.Errorf("read what the Kubernetes lab made: %w", err)
	}
	return l, nil
}

// binary finds the program: KUBELAB, or build/tools/kubelab above the working folder.
func binary() (string, error) {
	if path := os.Getenv("KUBELAB"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("KUBELAB: %w", err)
		}
		return filepath.Abs(path)
	}
	dir, err := os.Getwd()
	for err == nil {
		path := filepath.Join(dir, "build", "tools", "kubelab")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.Join(ErrMissing, err)
}

// launch starts the program and waits until it is ready. It ends itself, and tidies up, when this process ends.
func (l *Lab) launch(cfg Config) error {
	args := []string{"up"}
	for user, groups := range cfg.Users {
		args = append(args, "-user", user+"="+strings.Join(groups, ","))
	}
	if cfg.TokenWebhook != "" {
		args = append(args, "-token-webhook", cfg.TokenWebhook)
	}
	for _, flag := range cfg.APIServerFlags {
		args = append(args, "-apiserver-flag", flag)
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	defer in.Close()
	var stderr bytes.Buffer
	l.cmd = exec.Command(l.bin, args...)
	l.cmd.Stdout, l.cmd.Stderr = in, &stderr
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := l.cmd.Start(); err != nil {
		return err
	}
	go func() { _ = l.cmd.Wait(); close(l.exited) }()
	_ = in.Close()
	_ = out.SetReadDeadline(time.Now().Add(startLimit))
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &l.info)
	}
	if err != nil {
		l.Stop()
		return fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return nil
}

// read fills in what the program said.
func (l *Lab) read() (err error) {
	i := l.info
	l.Server, l.Version, l.Kubeconfig, l.Tokens = i.Server, i.Version, i.AdminKubeconfig, i.Tokens
	l.Node, l.Dir, l.StartTime = i.Node, i.Dir, time.Duration(i.StartMillis)*time.Millisecond
	if l.CAPEM, err = os.ReadFile(i.CA); err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(i.AdminCert, i.AdminKey)
	if err != nil {
		return err
	}
	l.admin = l.client(&cert)
	return nil
}

// client signs in with a certificate, where one is given.
func (l *Lab) client(cert *tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(l.CAPEM)
	settings := &tls.Config{RootCAs: pool}
	if cert != nil {
		settings.Certificates = []tls.Certificate{*cert}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true}}
}

// Admin calls the API server as its administrator.
func (l *Lab) Admin() *http.Client { return l.admin }

// Stop ends the lab and waits until nothing of it is left.
func (l *Lab) Stop() {
	if l.admin != nil {
		l.admin.CloseIdleConnections()
	}
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-l.exited:
	case <-time.After(stopLimit):
		_ = l.cmd.Process.Kill()
		<-l.exited
	}
	if l.info.Dir != "" {
		_ = os.RemoveAll(l.info.Dir)
	}
}

// get reads from the API server as its administrator.
func (l *Lab) get(ctx context.Context, path, agent string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Server+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", agent)
	resp, err := l.admin.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
