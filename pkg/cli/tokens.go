package cli

import (
	"context"
	"errors"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/pgtunnel"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// renewBefore is how long before its end a token is no longer handed out.
const renewBefore = 30 * time.Second

// tokens gives out access tokens of one of the caller's grants. A token is kept while it is good; then the grant
// is asked for another, so that a grant that was extended goes on without a gap.
type tokens struct {
	clients *client.Clients
	now     func() time.Time
	name    string // the resource or grant that was asked for

	mu      sync.Mutex
	grant   *accessv1.Grant
	current *accessv1.IssueTokenResponse
}

func newTokens(ctx context.Context, a *app, clients *client.Clients, name string) (*tokens, error) {
	t := &tokens{clients: clients, now: a.env.Now, name: name}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.renew(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// fresh returns a token that is good for a while, and is not the refused one.
func (t *tokens) fresh(ctx context.Context, refused string) (*accessv1.IssueTokenResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.GetToken() == refused || !t.now().Add(renewBefore).Before(t.current.GetExpiresAt().AsTime()) {
		if err := t.renew(ctx); err != nil {
			return nil, err
		}
	}
	return t.current, nil
}

// Token implements pgtunnel.TokenSource.
func (t *tokens) Token(ctx context.Context, refused string) (pgtunnel.Token, error) {
	c, err := t.fresh(ctx, refused)
	if err != nil {
		f := explain(err)
		return pgtunnel.Token{}, &pgtunnel.Refusal{Message: f.Error(), Hint: f.hint}
	}
	return pgtunnel.Token{
		Password: c.GetToken(), User: c.GetUser(), Database: c.GetDatabase(),
		Endpoints: c.GetEndpoints(), CAPEM: []byte(c.GetCaPem()),
	}, nil
}

// renew issues a token for the grant at hand, or for another active one where that grant has ended. The caller holds
// mu.
func (t *tokens) renew(ctx context.Context) error {
	if t.grant != nil {
		resp, err := t.issue(ctx)
		if err == nil || !ended(err) {
			t.keep(resp)
			return err
		}
	}
	grant, err := activeGrant(ctx, t.clients, t.name)
	if err != nil {
		return err
	}
	t.grant = grant
	resp, err := t.issue(ctx)
	t.keep(resp)
	return err
}

func (t *tokens) issue(ctx context.Context) (*accessv1.IssueTokenResponse, error) {
	return t.clients.Grants.IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: t.grant.GetId()})
}

func (t *tokens) keep(resp *accessv1.IssueTokenResponse) {
	if resp != nil {
		t.current = resp
	}
}

// ended says whether a grant gives no more tokens, rather than that it could not be asked.
func ended(err error) bool {
	e, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return false
	}
	switch e.Code() {
	case connect.CodeFailedPrecondition, connect.CodeNotFound, connect.CodePermissionDenied:
		return true
	}
	return false
}

// about is what the caller is told of the access it has.
func (t *tokens) about() (*accessv1.Grant, *accessv1.IssueTokenResponse) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.grant, t.current
}
