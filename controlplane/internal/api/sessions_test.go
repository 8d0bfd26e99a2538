package api

import (
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

const idp, otherIDP = "https://idp.example", "https://other.example"

// owners are whose sessions there are.
var owners = map[string]policy.Principal{
	"bot's":                     {ID: "bot", Issuer: idp},
	"bot's for lee":             {ID: "bot", Issuer: idp, OnBehalfOf: []string{"lee"}},
	"bot's for lee and max":     {ID: "bot", Issuer: idp, OnBehalfOf: []string{"lee", "max"}},
	"a namesake's":              {ID: "bot", Issuer: otherIDP},
	"another's":                 {ID: "other", Issuer: idp},
	"of one who is named admin": {ID: "admin", Issuer: idp},
}

// seen says whose sessions each caller may see, and whose it may end.
var seen = map[string]struct {
	caller login.Caller
	sees   []string
	kills  []string
}{
	"bot":         {member("bot"), []string{"bot's"}, []string{"bot's"}},
	"bot-for-lee": {member("bot", "lee"), []string{"bot's for lee"}, []string{"bot's for lee"}},
	"lee":         {member("lee"), []string{"bot's for lee", "bot's for lee and max"}, []string{"bot's for lee", "bot's for lee and max"}},
	"max":         {member("max"), []string{"bot's for lee and max"}, []string{"bot's for lee and max"}},
	"eve":         {member("eve"), nil, nil},
	"auditor":     {with(member("ann"), login.Auditor), everyOwner(), nil},
	"admin":       {with(member("root"), login.Admin), everyOwner(), everyOwner()},
}

func member(name string, onBehalfOf ...string) login.Caller {
	return login.Caller{Principal: policy.Principal{ID: name, Issuer: idp, OnBehalfOf: onBehalfOf}, Roles: []login.Role{login.Member}}
}

func with(c login.Caller, role login.Role) login.Caller {
	c.Roles = append(c.Roles, role)
	return c
}

func everyOwner() (all []string) {
	for name := range owners {
		all = append(all, name)
	}
	return all
}

func TestSessionsAreSeenAndEndedByWhomTheyConcern(t *testing.T) {
	r, who := newRig(t), callers{}
	for name, tt := range seen {
		who[name] = tt.caller
	}
	url, client := r.serve(t, who, func(opts ...connect.HandlerOption) (string, http.Handler) {
		return accessv1connect.NewSessionServiceHandler(sessionService{r.cfg}, opts...)
	})
	for name, tt := range seen {
		calls := accessv1connect.NewSessionServiceClient(client, url, connect.WithInterceptors(saying(name)))
		for owner, p := range owners {
			sees, kills := slices.Contains(tt.sees, owner), slices.Contains(tt.kills, owner)
			id := r.open(t.Context(), t, p, "orders-db")
			if got := lists(t, calls, id); got != sees {
				t.Errorf("%s lists a session that is %s: %v", name, owner, got)
			}
			_, err := calls.GetSession(t.Context(), &accessv1.GetSessionRequest{Id: id})
			verdict(t, name+" gets one that is "+owner, err, sees)
			stream, err := calls.ReplaySession(t.Context(), &accessv1.ReplaySessionRequest{Id: id})
			if err == nil {
				for stream.Receive() {
				}
				err = stream.Err()
				_ = stream.Close()
			}
			verdict(t, name+" replays one that is "+owner, err, sees)
			_, err = calls.KillSession(t.Context(), &accessv1.KillSessionRequest{Id: id, Reason: "test"})
			verdict(t, name+" kills one that is "+owner, err, kills)
			if lives, err := r.cfg.Sessions.SessionLives(t.Context(), id); err != nil || lives == kills {
				t.Errorf("%s killed one that is %s: it lives %v, %v", name, owner, lives, err)
			}
		}
	}
}

// lists tells whether a session is on the list of everything.
func lists(t *testing.T, calls accessv1connect.SessionServiceClient, id string) bool {
	t.Helper()
	resp, err := calls.ListSessions(t.Context(), &accessv1.ListSessionsRequest{All: true, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(resp.GetSessions(), func(s *accessv1.Session) bool { return s.GetId() == id })
}

// verdict holds that a call is allowed, or refused for whose the thing is.
func verdict(t *testing.T, what string, err error, allowed bool) {
	t.Helper()
	if allowed != (err == nil) || !allowed && connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("%s: %v", what, err)
	}
}
