package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/writhq/writ/test/pgtest"
	"github.com/writhq/writ/test/world"
)

// bed is a world with PgBouncer beside the edge.
type bed struct {
	options
	w       *world.World
	dir     string
	bouncer *exec.Cmd
	cloud   *cloud
	paths   []path

	idle, session float64 // memory, in KB
}

// path is one way to the database.
type path struct {
	name           string
	address        string
	user, password string
	database       string
}

const manifest = `
kind: postgres
name: orders-db
labels: {env: demo}
edges: [edge-a]
endpoint: "%{endpoint}"
database: shop
allow_loopback: true
tls: {mode: verify-full, ca_file: "%{ca}"}
credential:
  static: {user: "%{superuser}", password_file: "%{password}"}
classes:
  pii: [public.big.email]
`

// benchSchema is the shop and a table with many rows to mask.
func benchSchema(rows int) string {
	return world.Schema + `
CREATE TABLE big (id bigint PRIMARY KEY, name text, email text, city text);
INSERT INTO big SELECT i, 'Customer ' || i, 'customer' || i || '@example.com', 'Springfield' FROM generate_series(1, ` + strconv.Itoa(rows) + `) i;
ANALYZE big;
`
}

func newBed(ctx context.Context, o options) (*bed, error) {
	dir, err := os.MkdirTemp("", "writ-bench-")
	if err != nil {
		return nil, err
	}
	b := &bed{options: o, dir: dir}
	if b.cloud, err = startCloud(); err != nil {
		b.stop()
		return nil, err
	}
	b.w, err = world.Run(ctx, world.Config{
		Bin: o.bin, Dir: dir, ControlEnv: b.cloud.environ(), Schema: benchSchema(o.rows), Resource: manifest,
		Settings: []string{"log_statement = none", "shared_buffers = 512MB", "max_connections = 200"},
		EdgeArgs: []string{"--log-level", "warn"}, Progress: func(s string) { fmt.Fprintln(os.Stderr, "starting", s) },
	})
	if err == nil {
		err = b.measureIdle(ctx)
	}
	if err == nil {
		err = b.prepare(ctx)
	}
	if err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bed) prepare(ctx context.Context) error {
	direct := path{"direct", b.w.PG.Address(), pgtest.Superuser, pgtest.Password, world.Database}
	if _, err := b.run(ctx, direct, "-i", "-s", "10", "-q"); err != nil {
		return err
	}
	pool, err := b.startBouncer(ctx)
	if err != nil {
		return err
	}
	token, err := b.w.Grant(ctx, b.w.Token("bench@example.com", "agent", "agents"))
	if err != nil {
		return err
	}
	edge := path{"writ-edge", b.w.Postgres, "bench@example.com", token, world.Resource}
	b.paths = []path{direct, pool, edge}
	return nil
}

func (b *bed) stop() {
	if b.bouncer != nil {
		b.bouncer.Process.Signal(syscall.SIGTERM)
		b.bouncer.Wait()
	}
	if b.w != nil {
		b.w.Stop()
	}
	b.cloud.stop()
	os.RemoveAll(b.dir)
}

// startBouncer runs PgBouncer in session mode, with TLS on both sides as the edge has.
func (b *bed) startBouncer(ctx context.Context) (path, error) {
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			return path{}, errors.New("PgBouncer is missing: apt-get install pgbouncer")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return path{}, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := filepath.Join(b.dir, "bouncer")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return path{}, err
	}
	host, pgPort, _ := net.SplitHostPort(b.w.PG.Address())
	files := map[string]string{
		"users.txt": fmt.Sprintf("%q %q\n", pgtest.Superuser, pgtest.Password),
		"pgbouncer.ini": fmt.Sprintf(`[databases]
%s = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s/users.txt
pool_mode = session
default_pool_size = 100
max_client_conn = 200
client_tls_sslmode = require
client_tls_key_file = %s/server.key
client_tls_cert_file = %s/server.crt
server_tls_sslmode = require
ignore_startup_parameters = extra_float_digits
logfile = %s/log
pidfile =
`, world.Database, host, pgPort, port, dir, dir, dir, dir),
	}
	for _, name := range []string{"server.key", "server.crt"} {
		data, err := os.ReadFile(filepath.Join(b.w.PG.Dir, name))
		if err != nil {
			return path{}, err
		}
		files[name] = string(data)
	}
	cmd := exec.Command(bin, filepath.Join(dir, "pgbouncer.ini"))
	uid, gid := -1, -1
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return path{}, err
		}
		uid, _ = strconv.Atoi(u.Uid)
		gid, _ = strconv.Atoi(u.Gid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Pdeathsig: syscall.SIGKILL}
		os.Chmod(b.dir, 0o711)
		os.Chown(dir, uid, gid)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return path{}, err
		}
		if uid >= 0 {
			os.Chown(filepath.Join(dir, name), uid, gid)
		}
	}
	if err := cmd.Start(); err != nil {
		return path{}, err
	}
	b.bouncer = cmd
	p := path{"PgBouncer (session mode)", fmt.Sprintf("127.0.0.1:%d", port), pgtest.Superuser, pgtest.Password, world.Database}
	for range 100 {
		if conn, err := net.Dial("tcp", p.address); err == nil {
			return p, conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return path{}, errors.New("PgBouncer did not start")
}

// run runs pgbench over a path and returns what it printed.
func (b *bed) run(ctx context.Context, p path, args ...string) (string, error) {
	bin, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			return "", errors.New("pgbench is missing: apt-get install postgresql")
		}
		bin = found[len(found)-1]
	}
	host, port, _ := net.SplitHostPort(p.address)
	cmd := exec.CommandContext(ctx, bin, append(args, "-h", host, "-p", port, "-U", p.user, p.database)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.password, "PGSSLMODE=require", "PGGSSENCMODE=disable")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pgbench %s over %s: %w: %s", strings.Join(args, " "), p.name, err, out)
	}
	return string(out), nil
}

// sample is one pgbench run.
type sample struct{ tps, p50, p99 float64 } // latencies in ms

// measure runs pgbench -S over a path.
func (b *bed) measure(ctx context.Context, p path, mode string, clients int) (sample, error) {
	prefix := filepath.Join(b.dir, "latency")
	old, _ := filepath.Glob(prefix + "*")
	for _, f := range old {
		os.Remove(f)
	}
	out, err := b.run(ctx, p, "-S", "-n", "-T", strconv.Itoa(int(b.time.Seconds())), "-M", mode, "-c", strconv.Itoa(clients), "-j", "1", "-l", "--log-prefix", prefix)
	if err != nil {
		return sample{}, err
	}
	var s sample
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "tps = ") {
			s.tps, _ = strconv.ParseFloat(strings.Fields(line)[2], 64)
		}
	}
	if s.tps == 0 {
		return s, fmt.Errorf("no tps in: %s", out)
	}
	s.p50, s.p99, err = percentiles(prefix)
	return s, err
}

// percentiles reads pgbench's log: the third column is a latency in microseconds.
func percentiles(prefix string) (p50, p99 float64, err error) {
	files, err := filepath.Glob(prefix + "*")
	if err != nil || len(files) == 0 {
		return 0, 0, fmt.Errorf("no pgbench log: %w", err)
	}
	var all []float64
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return 0, 0, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 3 {
				continue
			}
			us, err := strconv.ParseFloat(fields[2], 64)
			if err == nil {
				all = append(all, us/1000)
			}
		}
		f.Close()
	}
	if len(all) == 0 {
		return 0, 0, errors.New("pgbench logged nothing")
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100], nil
}

// pgbench compares the three paths in both modes, at 1 and 16 clients.
func (b *bed) pgbench(ctx context.Context) ([]Figure, error) {
	var figures []Figure
	for _, mode := range []string{"simple", "prepared"} {
		for _, clients := range []int{1, 16} {
			runs := make([][]sample, len(b.paths))
			for round := range b.rounds {
				for i := range b.paths {
					at := (i + round) % len(b.paths)
					s, err := b.measure(ctx, b.paths[at], mode, clients)
					if err != nil {
						return nil, err
					}
					fmt.Fprintf(os.Stderr, "pgbench -S -M %s -c %d  %-26s %8.0f tps  p50 %.3f ms  p99 %.3f ms\n", mode, clients, b.paths[at].name, s.tps, s.p50, s.p99)
					runs[at] = append(runs[at], s)
				}
			}
			direct, pool, edge := median(runs[0]), median(runs[1]), median(runs[2])
			what := fmt.Sprintf("pgbench -S %s, %d clients", mode, clients)
			figures = append(figures,
				atLeast(what, "tps", edge.tps, pool.tps, b.paths[1].name, 1),
				atLeast(what+", against direct", "tps", edge.tps, direct.tps, "direct", 0),
				added(what+", added p50", edge.p50, direct.p50, 0.1),
				added(what+", added p99", edge.p99, direct.p99, 1))
		}
	}
	return figures, nil
}

// added is a latency on top of the direct connection's, in ms.
func added(name string, ours, direct, bound float64) Figure {
	return Figure{
		Name: name, Unit: "ms", Ours: ours, Peer: direct, PeerName: "direct", Ratio: ours / direct,
		Target: fmt.Sprintf("added <= %g ms", bound), Met: ours-direct <= bound,
	}
}

func median(s []sample) sample {
	pick := func(get func(sample) float64) float64 {
		v := make([]float64, len(s))
		for i := range s {
			v[i] = get(s[i])
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return sample{
		tps: pick(func(s sample) float64 { return s.tps }), p50: pick(func(s sample) float64 { return s.p50 }), p99: pick(func(s sample) float64 { return s.p99 }),
	}
}
