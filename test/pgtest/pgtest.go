// Package pgtest starts real PostgreSQL servers for tests and the demo: in a temporary
// folder, on a free loopback port, with TLS, SCRAM and a full statement log.
package pgtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Superuser and its password, which every server here has.
const (
	Superuser = "postgres"
	Password  = "superuser-password"
)

// ErrMissing is a machine without PostgreSQL's server programs.
var ErrMissing = errors.New("PostgreSQL's server programs are missing: apt-get install postgresql")

// Server is a running PostgreSQL.
type Server struct {
	Dir   string
	Host  string // "127.0.0.1"
	Port  int
	CAPEM []byte
	cmd   *exec.Cmd
	bin   string
	cred  *syscall.Credential
}

// Start runs a server until the test ends.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := Run(t.TempDir(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// Run makes a server in dir and starts it. settings are further lines of postgresql.conf.
func Run(dir string, settings ...string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: filepath.Join(dir, "pg"), Host: "127.0.0.1", bin: bin}
	if err := s.identity(dir); err != nil {
		return nil, err
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	if err := s.initialise(settings); err != nil {
		return nil, err
	}
	return s, s.Launch()
}

// binaries finds the newest installed server.
func binaries() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrMissing
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// identity picks the user to run as: the server refuses to run as root.
func (s *Server) identity(dir string) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		for d := dir; d != "/" && d != os.TempDir() && d != "."; d = filepath.Dir(d) {
			if os.Chmod(d, 0o711) != nil {
				break
			}
		}
		return os.Chown(s.Dir, uid, gid)
	}
	return errors.New("running as root and no user postgres or nobody to run the server as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	return s.run(filepath.Join(s.bin, name), args...)
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// LogFile is the server's log, with every statement it ran.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "log") }

func (s *Server) initialise(settings []string) error {
	if err := s.makeData(); err != nil {
		return err
	}
	cert, key, err := selfSigned()
	if err != nil {
		return err
	}
	s.CAPEM = cert
	conf := append([]string{
		"listen_addresses = '127.0.0.1'", "port = " + strconv.Itoa(s.Port), "unix_socket_directories = '" + s.Dir + "'",
		"ssl = on", "ssl_cert_file = '" + s.Dir + "/server.crt'", "ssl_key_file = '" + s.Dir + "/server.key'",
		"log_statement = all", "log_line_prefix = '%m [%p] %u %a %c '", "logging_collector = off", "max_connections = 100",
		"fsync = off", "synchronous_commit = off", "full_page_writes = off",
	}, settings...)
	hba := "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
	return errors.Join(
		s.write(filepath.Join(s.Dir, "server.crt"), cert), s.write(filepath.Join(s.Dir, "server.key"), key),
		s.write(filepath.Join(s.data(), "postgresql.auto.conf"), []byte(strings.Join(conf, "\n")+"\n")),
		s.write(filepath.Join(s.data(), "pg_hba.conf"), []byte(hba)))
}

// write makes a private file that belongs to the server's user.
func (s *Server) write(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	if s.cred == nil {
		return nil
	}
	return os.Chown(path, int(s.cred.Uid), int(s.cred.Gid))
}

// Launch starts the server again after Kill or Stop.
func (s *Server) Launch() error {
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	os.Remove(filepath.Join(s.data(), "postmaster.pid"))
	s.cmd = s.command("postgres", "-D", s.data())
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	for range 200 {
		conn, err := s.Connect(context.Background(), "postgres")
		if err == nil {
			return conn.Close(context.Background())
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(s.LogFile())
	return fmt.Errorf("postgres did not start: %s", text)
}

// Stop ends the server.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

// Kill ends the server and its processes as a power cut would.
func (s *Server) Kill() { s.signal(syscall.SIGQUIT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	s.cmd.Process.Signal(sig)
	done := make(chan struct{})
	go func() { s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		s.cmd.Process.Kill()
		<-done
	}
	s.cmd = nil
}

// Address is "host:port".
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// DSN is a connection string for the superuser.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", s.Host, s.Port, Superuser, Password, database)
}

// Connect opens a direct connection as the superuser.
func (s *Server) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, s.DSN(database))
}

// Exec runs SQL directly as the superuser.
func (s *Server) Exec(t testing.TB, database, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := s.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Value runs a query directly and returns its first value as text.
func (s *Server) Value(t testing.TB, database, sql string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := s.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if len(results) == 0 || len(results[0].Rows) == 0 {
		return ""
	}
	return string(results[0].Rows[0][0])
}

// Log returns what the server logged so far.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(s.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func selfSigned() (cert, key []byte, err error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "pgtest"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}
