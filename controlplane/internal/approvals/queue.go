package approvals

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
)

// quiet is how long a person's denial stands against the same ask, so that approvers are not asked again and again.
const quiet = 10 * time.Minute

// askedRow says what became of the same ask before: it waits as ID, or a person denied it at DeniedAt.
type askedRow struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at"` // of the row: of the wait, or of the quiet after the denial
	Denial    string    `json:"denial,omitempty"`
	PolicyIDs []string  `json:"policy_ids,omitempty"`
	Revision  uint64    `json:"revision,omitempty"`
}

// same tells two asks of one principal apart, but not the same ask repeated, in whatever run.
func (r Request) same() string {
	d := newDigest("writ same request v2")
	d.principal(r.Principal)
	d.text(r.Resource)
	d.text(r.ResourceUID)
	d.list(r.Actions)
	d.number(int64(r.Duration))
	d.text(r.Reason)
	d.text(r.Ticket)
	d.text(r.Extends)
	d.text(r.Intent.Task)
	d.list(r.Intent.Commands)
	d.moment(r.StartAt)
	d.flag(r.BreakGlass)
	return d.String()
}

func (r Request) askedKey() string { return store.Key(fold(r.Principal.ID), r.same()) }

// askedBefore returns the request that waits for the same, or fails with the denial that the same ask got of late.
func (a *Approvals) askedBefore(tx *store.Tx, r Request) (waiting Request, found bool, err error) {
	e, err := a.asked.In(tx).Get(r.askedKey())
	now := a.cfg.Now()
	if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(e.Value.ExpiresAt) {
		return Request{}, false, nil
	}
	if err != nil {
		return Request{}, false, err
	}
	if e.Value.Denial != "" {
		return Request{}, false, &Denied{
			Resource: r.Resource, PolicyIDs: e.Value.PolicyIDs, Revision: e.Value.Revision,
			Reason: e.Value.Denial + "; the same may be asked again at " + e.Value.ExpiresAt.Format(time.RFC3339),
		}
	}
	old, err := a.requests.In(tx).Get(newest(e.Value.ID))
	if errors.Is(err, store.ErrNotFound) || err == nil && old.Value.at(now).State != Pending {
		return Request{}, false, nil
	}
	return old.Value, err == nil, err
}

// enqueue lists a request as pending, unless its principal has too many of them.
func (a *Approvals) enqueue(tx *store.Tx, r Request) error {
	rows, err := a.pending.In(tx).List(store.Key(fold(r.Principal.ID), ""))
	if err != nil {
		return err
	}
	now, live := a.cfg.Now(), 0
	for _, row := range rows {
		if now.Before(row.Value.ExpiresAt) {
			live++
		} else if err := a.pending.In(tx).Delete(row.Key); err != nil {
			return err
		}
	}
	if live >= a.cfg.MaxPending {
		return fmt.Errorf("%w: %s waiting; withdraw one, or wait for a decision", ErrTooMany, strconv.Itoa(live))
	}
	if err := a.pending.In(tx).Put(store.Key(fold(r.Principal.ID), r.ID), pendingRow{ExpiresAt: r.ExpiresAt}); err != nil {
		return err
	}
	return a.asked.In(tx).Put(r.askedKey(), askedRow{ID: r.ID, ExpiresAt: r.ExpiresAt})
}

// dequeue takes a decided request off the list, and remembers a person's denial for a while.
func (a *Approvals) dequeue(tx *store.Tx, r Request) error {
	if err := gone(a.pending.In(tx).Delete(store.Key(fold(r.Principal.ID), r.ID))); err != nil {
		return err
	}
	var denied *askedRow
	if r.State == Refused && lastVoter(r.Votes, false) != "" {
		denied = &askedRow{
			ID: r.ID, ExpiresAt: r.DecidedAt.Add(quiet), Denial: r.Denial, PolicyIDs: r.PolicyIDs, Revision: r.Revision,
		}
	}
	return answered(a.asked.In(tx), r.askedKey(), r.ID, denied)
}

// answered ends the wait of id under key, or puts the denial in its place. What waits there by now under another id
// stays.
func answered(rows store.View[askedRow], key, id string, denied *askedRow) error {
	e, err := rows.Get(key)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && e.Value.ID != id:
		return nil
	case err != nil:
		return err
	case denied != nil:
		return rows.Put(key, *denied)
	}
	return rows.Delete(key)
}

func (h Hold) askedKey() string { return store.Key(h.Grant, hex.EncodeToString(h.Command)) }

// sameCommand refuses a held command whose grant has the same one waiting, or had it denied by a person of late. It is
// not joined to the other: an approval is for one session.
func (a *Approvals) sameCommand(tx *store.Tx, h Hold) error {
	e, err := a.commands.In(tx).Get(h.askedKey())
	if errors.Is(err, store.ErrNotFound) || err == nil && !a.cfg.Now().Before(e.Value.ExpiresAt) {
		return nil
	}
	switch {
	case err != nil:
		return err
	case e.Value.Denial != "":
		return fmt.Errorf("%w: %s; it may be sent again at %s", ErrDeniedBefore, e.Value.Denial, e.Value.ExpiresAt.Format(time.RFC3339))
	}
	return fmt.Errorf("%w as %s; wait for its decision, or withdraw it", ErrSame, e.Value.ID)
}

// wait lists a held command as waiting in its session and under its grant.
func (a *Approvals) wait(tx *store.Tx, h Hold) error {
	rows, err := a.waiting.In(tx).List(store.Key(h.Session, ""))
	if err != nil {
		return err
	}
	if len(rows) >= a.cfg.MaxPending {
		return fmt.Errorf("%w: %d held commands of this session wait", ErrTooMany, len(rows))
	}
	if err := a.sameCommand(tx, h); err != nil {
		return err
	}
	if err := a.waiting.In(tx).Put(store.Key(h.Session, h.ID), pendingRow{ExpiresAt: h.ExpiresAt}); err != nil {
		return err
	}
	return a.commands.In(tx).Put(h.askedKey(), askedRow{ID: h.ID, ExpiresAt: h.ExpiresAt})
}

// unwait takes a held command off both lists, and remembers a person's denial for a while.
func (a *Approvals) unwait(tx *store.Tx, h Hold) error {
	if err := gone(a.waiting.In(tx).Delete(store.Key(h.Session, h.ID))); err != nil {
		return err
	}
	var denied *askedRow
	if h.State == Refused && lastVoter(h.Votes, false) != "" {
		denied = &askedRow{ID: h.ID, ExpiresAt: h.DecidedAt.Add(quiet), Denial: h.Denial}
	}
	return answered(a.commands.In(tx), h.askedKey(), h.ID, denied)
}

// gone takes what was not there as deleted.
func gone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// newest is the key under which a request or grant is kept: its ULID with every digit turned around, so that the first
// in the order of keys is the newest.
func newest(id string) string {
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	at := strings.LastIndexByte(id, '-') + 1
	key := []byte(id[at:])
	for i, c := range key {
		if d := strings.IndexByte(digits, c); d >= 0 {
			key[i] = digits[len(digits)-1-d]
		}
	}
	return string(key)
}
