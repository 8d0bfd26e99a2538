package tunnel

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// RefreshCredential implements edge.v1. What admits a session is asked before the credential is made and once more
// before it leaves.
func (s *Server) RefreshCredential(ctx context.Context, req *edgev1.RefreshCredentialRequest) (*edgev1.RefreshCredentialResponse, error) {
	a, err := s.refresh(ctx, req.GetSession())
	if err != nil {
		return nil, s.about(audit.Record{
			Principal: a.session.Principal.ID, Grant: a.session.Grant, Resource: a.session.Resource, Protocol: a.session.Protocol,
			Attrs: []audit.Attr{{Name: "session", Value: clip(req.GetSession())}},
		}, err)
	}
	if err := s.recordLease(ctx, a, audit.Attr{Name: "renewed", Value: "true"}); err != nil {
		a.credential.Wipe()
		return nil, err
	}
	return &edgev1.RefreshCredentialResponse{Credential: wireCredential(a.credential)}, nil
}

// refresh makes the credential of a live session anew, again when the resource changes in between.
func (s *Server) refresh(ctx context.Context, id string) (admitted, error) {
	for range admitTries {
		a, err := s.refreshOnce(ctx, id)
		if !errors.Is(err, errChanged) {
			return a, err
		}
	}
	return admitted{}, refuse(codes.Unavailable, "the resource is being changed; try again")
}

func (s *Server) refreshOnce(ctx context.Context, id string) (admitted, error) {
	a, resource, err := s.stillAdmitted(ctx, id)
	if err != nil {
		return a, err
	}
	if a.lease, err = s.cfg.Credentials.Get(ctx, a.session.Lease); err != nil {
		return a, err
	}
	if a.credential, err = s.cfg.Credentials.Refresh(ctx, resource, a.lease, purpose(a.session, a.grant)); err != nil {
		s.cfg.Logger.Error("refresh credential", "resource", resource.Name, "error", err)
		return a, err
	}
	_, now, err := s.stillAdmitted(ctx, id)
	if err == nil && now.Version != resource.Version {
		err = errChanged
	}
	if err != nil {
		a.credential.Wipe()
	}
	return a, err
}

// stillAdmitted reads, at one moment, a session that is live at the calling edge, the grant that still admits it and
// the resource, which the edge still serves. The grant is for the resource's UID.
func (s *Server) stillAdmitted(ctx context.Context, id string) (a admitted, r resources.Resource, err error) {
	edge := caller(ctx).peer.Name
	err = s.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if a.session, err = s.cfg.Sessions.LiveIn(tx, id, edge); err != nil {
			return err
		}
		if a.grant, err = s.cfg.Approvals.AdmitIn(tx, a.session.Admission()); err != nil {
			return err
		}
		r, err = s.servedIn(tx, edge, a.session.Resource)
		return err
	})
	return a, r, err
}
