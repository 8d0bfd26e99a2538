package pgtunnel_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/pkg/cli/clitest"
	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/pgtunnel"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a control plane, an edge and a tunnel to it under one grant.
type world struct {
	control *clitest.ControlPlane
	edge    *clitest.Edge
	clients *client.Clients
	grant   string
	addr    string

	mu      sync.Mutex
	refused []string
	change  func(*pgtunnel.Token)
}

// Token implements pgtunnel.TokenSource.
func (w *world) Token(ctx context.Context, refused string) (pgtunnel.Token, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = append(w.refused, refused)
	resp, err := w.clients.Grants.IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: w.grant})
	if err != nil {
		return pgtunnel.Token{}, &pgtunnel.Refusal{Message: "no more tokens", Hint: "ask again"}
	}
	tok := pgtunnel.Token{
		Password: resp.GetToken(), User: resp.GetUser(), Database: resp.GetDatabase(),
		Endpoints: resp.GetEndpoints(), CAPEM: []byte(resp.GetCaPem()),
	}
	if w.change != nil {
		w.change(&tok)
	}
	return tok, nil
}

func start(t *testing.T, change func(*pgtunnel.Token)) *world {
	t.Helper()
	w := &world{control: clitest.StartControlPlane(t), change: change}
	w.control.AddPrincipal("kim-token", "kim-proof", &accessv1.Principal{Name: "kim@example.com"})
	w.edge = clitest.StartEdge(t, w.control)
	var err error
	w.clients, err = client.New(client.Config{
		Server: w.control.URL, CAPEM: w.control.CAPEM, Token: "kim-token", Dial: new(net.Dialer).DialContext, Now: time.Now,
	})
	must(t, err)
	_, err = w.clients.Resources.ApplyResources(t.Context(), &accessv1.ApplyResourcesRequest{Resources: []*accessv1.Resource{{
		Name: "orders-db", Target: &accessv1.Resource_Postgres{Postgres: &accessv1.PostgresTarget{Database: "orders"}},
	}}})
	must(t, err)
	created, err := w.clients.Requests.CreateRequest(t.Context(), &accessv1.CreateRequestRequest{
		Resource: "orders-db", Duration: durationpb.New(time.Hour), Reason: "test",
	})
	must(t, err)
	w.grant = created.GetGrant().GetId()
	w.serve(t)
	return w
}

func (w *world) serve(t *testing.T) {
	tunnel, err := pgtunnel.New(pgtunnel.Config{Source: w, Dial: dialLocal, OSUser: "osuser"})
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.addr = ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tunnel.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// dialLocal finds wrong.example on this machine, whose certificate does not carry that name.
func dialLocal(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, strings.Replace(address, "wrong.example", "127.0.0.1", 1))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) connect(t *testing.T, params string) (*pgconn.PgConn, error) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), "postgresql://"+w.addr+"/"+params)
	if err == nil {
		t.Cleanup(func() { conn.Close(context.Background()) })
	}
	return conn, err
}

func ask(t *testing.T, conn *pgconn.PgConn, query string) string {
	t.Helper()
	results, err := conn.Exec(t.Context(), query).ReadAll()
	must(t, err)
	return string(results[0].Rows[0][0])
}

func TestTunnelSignsInAsThePrincipal(t *testing.T) {
	w := start(t, nil)
	for name, c := range map[string]struct{ params, want string }{
		"no database":          {"?user=me&sslmode=disable", "kim@example.com|orders|"},
		"database of the user": {"me?user=me&sslmode=disable", "kim@example.com|orders|"},
		"database of the OS":   {"osuser?user=me&sslmode=disable", "kim@example.com|orders|"},
		"another database":     {"stock?user=me&sslmode=disable&application_name=app", "kim@example.com|stock|app"},
		"asks for TLS first":   {"?user=me&sslmode=prefer", "kim@example.com|orders|"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := w.connect(t, c.params)
			must(t, err)
			if got := ask(t, conn, "whoami"); got != c.want {
				t.Errorf("the edge saw %q, want %q", got, c.want)
			}
			big := strings.Repeat("x", 1<<20)
			if ask(t, conn, big) != big {
				t.Error("a large message came back changed")
			}
		})
	}
	for _, l := range w.edge.Logins() {
		if !w.control.Valid(l.Password) || l.Params["user"] != "kim@example.com" {
			t.Errorf("signed in with %q as %q", l.Password, l.Params["user"])
		}
	}
}

func TestTunnelCancels(t *testing.T) {
	w := start(t, nil)
	waiting := make(chan struct{})
	cfg, err := pgconn.ParseConfig("postgresql://" + w.addr + "/?user=me&sslmode=disable")
	must(t, err)
	cfg.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { close(waiting) }
	conn, err := pgconn.ConnectConfig(t.Context(), cfg)
	must(t, err)
	defer conn.Close(context.Background())
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "wait").ReadAll()
		failed <- err
	}()
	<-waiting
	must(t, conn.CancelRequest(t.Context()))
	pg, ok := errors.AsType[*pgconn.PgError](<-failed)
	if !ok || pg.Code != "57014" {
		t.Errorf("got %v, want the edge's cancellation", pg)
	}
	if ask(t, conn, "still here") != "still here" {
		t.Error("the session did not go on")
	}
}

func TestTunnelPassesTheLastError(t *testing.T) {
	w := start(t, nil)
	conn, err := w.connect(t, "?user=me&sslmode=disable")
	must(t, err)
	_, err = conn.Exec(t.Context(), "end").ReadAll()
	if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "57P01" {
		t.Errorf("got %v, want the edge's last words", err)
	}
}

func TestTunnelRefusals(t *testing.T) {
	other := clitest.StartControlPlane(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	silent.Close()
	for name, c := range map[string]struct {
		change     func(*pgtunnel.Token)
		code, text string
	}{
		"token refused": {func(tok *pgtunnel.Token) { tok.Password = "forged" }, "28000", "the grant has ended"},
		"foreign CA":    {func(tok *pgtunnel.Token) { tok.CAPEM = other.CAPEM }, "08001", "certificate"},
		"wrong name": {func(tok *pgtunnel.Token) {
			tok.Endpoints[0] = strings.Replace(tok.Endpoints[0], "127.0.0.1", "127.0.0.2", 1)
		}, "08001", ""},
		"no CA":           {func(tok *pgtunnel.Token) { tok.CAPEM = nil }, "08001", "no CA"},
		"no edge":         {func(tok *pgtunnel.Token) { tok.Endpoints = nil }, "08001", "no connected edge"},
		"edge is down":    {func(tok *pgtunnel.Token) { tok.Endpoints = []string{silent.Addr().String()} }, "08001", "refused"},
		"speaks no TLS":   {func(tok *pgtunnel.Token) { tok.Endpoints = []string{plainServer(t)} }, "08001", "does not offer TLS"},
		"text after yes":  {func(tok *pgtunnel.Token) { tok.Endpoints = []string{injectingServer(t)} }, "08001", ""},
		"malformed token": {func(tok *pgtunnel.Token) { tok.Password = "a\x00b" }, "08006", "cannot be sent"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, c.change)
			_, err := w.connect(t, "?user=me&sslmode=disable")
			pg, ok := errors.AsType[*pgconn.PgError](err)
			if !ok || pg.Code != c.code || !strings.Contains(pg.Message, c.text) {
				t.Errorf("got %v, want %s %q", err, c.code, c.text)
			}
			if strings.Contains(err.Error(), "access-") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

// TestTunnelTriesTheNextEdge has the first endpoint down.
func TestTunnelTriesTheNextEdge(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	silent.Close()
	w := start(t, func(tok *pgtunnel.Token) { tok.Endpoints = append([]string{silent.Addr().String()}, tok.Endpoints...) })
	conn, err := w.connect(t, "?user=me&sslmode=disable")
	must(t, err)
	ask(t, conn, "whoami")
}

func TestTunnelDropsARefusedToken(t *testing.T) {
	w := start(t, func(tok *pgtunnel.Token) { tok.Password = "forged" })
	for range 2 {
		if _, err := w.connect(t, "?user=me&sslmode=disable"); err == nil {
			t.Fatal("signed in with a forged token")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.refused) != 2 || w.refused[1] != "forged" {
		t.Errorf("the source was told %q", w.refused)
	}
}

func TestTunnelSaysThatTheGrantEnded(t *testing.T) {
	w := start(t, nil)
	_, err := w.clients.Grants.RevokeGrant(t.Context(), &accessv1.RevokeGrantRequest{Id: w.grant, Reason: "test"})
	must(t, err)
	_, err = w.connect(t, "?user=me&sslmode=disable")
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Code != "28000" || !strings.Contains(pg.Message, "no more tokens") || pg.Hint != "ask again" {
		t.Errorf("got %v", err)
	}
	if n := len(w.edge.Logins()); n != 0 {
		t.Errorf("the edge saw %d sign-ins", n)
	}
}

func plainServer(t *testing.T) string { return answering(t, "N") }

// injectingServer says yes to TLS and sends a message in the clear right behind.
func injectingServer(t *testing.T) string {
	return answering(t, "SR\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I")
}

func answering(t *testing.T, text string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var asked [8]byte
		_, _ = conn.Read(asked[:])
		_, _ = conn.Write([]byte(text))
		_, _ = conn.Read(make([]byte, 1<<10))
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}
