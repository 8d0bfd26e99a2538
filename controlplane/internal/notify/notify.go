// Package notify tells receivers outside what happens: signed webhooks and Slack. An event is written to an outbox in the
// transaction that makes it happen, so that nothing is lost when a replica dies and nothing is told that did not happen.
// One replica at a time sends; each delivery is made at least once, or becomes a dead letter that is kept.
package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/oklog/ulid/v2"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/webhook"
)

// What callers branch on. Their texts are for people.
var (
	// ErrNotFound is a delivery that does not exist, or no longer.
	ErrNotFound = errors.New("no such delivery")
	// ErrNotDead is a retry of what is not a dead letter.
	ErrNotDead = errors.New("only a dead letter is sent again")
	// ErrReceiver is a receiver that is not configured.
	ErrReceiver = errors.New("no such receiver")
)

// Config is what notifications need. The first part is required.
type Config struct {
	Store     *store.Store
	Receivers []Receiver // may be none: then nothing is written and nothing is sent
	Now       func() time.Time
	Rand      io.Reader // for ids and jitter

	// PublicURL of the console; without it events carry no link.
	PublicURL string
	// FirstRetry is the wait after the first failed attempt; each further one is four times as long. Default 5 s.
	FirstRetry time.Duration
	// MaxRetry bounds a wait. Default 8 h, so that ten attempts take about a day.
	MaxRetry time.Duration
	// Retention is how long dead letters are kept. Default 30 days. What was delivered is listed for a quarter of it.
	Retention time.Duration
	// Resolver looks up receivers' names. Default: the system's.
	Resolver *net.Resolver
	// Logger receives messages; nil discards them.
	Logger hclog.Logger
}

func (cfg Config) complete() (Config, error) {
	if cfg.Store == nil || cfg.Now == nil || cfg.Rand == nil {
		return cfg, errors.New("notify: store, clock and randomness are required")
	}
	setDefault(&cfg.FirstRetry, 5*time.Second)
	setDefault(&cfg.MaxRetry, 8*time.Hour)
	setDefault(&cfg.Retention, 30*24*time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.FirstRetry < 0 || cfg.MaxRetry < cfg.FirstRetry || cfg.Retention < 0 {
		return cfg, errors.New("notify: waits must be positive, and the longest at least the first")
	}
	if cfg.PublicURL == "" {
		return cfg, nil
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return cfg, fmt.Errorf("notify: public URL %q is not one such as https://writ.example.com", cfg.PublicURL)
	}
	return cfg, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Deliveries are the events on their way to receivers, shared by all replicas.
type Deliveries struct {
	cfg        Config
	recipients map[string]*recipient

	outbox  *store.Collection[webhook.Event]
	all     *store.Collection[Delivery]
	queue   *store.Collection[queueRow]
	threads *store.Collection[thread]
}

// New returns the deliveries kept in cfg.Store. It reads the receivers' secrets once, so that a file that is missing is
// known at the start; each attempt reads them again.
func New(cfg Config) (*Deliveries, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	if err := CheckReceivers(cfg.Receivers); err != nil {
		return nil, err
	}
	d := &Deliveries{
		cfg:        cfg,
		recipients: map[string]*recipient{},
		outbox:     store.Define[webhook.Event](cfg.Store, "notify-outbox"),
		all:        store.Define[Delivery](cfg.Store, "notify-deliveries"),
		queue:      store.Define[queueRow](cfg.Store, "notify-queue"),
		threads:    store.Define[thread](cfg.Store, "notify-threads"),
	}
	for _, r := range cfg.Receivers {
		if d.recipients[r.Name], err = newRecipient(r.complete(), cfg); err != nil {
			return nil, fmt.Errorf("receiver %q: %w", r.Name, err)
		}
	}
	return d, nil
}

// Receivers are the names of those that are configured, sorted.
func (d *Deliveries) Receivers() []string {
	var names []string
	for name := range d.recipients {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Prefixes of ids.
const (
	eventPrefix    = "evt-"
	deliveryPrefix = "dlv-"
)

func (d *Deliveries) newID(prefix string) (string, error) {
	id, err := ulid.New(ulid.Timestamp(d.cfg.Now()), d.cfg.Rand)
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return prefix + strings.ToLower(id.String()), nil
}

// SendTest sends an event of type "test" to one receiver, whatever its filter, and waits a while for the first attempt.
// The delivery that is returned says what came of it.
func (d *Deliveries) SendTest(ctx context.Context, receiver, by string) (Delivery, error) {
	if _, ok := d.recipients[receiver]; !ok {
		return Delivery{}, fmt.Errorf("%w: %.80q", ErrReceiver, receiver)
	}
	e, err := d.event(webhook.Test, "receiver", receiver, d.cfg.Now())
	if err != nil {
		return Delivery{}, err
	}
	e.Data = webhook.Data{By: by, Reason: "This is a test. Nothing has happened."}
	var made Delivery
	err = d.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		made, err = d.enqueue(tx, receiver, e)
		return err
	})
	if err != nil {
		return Delivery{}, err
	}
	return d.awaitAttempt(ctx, made)
}

// testWait bounds how long SendTest waits for an attempt.
const testWait = 15 * time.Second

func (d *Deliveries) awaitAttempt(ctx context.Context, made Delivery) (Delivery, error) {
	wait, cancel := context.WithTimeout(ctx, testWait)
	defer cancel()
	e, err := d.all.Await(wait, made.key(), func(e store.Entry[Delivery]) bool {
		return e.Value.State != Pending || e.Value.Error != ""
	})
	switch {
	case err == nil:
		return e.Value, nil
	case ctx.Err() == nil && wait.Err() != nil:
		return made, nil
	}
	return Delivery{}, err
}
