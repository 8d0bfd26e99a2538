package auditverify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/merklelog"
)

// chain identifies the records that follow each other.
type chain struct{ edge, session string }

// segment is a part of a chain in one object, which holds in itself.
type segment struct {
	entry    int64
	from, to uint64
	before   [audit.HashSize]byte // of the record before
	last     [audit.HashSize]byte
	closed   bool
}

// readObjects reads every object that has an entry.
func (v *verification) readObjects(ctx context.Context) error {
	retired := map[string]bool{}
	for _, e := range v.entries {
		if e.Kind == merklelog.Retired {
			retired[e.Key] = true
		}
		if at := e.Last.Time(); e.Key != "" && at.After(v.newest) {
			v.newest = at
		}
	}
	var mu sync.Mutex
	var done int64
	read := map[string]bool{}
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(v.cfg.Workers)
	for at, e := range v.entries {
		if e.Kind != merklelog.Block || reading.Err() != nil {
			continue
		}
		again := read[e.Key]
		read[e.Key] = true
		g.Go(func() error {
			o := v.readObject(int64(at), e, retired[e.Key])
			mu.Lock()
			defer mu.Unlock()
			if done++; done%1000 == 0 {
				v.cfg.Progress(done, int64(len(v.entries)))
			}
			v.take(o, again)
			return reading.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	v.cfg.Progress(int64(len(v.entries)), int64(len(v.entries)))
	return nil
}

// object is what was read of one.
type object struct {
	findings []Finding
	retired  bool
	records  int64
	segments map[chain][]segment
}

// take adds an object to what is known; again is one that has an entry before.
func (v *verification) take(o object, again bool) {
	for _, f := range o.findings {
		v.found(f)
	}
	if again {
		return
	}
	if o.retired {
		v.report.Retired++
		return
	}
	v.report.Objects++
	v.report.Records += o.records
	for c, s := range o.segments {
		v.segments[c] = append(v.segments[c], s...)
	}
}

// readObject holds an object to its entry.
func (v *verification) readObject(at int64, e merklelog.Entry, retired bool) (o object) {
	bad := func(kind Kind, format string, args ...any) object {
		o.findings = append(o.findings, Finding{Kind: kind, Object: e.Key, Entry: at, Detail: fmt.Sprintf(format, args...)})
		return o
	}
	data, err := fs.ReadFile(v.cfg.Store, e.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist) && retired:
		o.retired = true
		return o
	case errors.Is(err, fs.ErrNotExist):
		return bad(MissingObject, "%d records from %s on", e.Records, e.First.Time().Format("2006-01-02 15:04:05.000"))
	case err != nil:
		return bad(MissingObject, "%s", why(err))
	case sha256.Sum256(data) != e.SHA256:
		return bad(AlteredObject, "%d bytes that are not the %d that were logged", len(data), e.Bytes)
	}
	records, err := v.decode(data)
	if err != nil {
		return bad(MalformedObject, "%v", err)
	}
	if edge := edgeOf(e.Key); len(records) != e.Records || slices.ContainsFunc(records, func(r audit.Record) bool { return r.Edge != edge }) {
		return bad(ForeignObject, "its records are not those of the entry")
	}
	o.records = int64(len(records))
	o.segments = map[chain][]segment{}
	for _, s := range bySession(records) {
		part, finding := checkSegment(at, e.Key, s)
		if finding != nil {
			o.findings = append(o.findings, *finding)
		}
		c := chain{s[0].Edge, s[0].Session}
		o.segments[c] = append(o.segments[c], part...)
	}
	return o
}

// edgeOf is the edge whose records are under a key: records/v1/<day>/<edge>/...
func edgeOf(key string) string {
	if parts := strings.Split(key, "/"); len(parts) > 3 && parts[0] == "records" {
		return parts[3]
	}
	return ""
}

func (v *verification) decode(data []byte) ([]audit.Record, error) {
	dec, ok := v.decoders.Get().(*audit.BlockDecoder)
	if !ok {
		var err error
		if dec, err = audit.NewBlockDecoder(); err != nil {
			return nil, err
		}
	}
	defer v.decoders.Put(dec)
	_, records, err := dec.Records(data)
	return records, err
}

// bySession returns the records of each session in their order.
func bySession(records []audit.Record) [][]*audit.Record {
	var order []string
	all := map[string][]*audit.Record{}
	for i := range records {
		r := &records[i]
		if all[r.Session] == nil {
			order = append(order, r.Session)
		}
		all[r.Session] = append(all[r.Session], r)
	}
	out := make([][]*audit.Record, len(order))
	for i, session := range order {
		out[i] = all[session]
	}
	return out
}

// checkSegment holds a session's records in one object to each other. What is repeated whole begins a segment of its own.
func checkSegment(at int64, key string, records []*audit.Record) (parts []segment, _ *Finding) {
	var v *audit.Verifier
	for _, r := range records {
		if v == nil || r.Seq <= v.Head().Seq {
			v = audit.ResumeVerifier(r.Edge, r.Session, audit.Head{Seq: r.Seq - 1, Hash: r.Prev})
			parts = append(parts, segment{entry: at, from: r.Seq, before: r.Prev})
		}
		if err := v.Add(r); err != nil {
			return parts, &Finding{Kind: BrokenChain, Object: key, Entry: at, Session: r.Session, Seq: v.Head().Seq + 1, Detail: detail(err)}
		}
		last := &parts[len(parts)-1]
		last.to, last.last, last.closed = r.Seq, r.Hash, v.Closed()
	}
	return parts, nil
}

func detail(err error) string {
	var d *audit.Damage
	if errors.As(err, &d) {
		return d.Err.Error() + ": " + d.Detail
	}
	return err.Error()
}

// joinChains holds the parts of each session's chain to each other.
func (v *verification) joinChains(ctx context.Context) error {
	for c, parts := range v.segments {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		slices.SortFunc(parts, func(a, b segment) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
		v.report.Sessions++
		if !v.join(c, parts) {
			v.report.Unfinished++
		}
	}
	return nil
}

// join reports whether the chain has its end.
func (v *verification) join(c chain, parts []segment) (closed bool) {
	broken := func(s segment, seq uint64, what string) {
		v.found(Finding{Kind: BrokenChain, Object: v.entries[s.entry].Key, Entry: s.entry, Session: c.session, Seq: seq, Detail: what})
	}
	var head audit.Head
	for _, s := range parts {
		switch {
		case s.to == 0: // reported where it was read
		case s.to <= head.Seq && (s.to != head.Seq || s.last == head.Hash): // shipped again
			continue
		case s.from <= head.Seq && s.to > head.Seq: // overlaps, since an edge cuts blocks anew after a crash
			if closed {
				broken(s, head.Seq+1, "it follows the record that closed the session")
			}
		case s.from > head.Seq+1:
			broken(s, head.Seq+1, fmt.Sprintf("records are missing: found number %d", s.from))
		case s.before != head.Hash:
			broken(s, s.from, "record was altered: it does not follow from the record before it")
		case closed:
			broken(s, s.from, "it follows the record that closed the session")
		}
		if s.to >= head.Seq {
			head, closed = audit.Head{Seq: s.to, Hash: s.last}, s.closed
		}
	}
	return closed
}

// temporary is a file that a crash left while it was written.
func temporary(name string) bool {
	return strings.HasPrefix(name[strings.LastIndexByte(name, '/')+1:], ".new-")
}

// findUnknown finds objects that have no entry.
func (v *verification) findUnknown(ctx context.Context) error {
	return fs.WalkDir(v.cfg.Store, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrCopy, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() && name == logFolder:
			return fs.SkipDir
		case d.IsDir(), temporary(name), v.known[name]:
			return nil
		case v.pending(name):
			v.report.Pending++
			return nil
		}
		v.found(Finding{Kind: UnknownObject, Object: name, Entry: v.head.Size, Detail: "it has no entry in the log"})
		return nil
	})
}

// pendingFor is how far from the newest entry's records an object's may be that waits for its own.
const pendingFor = time.Minute

// pending tells whether an object's name has a time at which it may wait for its entry.
func (v *verification) pending(name string) bool {
	stamp, _, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "_")
	ms, err := strconv.ParseInt(stamp, 10, 64)
	return err == nil && time.UnixMilli(ms).Sub(v.newest).Abs() <= pendingFor
}
