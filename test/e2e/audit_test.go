package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/world"
)

// An auditor keeps the key and a checkpoint, and later holds a copy of the store to them, without the control plane.
func TestRecordsAreVerified(t *testing.T) {
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	admin := w.Administrator()
	access, err := w.Grant(ctx, w.Token("ada@example.com", "agent", "agents"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN("ada@example.com", access))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := conn.Exec(ctx, "SELECT count(*) FROM orders"); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close(ctx)
	until(ctx, t, w, admin, []string{"session_close"}, "audit", "search", "--kind", "session_close", "-o", "json")
	keep := func(name string, args ...string) string {
		out, err := w.Writ(ctx, admin, append([]string{"audit", "checkpoint"}, args...)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	key, kept := keep("audit.key", "--public-key"), keep("kept.checkpoint")
	objects := filepath.Join(w.Dir, "control", "data", "records")
	verify := func(folder string) (string, error) {
		return w.Writ(ctx, "", "audit", "verify", folder, "--key-file", key, "--checkpoint", kept)
	}
	for { // the log of a store in use is laid out within seconds
		out, err := verify(objects)
		if err == nil && strings.Contains(out, "0 pending: whole") && !strings.Contains(out, " 0 records") {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%v\n%s", err, out)
		case <-time.After(200 * time.Millisecond):
		}
	}
	found, err := w.Writ(ctx, admin, "audit", "search", "--kind", "command", "-o", "json")
	if err != nil {
		t.Fatalf("%v\n%s", err, found)
	}
	id := regexp.MustCompile(`"id": "([0-9A-Z]{26})"`).FindStringSubmatch(found)
	if id == nil {
		t.Fatalf("no record in\n%s", found)
	}
	proof := filepath.Join(t.TempDir(), "proof")
	if out, err := w.Writ(ctx, "", "audit", "prove", id[1], objects, "--key-file", key, "--out", proof); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := w.Writ(ctx, "", "audit", "check-proof", id[1], "--key-file", key, "--in", proof); err != nil || !strings.Contains(out, "SELECT count(*)") || !strings.Contains(out, "logged as entry") {
		t.Errorf("%v\n%s", err, out)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(objects)); err != nil {
		t.Fatal(err)
	}
	blocks, err := filepath.Glob(filepath.Join(copied, "records/v1/*/*/*/*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("%v, %v", blocks, err)
	}
	damaged := blocks[len(blocks)/2]
	data, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.Chmod(damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Rel(copied, damaged)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := verify(copied); err == nil || !strings.Contains(out, "altered object "+name) {
		t.Errorf("%v\n%s", err, out)
	}
}
