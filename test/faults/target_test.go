package faults

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// schema holds what the load writes to. Every statement of the load has a marker of its own.
const schema = `
CREATE TABLE marks (marker text PRIMARY KEY, how text NOT NULL);
CREATE TABLE counters (id int PRIMARY KEY, last text, n bigint NOT NULL DEFAULT 0);
INSERT INTO counters (id) SELECT generate_series(1, 20);
CREATE TABLE scrap (id int PRIMARY KEY);
INSERT INTO scrap SELECT generate_series(1, 50);
`

var (
	markerForm = regexp.MustCompile(`mk_[a-z]{16}`)
	// The log line prefix of pgtest is '%m [%p] %u %a %c '.
	logLine = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC) \[(\d+)\] (writ_s_\S+) .*?LOG:  (?:statement|execute [^:]*): (.*)$`)
	writes  = regexp.MustCompile(`(?i)^\s*(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|CREATE|ALTER|DROP|GRANT|COPY)\b`)
)

// executed is a statement that a session's role ran.
type executed struct {
	at     time.Time // to the millisecond, cut
	role   string
	sql    string
	marker string // "" for what the load did not mark
}

func (e executed) write() bool { return writes.MatchString(e.sql) }

// targetLog reads what the server logs, piece by piece.
type targetLog struct {
	path   string
	offset int64
}

// read returns the statements of session roles that were logged since the last read.
func (l *targetLog) read() ([]executed, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	fresh := make([]byte, info.Size()-l.offset)
	n, err := f.ReadAt(fresh, l.offset)
	if n < len(fresh) {
		return nil, fmt.Errorf("read log of the target: %w", err)
	}
	end := strings.LastIndexByte(string(fresh), '\n') + 1
	l.offset += int64(end)
	var found []executed
	for line := range strings.Lines(string(fresh[:end])) {
		m := logLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05.000 MST", m[1])
		if err != nil {
			return nil, fmt.Errorf("read log of the target: %w", err)
		}
		found = append(found, executed{at: at, role: m[3], sql: m[4], marker: markerForm.FindString(m[4])})
	}
	return found, nil
}

// leftovers are roles and backends of sessions at the target.
func (r *rig) leftovers(ctx context.Context) (roles, backends []string, err error) {
	conn, err := r.PG.Connect(ctx, "shop")
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close(ctx)
	if roles, err = names(ctx, conn, `SELECT rolname FROM pg_roles WHERE rolname LIKE 'writ\_s\_%'`); err != nil {
		return nil, nil, err
	}
	backends, err = names(ctx, conn, `SELECT usename || ' ' || pid || ' ' || state || ' ' || query FROM pg_stat_activity WHERE usename LIKE 'writ\_s\_%'`)
	return roles, backends, err
}

func names(ctx context.Context, conn *pgx.Conn, sql string) ([]string, error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// present returns the markers that are in the tables.
func (r *rig) present(ctx context.Context) ([]string, error) {
	conn, err := r.PG.Connect(ctx, "shop")
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	return names(ctx, conn, "SELECT marker FROM marks UNION SELECT last FROM counters WHERE last IS NOT NULL")
}
