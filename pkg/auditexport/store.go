package auditexport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

// StoreConfig is what Read needs.
type StoreConfig struct {
	// Store is a copy of the control plane's object store: its folder, or what is under its prefix in a bucket. Required.
	Store fs.FS
	// From and Until bound the time of records: from From on, and before Until. Until is required.
	From, Until time.Time
	// Damaged hears of a block that cannot be read and is left out. Required.
	Damaged func(object string, err error)
}

// Folders of the store, as controlplane/internal/auditlog lays them out: records/v1/<day>/<edge>/<hour> and admin/v1/<day>/<hour>.
const (
	recordsFolder = "records/v1"
	adminFolder   = "admin/v1"
	blockSuffix   = ".blk"
)

// Read calls each with the records of a store: edge by edge, then the control plane's own, each in the order in which they were stored. What an
// edge shipped twice comes once. Memory is bounded by what one edge recorded in two hours. It fails with the errors of each, of ctx, and where
// the store cannot be listed.
func Read(ctx context.Context, cfg StoreConfig, each func(*audit.Record) error) error {
	if cfg.Store == nil || cfg.Damaged == nil || !cfg.From.Before(cfg.Until) {
		return errors.New("read store: a store, a time span and somebody to hear of damage are required")
	}
	dec, err := audit.NewBlockDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	r := &reader{ctx: ctx, cfg: cfg, each: each, dec: dec}
	days, err := r.days(recordsFolder)
	if err != nil {
		return err
	}
	edges, err := r.edges(days)
	if err != nil {
		return err
	}
	for _, edge := range edges {
		if err := r.run(edge, days, func(day string) string { return path.Join(day, edge) }); err != nil {
			return err
		}
	}
	if days, err = r.days(adminFolder); err != nil {
		return err
	}
	return r.run("", days, func(day string) string { return day })
}

// reader is one run of Read.
type reader struct {
	ctx  context.Context
	cfg  StoreConfig
	each func(*audit.Record) error
	dec  *audit.BlockDecoder
	seen [2]map[audit.RecordID]struct{} // ids of the last hour folder and of the one before
}

// days are the folders of days that may hold records of the span. A block lies in the hour of its first record, and has records of no more than
// an hour.
func (r *reader) days(folder string) ([]string, error) {
	entries, err := r.list(folder)
	if err != nil {
		return nil, err
	}
	var days []string
	for _, e := range entries {
		at, err := time.Parse(time.DateOnly, e.Name())
		if err == nil && e.IsDir() && at.Before(r.cfg.Until.Add(skew)) && at.Add(25*time.Hour+skew).After(r.cfg.From) {
			days = append(days, path.Join(folder, e.Name()))
		}
	}
	return days, nil
}

// skew is by how much a record's time and that of its id may differ.
const skew = time.Minute

// edges are all edges that have records on some of the days.
func (r *reader) edges(days []string) ([]string, error) {
	var edges []string
	for _, day := range days {
		entries, err := r.list(day)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() {
				edges = append(edges, e.Name())
			}
		}
		slices.Sort(edges)
		edges = slices.Compact(edges)
	}
	return edges, nil
}

// run reads all of one edge.
func (r *reader) run(edge string, days []string, in func(day string) string) error {
	r.seen = [2]map[audit.RecordID]struct{}{}
	for _, day := range days {
		hours, err := r.list(in(day))
		if err != nil {
			return err
		}
		for _, hour := range hours {
			r.seen[1], r.seen[0] = r.seen[0], map[audit.RecordID]struct{}{}
			if err := r.hour(edge, path.Join(in(day), hour.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) hour(edge, folder string) error {
	blocks, err := r.list(folder)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if b.IsDir() || !strings.HasSuffix(b.Name(), blockSuffix) || r.outside(edge, b.Name()) {
			continue
		}
		if err := r.block(edge, path.Join(folder, b.Name())); err != nil {
			return err
		}
	}
	return nil
}

// block passes on the records of one block, all or, where it is damaged, none.
func (r *reader) block(edge, name string) error {
	records, err := r.decode(edge, name)
	if err != nil {
		r.cfg.Damaged(name, err)
		return nil
	}
	for i := range records {
		rec := &records[i]
		_, now := r.seen[0][rec.ID]
		_, before := r.seen[1][rec.ID]
		if now || before {
			continue
		}
		r.seen[0][rec.ID] = struct{}{}
		if rec.Time.Before(r.cfg.From) || !rec.Time.Before(r.cfg.Until) {
			continue
		}
		if err := r.each(rec); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) decode(edge, name string) ([]audit.Record, error) {
	data, err := fs.ReadFile(r.cfg.Store, name)
	if err != nil {
		return nil, err
	}
	_, records, err := r.dec.Records(data)
	if err != nil {
		return nil, err
	}
	for i := range records {
		if records[i].Edge != edge {
			return nil, fmt.Errorf("%w: record %d is of another edge", audit.ErrCorrupt, i+1)
		}
	}
	return records, nil
}

// list is empty for a folder that is not there.
func (r *reader) list(folder string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(r.cfg.Store, folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list store: %w", err)
	}
	return entries, nil
}
