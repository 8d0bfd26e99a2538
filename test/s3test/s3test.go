// Package s3test runs versitygw, an S3 that verifies signatures, chunks and checksums strictly, for tests.
package s3test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Region is what requests must be signed for.
const Region = "eu-west-1"

// ErrMissing is a machine without the program.
var ErrMissing = errors.New("versitygw is missing: make versitygw builds it (1-3 minutes, once)")

// startLimit is how long it may take to listen.
const startLimit = 30 * time.Second

// Server is a running versitygw.
type Server struct {
	Address string // host:port, without TLS
	// Key, Secret and Token are of the only session that it takes.
	Key, Secret, Token string

	dir  string
	cmd  *exec.Cmd
	done chan struct{}
	log  bytes.Buffer // to be read after done
}

// Start runs one until the test ends. Without the program it skips the test, or fails it where WRIT_NEED_VERSITYGW=1.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := Run(t.TempDir())
	if err != nil {
		giveUp(t, err)
	}
	t.Cleanup(s.Stop)
	return s
}

// MinIO returns the program made from MinIO's SDK, which signs chunks of bodies. It skips or fails as Start does.
func MinIO(t testing.TB) string {
	t.Helper()
	path, err := find("miniosdk")
	if err != nil {
		giveUp(t, err)
	}
	return path
}

func giveUp(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("WRIT_NEED_VERSITYGW") != "1" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// Run runs one over a folder until Stop, or until this process ends.
func Run(dir string) (*Server, error) {
	program, err := find("versitygw")
	if err != nil {
		return nil, err
	}
	for range 5 { // a port that was free may be taken a moment later
		s := &Server{Key: "ASIAVERSITYGATEWAY00", Secret: "the-secret-of-a-session-in-a-test", Token: "the-token-of-a-session-in-a-test", dir: dir, done: make(chan struct{})}
		if err = s.start(program); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("start versitygw: %w", err)
}

func find(name string) (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		path := filepath.Join(dir, "build", "tools", name)
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

func (s *Server) start(program string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Address = l.Addr().String()
	_ = l.Close()
	buckets, meta := s.Buckets(), filepath.Join(s.dir, "meta")
	if err := errors.Join(os.MkdirAll(buckets, 0o700), os.MkdirAll(meta, 0o700)); err != nil {
		return err
	}
	s.cmd = exec.Command(program, "-listen", s.Address, "-dir", buckets, "-meta", meta, "-region", Region)
	s.cmd.Env = []string{"SESSION_ACCESS_KEY=" + s.Key, "SESSION_SECRET_KEY=" + s.Secret, "SESSION_TOKEN=" + s.Token, "HOME=" + s.dir}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() { _ = s.cmd.Wait(); close(s.done) }()
	return s.await()
}

// await waits until it listens.
func (s *Server) await() error {
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); {
		if conn, err := net.Dial("tcp", s.Address); err == nil {
			return conn.Close()
		}
		select {
		case <-s.done:
			return fmt.Errorf("it ended: %s", &s.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.Stop()
	return fmt.Errorf("it does not listen: %s", &s.log)
}

// Buckets is the folder of the buckets, in which each object is a file of its key's name.
func (s *Server) Buckets() string { return filepath.Join(s.dir, "buckets") }

// Stop ends it.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	<-s.done
}
