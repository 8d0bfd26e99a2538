package guard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// changing is an identity that can become another.
type changing struct {
	mu     sync.Mutex
	caller login.Caller
	err    error
	asked  int
}

func (c *changing) Identify(context.Context, string) (login.Caller, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.caller, c.err
}

func (c *changing) set(caller login.Caller, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caller, c.err = caller, err
}

// stream is a conn without a wire.
type stream struct {
	connect.StreamingHandlerConn
	header http.Header
}

func (s stream) Spec() connect.Spec {
	return connect.Spec{Procedure: accessv1connect.ApprovalServiceWatchApprovalsProcedure}
}
func (s stream) RequestHeader() http.Header { return s.header }
func (s stream) Peer() connect.Peer         { return connect.Peer{} }

// A stream lives for as long as its caller's rights do, and no longer than one recheck more.
func TestStreamsEndWithTheCallersRights(t *testing.T) {
	dora := func() login.Caller {
		return login.Caller{
			Principal: policy.Principal{
				ID: "dora", Issuer: "https://idp.example", Kind: policy.KindPerson, Groups: []string{"dba", "dev"}, OnBehalfOf: []string{"lee", "max"},
			},
			Roles: []login.Role{login.Member, login.Auditor},
		}
	}
	for name, tt := range map[string]struct {
		becomes func(*login.Caller) error
		code    connect.Code // 0: the stream goes on
	}{
		"the same":             {func(*login.Caller) error { return nil }, 0},
		"another order":        {func(c *login.Caller) error { c.Principal.Groups = []string{"dev", "dba"}; return nil }, 0},
		"a lost group":         {func(c *login.Caller) error { c.Principal.Groups = []string{"dev"}; return nil }, connect.CodeAborted},
		"a new group":          {func(c *login.Caller) error { c.Principal.Groups = append(c.Principal.Groups, "x"); return nil }, connect.CodeAborted},
		"other groups":         {func(c *login.Caller) error { c.Principal.Groups = []string{"dba", "ops"}; return nil }, connect.CodeAborted},
		"a lost role":          {func(c *login.Caller) error { c.Roles = c.Roles[:1]; return nil }, connect.CodeAborted},
		"a new role":           {func(c *login.Caller) error { c.Roles = append(c.Roles, login.Admin); return nil }, connect.CodeAborted},
		"roles another way":    {func(c *login.Caller) error { slices.Reverse(c.Roles); return nil }, 0},
		"another issuer":       {func(c *login.Caller) error { c.Principal.Issuer = "https://other.example"; return nil }, connect.CodeAborted},
		"another kind":         {func(c *login.Caller) error { c.Principal.Kind = policy.KindAgent; return nil }, connect.CodeAborted},
		"for fewer":            {func(c *login.Caller) error { c.Principal.OnBehalfOf = []string{"lee"}; return nil }, connect.CodeAborted},
		"for others":           {func(c *login.Caller) error { c.Principal.OnBehalfOf = []string{"lee", "eve"}; return nil }, connect.CodeAborted},
		"another chain":        {func(c *login.Caller) error { slices.Reverse(c.Principal.OnBehalfOf); return nil }, connect.CodeAborted},
		"somebody else":        {func(c *login.Caller) error { c.Principal.ID = "eve"; return nil }, connect.CodeAborted},
		"a login that ended":   {func(*login.Caller) error { return login.ErrUnauthenticated }, connect.CodeUnauthenticated},
		"a store out of reach": {func(*login.Caller) error { return store.ErrUnavailable }, connect.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				who := &changing{caller: dora()}
				g, err := New(Config{Identify: who, Records: new(recorder), Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() {
					ended <- g.WrapStreamingHandler(func(ctx context.Context, _ connect.StreamingHandlerConn) error {
						<-ctx.Done()
						return errors.New("some error of the handler's own")
					})(ctx, stream{header: http.Header{"Authorization": {"Bearer x"}}})
				}()
				time.Sleep(29 * time.Second)
				next := dora()
				err = tt.becomes(&next)
				who.set(next, err)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				select {
				case err := <-ended:
					if connectCode(err) != tt.code {
						t.Fatalf("ended with %v", err)
					}
				default:
					if tt.code != 0 {
						t.Fatal("the stream lives on")
					}
				}
			})
		})
	}
}

// A login that ends in between is noticed when it ends.
func TestStreamsEndWithTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who := &changing{caller: login.Caller{
			Principal: policy.Principal{ID: "dora"}, Roles: []login.Role{login.Member}, Expires: time.Now().Add(5 * time.Second),
		}}
		g, err := New(Config{Identify: who, Records: new(recorder), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.AfterFunc(5*time.Second, func() { who.set(login.Caller{}, login.ErrUnauthenticated) })
		err = g.WrapStreamingHandler(func(ctx context.Context, _ connect.StreamingHandlerConn) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})(t.Context(), stream{header: http.Header{"Authorization": {"Bearer x"}}})
		if connect.CodeOf(err) != connect.CodeUnauthenticated || time.Since(began) > 7*time.Second {
			t.Fatalf("%v after %s", err, time.Since(began))
		}
	})
}

// A login whose time is over although it is still good is asked for again, but not without a pause; so is one that lasts.
func TestStreamsAreRecheckedInMeasure(t *testing.T) {
	for name, tt := range map[string]struct {
		expires     time.Duration // from the start; 0 is never
		least, most int           // times that it is identified in five minutes
	}{
		"over":     {-time.Hour, 250, 310},
		"for ever": {0, 10, 12},
		"for long": {time.Hour, 10, 12},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				who := &changing{caller: login.Caller{Principal: policy.Principal{ID: "dora"}, Roles: []login.Role{login.Member}}}
				if tt.expires != 0 {
					who.caller.Expires = time.Now().Add(tt.expires)
				}
				g, err := New(Config{Identify: who, Records: new(recorder), Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				_ = g.WrapStreamingHandler(func(ctx context.Context, _ connect.StreamingHandlerConn) error {
					<-ctx.Done()
					return nil
				})(ctx, stream{header: http.Header{"Authorization": {"Bearer x"}}})
				if who.asked < tt.least || who.asked > tt.most {
					t.Fatalf("identified %d times", who.asked)
				}
			})
		})
	}
}
