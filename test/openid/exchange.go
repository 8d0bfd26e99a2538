package main

import (
	"context"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// ValidateTokenExchangeRequest implements op.TokenExchangeStorage, as do the following: an actor gets an ID token that
// says for whom it acts (RFC 8693, section 4.1).
func (s *storage) ValidateTokenExchangeRequest(_ context.Context, r op.TokenExchangeRequest) error {
	if r.GetExchangeActor() == "" || r.GetRequestedTokenType() != oidc.IDTokenType {
		return oidc.ErrInvalidRequest().WithDescription("give an actor's token and ask for an ID token")
	}
	return nil
}

func (s *storage) CreateTokenExchangeRequest(context.Context, op.TokenExchangeRequest) error {
	return nil
}

func (s *storage) GetPrivateClaimsFromTokenExchangeRequest(context.Context, op.TokenExchangeRequest) (map[string]any, error) {
	return nil, nil
}

func (s *storage) SetUserinfoFromTokenExchangeRequest(_ context.Context, info *oidc.UserInfo, r op.TokenExchangeRequest) error {
	info.AppendClaims("act", map[string]any{"sub": r.GetExchangeActor()})
	return s.describe(info, r.GetSubject(), r.GetScopes())
}
