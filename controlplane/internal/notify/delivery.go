package notify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/webhook"
)

// State is how far a delivery is.
type State string

// The states.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Dead      State = "dead" // given up after the last attempt
)

// Delivery is one event on its way to one receiver.
type Delivery struct {
	ID       string        `json:"id"`
	Receiver string        `json:"receiver"`
	Event    webhook.Event `json:"event"` // without Data once it is delivered
	State    State         `json:"state"`
	Attempts int           `json:"attempts"` // counted before they are made
	// Error of the newest attempt. It holds no secret and nothing that the receiver answered.
	Error       string    `json:"error,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	NextAt      time.Time `json:"next_at,omitzero"` // of a pending one
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	DeadAt      time.Time `json:"dead_at,omitzero"`
}

// queueRow lists a pending delivery, under its receiver's name and its id.
type queueRow struct {
	Subject webhook.Subject `json:"subject"`
	Next    time.Time       `json:"next"`
}

func queueKey(receiver, id string) string { return store.Key(receiver, id) }

func (d Delivery) key() string {
	key, _ := deliveryKey(d.ID)
	return key
}

// deliveryKey turns a delivery's id around, so that the newest is the first in the order of keys.
func deliveryKey(id string) (string, error) {
	rest, ok := strings.CutPrefix(id, deliveryPrefix)
	parsed, err := ulid.ParseStrict(strings.ToUpper(rest))
	if !ok || err != nil || strings.ToLower(rest) != rest {
		return "", fmt.Errorf("%w: %.60q", ErrNotFound, id)
	}
	for i := range parsed {
		parsed[i] = ^parsed[i]
	}
	return hex.EncodeToString(parsed[:]), nil
}

// Query selects deliveries.
type Query struct {
	State State  // empty is every state
	Size  int    // 0 is 100, at most 500
	After string // the Next of the page before
}

// Page is a part of a list, newest first.
type Page struct {
	Deliveries []Delivery
	Next       string // empty after the last page
}

// maxScanned is how many deliveries one call of List looks at; a page may then be shorter than asked for.
const maxScanned = 5000

// List returns one page of the deliveries, or store.ErrPage when After is not a Next.
func (d *Deliveries) List(ctx context.Context, q Query) (Page, error) {
	if q.Size <= 0 {
		q.Size = 100
	}
	q.Size = min(q.Size, 500)
	if raw, err := hex.DecodeString(q.After); err != nil || q.After != "" && len(raw) != len(ulid.ULID{}) {
		return Page{}, store.ErrPage
	}
	var page Page
	after := q.After
	for scanned := 0; scanned < maxScanned; {
		entries, _, err := d.all.List(ctx, store.ListOptions{After: after, Limit: 500})
		if err != nil {
			return Page{}, err
		}
		for _, e := range entries {
			if len(page.Deliveries) == q.Size {
				page.Next = after
				return page, nil
			}
			if after = e.Key; q.State == "" || e.Value.State == q.State {
				page.Deliveries = append(page.Deliveries, e.Value)
			}
		}
		if scanned += len(entries); len(entries) < 500 {
			return page, nil
		}
	}
	page.Next = after
	return page, nil
}

// Retry sends a dead letter again: with the same event id, and with its attempts counted anew.
func (d *Deliveries) Retry(ctx context.Context, id string) (Delivery, error) {
	key, err := deliveryKey(id)
	if err != nil {
		return Delivery{}, err
	}
	var out Delivery
	err = d.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := d.all.In(tx).Get(key)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: %q", ErrNotFound, id)
		}
		if err != nil {
			return err
		}
		out = e.Value
		if out.State != Dead {
			return fmt.Errorf("%w: %s is %s", ErrNotDead, id, out.State)
		}
		if _, ok := d.recipients[out.Receiver]; !ok {
			return fmt.Errorf("%w any more: %q", ErrReceiver, out.Receiver)
		}
		out.State, out.Attempts, out.Error, out.DeadAt = Pending, 0, "", time.Time{}
		return d.schedule(tx, &out, d.cfg.Now())
	})
	if err != nil {
		return Delivery{}, err
	}
	return out, nil
}

// schedule writes a pending delivery, to be sent at a time.
func (d *Deliveries) schedule(tx *store.Tx, dl *Delivery, at time.Time) error {
	dl.NextAt = at.UTC()
	if err := d.all.In(tx).Put(dl.key(), *dl); err != nil {
		return err
	}
	return d.queue.In(tx).Put(queueKey(dl.Receiver, dl.ID), queueRow{Subject: dl.Event.Subject, Next: dl.NextAt})
}
