package faults

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
	"github.com/writhq/writ/test/world"
)

const agent = "ada@example.com"

// rig is a world under test and what judges it.
type rig struct {
	*world.World
	api     clients
	access  atomic.Pointer[string] // the agent's access token
	log     targetLog
	records *recordStore
	judged  map[string]bool // sessions that were seen to have ended
}

// clients call the control plane as an administrator and as an approver.
type clients struct {
	sessions  accessv1connect.SessionServiceClient
	approvals accessv1connect.ApprovalServiceClient
}

func newRig(t testing.TB, cfg world.Config) *rig {
	t.Helper()
	cfg.Schema = schema + world.Schema
	r := &rig{World: world.Start(t, cfg), judged: map[string]bool{}}
	r.log.path = r.PG.LogFile()
	r.records = newRecordStore(filepath.Join(r.Dir, "control", "data", "records"))
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	as := func(token string) *http.Client {
		return &http.Client{Timeout: 20 * time.Second, Transport: &bearer{token: token, next: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true,
		}}}
	}
	r.api = clients{
		sessions:  accessv1connect.NewSessionServiceClient(as(r.Administrator()), "https://"+r.Access),
		approvals: accessv1connect.NewApprovalServiceClient(as(r.Token("dana@example.com", "person", "dba")), "https://"+r.Access),
	}
	r.refresh(t)
	return r
}

type bearer struct {
	token string
	next  http.RoundTripper
}

func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(req)
}

// refresh gets the agent a grant and an access token.
func (r *rig) refresh(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	token, err := r.Grant(ctx, r.Token(agent, "agent", "agents"))
	if err != nil {
		t.Fatalf("grant: %v", err)
	}
	r.access.Store(&token)
}

func (r *rig) dsn() string { return r.DSN(agent, *r.access.Load()) }

// probe is a whole small session.
func (r *rig) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.dsn())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, fmt.Sprintf("INSERT INTO marks (marker, how) VALUES ('%s', 'probe')", marker())).ReadAll()
	return err
}

// until polls check until it returns nil, and how long that took.
func until(limit, every time.Duration, check func() error) (time.Duration, error) {
	began := time.Now()
	for {
		err := check()
		took := time.Since(began)
		if err == nil {
			return took, nil
		}
		if took > limit {
			return took, fmt.Errorf("after %s still: %w", took.Round(time.Second), err)
		}
		time.Sleep(every)
	}
}

// live returns the sessions that the control plane calls live.
func (r *rig) live(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := r.api.sessions.ListSessions(ctx, &accessv1.ListSessionsRequest{Limit: 1000})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range resp.GetSessions() {
		if s.GetLive() {
			ids = append(ids, s.GetId())
		}
	}
	return ids, nil
}

// replayed returns the last record that the control plane shows of a session, and whether
// it says that the recording is damaged.
func (r *rig) replayed(ctx context.Context, id string) (last uint64, damaged bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	stream, err := r.api.sessions.ReplaySession(ctx, &accessv1.ReplaySessionRequest{Id: id})
	if err != nil {
		return 0, false, err
	}
	defer stream.Close()
	for stream.Receive() {
		rec := stream.Msg().GetRecord()
		last = max(last, rec.GetSeq())
		damaged = damaged || rec.GetKind() == "damage"
	}
	return last, damaged, stream.Err()
}

// unspent counts the approved commands that never ran.
func (r *rig) unspent(ctx context.Context) (n int, err error) {
	resp, err := r.api.approvals.ListApprovals(ctx, &accessv1.ListApprovalsRequest{All: true})
	for _, a := range resp.GetApprovals() {
		if a.GetCommand().GetState() == accessv1.HoldState_HOLD_STATE_APPROVED {
			n++
		}
	}
	return n, err
}

func some(list []string) error {
	if len(list) == 0 {
		return nil
	}
	n := len(list)
	if n > 5 {
		list = list[:5]
	}
	return errors.New(fmt.Sprint(n) + ": " + strings.Join(list, "; "))
}
