package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/oidctest"
	"github.com/writhq/writ/test/pgtest"
	"github.com/writhq/writ/test/world"
)

// actor is a principal of the demo.
type actor struct {
	short  string // as in the prompt
	kind   string
	groups []string
	role   string // what the actor is there for
}

func (a actor) name() string { return a.short + "@example.com" }

var (
	ada   = actor{"ada", "agent", []string{"agents"}, "an agent that acts for kim@example.com"}
	bex   = actor{"bex", "agent", []string{"agents"}, "a second agent"}
	pia   = actor{"pia", "job", []string{"agents", "pii-readers"}, "a job that may see personal data"}
	carol = actor{"carol", "person", []string{"dba"}, "a database administrator"}
	dave  = actor{"dave", "person", []string{"dba"}, "a second database administrator"}
	rita  = actor{"rita", "person", []string{"writ-admins"}, "an administrator of Writ"}
	olga  = actor{"olga", "person", []string{"writ-auditors"}, "an auditor"}
	cast  = []actor{ada, bex, pia, carol, dave, rita, olga}
)

// tokenLife is how long the actors' identity tokens are good.
const tokenLife = 12 * time.Hour

func (a actor) claims() oidctest.Claims {
	return oidctest.Claims{"sub": a.name(), "aud": world.Audience, "email": a.name(), "groups": a.groups, "kind": a.kind, "name": a.name() + ", " + a.role}
}

// visitors are the people of the cast, who may use the console.
func visitors() (people []oidctest.Claims) {
	for _, a := range cast {
		if a.kind == "person" {
			people = append(people, a.claims())
		}
	}
	return people
}

// token signs an actor in at the issuer.
func (s *stage) token(a actor) (string, error) {
	claims := a.claims()
	claims["exp"] = time.Now().Add(tokenLife).Unix()
	if a.short == ada.short {
		claims["on_behalf_of"] = []string{"kim@example.com"}
	}
	return s.w.Issuer.Token(claims)
}

// handover is build/demo.json, which docs/demo.md describes.
type handover struct {
	AccessURL  string      `json:"access_url"`
	EdgeAddr   string      `json:"edge_address"`
	Postgres   endpoint    `json:"postgres"`
	CAFile     string      `json:"ca_file"`
	CLI        string      `json:"cli"`
	Resource   string      `json:"resource"`
	Database   string      `json:"database"`
	Target     target      `json:"target"`
	Issuer     string      `json:"issuer"`
	PolicyDir  string      `json:"policy_dir"`
	Logs       logs        `json:"logs"`
	Principals []principal `json:"principals"`
}

type endpoint struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// target is the database itself, past the edge: for whoever judges by its state.
type target struct {
	DSN     string `json:"dsn"`
	LogFile string `json:"log_file"`
}

type logs struct {
	ControlPlane string `json:"control_plane"`
	Edge         string `json:"edge"`
}

type principal struct {
	Name        string   `json:"name"`
	Kind        string   `json:"kind"`
	Groups      []string `json:"groups"`
	Role        string   `json:"role"`
	Token       string   `json:"token"`
	Env         string   `json:"env_file"`
	Grant       string   `json:"grant,omitempty"`
	AccessToken string   `json:"access_token,omitempty"`
	DSN         string   `json:"dsn,omitempty"`
}

// handOver asks for a fresh grant for each principal that works on the database, and writes file when all is ready.
func (s *stage) handOver(ctx context.Context, file string) error {
	var pg endpoint
	if _, err := fmt.Sscanf(strings.Replace(s.w.Postgres, ":", " ", 1), "%s %d", &pg.Host, &pg.Port); err != nil {
		return fmt.Errorf("address of the edge: %w", err)
	}
	h := handover{
		AccessURL: "https://" + s.w.Access, EdgeAddr: s.w.EdgeAddr, Postgres: pg, CAFile: s.w.CAFile,
		CLI: filepath.Join(s.w.Bin, "writ"), Resource: world.Resource, Database: world.Database,
		Target: target{DSN: s.w.PG.DSN(world.Database), LogFile: s.w.PG.LogFile()}, Issuer: s.w.Issuer.URL(), PolicyDir: s.w.Policy,
		Logs: logs{ControlPlane: s.w.Control.LogFile, Edge: s.w.Edge.LogFile},
	}
	for _, a := range cast {
		p := principal{Name: a.name(), Kind: a.kind, Groups: a.groups, Role: a.role, Env: s.envFile(a)}
		var err error
		if p.Token, err = s.token(a); err != nil {
			return err
		}
		if a.short == ada.short || a.short == bex.short || a.short == pia.short {
			if err := s.equip(ctx, a, &p); err != nil {
				return fmt.Errorf("access for %s: %w", a.short, err)
			}
		}
		h.Principals = append(h.Principals, p)
	}
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(file, append(text, '\n'))
}

var grantID = regexp.MustCompile(`grant-[0-9a-z]+`)

// equip gives p a grant, its access token and a connection string.
func (s *stage) equip(ctx context.Context, a actor, p *principal) error {
	out, err := s.w.Writ(ctx, p.Token, "request", world.Resource, "--for", "4h", "--reason", "to try the demo")
	if err != nil {
		return err
	}
	if p.Grant = grantID.FindString(out); p.Grant == "" {
		return errors.New("no grant in: " + out)
	}
	if out, err = s.w.Writ(ctx, p.Token, "token", p.Grant); err != nil {
		return err
	}
	p.AccessToken = strings.TrimSpace(out)
	p.DSN = s.w.DSN(a.name(), p.AccessToken)
	return nil
}

func (s *stage) envFile(a actor) string { return filepath.Join(s.envDir, a.short+".env") }

// writeEnvironments writes for each actor a file that makes a shell theirs.
func (s *stage) writeEnvironments() error {
	if err := os.MkdirAll(s.envDir, 0o700); err != nil {
		return err
	}
	for _, a := range cast {
		token, err := s.token(a)
		if err != nil {
			return err
		}
		var text strings.Builder
		fmt.Fprintf(&text, "# %s: %s\n", a.name(), a.role)
		for _, v := range s.environment(a, token) {
			name, value, _ := strings.Cut(v, "=")
			fmt.Fprintf(&text, "export %s=%s\n", name, quote(value))
		}
		fmt.Fprintf(&text, "export PATH=%s:\"$PATH\"\n", quote(s.w.Bin))
		if err := replaceFile(s.envFile(a), []byte(text.String())); err != nil {
			return err
		}
	}
	return nil
}

// environment is what an actor's commands need.
func (s *stage) environment(a actor, token string) []string {
	return []string{
		"WRIT_SERVER=https://" + s.w.Access, "WRIT_CA_FILE=" + s.w.CAFile, "WRIT_TOKEN=" + token,
		"WRIT_HOME=" + filepath.Join(s.w.Dir, "home-"+a.short),
		"ORDERS_DB=" + strings.Replace(s.w.DSN(a.name(), ""), "password= ", "", 1),
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// replaceFile writes a file that only its owner reads, as a whole.
func replaceFile(name string, text []byte) error {
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// explain says how to go on by hand.
func (s *stage) explain(file string) {
	env := func(a actor) string { return relative(s.envFile(a)) }
	fmt.Fprintf(s.out, `
It stays up until Ctrl-C. The console is at https://%[15]s (the browser warns of the demo's own authority); sign in as
carol, %[4]s, and approve what is held below. In another terminal, in this folder:

  . %[1]s                # you are %[2]s
  writ whoami
  writ psql orders-db                    # try: SELECT * FROM customers LIMIT 3; DELETE FROM order_items; DROP TABLE orders;
  PGPASSWORD=$(writ token orders-db) psql "$ORDERS_DB"      # the same with nothing but psql
  writ connect orders-db                 # or a local port for any other client

  . %[3]s              # you are %[4]s, who approves
  writ list

  . %[5]s               # you are %[6]s, who sees everything
  writ sessions list --all
  writ audit admin

  psql "host=%[7]s port=%[8]d user=%[9]s password=%[10]s dbname=%[11]s"    # the target, past the edge

For scripts: %[12]s (docs/demo.md says what is in it). Logs: %[13]s, %[14]s
`, env(ada), ada.role, env(carol), carol.role, env(olga), olga.role,
		s.w.PG.Host, s.w.PG.Port, pgtest.Superuser, pgtest.Password, world.Database, relative(file), s.w.Control.LogFile, s.w.Edge.LogFile, s.w.Access)
}

// relative is name as seen from the working folder, where that is shorter.
func relative(name string) string {
	dir, err := os.Getwd()
	if err != nil {
		return name
	}
	if rel, err := filepath.Rel(dir, name); err == nil && len(rel) < len(name) {
		return rel
	}
	return name
}
