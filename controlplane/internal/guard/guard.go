// Package guard stands before every call of access.v1: it identifies the caller, authorises the call by one table,
// records it whether allowed, refused or failed, and turns errors into what people see. What cannot be recorded is
// refused.
package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/audit"
)

// Recorder keeps a record durably before it returns. It fills in the id and the chain.
type Recorder interface {
	RecordAdmin(ctx context.Context, r audit.Record) error
}

// Identifier says who carries a bearer token.
type Identifier interface {
	Identify(ctx context.Context, bearer string) (login.Caller, error)
}

// Config is what the guard needs. Everything without a stated default is required.
type Config struct {
	Identify Identifier
	Records  Recorder
	Now      func() time.Time
	// Recheck is how often the caller of a stream is identified again. Default 30 s.
	Recheck time.Duration
	// Logger receives messages; nil discards them.
	Logger hclog.Logger
}

// Guard is a connect interceptor.
type Guard struct {
	cfg Config
	// strangers bounds how many refused calls without an identity are recorded one by one, so that they cannot fill
	// the log; those above it are refused as well, and counted in the next record.
	strangers  *rate.Limiter
	suppressed atomic.Int64
}

// Rates of recorded refusals of callers without an identity.
const (
	strangersPerSecond = 20
	strangersBurst     = 200
)

// New returns the guard.
func New(cfg Config) (*Guard, error) {
	if cfg.Identify == nil || cfg.Records == nil || cfg.Now == nil {
		return nil, errors.New("guard: identifier, recorder and clock are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Recheck <= 0 {
		cfg.Recheck = 30 * time.Second
	}
	return &Guard{cfg: cfg, strangers: rate.NewLimiter(strangersPerSecond, strangersBurst)}, nil
}

// Refusals by the guard itself.
var (
	errForbidden = errors.New("your roles do not allow this")
	errNoRule    = errors.New("no rule allows this call")
	errFlood     = errors.New("too many calls without a valid identity")
	errNoRecord  = errors.New("the call cannot be recorded, so it is refused")
)

type callerKey struct{}

// Caller returns who makes the call that ctx belongs to. Behind the guard it is always known, except for Login.
func Caller(ctx context.Context) (login.Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(login.Caller)
	return c, ok
}

// call is one call on its way through the guard.
type call struct {
	guard     *Guard
	procedure string
	rule      Rule
	caller    login.Caller
	peer      string
	attrs     []audit.Attr
	began     time.Time
}

// admit identifies and authorises. The context it returns carries the caller.
func (g *Guard) admit(ctx context.Context, spec connect.Spec, header http.Header, peer connect.Peer) (context.Context, *call, error) {
	c := &call{guard: g, procedure: spec.Procedure, peer: peer.Addr, began: g.cfg.Now()}
	rule, ok := table[spec.Procedure]
	if !ok {
		return ctx, c, errNoRule
	}
	c.rule = rule
	if rule.Public {
		return ctx, c, nil
	}
	caller, err := g.identify(ctx, header)
	if err != nil {
		return ctx, c, err
	}
	c.caller = caller
	if !caller.Is(rule.Roles...) {
		return ctx, c, fmt.Errorf("%w: it needs %s", errForbidden, rolesText(rule.Roles))
	}
	return context.WithValue(ctx, callerKey{}, caller), c, nil
}

func rolesText(roles []login.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, " or ")
}

// bearer returns the token of exactly one Authorization header, or nothing.
func bearer(header http.Header) string {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// WrapUnary implements connect.Interceptor.
func (g *Guard) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (resp connect.AnyResponse, err error) {
		ctx, c, err := g.admit(ctx, req.Spec(), req.Header(), req.Peer())
		c.attrs = fields(req.Any(), c.rule.Fields)
		if err != nil {
			return nil, c.refuse(ctx, err)
		}
		if err := c.intend(ctx); err != nil {
			return nil, err
		}
		resp, err = c.handle(ctx, func() (connect.AnyResponse, error) { return next(ctx, req) })
		var out any
		if err == nil {
			out = resp.Any()
		}
		if err = c.finish(ctx, out, err); err != nil {
			return nil, err
		}
		return resp, nil
	}
}

// handle turns a panic of the handler into an error.
func (c *call) handle(ctx context.Context, next func() (connect.AnyResponse, error)) (resp connect.AnyResponse, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.guard.cfg.Logger.Error("handler panicked", "procedure", c.procedure, "panic", r, "stack", string(debug.Stack()))
			resp, err = nil, errors.New("handler panicked")
		}
	}()
	return next()
}

// WrapStreamingClient implements connect.Interceptor; the guard has no clients.
func (g *Guard) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (g *Guard) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, c, err := g.admit(ctx, conn.Spec(), conn.RequestHeader(), conn.Peer())
		if err != nil {
			return c.refuse(ctx, err)
		}
		ctx, release := c.entitled(ctx, conn.RequestHeader())
		defer release()
		_, err = c.handle(ctx, func() (connect.AnyResponse, error) {
			return nil, next(ctx, &recordedConn{StreamingHandlerConn: conn, ctx: ctx, call: c})
		})
		return c.finish(ctx, nil, outcome(ctx, err))
	}
}

// recordedConn records a stream as soon as its request is known, and before the handler sees it.
type recordedConn struct {
	connect.StreamingHandlerConn
	ctx  context.Context
	call *call
	seen bool
}

func (r *recordedConn) Receive(msg any) error {
	if err := r.StreamingHandlerConn.Receive(msg); err != nil || r.seen {
		return err
	}
	r.seen = true
	r.call.attrs = fields(msg, r.call.rule.Fields)
	return r.call.record(r.ctx, audit.Allow, "began", nil)
}

// intend records a call that changes something before it is handled.
func (c *call) intend(ctx context.Context) error {
	if !c.rule.Changes || c.rule.Public { // a sign-in is recorded with its outcome, when it is known who it was
		return nil
	}
	return c.recorded(ctx, c.record(ctx, audit.Allow, "intent", nil))
}

// refuse records a call that is not handled and returns what its caller sees.
func (c *call) refuse(ctx context.Context, cause error) error {
	g := c.guard
	if c.caller.Principal.ID == "" && !g.strangers.AllowN(g.cfg.Now(), 1) {
		g.suppressed.Add(1)
		return g.people(errFlood)
	}
	if err := c.recorded(ctx, c.record(ctx, audit.Deny, "refused", cause)); err != nil {
		return err
	}
	return g.people(cause)
}

// finish records the outcome and returns what the caller sees.
func (c *call) finish(ctx context.Context, out any, cause error) error {
	if c.rule.Public && c.caller.Principal.ID == "" && cause != nil {
		return c.refuse(ctx, cause)
	}
	if c.rule.Public && !c.rule.Changes && cause == nil {
		return nil // how to sign in is no secret, and strangers must not fill the log with asking
	}
	phase, decision := "done", audit.Allow
	if cause != nil {
		phase = "failed"
		if codeOf(cause) != connect.CodeInternal && codeOf(cause) != connect.CodeUnavailable {
			decision = audit.Deny
		}
	}
	c.attrs = append(c.attrs, fields(out, c.rule.Result)...)
	// The outcome is recorded even when the caller has gone away meanwhile.
	err := c.record(context.WithoutCancel(ctx), decision, phase, cause)
	if err := c.recorded(ctx, err); err != nil {
		return err
	}
	if cause != nil {
		return c.guard.people(cause)
	}
	return nil
}

// recorded hides why a record could not be written.
func (c *call) recorded(_ context.Context, err error) error {
	if err == nil {
		return nil
	}
	c.guard.cfg.Logger.Error("call refused, because it cannot be recorded", "procedure", c.procedure, "error", err)
	return c.guard.people(errNoRecord)
}
