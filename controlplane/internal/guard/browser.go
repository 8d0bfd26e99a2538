package guard

import (
	"context"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// began starts a call that came otherwise than by access.v1; its records say so in "via".
func (g *Guard) began(procedure, via, peer string) *call {
	return &call{
		guard: g, procedure: procedure, rule: table[procedure], peer: peer, began: g.cfg.Now(),
		attrs: []audit.Attr{{Name: "via", Value: via}},
	}
}

// SignIn runs a sign-in by other means than Login, and records it as one, whether it succeeds or is refused. Its errors
// are those that a caller of Login would see.
func (g *Guard) SignIn(ctx context.Context, via, peer string, prove func(context.Context) (login.SignIn, error)) (login.SignIn, error) {
	c := g.began(accessv1connect.IdentityServiceLoginProcedure, via, peer)
	in, err := prove(ctx)
	if err == nil {
		c.attrs = append(c.attrs, audit.Attr{Name: "principal.name", Value: in.Caller.Principal.Name})
	}
	if err := c.finish(ctx, nil, err); err != nil {
		return login.SignIn{}, err
	}
	return in, nil
}

// SignOut runs end for whoever carries the bearer token, and records it as a Logout.
func (g *Guard) SignOut(ctx context.Context, via, peer, bearer string, end func(context.Context, login.Caller) error) error {
	c := g.began(accessv1connect.IdentityServiceLogoutProcedure, via, peer)
	caller, err := g.cfg.Identify.Identify(ctx, bearer)
	if err != nil {
		return c.refuse(ctx, err)
	}
	c.caller = caller
	if err := c.intend(ctx); err != nil {
		return err
	}
	return c.finish(ctx, nil, end(ctx, caller))
}
