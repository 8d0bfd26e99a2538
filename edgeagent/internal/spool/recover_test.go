package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written makes a spool of three batches of two records, and returns its one file and where the batches end.
func written(t testing.TB, dir string) (path string, ends []int) {
	t.Helper()
	s, err := Open(testConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		pos := put(t, s, 2*i, 2*i+2)
		ends = append(ends, int(pos[1]))
	}
	if got := s.Stats().Flushes; got != 3 {
		t.Skipf("%d batches, not 3: the disk was slow", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return segmentPath(dir, 0), ends
}

func overwrite(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// hastyDisk leaves fsync out, for tests that open thousands of spools.
type hastyDisk struct{ osDisk }

type hastyFile struct{ *os.File }

func (hastyFile) Sync() error { return nil }

func (hastyDisk) syncDir(string) error { return nil }

func (hastyDisk) reopen(path string, size int64) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return hastyFile{f}, f.Truncate(size)
}

// reopened opens a spool whose file has this content and returns what it gives.
func reopened(t *testing.T, content []byte) ([]string, error) {
	t.Helper()
	dir := t.TempDir()
	overwrite(t, segmentPath(dir, 0), content)
	cfg := testConfig(dir)
	cfg.disk = hastyDisk{}
	s, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	got := rest(t, s)
	put(t, s, 100, 101)
	s.Rewind()
	if again := rest(t, s); !slices.Equal(again, append(slices.Clone(got), "record 100")) {
		t.Errorf("after going on it gives %q", again)
	}
	return got, nil
}

func TestTornTailAtEveryByte(t *testing.T) {
	path, ends := written(t, t.TempDir())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut <= len(whole); cut++ {
		batches := 0
		for _, end := range ends {
			if end <= cut {
				batches++
			}
		}
		got, err := reopened(t, whole[:cut])
		if err != nil || !slices.Equal(got, names(0, 2*batches)) {
			t.Fatalf("cut at %d: %q, error %v", cut, got, err)
		}
		// A file system may have made the length durable and not the content.
		zeroed := append(bytes.Clone(whole[:cut]), make([]byte, len(whole)-cut)...)
		if cut < ends[1] {
			continue
		}
		got, err = reopened(t, zeroed)
		if err != nil || len(got) < 4 {
			t.Fatalf("zeroes from %d: %q, error %v", cut, got, err)
		}
	}
}

func TestDamageIsNamed(t *testing.T) {
	path, ends := written(t, t.TempDir())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ends[1] { // in front of the last batch, which a crash could have torn
		bad := bytes.Clone(whole)
		bad[i] ^= 0x40
		_, err := reopened(t, bad)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), segmentSuffix+" at offset ") {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	// Of a batch that was taken out in front of the last it cannot be said: that looks like a torn last batch. The
	// chain of records shows it.
	missing := slices.Delete(bytes.Clone(whole), ends[0], ends[1])
	if got, err := reopened(t, missing); err == nil && !slices.Equal(got, names(0, 2)) {
		t.Errorf("a batch in a wrong place was read: %q", got)
	}
}

func TestMissingFiles(t *testing.T) {
	make3 := func(dir string) Config {
		cfg := testConfig(dir)
		cfg.SegmentBytes, cfg.MaxBytes = 40, 1<<20
		s := open(t, cfg)
		var ends []Position
		for i := range 4 {
			ends = append(ends, put(t, s, 2*i, 2*i+2)...)
			if i == 1 { // half of the second file, so that the first is gone
				if err := s.Ack(ends[2]); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Close()
		return cfg
	}
	for name, spoil := range map[string]func(files []string) error{
		"first":  func(f []string) error { return os.Remove(f[0]) },
		"middle": func(f []string) error { return os.Remove(f[len(f)/2]) },
		"all": func(f []string) error {
			var err error
			for _, path := range f {
				err = errors.Join(err, os.Remove(path))
			}
			return err
		},
		"cut":     func(f []string) error { return os.Truncate(f[0], 10) },
		"emptied": func(f []string) error { return os.Truncate(f[0], 0) },
	} {
		cfg := make3(t.TempDir())
		files, err := filepath.Glob(filepath.Join(cfg.Dir, "*"+segmentSuffix))
		if err != nil || len(files) < 3 {
			t.Fatalf("%d files, error %v", len(files), err)
		}
		if err := spoil(files); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(cfg); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
			s.Close()
		}
	}
}

func TestAckSlots(t *testing.T) {
	dir := t.TempDir()
	s := open(t, testConfig(dir))
	ends := put(t, s, 0, 4)
	for _, pos := range ends[:3] {
		if err := s.Ack(pos); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ack(ends[0]); err != nil || s.Stats().Acked != ends[2] {
		t.Errorf("an older acknowledgement moved it to %d, error %v", s.Stats().Acked, err)
	}
	s.Close()
	path := filepath.Join(dir, ackName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 // the slot of the third
	overwrite(t, path, b)
	wantRest(t, open(t, testConfig(dir)), 2, 4)
}

func TestReadDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, testConfig(dir))
	put(t, s, 0, 2)
	path := segmentPath(dir, 0)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	overwrite(t, path, b)
	if _, err := s.Next(t.Context()); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "offset 0") {
		t.Errorf("next: %v", err)
	}
	if _, err := s.Append(record(2)); !errors.Is(err, ErrDamaged) {
		t.Errorf("append: %v", err)
	}
}

const killedDir = "WRIT_SPOOL_TEST_DIR"

// TestKilledWriter is the process that TestKill kills. It says each record that is durable.
func TestKilledWriter(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		t.Skip("runs inside TestKill")
	}
	cfg := testConfig(dir)
	cfg.SegmentBytes = 4 << 10
	s := open(t, cfg)
	start := len(rest(t, s))
	for i := start; ; i++ {
		pos, err := s.Append(record(i))
		if err == nil {
			err = s.Sync(t.Context(), pos)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("durable %d\n", i)
	}
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig(dir)
	cfg.SegmentBytes = 4 << 10
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		cmd.Env = append(os.Environ(), killedDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last, lines := -1, 0
		for in := bufio.NewScanner(out); in.Scan(); {
			var i int
			if _, err := fmt.Sscanf(in.Text(), "durable %d", &i); err != nil {
				continue
			}
			last = i
			if lines++; lines == 50+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		s := open(t, cfg)
		got := rest(t, s)
		if len(got) <= last || !slices.Equal(got, names(0, len(got))) {
			t.Fatalf("round %d: record %d was durable, %d are there", round, last, len(got))
		}
		s.Close()
	}
}

func FuzzRecover(f *testing.F) {
	path, ends := written(f, f.TempDir())
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:ends[1]+30])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := reopened(t, content)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		if err != nil && len(got) > 0 {
			t.Fatal("records beside an error")
		}
	})
}
