package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/sqlclass"
)

// target is what the sessions of one resource share: its catalog, its analysed
// statements and its detectors. A changed resource gets a new target.
type target struct {
	res        *Resource
	dialer     *upstream.Dialer
	broker     Broker
	classifier *sqlclass.Classifier
	analyses   *lru.Cache[*sqlclass.Batch, *analysed]
	labels     *labels
	detector   *mask.Detector // nil when off
	key        mask.Key
	catalog    *catalog
	log        hclog.Logger
	stop       context.CancelFunc
	stopped    <-chan struct{} // closed by stop
	ending     sync.Map        // roles that are being dropped

	columns atomic.Pointer[columnList]
}

// columnList is every stored column of one catalog version.
type columnList struct {
	version uint64
	enforce.ColumnList
}

// analysesKept bounds the analysed statements that a target keeps.
const analysesKept = 8192

func newTarget(ctx context.Context, res *Resource, s *Server) (*target, error) {
	t := &target{res: res, labels: newLabels(res.Classes), dialer: s.cfg.Dialer, broker: s.cfg.Broker, key: s.maskKey(), log: s.log.With("resource", res.Name())}
	var err error
	if t.classifier, err = sqlclass.New(sqlclass.Config{}); err != nil {
		return nil, err
	}
	if t.analyses, err = lru.New[*sqlclass.Batch, *analysed](analysesKept); err != nil {
		return nil, err
	}
	if !slices.Equal(res.Detectors, []string{"none"}) {
		if t.detector, err = mask.New(mask.Config{Classes: res.Detectors, Key: t.key}); err != nil {
			return nil, fmt.Errorf("resource %s: detectors: %w", res.Name(), err)
		}
	}
	t.catalog = &catalog{open: t.openCatalog, trusted: res.SafeFunctions, learn: t.learn, log: t.log}
	ctx, t.stop = context.WithCancel(ctx)
	t.stopped = ctx.Done()
	go t.catalog.poll(ctx)
	return t, nil
}

// analysed returns the questions of a classified batch.
func (t *target) analysed(batch *sqlclass.Batch, cat *sqlclass.Catalog) *analysed {
	if a, ok := t.analyses.Get(batch); ok {
		return a
	}
	a := analyse(t.res, t.labels, batch, cat, t.allColumns(cat))
	t.analyses.Add(batch, a)
	return a
}

// allColumns lists every stored column under a catalog. What may derive from anything is
// judged by all of them.
func (t *target) allColumns(cat *sqlclass.Catalog) func() *enforce.ColumnList {
	return func() *enforce.ColumnList {
		if l := t.columns.Load(); l != nil && l.version == cat.Version() {
			return &l.ColumnList
		}
		l := &columnList{version: cat.Version()}
		for r := range cat.Relations() {
			if systemSchema(r.Schema) || strings.IndexByte("ScItiI", r.Kind) >= 0 {
				continue
			}
			for _, c := range r.Columns {
				l.Columns = append(l.Columns, t.labels.column(t.res.Policy.Name, sqlclass.ColumnRef{Relation: r.OID, Num: c.Num, Schema: r.Schema, Table: r.Name, Column: c.Name}))
			}
		}
		t.columns.Store(l)
		return &l.ColumnList
	}
}

// everyColumn is allColumns of the catalog at hand.
func (t *target) everyColumn() *enforce.ColumnList {
	cat := t.catalog.now.Load()
	if cat == nil {
		return nil
	}
	return t.allColumns(cat)()
}

// learn ties the resource's labels to a catalog that was read.
func (t *target) learn(cat *sqlclass.Catalog) {
	if dangling := t.labels.learn(cat); len(dangling) > 0 {
		t.log.Warn("labels name columns that the target does not have", "columns", dangling)
	}
}

// detect masks detected secrets in text that is no result value.
func (t *target) detect(s string) string {
	if t.detector == nil || s == "" {
		return s
	}
	return string(t.detector.Redact(nil, []byte(s)))
}

// newPlan returns the plan for a result, nil when no value of it has to be looked at.
func (t *target) newPlan(columns []mask.Column) (*mask.Plan, error) {
	plan, err := mask.NewPlan(columns, t.key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMask, err)
	}
	if plan.Idle(t.detector) {
		return nil, nil
	}
	return plan, nil
}

// openCatalog connects with the edge's own credential to read the catalog.
func (t *target) openCatalog(ctx context.Context) (asker, func(), error) {
	conn, err := t.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	ask := func(sql string, row func(cols []string)) error {
		ctx, cancel := context.WithTimeout(context.Background(), catalogTimeout)
		defer cancel()
		return query(ctx, conn, sql, row)
	}
	hangUp := func() { conn.Close(context.Background()) }
	if err := ask("SELECT pg_catalog.set_config('search_path', '', false)", nil); err != nil {
		hangUp()
		return nil, nil, fmt.Errorf("empty search path: %w", err)
	}
	return ask, hangUp, nil
}

// connect signs in with the edge's own credential.
func (t *target) connect(ctx context.Context) (*pgconn.PgConn, error) {
	cred, err := t.broker.ServiceCredential(ctx, t.res.Name())
	if err != nil {
		return nil, fmt.Errorf("get service credential: %w", err)
	}
	to := t.res.target(cred.User, cred.Password)
	to.Application = "writ-edge"
	conn, err := t.dialer.Open(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.res.Name(), err)
	}
	return conn, nil
}

// query runs one statement and hands out its rows as text.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, row func(cols []string)) error {
	reader := conn.Exec(ctx, sql)
	for reader.NextResult() {
		rr := reader.ResultReader()
		for rr.NextRow() {
			cols := make([]string, len(rr.Values()))
			for i, v := range rr.Values() {
				cols[i] = string(v)
			}
			if row != nil {
				row(cols)
			}
		}
	}
	return reader.Close()
}

// targets are the resources that this edge serves.
type targets struct {
	mu     sync.Mutex
	byName map[string]*target
}

// errUnknownResource is a resource that this edge does not serve.
var errUnknownResource = errors.New("this edge does not serve that resource")

func (t *targets) get(name string) (*target, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if got := t.byName[name]; got != nil {
		return got, nil
	}
	return nil, errUnknownResource
}
