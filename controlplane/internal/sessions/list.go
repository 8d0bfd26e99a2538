package sessions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/store"
)

const (
	defaultList = 100
	maxList     = 1000
	// indexPage is how many rows of the index are read at once, and maxRows how many one List looks at: then it
	// returns what it has found, and the next page goes on.
	indexPage = 500
	maxRows   = 50_000
)

// row is an entry of the index of sessions by their start, newest first. It says what narrows a list, so that only
// sessions on the page are read.
type row struct {
	Parties  []string `json:"parties"` // the principal, and those it acts for
	Resource string   `json:"resource"`
	Ended    bool     `json:"ended,omitempty"`
}

// indexKey sorts newer sessions first.
func indexKey(s Session) string {
	return fmt.Sprintf("%016x/%s", uint64(math.MaxInt64-s.StartedAt.UnixMilli()), s.ID)
}

var indexForm = regexp.MustCompile(`^[0-9a-f]{16}/ses-[0-9a-z]{16,40}$`)

// parties are the principal and those it acts for.
func (s Session) parties() []string {
	return append([]string{s.Principal.ID}, s.Principal.OnBehalfOf...)
}

// index writes the session's row.
func (b *Book) index(tx *store.Tx, s Session) error {
	return b.newest.In(tx).Put(indexKey(s), row{Parties: s.parties(), Resource: s.Resource, Ended: !s.Live()})
}

// Query narrows a List.
type Query struct {
	All       bool // also ended ones
	Principal string
	Resource  string
	// Party is the principal, or one it acts for.
	Party string
	// Visible, where set, says which of the sessions may be returned.
	Visible func(Session) bool
	Limit   int // at most 1000; 0 is 100
	// After is the Next of the page before.
	After string
}

func (q Query) complete() (Query, error) {
	if q.Limit <= 0 {
		q.Limit = defaultList
	}
	q.Limit = min(q.Limit, maxList)
	if q.Visible == nil {
		q.Visible = func(Session) bool { return true }
	}
	if q.After != "" && !indexForm.MatchString(q.After) {
		return q, store.ErrPage
	}
	return q, nil
}

// matches tells whether the session of a row may be on the list.
func (q Query) matches(r row) bool {
	return (q.All || !r.Ended) && (q.Resource == "" || r.Resource == q.Resource) &&
		(q.Principal == "" || len(r.Parties) > 0 && r.Parties[0] == q.Principal) &&
		(q.Party == "" || slices.Contains(r.Parties, q.Party))
}

// Page is a part of a list.
type Page struct {
	Sessions []Session
	// Next is where the list goes on; empty at its end. A page may be short, or empty, and yet have one.
	Next string
}

// List returns sessions, newest first, or store.ErrPage when After is not a Next.
func (b *Book) List(ctx context.Context, q Query) (Page, error) {
	q, err := q.complete()
	if err != nil {
		return Page{}, err
	}
	page := Page{Next: q.After}
	for seen := 0; seen < maxRows; seen += indexPage {
		rows, _, err := b.newest.List(ctx, store.ListOptions{After: page.Next, Limit: indexPage})
		if err != nil {
			return Page{}, fmt.Errorf("list sessions: %w", err)
		}
		for left := rows; len(left) > 0; {
			n, ids := q.take(left, q.Limit-len(page.Sessions))
			found, err := b.fetch(ctx, ids)
			if err != nil {
				return Page{}, err
			}
			found = slices.DeleteFunc(found, func(s Session) bool { return !q.Visible(s) || !q.All && !s.Live() })
			page.Sessions = append(page.Sessions, found...)
			page.Next, left = left[n-1].Key, left[n:]
			if len(page.Sessions) == q.Limit && (len(left) > 0 || len(rows) == indexPage) {
				return page, nil
			}
		}
		if len(rows) < indexPage {
			page.Next = ""
			return page, nil
		}
	}
	return page, nil
}

// take returns the ids of the first matching rows, at most limit, and how many rows it looked at.
func (q Query) take(rows []store.Entry[row], limit int) (n int, ids []string) {
	for i, r := range rows {
		if !q.matches(r.Value) {
			continue
		}
		if len(ids) == limit {
			return i, ids
		}
		ids = append(ids, r.Key[strings.IndexByte(r.Key, '/')+1:])
	}
	return len(rows), ids
}

// fetch returns the sessions that are still known, in the order of ids.
func (b *Book) fetch(ctx context.Context, ids []string) ([]Session, error) {
	live, err := b.live.GetAll(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	over := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, lives := live[id]; return lives })
	ended, err := b.ended.GetAll(ctx, over)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var found []Session
	for _, id := range ids {
		if e, ok := live[id]; ok {
			found = append(found, e.Value)
		} else if e, ok := ended[id]; ok {
			found = append(found, e.Value)
		}
	}
	return found, nil
}

// Describe tells the audit log whose a session is.
func (b *Book) Describe(ctx context.Context, id string) (auditlog.Session, error) {
	s, err := b.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return auditlog.Session{}, auditlog.ErrUnknownSession
	}
	return auditlog.Session{
		ID: s.ID, Edge: s.Edge, Principals: s.parties(), Resource: s.Resource, Started: s.StartedAt, Ended: s.EndedAt,
	}, err
}

// Follow keeps a consumer's copy of the live sessions right until ctx ends:
// snapshot replaces everything it has, opened adds or changes one, ended
// removes one by its id. All are called from this goroutine.
func (b *Book) Follow(ctx context.Context, snapshot func([]Session), opened func(Session), ended func(id string)) error {
	return b.live.Follow(ctx, func(entries []store.Entry[Session], _ store.Revision) {
		all := make([]Session, len(entries))
		for i, e := range entries {
			all[i] = e.Value
		}
		snapshot(all)
	}, func(ev store.Event[Session]) {
		if ev.Deleted {
			ended(ev.Key)
			return
		}
		opened(ev.Value)
	})
}
