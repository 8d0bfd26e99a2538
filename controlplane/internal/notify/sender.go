package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/webhook"
)

const (
	sweepInterval = 10 * time.Minute
	// orphanAge is how long a delivery waits for a receiver that is not configured, for replicas with another
	// configuration may be on their way.
	orphanAge = 24 * time.Hour
	// faultPause is the wait after a failure of the store.
	faultPause = time.Second
)

// Run sends, on one replica at a time, until ctx ends. When a replica dies, another goes on within ten seconds.
func (d *Deliveries) Run(ctx context.Context) error {
	if len(d.recipients) == 0 {
		<-ctx.Done()
		return nil
	}
	return d.cfg.Store.Campaign(ctx, "notifications", d.lead)
}

// lead sends for as long as this replica is the one.
func (d *Deliveries) lead(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	lanes := map[string]*lane{}
	for name, to := range d.recipients {
		l := newLane(d, to)
		lanes[name] = l
		g.Go(func() error { return l.run(ctx) })
	}
	g.Go(func() error { return d.followQueue(ctx, lanes) })
	g.Go(func() error { return d.dispatch(ctx) })
	g.Go(func() error { return d.sweepEvery(ctx) })
	return g.Wait()
}

// followQueue keeps each lane's copy of its queue right.
func (d *Deliveries) followQueue(ctx context.Context, lanes map[string]*lane) error {
	return d.queue.Follow(ctx, func(rows []store.Entry[queueRow], _ store.Revision) {
		for _, l := range lanes {
			l.clear()
		}
		for _, e := range rows {
			if l, id := laneOf(lanes, e.Key); l != nil {
				l.put(id, e.Value)
			}
		}
	}, func(ev store.Event[queueRow]) {
		l, id := laneOf(lanes, ev.Key)
		switch {
		case l == nil:
		case ev.Deleted:
			l.drop(id)
		default:
			l.put(id, ev.Value)
		}
	})
}

func laneOf(lanes map[string]*lane, key string) (*lane, string) {
	receiver, id, _ := strings.Cut(key, "/")
	return lanes[receiver], id
}

// dispatch empties the outbox now and whenever something is put there.
func (d *Deliveries) dispatch(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	wake := make(chan struct{}, 1)
	poke := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	g.Go(func() error {
		return d.outbox.Follow(ctx, func([]store.Entry[webhook.Event], store.Revision) { poke() }, func(ev store.Event[webhook.Event]) {
			if !ev.Deleted {
				poke()
			}
		})
	})
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-wake:
			}
			if err := d.drain(ctx); err != nil && ctx.Err() == nil {
				d.cfg.Logger.Warn("cannot take events from the outbox, trying again", "error", err)
				pause(ctx, faultPause)
				poke()
			}
		}
	})
	return g.Wait()
}

func (d *Deliveries) drain(ctx context.Context) error {
	for {
		entries, _, err := d.outbox.List(ctx, store.ListOptions{Limit: 100})
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			if err := d.fanOut(ctx, e.Key); err != nil {
				return fmt.Errorf("event %s: %w", e.Key, err)
			}
		}
	}
}

func (d *Deliveries) sweepEvery(ctx context.Context) error {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		if err := d.sweep(ctx); err != nil && ctx.Err() == nil {
			d.cfg.Logger.Warn("sweep deliveries", "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// sweep forgets what is older than it is kept, and gives up what no receiver is configured for.
func (d *Deliveries) sweep(ctx context.Context) error {
	entries, _, err := d.all.List(ctx, store.ListOptions{})
	now := d.cfg.Now()
	for _, e := range entries {
		dl := e.Value
		_, known := d.recipients[dl.Receiver]
		switch {
		case dl.State == Delivered && now.Sub(dl.DeliveredAt) > d.cfg.Retention/4, dl.State == Dead && now.Sub(dl.DeadAt) > d.cfg.Retention:
			err = errors.Join(err, forget(ctx, d.all, e.Key))
		case dl.State == Pending && !known && now.Sub(dl.CreatedAt) > orphanAge:
			err = errors.Join(err, d.settle(ctx, dl, outcome{failed: &failure{text: "the receiver is not configured any more", gone: true}}))
		}
	}
	threads, _, listErr := d.threads.List(ctx, store.ListOptions{})
	err = errors.Join(err, listErr)
	for _, e := range threads {
		if now.Sub(e.Value.At) > d.cfg.Retention {
			err = errors.Join(err, forget(ctx, d.threads, e.Key))
		}
	}
	return err
}

func forget[T any](ctx context.Context, from *store.Collection[T], key string) error {
	if _, err := from.Delete(ctx, key); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

func pause(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
