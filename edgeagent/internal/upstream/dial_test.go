package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

var localhost = netip.MustParseAddr("127.0.0.1")

// names is a resolver with a fixed answer.
type names []netip.Addr

func (n names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return n, nil }

func newDialer(t testing.TB, c Config) *Dialer {
	t.Helper()
	if c.Resolver == nil {
		c.Resolver = names{localhost}
	}
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// ask runs one statement and returns the first column of its one row.
func ask(t testing.TB, conn *Conn, sql string) string {
	t.Helper()
	query, err := (&pgwire.Query{SQL: sql}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	value, failed := answer(t, conn)
	if failed != nil {
		t.Fatalf("%s: %s", sql, failed.Message)
	}
	return value
}

// answer reads up to the next ReadyForQuery.
func answer(t testing.TB, conn *Conn) (value string, failed *pgwire.ErrorResponse) {
	t.Helper()
	r := pgwire.NewBackendReader(conn, pgwire.Options{})
	r.Authenticated()
	for {
		typ, body, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch typ {
		case pgwire.TypeDataRow:
			w := pgwire.WalkRow(body)
			v, _ := w.Next()
			value = string(v)
		case pgwire.TypeErrorResponse:
			failed = new(pgwire.ErrorResponse)
			if err := failed.Decode(body); err != nil {
				t.Fatal(err)
			}
		case pgwire.TypeReadyForQuery:
			return value, failed
		}
	}
}

func TestDialSignsIn(t *testing.T) {
	s := startServer(t)
	d := newDialer(t, Config{})
	for user, password := range map[string]string{scramUser: testPassword, md5User: testPassword, plainUser: iamToken, adminUser: ""} {
		target := s.target(user, password)
		target.Application = "writ test"
		target.Params = map[string]string{"search_path": "nowhere"}
		target.MaxProtocol = "3.2"
		conn, err := d.Dial(testContext(t), target)
		if err != nil {
			t.Errorf("%s: %v", user, err)
			continue
		}
		defer conn.Close()
		if got := ask(t, conn, "select current_user || ' ' || current_setting('application_name') || ' ' || current_setting('search_path')"); got != user+" writ test nowhere" {
			t.Errorf("%s: signed in as %q", user, got)
		}
		if got := ask(t, conn, "select ssl::text from pg_stat_ssl where pid = pg_backend_pid()"); got != "true" {
			t.Errorf("%s: the session's TLS is %q", user, got)
		}
		if conn.TxStatus != pgwire.TxIdle || conn.PID == 0 || len(conn.SecretKey) < 4 || conn.Parameters["server_encoding"] != "UTF8" {
			t.Errorf("%s: %c %d %d %v", user, conn.TxStatus, conn.PID, len(conn.SecretKey), conn.Parameters)
		}
	}
}

func TestDialWipesPassword(t *testing.T) {
	s := startServer(t)
	d := newDialer(t, Config{})
	right, wrong, invalid := s.target(scramUser, testPassword), s.target(scramUser, "wrong"), s.target("", "unused")
	for _, target := range []Target{right, wrong, invalid} {
		if conn, err := d.Dial(testContext(t), target); err == nil {
			conn.Close()
		}
		if !bytes.Equal(target.Password, make([]byte, len(target.Password))) {
			t.Error("the password is still there")
		}
	}
}

func TestOpenRunsQueries(t *testing.T) {
	s := startServer(t)
	conn, err := newDialer(t, Config{}).Open(testContext(t), s.target(scramUser, testPassword))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(testContext(t))
	results, err := conn.Exec(testContext(t), "select 40 + 2").ReadAll()
	if err != nil || string(results[0].Rows[0][0]) != "42" {
		t.Errorf("%v, %v", results, err)
	}
}

func TestDialRefusals(t *testing.T) {
	s := startServer(t)
	other, _, _, err := certificates()
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*Target)) Target {
		target := s.target(scramUser, testPassword)
		f(&target)
		return target
	}
	tests := []struct {
		name   string
		target Target
		want   error
		code   pgwire.SQLState
	}{
		{"wrong password", s.target(scramUser, "not the password"), ErrAuth, "28P01"},
		{"wrong IAM token", s.target(plainUser, "not the token"), ErrAuth, "28P01"},
		{"unknown user", s.target("nobody_here", "not the password"), ErrAuth, "28P01"},
		{"unknown database", change(func(t *Target) { t.Database = "nowhere" }), ErrRejected, "3D000"},
		{"unknown setting", change(func(t *Target) { t.Params = map[string]string{"no_such": "1"} }), ErrRejected, "42704"},
		{"another CA", change(func(t *Target) { t.TLS.CAPEM = other }), ErrTLS, ""},
		{"system CAs", change(func(t *Target) { t.TLS.CAPEM = nil }), ErrTLS, ""},
		{"another name", change(func(t *Target) { t.TLS.ServerName = "evil.example" }), ErrTLS, ""},
		{"verify-ca, another CA", change(func(t *Target) { t.TLS = TLS{Mode: VerifyCA, CAPEM: other} }), ErrTLS, ""},
		{"password in the clear", change(func(t *Target) { t.User = "nossl_pw"; t.TLS = TLS{Mode: Disable} }), ErrAuth, ""},
		{"no user", change(func(t *Target) { t.User = "" }), ErrInvalidTarget, ""},
		{"NUL", change(func(t *Target) { t.User = "a\x00b" }), ErrInvalidTarget, ""},
		{"replication", change(func(t *Target) { t.Params = map[string]string{"replication": "true"} }), ErrInvalidTarget, ""},
		{"another user", change(func(t *Target) { t.Params = map[string]string{"user": "postgres"} }), ErrInvalidTarget, ""},
		{"options", change(func(t *Target) { t.Params = map[string]string{"options": "-c role=x"} }), ErrInvalidTarget, ""},
		{"no port", change(func(t *Target) { t.Address = serverName }), ErrInvalidTarget, ""},
		{"port 0", change(func(t *Target) { t.Address = serverName + ":0" }), ErrInvalidTarget, ""},
		{"verify-ca without a CA", change(func(t *Target) { t.TLS = TLS{Mode: VerifyCA} }), ErrInvalidTarget, ""},
		{"unknown TLS mode", change(func(t *Target) { t.TLS.Mode = 9 }), ErrInvalidTarget, ""},
		{"CA is not one", change(func(t *Target) { t.TLS.CAPEM = []byte("x") }), ErrInvalidTarget, ""},
		{"protocol 2", change(func(t *Target) { t.MaxProtocol = "2.0" }), ErrInvalidTarget, ""},
		{"loopback", change(func(t *Target) { t.AllowLoopback = false }), ErrForbiddenAddress, ""},
		{"nobody listens", change(func(t *Target) { t.Address = serverName + ":1" }), ErrUnreachable, ""},
	}
	all := []error{ErrAuth, ErrRejected, ErrTLS, ErrInvalidTarget, ErrForbiddenAddress, ErrUnreachable}
	d := newDialer(t, Config{})
	for _, tt := range tests {
		password := string(tt.target.Password)
		conn, err := d.Dial(testContext(t), tt.target)
		if err == nil {
			conn.Close()
			t.Errorf("%s: signed in", tt.name)
			continue
		}
		for _, sentinel := range all {
			if errors.Is(err, sentinel) != (sentinel == tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		var server *ServerError
		if errors.As(err, &server); tt.code != "" && (server == nil || server.Code != tt.code) {
			t.Errorf("%s: %v, want SQLSTATE %s", tt.name, err, tt.code)
		}
		if strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error holds the password", tt.name)
		}
	}
}

func TestVerifyCAIgnoresTheName(t *testing.T) {
	s := startServer(t)
	target := s.target(scramUser, testPassword)
	target.TLS.Mode, target.TLS.ServerName = VerifyCA, "another.example"
	conn, err := newDialer(t, Config{}).Dial(testContext(t), target)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestDialInTheClear(t *testing.T) {
	s := startServer(t)
	d := newDialer(t, Config{})
	target := s.target(scramUser, testPassword)
	target.TLS = TLS{Mode: Disable}
	conn, err := d.Dial(testContext(t), target)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, ok := conn.Conn.(*tls.Conn); ok {
		t.Error("TLS was off")
	}
	target = Target{Address: s.socket(), Database: "postgres", User: adminUser, TLS: TLS{Mode: Disable}, AllowLoopback: true}
	if conn, err = d.Dial(testContext(t), target); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := ask(t, conn, "select current_user"); got != adminUser {
		t.Errorf("signed in as %q", got)
	}
	target.AllowLoopback = false
	if _, err := d.Dial(testContext(t), target); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("socket: %v", err)
	}
	target.AllowLoopback, target.TLS = true, TLS{}
	if _, err := d.Dial(testContext(t), target); !errors.Is(err, ErrInvalidTarget) {
		t.Errorf("TLS over a socket: %v", err)
	}
}

func TestDisabledTLSIsForLoopbackOnly(t *testing.T) {
	d := newDialer(t, Config{Dial: mustNotDial(t)})
	target := Target{Address: "10.0.0.5:5432", Database: "d", User: "u", TLS: TLS{Mode: Disable}, AllowLoopback: true}
	if _, err := d.Dial(testContext(t), target); !errors.Is(err, ErrInvalidTarget) {
		t.Error(err)
	}
}

// A hostile environment must change nothing: neither where to, nor as whom, nor how.
func TestEnvironmentHasNoEffect(t *testing.T) {
	s := startServer(t)
	home := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(home, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	service := file("services", "[evil]\nhost=203.0.113.9\nport=1\nuser=evil\npassword=evil\nsslmode=disable\noptions=-c search_path=evil\n")
	pass := file(".pgpass", "*:*:*:*:"+testPassword+"\n")
	env := map[string]string{
		"HOME": home, "PGHOST": "203.0.113.9", "PGPORT": "99999", "PGDATABASE": "evil", "PGUSER": "evil", "PGPASSWORD": testPassword,
		"PGPASSFILE": pass, "PGSERVICE": "evil", "PGSERVICEFILE": service, "PGAPPNAME": "evil", "PGOPTIONS": "-c search_path=evil",
		"PGTZ": "Pacific/Auckland", "PGCONNECT_TIMEOUT": "x", "PGSSLMODE": "bogus", "PGSSLCERT": "/nowhere", "PGSSLKEY": "/nowhere",
		"PGSSLROOTCERT": "/nowhere", "PGSSLPASSWORD": "x", "PGSSLCERTMODE": "", "PGSSLSNI": "0", "PGSSLNEGOTIATION": "direct",
		"PGTARGETSESSIONATTRS": "bogus", "PGMINPROTOCOLVERSION": "9", "PGMAXPROTOCOLVERSION": "9", "PGCHANNELBINDING": "bogus", "PGREQUIREAUTH": "bogus",
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	for _, name := range []string{"evil", "missing"} {
		t.Setenv("PGSERVICE", name)
		checkUninfluenced(t, s)
	}
}

func checkUninfluenced(t *testing.T, s *server) {
	t.Helper()
	d := newDialer(t, Config{})
	conn, err := d.Dial(testContext(t), s.target(scramUser, testPassword))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := ask(t, conn, "select current_user || current_setting('application_name') || current_setting('search_path')"); got != scramUser+`"$user", public` {
		t.Errorf("got %q", got)
	}
	if got := ask(t, conn, "show timezone"); got == "Pacific/Auckland" {
		t.Error("the time zone came from the environment")
	}
	if _, err := d.Dial(testContext(t), s.target(scramUser, "")); !errors.Is(err, ErrAuth) {
		t.Errorf("a password was found elsewhere: %v", err)
	}
}

func TestCancel(t *testing.T) {
	s := startServer(t)
	lookups := &changing{answers: [][]netip.Addr{{localhost}, {netip.MustParseAddr("203.0.113.9")}}}
	d := newDialer(t, Config{Resolver: lookups})
	conn, err := d.Dial(testContext(t), s.target(scramUser, testPassword))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	query, _ := (&pgwire.Query{SQL: "select pg_sleep(600)"}).Append(nil)
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	// The server drops a request that comes before the statement runs.
	watch, err := newDialer(t, Config{}).Dial(testContext(t), s.target(adminUser, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	for ask(t, watch, "select count(*)::text from pg_stat_activity where wait_event = 'PgSleep'") != "1" {
		if testContext(t).Err() != nil {
			t.Fatal("the statement never ran")
		}
	}
	if err := conn.Cancel(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if _, failed := answer(t, conn); failed == nil || failed.Code != pgwire.StateQueryCanceled {
		t.Errorf("got %+v", failed)
	}
	if lookups.asked != 1 {
		t.Errorf("resolved %d times", lookups.asked)
	}
	if got := ask(t, conn, "select 1"); got != "1" {
		t.Errorf("after the cancel: %q", got)
	}
}
