package pgtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// initdbArgs make every cluster here alike.
var initdbArgs = []string{"-U", Superuser, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"}

// templateAge bounds how long a template is used: systems clear the folder for temporary files of what
// is ten days old, file by file.
const templateAge = 5 * 24 * time.Hour

// makeData gives the server its data folder: a copy of one that initdb made once for this machine,
// server version and user, since initdb takes longer than all else that a test waits for.
func (s *Server) makeData() error {
	template, err := s.template()
	if err != nil {
		return err
	}
	c := s.run("/bin/cp", "-a", template, s.data())
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("copy the template cluster: %w: %s", err, out)
	}
	return nil
}

// template returns the folder to copy, and makes it where there is none. Several processes may do so at
// once: each makes its own, and one of them gets the name.
func (s *Server) template() (string, error) {
	version, err := s.command("initdb", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("initdb --version: %w", err)
	}
	since := time.Now().Unix() / int64(templateAge.Seconds())
	key := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %q", version, s.bin, since, append(initdbArgs, Password)))
	path := filepath.Join(os.TempDir(), fmt.Sprintf("writ-pgtest-%d-%s", s.uid(), hex.EncodeToString(key[:8])))
	if s.owns(path) {
		return path, nil
	}
	fresh, err := os.MkdirTemp("", "writ-pgtest-new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	if err := s.initdb(fresh); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(fresh, "data"), path); err != nil && !s.owns(path) {
		return "", fmt.Errorf("keep the template cluster: %w", err)
	}
	return path, nil
}

// initdb makes a cluster in dir/data.
func (s *Server) initdb(dir string) error {
	if s.cred != nil {
		if err := os.Chown(dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return err
		}
	}
	pw := filepath.Join(dir, "pw")
	if err := s.write(pw, []byte(Password+"\n")); err != nil {
		return err
	}
	args := append([]string{"-D", filepath.Join(dir, "data"), "--pwfile", pw}, initdbArgs...)
	if out, err := s.command("initdb", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// owns tells whether path is a folder that only the server's user can have written.
func (s *Server) owns(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == s.uid()
}

// uid is the user that the server runs as.
func (s *Server) uid() int {
	if s.cred != nil {
		return int(s.cred.Uid)
	}
	return os.Getuid()
}

// run prepares a command of the server's user.
func (s *Server) run(path string, args ...string) *exec.Cmd {
	c := exec.Command(path, args...)
	c.Dir = "/"
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred, Pdeathsig: syscall.SIGKILL}
	return c
}
