package tunnel

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/convert"
	broker "github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/token"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const (
	maxProtocol    = 32
	maxAddr        = 128
	maxApplication = 255
	admitTries     = 3
)

// OpenSession implements edge.v1. The grant, the locks, the edge's enrolment
// and the resource are read in the transaction that creates the session and
// its lease, so that a revocation either finds the session or prevents it.
func (s *Server) OpenSession(ctx context.Context, req *edgev1.OpenSessionRequest) (*edgev1.OpenSessionResponse, error) {
	ask, claims, err := s.readOpen(ctx, req)
	var opened admitted
	if err == nil {
		opened, err = s.admit(ctx, ask, claims, req.GetAccessToken())
	}
	if err != nil {
		return nil, s.refusedOpen(ask, claims, err)
	}
	if err := s.recordLease(ctx, opened); err != nil {
		opened.credential.Wipe()
		clear(opened.clientSecret)
		s.abandon(ctx, opened.session)
		return nil, err
	}
	g, cred := opened.grant, opened.credential
	return &edgev1.OpenSessionResponse{
		Principal: convert.Principal(g.Principal), Resource: g.Resource, Grant: g.ID, Actions: g.Actions,
		ExpiresAt: timestamppb.New(opened.session.ExpiresAt), RequestReason: g.Reason, Ticket: g.Ticket,
		BreakGlass: g.BreakGlass, Credential: wireCredential(cred), ClientSecret: opened.clientSecret,
	}, nil
}

// admitted is a session that is in the book.
type admitted struct {
	session    sessions.Session
	grant      approvals.Grant
	lease      broker.Lease
	credential broker.Credential
	// clientSecret is what the client signs with, of an AWS account.
	clientSecret []byte
}

// readOpen checks the request's form and its access token.
func (s *Server) readOpen(ctx context.Context, req *edgev1.OpenSessionRequest) (sessions.Session, token.Claims, error) {
	edge := caller(ctx).peer.Name
	ask := sessions.Session{ID: req.GetSession(), Edge: edge, Protocol: req.GetProtocol(), ClientAddr: req.GetClientAddr(), Application: req.GetApplication()}
	if err := sessions.CheckID(ask.ID); err != nil {
		return sessions.Session{Edge: edge}, token.Claims{}, err
	}
	if len(ask.Protocol) > maxProtocol || len(ask.ClientAddr) > maxAddr || len(ask.Application) > maxApplication ||
		!plain(ask.Protocol) || !plain(ask.ClientAddr) || !plain(ask.Application) {
		return sessions.Session{ID: ask.ID, Edge: edge}, token.Claims{}, refuse(codes.InvalidArgument, "protocol, address or application is not short plain text")
	}
	claimed, err := token.Claimed(req.GetAccessToken())
	if err != nil {
		return ask, token.Claims{}, err
	}
	claims, err := s.cfg.Tokens.Verify(req.GetAccessToken(), claimed.Audience, s.cfg.Now())
	if err != nil {
		return ask, token.Claims{}, err
	}
	ask.Resource, err = resourceOf(claims.Audience)
	if err != nil {
		return ask, token.Claims{}, err
	}
	boot, linked := s.board.boot(edge)
	if !linked {
		return ask, claims, errNotLinked
	}
	ask.Boot, ask.Grant = boot, claims.Grant
	return ask, claims, nil
}

// admit mints a credential and creates the session, again when the resource
// changes in between.
func (s *Server) admit(ctx context.Context, ask sessions.Session, claims token.Claims, accessToken string) (admitted, error) {
	for range admitTries {
		a, err := s.admitOnce(ctx, ask, claims, accessToken)
		if !errors.Is(err, errChanged) {
			return a, err
		}
	}
	return admitted{}, refuse(codes.Unavailable, "the resource is being changed; try again")
}

var errChanged = errors.New("resource changed while a credential was minted")

func (s *Server) admitOnce(ctx context.Context, ask sessions.Session, claims token.Claims, accessToken string) (admitted, error) {
	use := approvals.Admission{Grant: claims.Grant, Principal: claims.Subject, Resource: ask.Resource, Edge: ask.Edge}
	grant, err := s.cfg.Approvals.Admit(ctx, use)
	if err != nil {
		return admitted{}, err
	}
	resource, err := s.served(ctx, ask.Edge, ask.Resource)
	if err != nil {
		return admitted{}, err
	}
	if err := fits(ask.Protocol, resource); err != nil {
		return admitted{}, err
	}
	a := admitted{}
	if a.clientSecret, err = s.clientSecret(resource, accessToken); err != nil {
		return admitted{}, err
	}
	if a.lease, a.credential, err = s.cfg.Credentials.Mint(ctx, resource, purpose(ask, grant)); err != nil {
		s.cfg.Logger.Error("mint credential", "resource", resource.Name, "error", err)
		return admitted{}, err
	}
	peer := caller(ctx).peer
	err = s.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := s.cfg.Edges.AuthenticateIn(tx, peer); err != nil {
			return err
		}
		if a.grant, err = s.cfg.Approvals.AdmitIn(tx, use); err != nil {
			return err
		}
		if err := s.unchangedIn(tx, resource); err != nil {
			return err
		}
		a.session = s.sessionFor(ask, a.grant, a.lease.ID)
		if err := s.cfg.Sessions.CreateIn(tx, a.session); err != nil {
			return err
		}
		return s.cfg.Credentials.PutIn(tx, a.lease)
	})
	if err != nil {
		a.credential.Wipe()
		return admitted{}, err
	}
	return a, nil
}

// fits refuses a client that speaks another protocol than the resource.
func fits(protocol string, r resources.Resource) error {
	switch kind := r.Kind(); {
	case kind == "" || protocol == kind:
		return nil // without a target there is no credential either
	case kind == resources.KindKubernetes:
		return refuse(codes.FailedPrecondition, r.Name+" is a Kubernetes cluster; sign in with: writ kube login "+r.Name)
	case kind == resources.KindAWS:
		return refuse(codes.FailedPrecondition, r.Name+" is an AWS account; sign in with: writ aws login "+r.Name)
	case kind == resources.KindPostgres:
		return refuse(codes.FailedPrecondition, r.Name+" is a PostgreSQL database; connect with: writ psql "+r.Name)
	default:
		return refuse(codes.FailedPrecondition, r.Name+" is of the kind "+kind)
	}
}

// clientSecret is what clients of an AWS account sign with, who proved nothing yet: with a signature that it verifies
// the edge knows that the token is theirs.
func (s *Server) clientSecret(r resources.Resource, accessToken string) ([]byte, error) {
	if r.Kind() != resources.KindAWS {
		return nil, nil
	}
	secret, err := awskey.SecretFor(s.cfg.ClientKeys, accessToken)
	if err != nil {
		return nil, err
	}
	return []byte(secret), nil
}

// purpose says what a session's credential is for.
func purpose(s sessions.Session, g approvals.Grant) broker.Ask {
	return broker.Ask{Session: s.ID, Edge: s.Edge, Principal: g.Principal.ID, Grant: g.ID, Actions: g.Actions, Until: g.ExpiresAt}
}

// unchangedIn fails with errChanged when the resource is no longer the one that was read.
func (s *Server) unchangedIn(tx *store.Tx, r resources.Resource) error {
	now, err := s.cfg.Resources.GetIn(tx, r.Name)
	if err != nil {
		return err
	}
	if now.UID != r.UID || now.Version != r.Version {
		return errChanged
	}
	return nil
}

func (s *Server) sessionFor(ask sessions.Session, g approvals.Grant, lease string) sessions.Session {
	ask.Principal, ask.Grant, ask.Lease = g.Principal, g.ID, lease
	ask.RequestReason, ask.Ticket, ask.Intent = g.Reason, g.Ticket, g.Intent
	ask.StartedAt, ask.ExpiresAt = s.cfg.Now().UTC(), g.ExpiresAt
	return ask
}

// served returns a resource that the edge serves. One that does not exist
// looks the same as one that is elsewhere.
func (s *Server) served(ctx context.Context, edge, name string) (resources.Resource, error) {
	r, err := s.cfg.Resources.Get(ctx, name)
	return servedBy(edge, r, err)
}

func (s *Server) servedIn(tx *store.Tx, edge, name string) (resources.Resource, error) {
	r, err := s.cfg.Resources.GetIn(tx, name)
	return servedBy(edge, r, err)
}

func servedBy(edge string, r resources.Resource, err error) (resources.Resource, error) {
	if err != nil {
		return resources.Resource{}, err
	}
	if !slices.Contains(r.Edges, edge) {
		return resources.Resource{}, resources.ErrNotFound
	}
	return r, nil
}

// refusedOpen gives the refusal what its record should say.
func (s *Server) refusedOpen(ask sessions.Session, claims token.Claims, err error) error {
	return s.about(audit.Record{
		Principal: claims.Subject, Grant: claims.Grant, Resource: ask.Resource, Protocol: ask.Protocol,
		ClientAddr: ask.ClientAddr, Application: ask.Application,
		Attrs: []audit.Attr{{Name: "session", Value: ask.ID}},
	}, err)
}

// recordLease is durable before the credential leaves.
func (s *Server) recordLease(ctx context.Context, a admitted, more ...audit.Attr) error {
	return s.cfg.Records.RecordAdmin(ctx, audit.Record{
		Kind: audit.KindCredential, Decision: audit.Allow,
		Principal: a.grant.Principal.ID, PrincipalKind: a.grant.Principal.Kind, OnBehalfOf: a.grant.Principal.OnBehalfOf,
		Resource: a.grant.Resource, Grant: a.grant.ID, Protocol: a.session.Protocol,
		ClientAddr: a.session.ClientAddr, Application: a.session.Application,
		Attrs: append([]audit.Attr{
			{Name: "edge", Value: a.session.Edge}, {Name: "session", Value: a.session.ID}, {Name: "lease", Value: a.lease.ID},
			{Name: "source", Value: string(a.lease.Kind)}, {Name: "user", Value: a.credential.User},
		}, more...),
	})
}

// abandon takes back a session that the edge never heard of.
func (s *Server) abandon(ctx context.Context, session sessions.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if err := s.cfg.Sessions.Close(ctx, session.Edge, session.ID, "it could not be recorded"); err != nil {
		s.cfg.Logger.Error("take back session", "session", session.ID, "error", err)
	}
}

// RenewSession implements edge.v1.
func (s *Server) RenewSession(ctx context.Context, req *edgev1.RenewSessionRequest) (*edgev1.RenewSessionResponse, error) {
	var expires time.Time
	err := s.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		session, err := s.cfg.Sessions.LiveIn(tx, req.GetSession(), caller(ctx).peer.Name)
		if err != nil {
			return err
		}
		grant, err := s.cfg.Approvals.AdmitIn(tx, session.Admission())
		if err != nil {
			return err
		}
		expires = grant.ExpiresAt
		if session.ExpiresAt.Equal(expires) {
			return nil
		}
		return s.cfg.Sessions.ExtendIn(tx, session, expires)
	})
	if err != nil {
		return nil, err
	}
	return &edgev1.RenewSessionResponse{ExpiresAt: timestamppb.New(expires)}, nil
}

// CloseSession implements edge.v1.
func (s *Server) CloseSession(ctx context.Context, req *edgev1.CloseSessionRequest) (*edgev1.CloseSessionResponse, error) {
	reason := req.GetReason()
	if len(reason) > maxText || !plain(reason) {
		reason = "closed by the edge"
	}
	if err := s.cfg.Sessions.Close(ctx, caller(ctx).peer.Name, req.GetSession(), reason); err != nil {
		return nil, err
	}
	return &edgev1.CloseSessionResponse{}, nil
}

// ServiceCredential implements edge.v1.
func (s *Server) ServiceCredential(ctx context.Context, req *edgev1.ServiceCredentialRequest) (*edgev1.ServiceCredentialResponse, error) {
	edge := caller(ctx).peer.Name
	resource, err := s.served(ctx, edge, req.GetResource())
	if err == nil {
		err = s.cfg.Locks.Check(ctx, locks.Subject{Resource: resource.Name, Edge: edge})
	}
	if err != nil {
		return nil, s.about(audit.Record{Resource: clip(req.GetResource())}, err)
	}
	cred, err := s.cfg.Credentials.Service(ctx, resource)
	if err != nil {
		s.cfg.Logger.Error("make service credential", "resource", resource.Name, "error", err)
		return nil, err
	}
	err = s.cfg.Records.RecordAdmin(ctx, audit.Record{
		Kind: audit.KindCredential, Decision: audit.Allow, Resource: resource.Name,
		Attrs: []audit.Attr{{Name: "edge", Value: edge}, {Name: "for", Value: "the edge itself"}, {Name: "user", Value: cred.User}},
	})
	if err != nil {
		cred.Wipe()
		return nil, err
	}
	return &edgev1.ServiceCredentialResponse{Credential: wireCredential(cred)}, nil
}

// SettleLease implements edge.v1.
func (s *Server) SettleLease(ctx context.Context, req *edgev1.SettleLeaseRequest) (*edgev1.SettleLeaseResponse, error) {
	edge := caller(ctx).peer.Name
	lease, err := s.cfg.Credentials.Get(ctx, req.GetLease())
	if err != nil {
		return nil, err
	}
	if lease.Edge != edge {
		if _, err := s.served(ctx, edge, lease.Resource); err != nil {
			return nil, err
		}
	}
	if err := s.cfg.Credentials.Settle(ctx, lease.ID, edge); err != nil {
		return nil, err
	}
	return &edgev1.SettleLeaseResponse{}, nil
}
