package auditexport

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// Folder is where an export of this schema begins.
const Folder = "export/v1"

// ControlPlane stands in partitions for the control plane's own records, which no edge has. No edge can be called so.
const ControlPlane = "_controlplane"

// DefaultPartRows is how many rows a part has at most.
const DefaultPartRows = 1_000_000

// PartitionConfig is what a Partitions needs.
type PartitionConfig struct {
	// Create makes a new file of the given name, with slashes, which is below Folder. Required.
	Create func(name string) (File, error)
	// Open returns the writer of one file's rows. Required.
	Open func(io.Writer) (Writer, error)
	// Suffix of files, such as ".jsonl.zst". Required.
	Suffix string
	// PartRows bounds the rows of a file. Default: DefaultPartRows.
	PartRows int
}

// File is a file that is being written. Whoever reads the export sees it once it is committed.
type File interface {
	io.Writer
	Commit() error
	// Discard takes the file away.
	Discard()
}

// Partitions writes rows into files by day and edge: export/v1/day=2026-11-23/edge=edge-a/part-00000.jsonl.zst. Rows come edge by edge and nearly
// by time, so that a few files are open at a time. Close it at the end, or Discard it. Not safe for concurrent use. After an error it takes no more.
type Partitions struct {
	cfg   PartitionConfig
	edge  string
	open  map[string]*part // by folder, of one edge
	made  map[string]int   // parts of a folder
	files int
	err   error
}

// part is one open file.
type part struct {
	file File
	rows Writer
	n    int
}

// NewPartitions returns a writer of partitions.
func NewPartitions(cfg PartitionConfig) (*Partitions, error) {
	if cfg.Create == nil || cfg.Open == nil || cfg.Suffix == "" {
		return nil, errors.New("partitions need a way to create and to write files, and their suffix")
	}
	if cfg.PartRows <= 0 {
		cfg.PartRows = DefaultPartRows
	}
	return &Partitions{cfg: cfg, open: map[string]*part{}, made: map[string]int{}}, nil
}

// openParts is how many days of one edge are written at a time.
const openParts = 2

// Write adds a row.
func (p *Partitions) Write(row Row) error {
	if p.err == nil {
		p.err = p.write(row)
	}
	return p.err
}

func (p *Partitions) write(row Row) error {
	at, err := time.Parse(TimeLayout, row.Time)
	if err != nil {
		return fmt.Errorf("%w: no time", ErrRecord)
	}
	folder := partition(at, row.RecordedBy)
	if row.RecordedBy != p.edge {
		if err := p.closeAll(); err != nil {
			return err
		}
		p.edge = row.RecordedBy
	}
	f := p.open[folder]
	if f == nil {
		if f, err = p.begin(folder); err != nil {
			return err
		}
	}
	if err := f.rows.Write(row); err != nil {
		return err
	}
	if f.n++; f.n == p.cfg.PartRows {
		return p.end(folder)
	}
	return nil
}

// Close ends all files. After an error it discards those that are not whole, and returns it.
func (p *Partitions) Close() error {
	if p.err == nil {
		p.err = p.closeAll()
	}
	err := p.err
	p.Discard()
	return err
}

// Discard takes away files that are not whole. Those that are stay.
func (p *Partitions) Discard() {
	for folder, f := range p.open {
		f.file.Discard()
		delete(p.open, folder)
	}
	p.err = cmp.Or(p.err, errEnded)
}

var errEnded = errors.New("the export has ended")

// Files is how many files were made.
func (p *Partitions) Files() int { return p.files }

func (p *Partitions) begin(folder string) (*part, error) {
	if len(p.open) == openParts {
		oldest := slices.MinFunc(folders(p.open), strings.Compare)
		if err := p.end(oldest); err != nil {
			return nil, err
		}
	}
	file, err := p.cfg.Create(path.Join(folder, fmt.Sprintf("part-%05d%s", p.made[folder], p.cfg.Suffix)))
	if err != nil {
		return nil, wrote(err)
	}
	rows, err := p.cfg.Open(file)
	if err != nil {
		file.Discard()
		return nil, err
	}
	p.made[folder]++
	p.files++
	p.open[folder] = &part{file: file, rows: rows}
	return p.open[folder], nil
}

func (p *Partitions) end(folder string) error {
	f := p.open[folder]
	if err := f.rows.Close(); err != nil {
		return err
	}
	if err := f.file.Commit(); err != nil {
		return wrote(err)
	}
	delete(p.open, folder)
	return nil
}

func (p *Partitions) closeAll() error {
	for _, folder := range folders(p.open) {
		if err := p.end(folder); err != nil {
			return err
		}
	}
	return nil
}

func folders(open map[string]*part) []string {
	all := make([]string, 0, len(open))
	for folder := range open {
		all = append(all, folder)
	}
	return all
}

// partition is the folder of a row: Hive's form, which query engines read columns from.
func partition(at time.Time, edge string) string {
	if edge == "" {
		edge = ControlPlane
	} else {
		edge = strings.ReplaceAll(url.PathEscape(edge), "_", "%5F")
	}
	return path.Join(Folder, "day="+day(at), "edge="+edge)
}
