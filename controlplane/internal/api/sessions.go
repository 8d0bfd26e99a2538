package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/pkg/audit"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type sessionService struct{ cfg Config }

func (s sessionService) ListSessions(ctx context.Context, req *accessv1.ListSessionsRequest) (*accessv1.ListSessionsResponse, error) {
	c := caller(ctx)
	after, err := openPage(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	q := sessions.Query{
		All: req.GetAll(), Principal: req.GetPrincipal(), Resource: req.GetResource(), Limit: int(req.GetLimit()), After: after,
	}
	if !seesAll(c) {
		q.Party = c.Principal.ID
		q.Visible = func(one sessions.Session) bool { return answersFor(c, one.Principal) }
	}
	page, err := s.cfg.Sessions.List(ctx, q)
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListSessionsResponse{NextPageToken: sealPage(page.Next)}
	resp.Sessions, err = s.counted(ctx, page.Sessions)
	return resp, err
}

// counted adds to the sessions how many commands they decided.
func (s sessionService) counted(ctx context.Context, found []sessions.Session) ([]*accessv1.Session, error) {
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	counts, err := s.cfg.Sessions.Counts(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]*accessv1.Session, len(found))
	for i := range found {
		out[i] = session(found[i], counts[found[i].ID])
	}
	return out, nil
}

func session(s sessions.Session, n sessions.Count) *accessv1.Session {
	return &accessv1.Session{
		Id: s.ID, Principal: convert.Principal(s.Principal), Resource: s.Resource, Edge: s.Edge, Grant: s.Grant,
		Protocol: s.Protocol, ClientAddr: s.ClientAddr, Application: s.Application, StartedAt: convert.Time(s.StartedAt),
		EndedAt: convert.Time(s.EndedAt), EndReason: s.EndReason, Live: s.Live(), RequestReason: s.RequestReason,
		Intent: convert.Intent(s.Intent), Commands: n.Commands, Denied: n.Denied,
	}
}

// find returns a session that the caller may see.
func (s sessionService) find(ctx context.Context, id string) (sessions.Session, error) {
	if err := sessions.CheckID(id); err != nil {
		return sessions.Session{}, err
	}
	found, err := s.cfg.Sessions.Get(ctx, id)
	if err != nil {
		return sessions.Session{}, err
	}
	if c := caller(ctx); !seesAll(c) && !answersFor(c, found.Principal) {
		return sessions.Session{}, guard.ErrNotYours
	}
	return found, nil
}

func (s sessionService) GetSession(ctx context.Context, req *accessv1.GetSessionRequest) (*accessv1.GetSessionResponse, error) {
	found, err := s.find(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	out, err := s.counted(ctx, []sessions.Session{found})
	if err != nil {
		return nil, err
	}
	return &accessv1.GetSessionResponse{Session: out[0]}, nil
}

// ReplaySession streams what there is. Where the records are damaged it says so in the stream, as a record of kind
// "damage", and goes on.
func (s sessionService) ReplaySession(ctx context.Context, req *accessv1.ReplaySessionRequest, stream *connect.ServerStream[accessv1.ReplaySessionResponse]) error {
	if _, err := s.find(ctx, req.GetId()); err != nil {
		return err
	}
	for r, err := range s.cfg.Log.Records(ctx, req.GetId(), req.GetFollow()) {
		out, err := replayed(req.GetId(), r, err)
		if err != nil {
			return err
		}
		if err := stream.Send(&accessv1.ReplaySessionResponse{Record: out}); err != nil {
			return err
		}
	}
	return nil
}

func replayed(session string, r audit.Record, err error) (*accessv1.Record, error) {
	var damage *audit.Damage
	if errors.As(err, &damage) {
		text, err := json.Marshal(map[string]string{"kind": "damage", "session": session, "reason": damage.Error()})
		return &accessv1.Record{Kind: "damage", Session: session, Json: string(text)}, err
	}
	if err != nil {
		return nil, err
	}
	return record(r)
}

func record(r audit.Record) (*accessv1.Record, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return &accessv1.Record{
		Id: r.ID.String(), Seq: r.Seq, Time: convert.Time(r.Time), Kind: r.Kind.String(), Session: r.Session,
		Principal: r.Principal, Resource: r.Resource, Json: string(text),
	}, nil
}

func (s sessionService) KillSession(ctx context.Context, req *accessv1.KillSessionRequest) (*accessv1.KillSessionResponse, error) {
	found, err := s.find(ctx, req.GetId())
	if err != nil {
		return nil, err
	}
	c := caller(ctx)
	if !c.Is(login.Admin) && !answersFor(c, found.Principal) {
		return nil, guard.ErrNotYours
	}
	if err := s.cfg.Sessions.Kill(ctx, found.ID, "killed: "+req.GetReason(), c.Principal.ID); err != nil {
		return nil, err
	}
	return &accessv1.KillSessionResponse{}, nil
}

type auditService struct{ cfg Config }

func (s auditService) ListAdminRecords(ctx context.Context, req *accessv1.ListAdminRecordsRequest) (*accessv1.ListAdminRecordsResponse, error) {
	all, err := s.cfg.Log.AdminRecords(ctx, int(req.GetLimit()))
	if err != nil {
		return nil, err
	}
	resp := &accessv1.ListAdminRecordsResponse{}
	for _, r := range all {
		out, err := record(r)
		if err != nil {
			return nil, err
		}
		resp.Records = append(resp.Records, out)
	}
	return resp, nil
}

func (s auditService) GetCheckpoint(ctx context.Context, _ *accessv1.GetCheckpointRequest) (*accessv1.GetCheckpointResponse, error) {
	signed, err := s.cfg.Checkpoints.Latest(ctx)
	if err != nil {
		return nil, err
	}
	return &accessv1.GetCheckpointResponse{Checkpoint: string(signed), PublicKey: s.cfg.Checkpoints.PublicKey()}, nil
}
