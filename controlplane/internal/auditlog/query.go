package auditlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

// ErrQuery is a query that cannot be answered: a value out of range, or a token of another query.
var ErrQuery = errors.New("invalid search")

// Calls is the Kind of a Query that finds people's calls, whatever the kind of their records.
const Calls = "admin"

const (
	defaultFound = 50
	maxFound     = 200
	maxText      = 500 // bytes of any value
	defaultSpan  = 24 * time.Hour
)

// Query says which records a Search is for: those that match everything that is set. The zero Query finds all of the
// last 24 hours.
type Query struct {
	Principal string // or whom it acts for; also of the session, for records that name none
	Resource  string // likewise
	Session   string
	Kind      string // of audit.Kind, or Calls; without one, pieces of streams are left out: they are for replaying
	Decision  string // "allow", "deny" or "hold"
	PolicyID  string
	// Table is the name of a table, or of what else a command is on, in any case: as records have it, or what is behind a dot, a colon or a
	// slash in it.
	Table string
	// Action is an action of policy, likewise, but behind a colon: "sql:delete" or "delete".
	Action string
	Text   string // in statements and procedures, in any case
	// Without, where set, leaves out the calls of procedures for which it is true, unless they were refused or failed.
	Without func(procedure string) bool
	// From and Until bound when the records were made. From is 24 h before Until by default, and Until is now.
	From, Until time.Time
	Limit       int // at most 200; 0 is 50
	// After is the Next of what was found before, with the same query.
	After string
}

// Found is a part of what a Search finds, newest first.
type Found struct {
	Hits []Hit
	// Next is where the search goes on; empty when it is through. There may be a Next without any hit.
	Next string
	// Back is how far back in time everything has been searched.
	Back time.Time
}

// Hit is a record that matches, or a block that cannot be read and may have held one.
type Hit struct {
	Record audit.Record
	// Damage is set instead of Record. It says what is wrong with the block named Block.
	Damage error
	Block  string
	id     audit.RecordID // place in the order
}

// At is when the record was made, or the first of the damaged block.
func (h Hit) At() time.Time { return h.id.Time() }

// filterQuery is a Query that was checked.
type filterQuery struct {
	Query
	kind  audit.Kind     // 0 for any
	calls bool           // only people's calls
	text  string         // lower case
	until audit.RecordID // exclusive
	from  time.Time      // inclusive
}

func (q Query) check(now time.Time) (filterQuery, error) {
	f := filterQuery{Query: q, text: strings.ToLower(q.Text), calls: q.Kind == Calls}
	for name, v := range map[string]string{
		"principal": q.Principal, "resource": q.Resource, "session": q.Session, "policy": q.PolicyID, "text": q.Text,
		"table": q.Table, "action": q.Action,
	} {
		if len(v) > maxText {
			return f, fmt.Errorf("%w: %s: %d bytes; use at most %d", ErrQuery, name, len(v), maxText)
		}
	}
	if q.Kind != "" && !f.calls {
		kind, err := audit.ParseKind(q.Kind)
		if err != nil {
			return f, fmt.Errorf("%w: kind: %.40q is none; use one such as %q, or %q", ErrQuery, q.Kind, audit.KindCommand, Calls)
		}
		f.kind = kind
	}
	if !slices.Contains([]string{"", string(audit.Allow), string(audit.Deny), string(audit.Hold)}, q.Decision) {
		return f, fmt.Errorf("%w: decision: %.40q; use %q, %q or %q", ErrQuery, q.Decision, audit.Allow, audit.Deny, audit.Hold)
	}
	if f.Limit <= 0 {
		f.Limit = defaultFound
	}
	f.Limit = min(f.Limit, maxFound)
	return f, f.span(now)
}

// span sets the time to search, from the query or from the token that carries on with it.
func (f *filterQuery) span(now time.Time) error {
	if f.After != "" {
		return f.resume(now)
	}
	until, from := f.Until, f.From
	if until.IsZero() || until.After(now.Add(clockSkew)) {
		until = now.Add(clockSkew)
	}
	if from.IsZero() && f.Until.IsZero() {
		from = now.Add(-defaultSpan)
	} else if from.IsZero() {
		from = until.Add(-defaultSpan)
	}
	if from.UnixMilli() < 0 {
		from = time.UnixMilli(0)
	}
	from = from.Truncate(time.Millisecond) // as ids and tokens have it
	if !from.Before(until) {
		return fmt.Errorf("%w: it would end before it begins", ErrQuery)
	}
	f.from, f.until = from, firstID(until)
	return nil
}

// firstID is the least id of the millisecond of at.
func firstID(at time.Time) (id audit.RecordID) {
	ms := uint64(max(at.UnixMilli(), 0))
	binary.BigEndian.PutUint64(id[:8], ms<<16)
	return id
}

// A token is the version, the query's digest, the start of the time in milliseconds and the id below which to go on,
// in hex.
const (
	tokenVersion = 1
	tokenBytes   = 1 + 8 + 8 + 16
)

func (f *filterQuery) token(below audit.RecordID) string {
	b := append([]byte{tokenVersion}, f.digest()...)
	b = binary.BigEndian.AppendUint64(b, uint64(f.from.UnixMilli()))
	return hex.EncodeToString(append(b, below[:]...))
}

func (f *filterQuery) resume(now time.Time) error {
	b, err := hex.DecodeString(f.After)
	if err != nil || len(b) != tokenBytes || b[0] != tokenVersion || string(b[1:9]) != string(f.digest()) {
		return fmt.Errorf("%w: the page token is not of this search; begin with its first page", ErrQuery)
	}
	from := binary.BigEndian.Uint64(b[9:17])
	f.until = audit.RecordID(b[17:])
	if from > uint64(f.until.Time().UnixMilli()) || f.until.Time().After(now.Add(clockSkew)) {
		return fmt.Errorf("%w: the page token is damaged; begin with the first page", ErrQuery)
	}
	f.from = time.UnixMilli(int64(from))
	return nil
}

// digest tells queries apart, but for their place and size.
func (f *filterQuery) digest() []byte {
	h := sha256.New()
	for _, v := range []string{
		f.Principal, f.Resource, f.Session, f.Kind, f.Decision, f.PolicyID, f.Text, f.From.UTC().String(), f.Until.UTC().String(),
		strconv.FormatBool(f.Without != nil), f.Table, f.Action,
	} {
		fmt.Fprintf(h, "%d:%s", len(v), v)
	}
	return h.Sum(nil)[:8]
}

// matches tells whether the record, which is about o, is one that is asked for; own is whether it is the control plane's.
func (f *filterQuery) matches(r *audit.Record, o owner, own bool) bool {
	return (f.kind == 0 && r.Kind != audit.KindStream || r.Kind == f.kind) && (!f.calls || own && procedure(r) != "") &&
		(f.Decision == "" || string(r.Decision) == f.Decision) &&
		!(own && f.leavesOut(r)) &&
		(f.Principal == "" || names(f.Principal, o.principals)) &&
		(f.Resource == "" || o.resource == f.Resource) &&
		(f.Session == "" || r.Session == f.Session || own && mentions(r, f.Session)) &&
		(f.Table == "" || ends(r.Tables, f.Table, tableMarks)) &&
		(f.Action == "" || ends(r.Actions, f.Action, actionMarks)) &&
		(f.PolicyID == "" || slices.Contains(r.PolicyIDs, f.PolicyID)) &&
		(f.text == "" || strings.Contains(strings.ToLower(r.Statement), f.text) ||
			strings.Contains(strings.ToLower(procedure(r)), f.text))
}

// leavesOut tells whether a record of the control plane's own is of a call that is not asked for.
func (f *filterQuery) leavesOut(r *audit.Record) bool {
	call := procedure(r)
	return f.Without != nil && call != "" && done(r) && f.Without(call)
}

// done tells whether a call was allowed and did not fail.
func done(r *audit.Record) bool { return r.Decision == audit.Allow && r.ErrorCode == "" }

// Behind these a shorter name begins.
const (
	tableMarks  = ".:/"
	actionMarks = ":"
)

// endings yields a name and every shorter name in it.
func endings(name, marks string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for yield(name) {
			at := strings.IndexAny(name, marks)
			if at < 0 {
				return
			}
			name = name[at+1:]
		}
	}
}

func ends(all []string, wanted, marks string) bool {
	return slices.ContainsFunc(all, func(name string) bool {
		for ending := range endings(name, marks) {
			if strings.EqualFold(ending, wanted) {
				return true
			}
		}
		return false
	})
}

func names(wanted string, all []string) bool {
	return slices.ContainsFunc(all, func(n string) bool { return strings.EqualFold(n, wanted) })
}

// procedure is the call that a record of the control plane's own is about.
func procedure(r *audit.Record) string {
	for _, a := range r.Attrs {
		if a.Name == "method" {
			return a.Value
		}
	}
	return ""
}

// mentions tells whether a record of the control plane's own is about that session.
func mentions(r *audit.Record, session string) bool {
	return slices.ContainsFunc(r.Attrs, func(a audit.Attr) bool { return a.Value == session })
}
