package api

import (
	"context"
	"strings"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type principalService struct{ cfg Config }

// Sizes of a page of principals.
const (
	defaultPrincipals = 100
	maxPrincipals     = 500
)

func (s principalService) ListPrincipals(ctx context.Context, req *accessv1.ListPrincipalsRequest) (*accessv1.ListPrincipalsResponse, error) {
	after, err := openPage(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	if size <= 0 {
		size = defaultPrincipals
	}
	page, more, err := s.cfg.Logins.Principals(ctx, login.PrincipalQuery{
		Text: req.GetQuery(), After: after, Limit: min(size, maxPrincipals),
	})
	if err != nil {
		return nil, err
	}
	doing, err := s.doing(ctx)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListPrincipalsResponse{}
	for _, k := range page {
		resp.Principals = append(resp.Principals, doing.describe(k))
	}
	if more {
		resp.NextPageToken = sealPage(page[len(page)-1].Principal.ID)
	}
	return resp, nil
}

// EndLogins signs a principal out everywhere.
func (s principalService) EndLogins(ctx context.Context, req *accessv1.EndLoginsRequest) (*accessv1.EndLoginsResponse, error) {
	ended, err := s.cfg.Logins.EndLogins(ctx, req.GetPrincipal())
	if err != nil {
		return nil, err
	}
	return &accessv1.EndLoginsResponse{LoginsEnded: int32(ended)}, nil
}

// activity is what principals do now: sessions and grants by id, locks by the name in lower case.
type activity struct {
	sessions, grants map[string]int
	locked           map[string]bool
}

func (s principalService) doing(ctx context.Context) (activity, error) {
	a := activity{grants: map[string]int{}, locked: map[string]bool{}}
	var err error
	if a.sessions, err = s.cfg.Sessions.CountLive(ctx); err != nil {
		return a, err
	}
	grants, err := s.cfg.Approvals.AllGrants(ctx, false)
	if err != nil {
		return a, err
	}
	for _, g := range grants {
		a.grants[g.Principal.ID]++
	}
	all, err := s.cfg.Locks.List(ctx)
	if err != nil {
		return a, err
	}
	for _, l := range all {
		if l.Target == locks.Principal {
			a.locked[strings.ToLower(l.Name)] = true
		}
	}
	return a, nil
}

func (a activity) describe(k login.Known) *accessv1.KnownPrincipal {
	id := k.Principal.ID
	return &accessv1.KnownPrincipal{
		Principal: convert.Principal(k.Principal), SignedInAt: convert.Time(k.Since),
		LiveSessions: int32(a.sessions[id]), ActiveGrants: int32(a.grants[id]), Locked: a.locked[strings.ToLower(id)],
	}
}
