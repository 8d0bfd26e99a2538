package api

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// leftovers says what is left at a target, each time it is asked.
type leftovers func(resource string) error

func (l leftovers) NoneOpenIn(_ *store.Tx, resource string) error { return l(resource) }

func (r *rig) stock(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := r.cfg.Resources.Apply(t.Context(), []resources.Resource{{
			Name: name, Edges: []string{"edge-a"}, Postgres: &resources.Postgres{
				Endpoint: "db.example:5432", Database: "shop",
				Credential: resources.Credential{Static: &resources.Static{User: "app", Password: "hunter2"}},
			},
		}}, false)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (r *rig) lives(t *testing.T, session string) bool {
	t.Helper()
	lives, err := r.cfg.Sessions.SessionLives(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	return lives
}

// A resource goes once nothing of its sessions is left at its target, which is when they have ended; those that began
// meanwhile end with it.
func TestRemovalWaitsForWhatIsLeft(t *testing.T) {
	r := newRig(t)
	r.stock(t, "orders-db", "other-db")
	bot := policy.Principal{ID: "bot", Issuer: idp}
	first, elsewhere := r.open(t.Context(), t, bot, "orders-db"), r.open(t.Context(), t, bot, "other-db")
	asked, late := 0, ""
	r.cfg.Leases = leftovers(func(resource string) error {
		switch asked++; {
		case resource != "orders-db":
			t.Errorf("asked about %s", resource)
		case r.lives(t, first):
			t.Error("the session had not ended when its leftovers were asked for")
		case asked < 3:
			if _, err := r.cfg.Resources.Get(t.Context(), resource); err != nil {
				t.Errorf("the resource went before its leftovers: %v", err)
			}
			return resources.ErrInUse
		case late == "":
			late = r.open(t.Context(), t, bot, resource)
		}
		return nil
	})
	url, client := r.serve(t, callers{"root": with(member("root"), login.Admin)}, func(opts ...connect.HandlerOption) (string, http.Handler) {
		return accessv1connect.NewResourceServiceHandler(resourceService{r.cfg}, opts...)
	})
	calls := accessv1connect.NewResourceServiceClient(client, url, connect.WithInterceptors(saying("root")))
	if _, err := calls.DeleteResource(t.Context(), &accessv1.DeleteResourceRequest{Name: "orders-db"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.cfg.Resources.Get(t.Context(), "orders-db"); !errors.Is(err, resources.ErrNotFound) || asked < 3 {
		t.Errorf("after %d looks: %v", asked, err)
	}
	if r.lives(t, late) || !r.lives(t, elsewhere) {
		t.Error("a session outlived its resource, or one of another resource ended")
	}
}

// What is still left when the time is over keeps the resource.
func TestRemovalGivesUp(t *testing.T) {
	r := newRig(t)
	r.stock(t, "orders-db")
	r.cfg.Leases = leftovers(func(string) error { return resources.ErrInUse })
	if err := (resourceService{r.cfg}).deleteWithin(t.Context(), "orders-db", 300*time.Millisecond); !errors.Is(err, resources.ErrInUse) {
		t.Errorf("got %v", err)
	}
	if _, err := r.cfg.Resources.Get(t.Context(), "orders-db"); err != nil {
		t.Errorf("the resource is gone: %v", err)
	}
}
