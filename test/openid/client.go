package main

import (
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// registered is a Client as the protocol asks for it.
type registered struct{ Client }

func (c registered) GetID() string                       { return c.ID }
func (c registered) RedirectURIs() []string              { return c.Redirects }
func (c registered) PostLogoutRedirectURIs() []string    { return nil }
func (c registered) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }
func (c registered) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (c registered) IDTokenLifetime() time.Duration      { return time.Hour }
func (c registered) DevMode() bool                       { return false }
func (c registered) ClockSkew() time.Duration            { return 0 }
func (c registered) IsScopeAllowed(scope string) bool    { return scope == scopeGroups }

// IDTokenUserinfoClaimsAssertion puts what the scopes ask for into ID tokens.
func (c registered) IDTokenUserinfoClaimsAssertion() bool { return true }

func (c registered) AuthMethod() oidc.AuthMethod {
	if c.Secret == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (c registered) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c registered) GrantTypes() []oidc.GrantType {
	var grants []oidc.GrantType
	if len(c.Redirects) > 0 {
		grants = append(grants, oidc.GrantTypeCode)
	}
	if c.Device {
		grants = append(grants, oidc.GrantTypeDeviceCode)
	}
	if c.Exchange {
		grants = append(grants, oidc.GrantTypeTokenExchange)
	}
	return grants
}

func (c registered) LoginURL(id string) string {
	return loginPath + "?" + url.Values{"id": {id}}.Encode()
}

func same(scopes []string) []string { return scopes }

func (c registered) RestrictAdditionalIdTokenScopes() func([]string) []string     { return same }
func (c registered) RestrictAdditionalAccessTokenScopes() func([]string) []string { return same }
