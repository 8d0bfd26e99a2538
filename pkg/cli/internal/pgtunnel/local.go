package pgtunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// maxAsks is how many times a client may ask for encryption before it must start.
const maxAsks = 4

// errRefused says that the edge refused; the client has its words.
var errRefused = errors.New("the edge refused the connection")

// handle serves one local connection to its end.
func (t *Tunnel) handle(ctx context.Context, local net.Conn) error {
	defer local.Close()
	defer context.AfterFunc(ctx, func() { local.Close() })()
	if err := local.SetDeadline(time.Now().Add(t.cfg.Handshake)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	first, err := readFirst(local)
	switch {
	case errors.Is(err, io.EOF): // a probe: connected and left
		return nil
	case err != nil:
		answer(local, "08P01", err, "")
		return fmt.Errorf("read startup: %w", err)
	}
	if m, ok := first.(*pgwire.CancelRequest); ok {
		return t.cancel(ctx, m)
	}
	return t.session(ctx, local, first.(*pgwire.StartupMessage))
}

// readFirst answers requests for encryption with no and returns the startup message or cancel request behind them.
func readFirst(local io.ReadWriter) (pgwire.Startup, error) {
	for range maxAsks {
		m, err := pgwire.ReadStartup(local)
		if err != nil {
			return nil, err
		}
		switch m.(type) {
		case pgwire.SSLRequest, pgwire.GSSENCRequest:
			if _, err := local.Write([]byte{'N'}); err != nil {
				return nil, err
			}
		case *pgwire.StartupMessage, *pgwire.CancelRequest:
			return m, nil
		default:
			return nil, fmt.Errorf("%w: this port speaks no TLS", pgwire.ErrMalformed)
		}
	}
	return nil, fmt.Errorf("%w: asks for encryption again and again", pgwire.ErrMalformed)
}

// session signs in at an edge and relays until one side ends.
func (t *Tunnel) session(ctx context.Context, local net.Conn, start *pgwire.StartupMessage) error {
	tok, err := t.token(ctx)
	if err != nil {
		answerRefusal(local, "28000", err)
		return fmt.Errorf("get access token: %w", err)
	}
	edge, endpoint, err := t.dialEdge(ctx, tok)
	if err != nil {
		t.refuse(tok.Password) // the next token may name other edges
		answer(local, "08001", err, "see `writ edges list` for which edges are connected")
		return err
	}
	defer edge.Close()
	defer context.AfterFunc(ctx, func() { edge.Close() })()
	s := signin{local: local, edge: edge, token: tok, keys: &t.keys, endpoint: endpoint, refusal: func() { t.refuse(tok.Password) }}
	defer s.forget()
	if err := s.run(rewrite(start, tok, t.cfg.OSUser)); err != nil {
		if !errors.Is(err, errRefused) {
			answer(local, "08006", err, "")
		}
		return fmt.Errorf("sign in at %s: %w", endpoint, err)
	}
	return relay(local, edge)
}

// rewrite gives the startup message the token's user, and its database where the client named none of its own:
// clients take the user's name for it.
func rewrite(m *pgwire.StartupMessage, tok Token, osUser string) *pgwire.StartupMessage {
	user, database := m.Get("user"), m.Get("database")
	if database == "" || database == user || (osUser != "" && database == osUser) {
		database = tok.Database
	}
	out := &pgwire.StartupMessage{Version: m.Version, Params: []pgwire.Param{{Name: "user", Value: tok.User}}}
	if database != "" {
		out.Params = append(out.Params, pgwire.Param{Name: "database", Value: database})
	}
	for _, p := range m.Params {
		if p.Name != "user" && p.Name != "database" {
			out.Params = append(out.Params, p)
		}
	}
	return out
}

func answerRefusal(local io.Writer, code pgwire.SQLState, err error) {
	if r, ok := errors.AsType[*Refusal](err); ok {
		answer(local, code, r, r.Hint)
		return
	}
	answer(local, code, err, "")
}

// answer tells the client why it is turned away. The connection ends anyway, so that a failed write is of no matter.
func answer(local io.Writer, code pgwire.SQLState, why error, hint string) {
	e := pgwire.ErrorResponse{Diagnostic: pgwire.Diagnostic{
		Severity: pgwire.SeverityFatal, Code: code, Message: "writ: " + why.Error(), Hint: hint,
	}}
	if frame, err := e.Append(nil); err == nil {
		_, _ = local.Write(frame)
	}
}
