package resources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/writhq/writ/controlplane/internal/store"
)

// ErrNotFound is a resource that is not in the inventory.
var ErrNotFound = errors.New("no such resource")

// ErrInUse is a resource that cannot be removed yet.
var ErrInUse = errors.New("resource is in use")

// MaxApply is how many resources one Apply may change together: a transaction of the store is that large.
const MaxApply = 40

// Change says what Apply did, or with a dry run would do, to one resource.
type Change struct {
	Name string
	What string // Created, Updated or Unchanged
}

// What a Change says.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
)

// Config is what the inventory needs; everything is required.
type Config struct {
	Store  *store.Store
	Sealer store.Sealer // of the secrets
	Now    func() time.Time
	Rand   io.Reader // for ids
}

// Inventory is the set of resources, shared by all replicas.
type Inventory struct {
	cfg     Config
	rows    *store.Collection[Resource]
	secrets *store.Collection[sealed]
}

// sealed is a secret at rest.
type sealed struct {
	Password string `json:"password"`
}

// New returns the inventory kept in cfg.Store.
func New(cfg Config) (*Inventory, error) {
	if cfg.Store == nil || cfg.Sealer == nil || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("resources: store, sealer, clock and randomness are required")
	}
	return &Inventory{
		cfg:     cfg,
		rows:    store.Define[Resource](cfg.Store, "resources"),
		secrets: store.Define[sealed](cfg.Store, "resource-secrets", store.Sealed(cfg.Sealer)),
	}, nil
}

// Apply creates or replaces the resources, all or none. It fails with Invalid, which lists everything that is wrong.
// An empty secret keeps the stored one, as long as it would go to the same user at the same target.
func (inv *Inventory) Apply(ctx context.Context, wanted []Resource, dryRun bool) ([]Change, error) {
	if err := check(wanted, inv.cfg.Now()); err != nil {
		return nil, err
	}
	var changes []Change
	err := inv.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		changes = nil
		var problems []Problem
		for _, r := range wanted {
			change, found, err := inv.applyOne(tx, r)
			if err != nil {
				return err
			}
			problems = append(problems, found...)
			changes = append(changes, change)
		}
		switch {
		case len(problems) > 0:
			return &Invalid{Problems: problems}
		case dryRun:
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, err
	}
	return changes, nil
}

var errDryRun = errors.New("dry run")

func (inv *Inventory) applyOne(tx *store.Tx, wanted Resource) (Change, []Problem, error) {
	change := Change{Name: wanted.Name}
	next, err := wanted.clone()
	if err != nil {
		return change, nil, err
	}
	if next.AWS != nil {
		next.AWS.fill()
	}
	old, err := inv.rows.In(tx).Get(wanted.Name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		change.What = Created
		id, err := ulid.New(ulid.Timestamp(inv.cfg.Now()), inv.cfg.Rand)
		if err != nil {
			return change, nil, fmt.Errorf("resource id: %w", err)
		}
		next.UID = "res-" + strings.ToLower(id.String())
	case err != nil:
		return change, nil, err
	default:
		change.What, next.UID, next.Version = Updated, old.Value.UID, old.Value.Version
	}
	if problems := sameKind(old.Value, wanted); len(problems) > 0 {
		return change, problems, nil
	}
	rotated, problems, err := inv.applySecret(tx, old.Value, wanted)
	if err != nil || len(problems) > 0 {
		return change, problems, err
	}
	if change.What == Updated && !rotated && same(old.Value, next) {
		change.What = Unchanged
		return change, nil, nil
	}
	next.Version++
	next.UpdatedAt = inv.cfg.Now().UTC()
	return change, nil, inv.rows.In(tx).Put(next.Name, next)
}

// applySecret keeps, replaces or drops the stored secret and reports whether it changed.
func (inv *Inventory) applySecret(tx *store.Tx, old, wanted Resource) (bool, []Problem, error) {
	secrets := inv.secrets.In(tx)
	kept, err := secrets.Get(wanted.Name)
	have := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, nil, err
	}
	given := wanted.secret()
	switch {
	case given == nil && have:
		return true, nil, secrets.Delete(wanted.Name)
	case given == nil:
		return false, nil, nil
	case *given == "" && !have:
		return false, secretProblem(wanted, "there is none yet", "give it"), nil
	case *given == "" && !samePlace(old, wanted):
		return false, secretProblem(wanted, "it would go to another user or another server than it was given for", "give it again"), nil
	case *given == "" || have && kept.Value.Password == string(*given):
		return false, nil, nil
	}
	return true, nil, secrets.Put(wanted.Name, sealed{Password: string(*given)})
}

// sameKind refuses another kind for a resource that exists: its policies, grants and sessions are of the old one.
func sameKind(old, wanted Resource) []Problem {
	if old.UID == "" || old.Kind() == wanted.Kind() {
		return nil
	}
	return []Problem{{Resource: wanted.Name, Field: wanted.Kind(), What: "the resource is of the kind " + old.Kind(),
		Fix: "use another name, or remove the resource first"}}
}

// samePlace reports whether a secret kept from old would be used by the same user at the same server, checked no less.
// Whoever may edit the inventory must not be able to have a stored secret sent elsewhere.
func samePlace(old, wanted Resource) bool { return old.place() == wanted.place() }

// Get returns one resource, without its secret.
func (inv *Inventory) Get(ctx context.Context, name string) (Resource, error) {
	if !validName(name) {
		return Resource{}, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	e, err := inv.rows.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return Resource{}, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	return e.Value, err
}

// GetIn is Get inside a transaction.
func (inv *Inventory) GetIn(tx *store.Tx, name string) (Resource, error) {
	if !validName(name) {
		return Resource{}, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	e, err := inv.rows.In(tx).Get(name)
	if errors.Is(err, store.ErrNotFound) {
		return Resource{}, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	return e.Value, err
}

// List returns all resources by name, without secrets.
func (inv *Inventory) List(ctx context.Context) ([]Resource, error) {
	entries, _, err := inv.rows.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	return values(entries), nil
}

// Secret returns the secret of the resource's credential, for the credential broker alone. It fails with
// ErrNotFound where there is none.
func (inv *Inventory) Secret(ctx context.Context, name string) (Secret, error) {
	e, err := inv.secrets.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("%w: %q has no secret", ErrNotFound, name)
	}
	return Secret(e.Value.Password), err
}

// Leases tells what is left at a resource's target.
type Leases interface {
	// NoneOpenIn fails with ErrInUse while something there is still to be taken back.
	NoneOpenIn(tx *store.Tx, resource string) error
}

// Delete removes a resource and its secret, unless they are needed to take back what is left at its target: then it
// fails with ErrInUse. Grants for it end with it, because a grant is for the UID of a resource and not only for its name.
func (inv *Inventory) Delete(ctx context.Context, name string, leases Leases) error {
	return inv.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := inv.GetIn(tx, name); err != nil {
			return err
		}
		if err := leases.NoneOpenIn(tx, name); err != nil {
			return err
		}
		if err := inv.secrets.In(tx).Delete(name); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return inv.rows.In(tx).Delete(name)
	})
}

// Follow calls changed with the whole inventory now and after every change, until ctx ends.
func (inv *Inventory) Follow(ctx context.Context, changed func([]Resource)) error {
	rows := map[string]store.Entry[Resource]{}
	publish := func() {
		entries := make([]store.Entry[Resource], 0, len(rows))
		for _, e := range rows {
			entries = append(entries, e)
		}
		slices.SortFunc(entries, func(a, b store.Entry[Resource]) int { return cmp.Compare(a.Key, b.Key) })
		changed(values(entries))
	}
	return inv.rows.Follow(ctx, func(all []store.Entry[Resource], _ store.Revision) {
		clear(rows)
		for _, e := range all {
			rows[e.Key] = e
		}
		publish()
	}, func(ev store.Event[Resource]) {
		if ev.Deleted {
			delete(rows, ev.Key)
		} else {
			rows[ev.Key] = ev.Entry
		}
		publish()
	})
}

func values(entries []store.Entry[Resource]) []Resource {
	out := make([]Resource, len(entries))
	for i, e := range entries {
		out[i] = e.Value
	}
	return out
}
