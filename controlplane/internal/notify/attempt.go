package notify

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/webhook"
)

// thread is what a channel keeps about a subject between two events, such as a message to update.
type thread struct {
	Note string    `json:"note"`
	At   time.Time `json:"at"`
}

func threadKey(receiver string, s webhook.Subject) string { return store.Key(receiver, s.Kind, s.ID) }

// outcome is what came of an attempt. The zero outcome is a success.
type outcome struct {
	failed *failure
	thread string
}

// deliver makes one attempt. Its error is of the store; what the receiver did is written down.
func (l *lane) deliver(ctx context.Context, j job) error {
	d := l.deliveries
	dl, note, err := d.begin(ctx, l.to.receiver.Name, j.id)
	if err != nil || dl.ID == "" {
		return err
	}
	next, err := l.to.send(ctx, dl.Event, note)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // cut off by the end of this replica's turn; the next one tries at once
	}
	out := outcome{thread: next}
	if err != nil && !errors.As(err, &out.failed) {
		out.failed = &failure{text: err.Error()}
	}
	if out.failed != nil {
		d.cfg.Logger.Warn("delivery failed", "receiver", dl.Receiver, "delivery", dl.ID, "attempt", dl.Attempts, "error", out.failed.text)
		l.hush(out.failed.after)
	}
	// The receiver has it by now, so this is written even at the end of the turn. It still fails when another has it.
	return d.settle(context.WithoutCancel(ctx), dl, out)
}

// begin counts an attempt before it is made, so that a replica that slept past its turn finds out here and sends
// nothing. It returns no delivery when there is nothing to do any more.
func (d *Deliveries) begin(ctx context.Context, receiver, id string) (dl Delivery, note string, err error) {
	key, err := deliveryKey(id)
	if err != nil {
		return Delivery{}, "", err
	}
	err = d.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		dl, note = Delivery{}, ""
		row, err := d.queue.In(tx).Get(queueKey(receiver, id))
		if errors.Is(err, store.ErrNotFound) || err == nil && row.Value.Next.After(d.cfg.Now()) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := d.all.In(tx).Get(key)
		if errors.Is(err, store.ErrNotFound) {
			return d.queue.In(tx).Delete(queueKey(receiver, id))
		}
		if err != nil {
			return err
		}
		kept, err := d.threads.In(tx).Get(threadKey(receiver, row.Value.Subject))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		dl, note = e.Value, kept.Value.Note
		dl.Attempts++
		return d.all.In(tx).Put(key, dl)
	})
	return dl, note, err
}

// settle writes down what came of an attempt.
func (d *Deliveries) settle(ctx context.Context, dl Delivery, out outcome) error {
	now := d.cfg.Now().UTC()
	wait, err := d.backoff(dl, out.failed)
	if err != nil {
		return err
	}
	return d.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		dl := dl
		if out.failed != nil {
			dl.Error = clip(out.failed.text, maxText)
			if !out.failed.gone && dl.Attempts < d.attempts(dl.Receiver) {
				return d.schedule(tx, &dl, now.Add(wait))
			}
			dl.State, dl.NextAt, dl.DeadAt = Dead, time.Time{}, now
			return d.conclude(tx, dl)
		}
		if out.thread != "" {
			if err := d.threads.In(tx).Put(threadKey(dl.Receiver, dl.Event.Subject), thread{out.thread, now}); err != nil {
				return err
			}
		}
		dl.State, dl.Error, dl.NextAt, dl.DeliveredAt = Delivered, "", time.Time{}, now
		dl.Event.Data, dl.Event.URL = webhook.Data{}, ""
		return d.conclude(tx, dl)
	})
}

func (d *Deliveries) attempts(receiver string) int {
	if to, ok := d.recipients[receiver]; ok {
		return to.receiver.Attempts
	}
	return 0
}

// conclude writes a delivery that nothing more is done for.
func (d *Deliveries) conclude(tx *store.Tx, dl Delivery) error {
	err := d.queue.In(tx).Delete(queueKey(dl.Receiver, dl.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return d.all.In(tx).Put(dl.key(), dl)
}

// backoff is the wait after a failed attempt: four times the one before, up to a fifth more or less by chance, and never
// less than the receiver asked for.
func (d *Deliveries) backoff(dl Delivery, f *failure) (time.Duration, error) {
	if f == nil {
		return 0, nil
	}
	wait := d.cfg.FirstRetry
	for range dl.Attempts - 1 {
		if wait = min(4*wait, d.cfg.MaxRetry); wait == d.cfg.MaxRetry {
			break
		}
	}
	var raw [8]byte
	if _, err := io.ReadFull(d.cfg.Rand, raw[:]); err != nil {
		return 0, err
	}
	chance := float64(binary.BigEndian.Uint64(raw[:])>>11) / (1 << 53) // 0 to 1
	return max(f.after, time.Duration(float64(wait)*(0.8+0.4*chance))), nil
}
