package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/profile"
)

// maxToken bounds a token read from a file or from standard input, in bytes.
const maxToken = 64 << 10

// app is one run of one command.
type app struct {
	env  Env
	out  *output.Printer
	diag *output.Printer
	json bool
}

func newApp(env Env) (*app, error) {
	out, err := output.New(env.Stdout, env.Width)
	if err != nil {
		return nil, err
	}
	diag, err := output.New(env.Stderr, 0)
	if err != nil {
		return nil, err
	}
	return &app{env: env, out: out, diag: diag}, nil
}

// show writes m as JSON, or calls text for the form for people.
func (a *app) show(m proto.Message, text func() error) error {
	if a.json {
		return a.out.JSON(m)
	}
	return text()
}

// say writes JSON, or one line for people.
func (a *app) say(m proto.Message, format string, args ...any) error {
	return a.show(m, func() error { return a.out.Printf(format, args...) })
}

// note writes a line about what goes on to standard error.
func (a *app) note(format string, args ...any) { _ = a.diag.Printf(format, args...) }

// target is where and as whom to call.
type target struct {
	server string
	ca     []byte
	pin    string
	token  string
	// notThrough is a proxy that is not used to get there, "host:port".
	notThrough string
}

func (a *app) store() (*profile.Store, error) {
	dir, err := profile.Dir(a.env.get)
	if err != nil {
		return nil, err
	}
	return profile.Open(dir)
}

// target puts the environment over the stored login. A stored token goes to the server that gave it and to no other,
// and a stored CA or pin is trusted for that server only.
func (a *app) target() (target, error) {
	t := target{server: a.env.get("WRIT_SERVER"), token: strings.TrimSpace(a.env.get("WRIT_TOKEN"))}
	if err := a.addLogin(&t); err != nil {
		return target{}, err
	}
	if file := a.env.get("WRIT_CA_FILE"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return target{}, fmt.Errorf("read WRIT_CA_FILE: %w", err)
		}
		t.ca, t.pin = pem, ""
	}
	switch {
	case t.server == "":
		return target{}, profile.ErrNone
	case t.token == "":
		return target{}, fmt.Errorf("%w at %s", profile.ErrNone, t.server)
	}
	return t, nil
}

// addLogin fills what the environment left open. With server and token given, no login is looked for.
func (a *app) addLogin(t *target) error {
	if t.server != "" && t.token != "" && a.env.get("WRIT_CA_FILE") != "" {
		return nil
	}
	store, err := a.store()
	if err != nil {
		return nil // no folder, no login
	}
	login, err := store.Load()
	switch {
	case errors.Is(err, profile.ErrNone):
		return nil
	case err != nil:
		return err
	}
	if t.server == "" {
		t.server = login.Server
	}
	if !sameServer(t.server, login.Server) {
		return nil
	}
	t.ca, t.pin = []byte(login.CAPEM), login.Pin
	if t.token == "" {
		t.token = login.Token
	}
	return nil
}

func sameServer(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }

// control returns clients that call as the caller.
func (a *app) control() (*client.Clients, error) {
	t, err := a.target()
	if err != nil {
		return nil, err
	}
	return a.dial(t)
}

func (a *app) dial(t target) (*client.Clients, error) {
	c, err := client.New(client.Config{
		Server: t.server, CAPEM: t.ca, Pin: t.pin, Token: t.token, Dial: a.env.Dial, Now: a.env.Now, NotThrough: t.notThrough,
	})
	if err != nil {
		return nil, misused("", "%w", err)
	}
	return c, nil
}

// secret reads a token from a file, "-" being standard input.
func (a *app) secret(name string) (string, error) {
	in := a.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("read token: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || len(raw) > maxToken {
		return "", errors.New("read token: it is empty or too long")
	}
	return token, nil
}

// confirm asks a person to type yes. The end of ctx is a no.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	if _, err := fmt.Fprintf(a.env.Stderr, "%s Type yes to go on: ", question); err != nil {
		return false, err
	}
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.env.Stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return false, nil
	case line := <-answer:
		return strings.EqualFold(strings.TrimSpace(line), "yes"), nil
	}
}
