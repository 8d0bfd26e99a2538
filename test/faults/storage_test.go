package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/world"
)

// volume is a small file system of its own that can be filled up.
type volume struct{ dir, filler string }

// newVolume mounts size bytes at dir, which belongs to no other user.
func newVolume(t *testing.T, dir string, size int) *volume {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return &volume{dir: dir, filler: filepath.Join(dir, ".filler")}
}

// fill leaves no byte free.
func (v *volume) fill(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile(v.filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for piece := 1 << 16; piece > 0; {
		if _, err := f.Write(make([]byte, piece)); err != nil {
			piece /= 2
		}
	}
}

func (v *volume) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(v.filler); err != nil {
		t.Fatal(err)
	}
}

// direct makes a temporary folder before the world does, so that volumes can be mounted in it.
func direct(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"edge", "control/data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (r *rig) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.dsn())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// insert writes one marker, with so much beside it, and returns how long that took.
func insert(conn *pgx.Conn, marker string, beside int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), statementLimit)
	defer cancel()
	began := time.Now()
	_, err := conn.PgConn().Exec(ctx, fmt.Sprintf("INSERT INTO marks (marker, how) VALUES ('%s', '%s')", marker, strings.Repeat("x ", beside/2))).ReadAll()
	return time.Since(began), err
}

// settle waits until everything the target ran is in the record store, and judges it.
func (r *rig) settle(t *testing.T, rd *round) {
	t.Helper()
	found, err := r.log.read()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		if e.write() {
			rd.executed = append(rd.executed, e)
		}
	}
	took, err := until(tidyWithin, 50*time.Millisecond, func() error { return r.allRecorded(context.Background(), rd) })
	if err != nil {
		t.Errorf("records: %v", err)
	}
	for _, err := range r.misdeeds(rd) {
		t.Error(err)
	}
	t.Logf("%d writes executed, all with their intent before them; everything in the record store after %s", len(rd.executed), ms(took))
}

// TestObjectStoreFull: while records cannot be stored, nothing is acknowledged and no new
// session opens; live sessions go on with what the spool holds, and are refused when it is full.
func TestObjectStoreFull(t *testing.T) {
	dir := direct(t)
	store := newVolume(t, filepath.Join(dir, "control/data/records"), 256<<20)
	const spoolMax = 64 << 20
	r := newRig(t, world.Config{Dir: dir, EdgeArgs: []string{"--spool-max-bytes", fmt.Sprint(spoolMax)}})
	conn := r.connect(t)
	if _, err := insert(conn, marker(), 100); err != nil {
		t.Fatal(err)
	}
	store.fill(t)
	began := time.Now()
	if _, err := pgx.Connect(context.Background(), r.dsn()); err == nil {
		t.Error("a session opened that the control plane could not record")
	} else {
		t.Logf("a new session is refused after %s: %v", ms(time.Since(began)), err)
	}
	var slowest time.Duration
	for range 200 {
		took, err := insert(conn, marker(), 100)
		if err != nil {
			t.Fatalf("a write that the spool could hold: %v", err)
		}
		slowest = max(slowest, took)
	}
	t.Logf("200 writes went on, the slowest in %s", ms(slowest))
	before := r.records.records
	if err := r.records.read(); err != nil {
		t.Fatal(err)
	}
	if n := r.records.records - before; n > 100 {
		t.Errorf("%d records reached a full store", n)
	}
	// Until the spool is full: then the write is refused and the session ends.
	n, size := 0, int64(0)
	for ; size < 2*spoolMax; n++ {
		const piece = 400 << 10
		if _, err := insert(conn, marker(), piece); err != nil {
			t.Logf("after %d large writes (%d MiB): %v", n, size>>20, err)
			break
		}
		size += piece
	}
	if size < spoolMax/4 || size >= spoolMax {
		t.Errorf("refused after %d bytes, with a spool of %d", size, spoolMax)
	}
	if !r.Edge.Running() {
		t.Error("the edge ended over a full spool")
	}
	store.free(t)
	took, err := until(30*time.Second, 100*time.Millisecond, func() error { return r.probe(context.Background()) })
	if err != nil {
		t.Errorf("not usable %v", err)
	}
	t.Logf("usable %s after there was room", ms(took))
	r.settle(t, &round{number: 1, fault: "object store full"})
}

// TestSpoolDiskFull: an edge that cannot write its spool forwards nothing more and ends, with
// an error that names the disk; started again with room it goes on where it stood.
func TestSpoolDiskFull(t *testing.T) {
	dir := direct(t)
	disk := newVolume(t, filepath.Join(dir, "edge/spool"), 4<<20)
	r := newRig(t, world.Config{Dir: dir})
	conn := r.connect(t)
	if _, err := insert(conn, marker(), 10); err != nil {
		t.Fatal(err)
	}
	disk.fill(t)
	n := 0
	var refused error
	for ; n < 10_000 && refused == nil; n++ {
		_, refused = insert(conn, marker(), 1000)
	}
	if refused == nil {
		t.Fatal("writes go on without a spool")
	}
	t.Logf("refused after %d writes: %v", n-1, refused)
	select {
	case <-r.Edge.Exited():
	case <-time.After(20 * time.Second):
		t.Error("the edge still runs without a spool")
	}
	log, _ := os.ReadFile(r.Edge.LogFile)
	if !strings.Contains(string(log), "no space left on device") {
		t.Error("the log does not name the cause")
	}
	r.Edge.Kill()
	disk.free(t)
	if err := r.Edge.Start(); err != nil {
		t.Fatal(err)
	}
	took, err := until(30*time.Second, 100*time.Millisecond, func() error { return r.probe(context.Background()) })
	if err != nil {
		t.Errorf("not usable %v", err)
	}
	t.Logf("usable %s after the start with room", ms(took))
	r.settle(t, &round{number: 1, fault: "spool disk full"})
	if _, err := until(tidyWithin, 50*time.Millisecond, func() error { return r.noLeftovers(context.Background()) }); err != nil {
		t.Errorf("left at the target %v", err)
	}
}
