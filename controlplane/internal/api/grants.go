package api

import (
	"context"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/token"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

type grantService struct {
	accessv1connect.UnimplementedGrantServiceHandler
	cfg Config
}

func (s grantService) GetGrant(ctx context.Context, req *accessv1.GetGrantRequest) (*accessv1.GetGrantResponse, error) {
	g, err := s.cfg.Approvals.Grant(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if c := caller(ctx); !seesAll(c) && !answersFor(c, g.Principal) {
		return nil, guard.ErrNotYours
	}
	return &accessv1.GetGrantResponse{Grant: convert.Grant(g, s.cfg.Now())}, nil
}

// ListGrants lists the caller's own grants; who sees all may ask for everybody's.
func (s grantService) ListGrants(ctx context.Context, req *accessv1.ListGrantsRequest) (*accessv1.ListGrantsResponse, error) {
	after, err := openPage(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	filter := approvals.Filter{
		Resource: req.GetResource(), Ended: req.GetIncludeEnded(), NeedsReview: req.GetNeedsReview(),
		Size: int(req.GetPageSize()), After: after,
	}
	if filter.Principal, err = whose(caller(ctx), req.GetAll(), req.GetPrincipal()); err != nil {
		return nil, err
	}
	found, next, err := s.cfg.Approvals.ListGrants(ctx, filter)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListGrantsResponse{NextPageToken: sealPage(next)}
	for _, g := range found {
		resp.Grants = append(resp.Grants, convert.Grant(g, s.cfg.Now()))
	}
	return resp, nil
}

// ReviewGrant notes a verdict on a break-glass grant. Whose grant it must not be is for the approvals to say.
func (s grantService) ReviewGrant(ctx context.Context, req *accessv1.ReviewGrantRequest) (*accessv1.ReviewGrantResponse, error) {
	g, err := s.cfg.Approvals.ReviewGrant(ctx, approvals.Inspection{
		Grant: req.GetId(), Reviewer: caller(ctx).Principal, Justified: req.GetJustified(), Comment: req.GetComment(),
	})
	if err != nil {
		return nil, err
	}
	return &accessv1.ReviewGrantResponse{Grant: convert.Grant(g, s.cfg.Now())}, nil
}

// IssueToken makes an access token that ends when the grant does. Every use of it asks for the grant again.
func (s grantService) IssueToken(ctx context.Context, req *accessv1.IssueTokenRequest) (*accessv1.IssueTokenResponse, error) {
	c := caller(ctx)
	g, err := s.cfg.Approvals.Grant(ctx, req.GetGrant())
	if err != nil {
		return nil, err
	}
	if !owns(c, g.Principal) {
		return nil, guard.ErrNotYours
	}
	g, err = s.cfg.Approvals.Admit(ctx, approvals.Admission{Grant: g.ID, Principal: c.Principal.ID, Resource: g.Resource})
	if err != nil {
		return nil, err
	}
	res, err := s.cfg.Resources.Get(ctx, g.Resource)
	if err != nil {
		return nil, err
	}
	present, err := s.cfg.Edges.Present(ctx)
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	signed, err := s.cfg.Tokens.Issue(token.Claims{
		Grant: g.ID, Subject: g.Principal.ID, Audience: token.ResourceAudience(g.Resource),
		IssuedAt: now, NotBefore: now, Expires: g.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	resp := &accessv1.IssueTokenResponse{
		Token: signed, ExpiresAt: convert.Time(g.ExpiresAt), Resource: g.Resource, User: g.Principal.ID,
		Endpoints: endpoints(res, present), CaPem: string(s.cfg.CAPEM),
	}
	if res.Postgres != nil {
		resp.Database = res.Postgres.Database
	}
	if res.Kind() == resources.KindAWS {
		if resp.AwsKey, err = s.clientKey(signed, g); err != nil {
			return nil, err
		}
		resp.CaPem = authorities(res, present)
	}
	return resp, nil
}

// clientKey is what an AWS client signs with at the edges, which learn the same secret when it comes.
func (s grantService) clientKey(accessToken string, g approvals.Grant) (*accessv1.AwsClientKey, error) {
	secret, err := awskey.SecretFor(s.cfg.ClientKeys, accessToken)
	if err != nil {
		return nil, err
	}
	return &accessv1.AwsClientKey{
		AccessKeyId: awskey.KeyID(accessToken), SecretAccessKey: secret, SessionToken: accessToken, ExpiresAt: convert.Time(g.ExpiresAt),
	}, nil
}

// endpoints are those of the connected edges that serve the resource, for clients of its kind.
func endpoints(res resources.Resource, present map[string]edges.Presence) []string {
	var all []string
	for _, edge := range res.Edges {
		switch res.Kind() {
		case resources.KindPostgres:
			all = append(all, present[edge].Endpoints...)
		case resources.KindKubernetes:
			all = append(all, present[edge].Kubernetes...)
		case resources.KindAWS:
			all = append(all, present[edge].AWS...)
		}
	}
	return slices.Compact(all)
}

// authorities are the CAs that sign for AWS's hosts at the connected edges that serve the account, as PEM.
func authorities(res resources.Resource, present map[string]edges.Presence) string {
	var all strings.Builder
	for _, edge := range res.Edges {
		if der := present[edge].AWSCA; len(der) > 0 {
			all.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		}
	}
	return all.String()
}

func (s grantService) RevokeGrant(ctx context.Context, req *accessv1.RevokeGrantRequest) (*accessv1.RevokeGrantResponse, error) {
	c := caller(ctx)
	g, err := s.cfg.Approvals.Grant(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	if !c.Is(login.Admin) && !answersFor(c, g.Principal) {
		return nil, guard.ErrNotYours
	}
	g, ended, err := s.cfg.Approvals.Revoke(ctx, approvals.Revocation{Grant: g.ID, By: c.Principal.ID, Reason: req.GetReason()})
	if err != nil {
		return nil, err
	}
	return &accessv1.RevokeGrantResponse{Grant: convert.Grant(g, s.cfg.Now()), SessionsEnded: int32(ended)}, nil
}
