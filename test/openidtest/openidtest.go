// Package openidtest runs the OpenID provider of test/openid, and signs people in at it as their browser would.
package openidtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Config says who may use the provider.
type Config struct {
	Users   []User   `json:"users"`
	Clients []Client `json:"clients"`
}

// User can sign in. Its name is the token's subject.
type User struct {
	Name     string   `json:"name"`
	Password string   `json:"password"`
	Email    string   `json:"email"`
	Verified bool     `json:"verified"` // the address
	Groups   []string `json:"groups"`   // with the scope "groups", as is the kind
	Kind     string   `json:"kind"`
}

// Client may use the provider: with redirect addresses for the authorization code flow, which takes PKCE, for the device
// flow, and for token exchange. Without a secret it is public.
type Client struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret"`
	Redirects []string `json:"redirects"`
	Device    bool     `json:"device"`
	Exchange  bool     `json:"exchange"`
}

// Provider is a running provider.
type Provider struct {
	Config
	Issuer string // its URL

	cmd   *exec.Cmd
	stdin io.Closer
}

// Start runs a provider until the test ends.
func Start(t testing.TB, cfg Config) *Provider {
	t.Helper()
	p, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Run builds and starts a provider. Stop it.
func Run(cfg Config) (*Provider, error) {
	dir, err := source()
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start OpenID provider: %w", err)
	}
	p := &Provider{Config: cfg, cmd: cmd, stdin: stdin}
	_, writeErr := stdin.Write(settings)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err = errors.Join(writeErr, err); err != nil {
		return nil, fmt.Errorf("start OpenID provider: %w\n%s", errors.Join(err, p.Stop()), stderr.Bytes())
	}
	p.Issuer = strings.TrimSpace(line)
	return p, nil
}

// Stop ends the provider.
func (p *Provider) Stop() error {
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}

// source finds the provider's module above the working folder.
func source() (string, error) {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		found := filepath.Join(dir, "test", "openid")
		if _, err := os.Stat(filepath.Join(found, "go.mod")); err == nil {
			return found, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.New("test/openid is not above the working folder")
}
