// Package world starts a whole Writ from its binaries, with a real PostgreSQL and a real
// OIDC issuer, in one folder and on free loopback ports: for end-to-end tests, fault
// rounds, benchmarks and the demo.
package world

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/oidctest"
	"github.com/writhq/writ/test/pgtest"
)

// Config says what kind of world to make.
type Config struct {
	// Bin holds the three binaries.
	Bin string
	// Dir is where everything is kept.
	Dir string
	// Schema is SQL that fills the database "shop". Default Schema.
	Schema string
	// Settings are further lines for postgresql.conf.
	Settings []string
	// Resource is the manifest of the resource; %{...} are filled in. Default Manifest.
	Resource string
	// Policy is the folder of the bundle to push. Default: the starter bundle.
	Policy string
	// Issuers are further entries of the control plane's list of OIDC issuers, as YAML.
	Issuers string
	// ControlSettings of the control plane besides those that every world has, as YAML.
	ControlSettings string
	// ControlEnv are further variables of the control plane.
	ControlEnv []string
	// Visitors can sign in to the console with a browser, by choosing who they are.
	Visitors []oidctest.Claims
	// EdgeArgs are further arguments of the edge.
	EdgeArgs []string
	// Progress is told what happens. Default: nothing.
	Progress func(string)
	// PostgresPort and the other ports are fixed for the demo; 0 is a free one.
	AccessPort, EdgePort, PostgresPort int
}

// World is a running Writ.
type World struct {
	Config
	PG      *pgtest.Server
	Issuer  *oidctest.Issuer
	Control *Process
	Edge    *Process

	Access   string // "host:port" for people
	EdgeAddr string // "host:port" for edges
	Postgres string // "host:port" for PostgreSQL clients
	// Kubernetes is "host:port" for Kubernetes clients, AWS for AWS clients.
	Kubernetes, AWS string
	CAFile          string
	Pin             string
}

// Audience is what tokens of the issuer must be for.
const Audience = "writ"

// Database and Resource are the target's database and its name in the inventory.
const (
	Database = "shop"
	Resource = "orders-db"
	EdgeName = "edge-a"
)

// Start makes a world for a test, and ends it with the test.
func Start(t testing.TB, cfg Config) *World {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Bin == "" {
		cfg.Bin = Binaries(t)
	}
	w, err := Run(context.Background(), cfg)
	if w != nil {
		t.Cleanup(func() {
			w.Stop()
			if t.Failed() {
				t.Logf("control plane log:\n%s", tail(w.Control))
				t.Logf("edge log:\n%s", tail(w.Edge))
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// EdgeLog returns the end of what the edge said.
func (w *World) EdgeLog() string { return tail(w.Edge) }

func tail(p *Process) string {
	if p == nil {
		return ""
	}
	text, _ := os.ReadFile(p.LogFile)
	if len(text) > 8000 {
		text = text[len(text)-8000:]
	}
	return string(text)
}

// Binaries finds the built binaries: WRIT_BIN, or build/bin above the working folder.
func Binaries(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("WRIT_BIN"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		bin := filepath.Join(dir, "build", "bin")
		if _, err := os.Stat(filepath.Join(bin, "writ-edge")); err == nil {
			return bin
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no binaries: run make build, or set WRIT_BIN")
	return ""
}

// Run makes a world. On an error what was started is stopped.
func Run(ctx context.Context, cfg Config) (w *World, err error) {
	if cfg.Schema == "" {
		cfg.Schema = Schema
	}
	if cfg.Resource == "" {
		cfg.Resource = Manifest
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	w = &World{Config: cfg}
	defer func() {
		if err != nil {
			w.Stop()
		}
	}()
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"PostgreSQL", w.startPostgres}, {"OIDC issuer", w.startIssuer}, {"control plane", w.startControl},
		{"policy and inventory", w.publish}, {"edge", w.startEdge},
	} {
		cfg.Progress(step.name)
		if err := step.run(ctx); err != nil {
			return w, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return w, nil
}

// Stop ends everything.
func (w *World) Stop() {
	if w.Edge != nil {
		w.Edge.Stop()
	}
	if w.Control != nil {
		w.Control.Stop()
	}
	if w.Issuer != nil {
		w.Issuer.Close()
	}
	if w.PG != nil {
		w.PG.Stop()
	}
}

func (w *World) startPostgres(ctx context.Context) error {
	var err error
	if w.PG, err = pgtest.Run(w.Dir, w.Settings...); err != nil {
		return err
	}
	if err := w.exec(ctx, "postgres", "CREATE DATABASE "+Database); err != nil {
		return err
	}
	return w.exec(ctx, Database, w.Schema)
}

func (w *World) exec(ctx context.Context, database, sql string) error {
	conn, err := w.PG.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

func (w *World) startIssuer(context.Context) error {
	var err error
	w.Issuer, err = oidctest.Start("127.0.0.1:0")
	return err
}

// Token signs in a principal at the issuer. kind is person, agent, job or service.
func (w *World) Token(name, kind string, groups ...string) string {
	token, err := w.Issuer.Token(oidctest.Claims{
		"sub": name, "aud": Audience, "email": name, "groups": groups, "kind": kind, "exp": time.Now().Add(12 * time.Hour).Unix(),
	})
	if err != nil {
		panic(err)
	}
	return token
}

// Administrator is the token of a person in the group writ-admins.
func (w *World) Administrator() string {
	return w.Token("root@example.com", "person", "writ-admins")
}

func (w *World) startControl(ctx context.Context) error {
	dir := filepath.Join(w.Dir, "control")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var err error
	if w.Access, err = address(w.AccessPort); err != nil {
		return err
	}
	if w.EdgeAddr, err = address(w.EdgePort); err != nil {
		return err
	}
	conf := w.ControlSettings + fmt.Sprintf("listen-access: %s\nlisten-edge: %s\ndata-dir: %s\nroles:\n  admin: [writ-admins]\n  auditor: [writ-auditors]\noidc:\n- url: %s\n  audiences: [%s]\n  kind_claim: kind\n  kind: agent\n",
		w.Access, w.EdgeAddr, filepath.Join(dir, "data"), w.Issuer.URL(), Audience)
	if len(w.Visitors) > 0 {
		const client = "writ-console"
		home := "https://" + w.Access
		if err := w.Issuer.Visit(client, home+"/signin/callback", w.Visitors); err != nil {
			return err
		}
		conf = "public-url: " + home + "\n" + conf + "  name: the demo's stand-in\n  browser: {client_id: " + client + "}\n"
	}
	conf += w.Issuers
	file := filepath.Join(dir, "controlplane.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	w.CAFile = filepath.Join(dir, "data", "ca.pem")
	w.Control = &Process{Name: "writ-controlplane", Path: filepath.Join(w.Bin, "writ-controlplane"), Args: []string{"--config", file}, Env: append(environ(), w.ControlEnv...), LogFile: filepath.Join(w.Dir, "control.log")}
	if err := w.Control.Start(); err != nil {
		return err
	}
	return w.AwaitControl(ctx)
}

// AwaitControl waits until the control plane answers.
func (w *World) AwaitControl(ctx context.Context) error {
	return await(ctx, 30*time.Second, w.Control, func() error {
		pem, err := os.ReadFile(w.CAFile)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		client := http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
		resp, err := client.Get("https://" + w.Access + "/healthz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		if w.Pin == "" {
			if m := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(w.Control.Stdout()); m != "" {
				w.Pin = m
			} else {
				return errors.New("no pin printed")
			}
		}
		return nil
	})
}

// await polls until check passes, the process ends or the time is over.
func await(ctx context.Context, limit time.Duration, p *Process, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w; its log:\n%s", limit, err, tail(p))
		case <-p.Exited():
			return fmt.Errorf("ended: %s\n%s", p.Stdout(), tail(p))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (w *World) publish(ctx context.Context) error {
	dir := w.Policy
	if dir == "" {
		dir = filepath.Join(w.Dir, "policy")
		if _, err := w.Writ(ctx, w.Administrator(), "policy", "init", dir); err != nil {
			return err
		}
	}
	if _, err := w.Writ(ctx, w.Administrator(), "policy", "push", dir, "-m", "first policy"); err != nil {
		return err
	}
	return w.Apply(ctx, w.Resource)
}

// Apply applies a manifest after filling in %{...}.
func (w *World) Apply(ctx context.Context, manifest string) error {
	ca, pw := filepath.Join(w.Dir, "target-ca.pem"), filepath.Join(w.Dir, "target-password")
	if err := errors.Join(os.WriteFile(ca, w.PG.CAPEM, 0o600), os.WriteFile(pw, []byte(pgtest.Password+"\n"), 0o600)); err != nil {
		return err
	}
	manifest = strings.NewReplacer("%{endpoint}", w.PG.Address(), "%{ca}", ca, "%{password}", pw, "%{superuser}", pgtest.Superuser).Replace(manifest)
	file := filepath.Join(w.Dir, "resource.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		return err
	}
	_, err := w.Writ(ctx, w.Administrator(), "resources", "apply", "-f", file)
	return err
}

func (w *World) startEdge(ctx context.Context) error {
	out, err := w.Writ(ctx, w.Administrator(), "edges", "join", EdgeName, "--name", "127.0.0.1", "--name", "localhost", "--output", "json")
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`"token":\s*"([^"]+)"`).FindStringSubmatch(out)
	if m == nil {
		return fmt.Errorf("no join token in %s", out)
	}
	file := filepath.Join(w.Dir, "join-token")
	if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
		return err
	}
	// A port that was free may be taken a moment later, by another world or a connection; the edge then ends before it joins.
	for range 5 {
		if err = w.tryEdge(ctx, file); err == nil || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
	return err
}

func (w *World) tryEdge(ctx context.Context, joinToken string) (err error) {
	if w.Postgres, err = address(w.PostgresPort); err != nil {
		return err
	}
	if w.Kubernetes, err = address(0); err != nil {
		return err
	}
	if w.AWS, err = address(0); err != nil {
		return err
	}
	args := []string{
		"--control-plane", w.EdgeAddr, "--pin", w.Pin, "--join-token-file", joinToken, "--state-dir", filepath.Join(w.Dir, "edge"),
		"--listen-postgres", w.Postgres, "--listen-kubernetes", w.Kubernetes, "--listen-aws", w.AWS, "--log-level", "debug",
	}
	w.Edge = &Process{Name: "writ-edge", Path: filepath.Join(w.Bin, "writ-edge"), Args: append(args, w.EdgeArgs...), Env: environ(), LogFile: filepath.Join(w.Dir, "edge.log")}
	if err := w.Edge.Start(); err != nil {
		return err
	}
	return w.AwaitEdge(ctx)
}

// AwaitEdge waits until the edge is connected, holds a lease and enforces the newest policy.
func (w *World) AwaitEdge(ctx context.Context) error {
	return await(ctx, 40*time.Second, w.Edge, func() error {
		out, err := w.Writ(ctx, w.Administrator(), "edges", "list", "--output", "json")
		if err != nil {
			return err
		}
		if !regexp.MustCompile(`"connected":\s*true`).MatchString(out) || !regexp.MustCompile(`"revision":\s*"?[1-9]`).MatchString(out) {
			return fmt.Errorf("edge is not ready: %s", out)
		}
		return nil
	})
}

// ExitError is a command of writ that failed.
type ExitError struct {
	Code   int
	Stderr string
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit %d: %s", e.Code, e.Stderr) }

// Command returns a writ command for a principal.
func (w *World) Command(ctx context.Context, token string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(w.Bin, "writ"), args...)
	cmd.Env = append(environ(), "WRIT_SERVER=https://"+w.Access, "WRIT_CA_FILE="+w.CAFile, "WRIT_TOKEN="+token, "WRIT_HOME="+filepath.Join(w.Dir, "home"))
	return cmd
}

// Writ runs a writ command and returns what it printed.
func (w *World) Writ(ctx context.Context, token string, args ...string) (string, error) {
	cmd := w.Command(ctx, token, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return stdout.String(), &ExitError{Code: exit.ExitCode(), Stderr: stderr.String()}
	}
	return stdout.String(), err
}

// Grant asks for access and returns an access token. It fails unless policy grants at once.
func (w *World) Grant(ctx context.Context, token string, args ...string) (string, error) {
	if _, err := w.Writ(ctx, token, append([]string{"request", Resource, "--for", "30m", "--reason", "test", "--no-wait"}, args...)...); err != nil {
		return "", err
	}
	out, err := w.Writ(ctx, token, "token", Resource)
	return strings.TrimSpace(out), err
}

// DSN is what a client connects to the edge with.
func (w *World) DSN(user, accessToken string) string {
	host, port, _ := net.SplitHostPort(w.Postgres)
	return fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s", host, port, user, accessToken, Resource, w.CAFile)
}

func address(port int) (string, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// environ is a clean environment.
func environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC", "LC_ALL=C.UTF-8"}
}
