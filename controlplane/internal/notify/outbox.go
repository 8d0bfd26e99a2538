package notify

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/webhook"
)

// put writes an event in the transaction that makes it happen. Where nobody is told of it, nothing is written.
func (d *Deliveries) put(tx *store.Tx, e webhook.Event) error {
	for _, to := range d.recipients {
		if to.receiver.wants(e.Type) {
			return d.outbox.In(tx).Create(e.ID, e)
		}
	}
	return nil
}

// event makes an event without data.
func (d *Deliveries) event(eventType, kind, id string, at time.Time) (webhook.Event, error) {
	eventID, err := d.newID(eventPrefix)
	if err != nil {
		return webhook.Event{}, err
	}
	subject := webhook.Subject{Kind: kind, ID: id}
	return webhook.Event{
		Version: webhook.Version, ID: eventID, Type: eventType, Time: at.UTC(), Subject: subject, URL: d.page(subject),
	}, nil
}

// pages of the console, by the kind of the subject; those that end in a slash go on with its id.
var pages = map[string]string{
	"request": "approvals/", "held_command": "approvals/", "grant": "grants/", "session": "sessions/",
	"lock": "locks", "policy_revision": "policy", "edge": "edges", "receiver": "notifications",
}

func (d *Deliveries) page(s webhook.Subject) string {
	path, ok := pages[s.Kind]
	if d.cfg.PublicURL == "" || !ok {
		return ""
	}
	if strings.HasSuffix(path, "/") {
		path += url.PathEscape(s.ID)
	}
	return strings.TrimRight(d.cfg.PublicURL, "/") + "/" + path
}

// fanOut turns an event of the outbox into a delivery for each receiver that wants it.
func (d *Deliveries) fanOut(ctx context.Context, id string) error {
	return d.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := d.outbox.In(tx).Get(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range d.Receivers() {
			if !d.recipients[name].receiver.wants(e.Value.Type) {
				continue
			}
			if _, err := d.enqueue(tx, name, e.Value); err != nil {
				return err
			}
		}
		return d.outbox.In(tx).Delete(id)
	})
}

func (d *Deliveries) enqueue(tx *store.Tx, receiver string, e webhook.Event) (Delivery, error) {
	id, err := d.newID(deliveryPrefix)
	if err != nil {
		return Delivery{}, err
	}
	dl := Delivery{ID: id, Receiver: receiver, Event: e, State: Pending, CreatedAt: d.cfg.Now().UTC()}
	return dl, d.schedule(tx, &dl, dl.CreatedAt)
}
