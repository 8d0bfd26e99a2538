package api

import (
	"context"
	"fmt"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/login"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

type identityService struct {
	accessv1connect.UnimplementedIdentityServiceHandler
	cfg Config
}

// ListSignInMethods says how people and workloads sign in here.
func (s identityService) ListSignInMethods(context.Context, *accessv1.ListSignInMethodsRequest) (*accessv1.ListSignInMethodsResponse, error) {
	resp := &accessv1.ListSignInMethodsResponse{}
	for _, p := range s.cfg.Logins.Providers() {
		provider := &accessv1.OpenIDProvider{Name: p.Name, Issuer: p.Issuer, DeviceClientId: p.DeviceClient, Scopes: p.DeviceScopes}
		if p.Browser {
			provider.BrowserPath = s.cfg.BrowserPath(p.Issuer)
		}
		resp.Methods = append(resp.Methods, &accessv1.SignInMethod{Method: &accessv1.SignInMethod_Openid{Openid: provider}})
	}
	resp.Methods = append(resp.Methods, s.workloadMethods()...)
	return resp, nil
}

func (s identityService) Login(ctx context.Context, req *accessv1.LoginRequest) (*accessv1.LoginResponse, error) {
	in, err := s.signIn(ctx, req)
	if err != nil {
		return nil, err
	}
	return &accessv1.LoginResponse{
		Token: in.Token.Reveal(), ExpiresAt: convert.Time(in.Caller.Expires), Principal: convert.Principal(in.Caller.Principal),
	}, nil
}

func (s identityService) signIn(ctx context.Context, req *accessv1.LoginRequest) (login.SignIn, error) {
	if admin := req.GetAdminToken(); admin != "" && req.GetOnBehalfOfToken() == "" {
		return s.cfg.Logins.WithAdminToken(ctx, admin)
	}
	proof, ok := proofOf(req)
	if !ok {
		return login.SignIn{}, fmt.Errorf("%w: give an ID token, an AWS request, an SVID or the admin token", login.ErrProof)
	}
	return s.cfg.Logins.WithProof(ctx, proof)
}

func (s identityService) Logout(ctx context.Context, _ *accessv1.LogoutRequest) (*accessv1.LogoutResponse, error) {
	if err := s.cfg.Logins.Logout(ctx, caller(ctx)); err != nil {
		return nil, err
	}
	return &accessv1.LogoutResponse{}, nil
}

func (s identityService) WhoAmI(ctx context.Context, _ *accessv1.WhoAmIRequest) (*accessv1.WhoAmIResponse, error) {
	c := caller(ctx)
	resp := &accessv1.WhoAmIResponse{Principal: convert.Principal(c.Principal), ExpiresAt: convert.Time(c.Expires)}
	for _, r := range c.Roles {
		resp.Roles = append(resp.Roles, string(r))
	}
	return resp, nil
}
