package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
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
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a PostgreSQL with TLS for the tests of this package.
type server struct {
	dir  string
	port int
	ca   []byte
	cmd  *exec.Cmd
}

const (
	serverName   = "orders.db.example"
	scramUser    = "scram_user"
	md5User      = "md5_user"
	plainUser    = "iam_user"
	adminUser    = "postgres"
	testPassword = "correct horse battery"
)

// iamToken has the size of an RDS IAM token and more.
var iamToken = "orders.db.example:5432/?Action=connect&X-Amz-Signature=" + strings.Repeat("0123456789abcdef", 120)

const hba = `
local   all all                      trust
hostssl all iam_user    127.0.0.1/32 password
hostssl all md5_user    127.0.0.1/32 md5
hostssl all postgres    127.0.0.1/32 trust
hostssl all all         127.0.0.1/32 scram-sha-256
hostnossl all nossl_pw  127.0.0.1/32 password
hostnossl all scram_user 127.0.0.1/32 scram-sha-256
`

var started struct {
	once   sync.Once
	server *server
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if s := started.server; s != nil {
		s.stop()
	}
	os.Exit(code)
}

// startServer starts the package's one server, or skips the test where PostgreSQL
// is not installed.
func startServer(t testing.TB) *server {
	t.Helper()
	bin := binaries()
	if bin == "" {
		t.Skip("PostgreSQL is not installed")
	}
	started.once.Do(func() { started.server, started.err = newServer(bin) })
	if started.err != nil {
		t.Fatal(started.err)
	}
	return started.server
}

func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

func newServer(bin string) (*server, error) {
	dir, err := os.MkdirTemp("", "writ-upstream")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	owner, err := serverOwner()
	if err != nil {
		return nil, err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, err
		}
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-U", adminUser, "-A", "trust", "--no-sync", "-E", "UTF8").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := s.configure(data, owner); err != nil {
		return nil, err
	}
	s.cmd = run("postgres", "-D", data)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.populate(run)
}

// serverOwner returns whom to run the server as: PostgreSQL refuses root.
func serverOwner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (s *server) configure(data string, owner *syscall.Credential) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	ca, cert, key, err := certificates()
	if err != nil {
		return err
	}
	s.ca = ca
	files := map[string]string{
		"pg_hba.conf": hba,
		"server.crt":  string(cert),
		"server.key":  string(key),
		"postgresql.auto.conf": fmt.Sprintf("listen_addresses='127.0.0.1'\nport=%d\nunix_socket_directories='%s'\n"+
			"ssl=on\nfsync=off\nlog_min_messages=panic\nlogging_collector=off\n", s.port, s.dir),
	}
	for name, content := range files {
		path := filepath.Join(data, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		if owner != nil {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// populate waits for the server and creates the users.
func (s *server) populate(run func(string, ...string) *exec.Cmd) error {
	sql := fmt.Sprintf(`
create role %s login password '%s';
set password_encryption = 'md5';
create role %s login password '%s';
set password_encryption = 'scram-sha-256';
create role %s login password '%s';
create role nossl_pw login password '%s';`,
		scramUser, testPassword, md5User, testPassword, plainUser, iamToken, testPassword)
	deadline := time.Now().Add(30 * time.Second)
	for {
		out, err := run("psql", "-h", s.dir, "-p", strconv.Itoa(s.port), "-U", adminUser, "-v", "ON_ERROR_STOP=1", "-qc", sql).CombinedOutput()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || !strings.Contains(string(out), "connection to server") {
			return fmt.Errorf("psql: %w: %s", err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT)
		_ = s.cmd.Wait()
	}
	os.RemoveAll(s.dir)
}

func (s *server) socket() string {
	return fmt.Sprintf("unix:%s/.s.PGSQL.%d", s.dir, s.port)
}

// target is the server under a name that its certificate has.
func (s *server) target(user, password string) Target {
	return Target{
		Address: fmt.Sprintf("%s:%d", serverName, s.port), Database: "postgres", User: user,
		Password: Secret(password), TLS: TLS{CAPEM: s.ca}, AllowLoopback: true,
	}
}

// certificates returns a CA, and a certificate of it with its key, in PEM.
func certificates() (ca, cert, key []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, root, root, caKey.Public(), caKey)
	if err != nil {
		return nil, nil, nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), caKey)
	if err != nil {
		return nil, nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return nil, nil, nil, err
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	return block("CERTIFICATE", caDER), block("CERTIFICATE", leafDER), block("PRIVATE KEY", keyDER), nil
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
