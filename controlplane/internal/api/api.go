// Package api serves access.v1: it turns messages into calls of the services behind it, and narrows what members may
// see and change to what is their own. Who may call at all is the guard's to say.
package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/checkpoints"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// Config is what the API serves. All of it is required.
type Config struct {
	Guard       *guard.Guard
	Logins      *login.Logins
	Resources   *resources.Inventory
	Roles       *roles.Roles
	Leases      resources.Leases
	Policies    *policies.Policies
	Approvals   *approvals.Approvals
	Locks       *locks.Locks
	Sessions    *sessions.Book
	Edges       *edges.Registry
	Live        func() map[string]int // how many live sessions each edge has
	Notify      *notify.Deliveries
	Log         *auditlog.Log
	Search      Searcher
	Checkpoints *checkpoints.Log
	Tokens      *token.Issuer
	// ClientKeys are those of Tokens; what AWS clients sign with comes of them.
	ClientKeys awskey.Keys
	Ready      func(ctx context.Context) error // an error means that this replica must not be asked now
	Now        func() time.Time

	CAPEM       []byte // of the authority that signs the edges' certificates
	Pin         string // of that authority
	EdgeAddress string // where edges dial

	BrowserPath func(issuer string) string // where a sign-in with a browser begins
}

func (cfg Config) check() error {
	switch {
	case cfg.Guard == nil, cfg.Logins == nil, cfg.Resources == nil, cfg.Roles == nil, cfg.Leases == nil, cfg.Policies == nil, cfg.Approvals == nil,
		cfg.Locks == nil, cfg.Sessions == nil, cfg.Edges == nil, cfg.Live == nil, cfg.Notify == nil, cfg.Log == nil, cfg.Search == nil, cfg.Checkpoints == nil, cfg.Tokens == nil,
		cfg.ClientKeys == nil, cfg.Ready == nil, cfg.Now == nil, cfg.BrowserPath == nil, len(cfg.CAPEM) == 0, cfg.Pin == "":
		return errors.New("api: every service behind it is required")
	}
	return nil
}

const (
	// maxMessage bounds a request in bytes, after decompression. The largest is a policy bundle.
	maxMessage = 4 << 20
	// callTimeout bounds a call; the longest is WaitRequest.
	callTimeout = 75 * time.Second
)

// New returns the handler of every access.v1 call, over gRPC, gRPC-Web and JSON, and of /healthz. There is no
// reflection.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	opts := []connect.HandlerOption{
		connect.WithInterceptors(cfg.Guard), connect.WithReadMaxBytes(maxMessage),
	}
	mux := http.NewServeMux()
	mount := func(path string, h http.Handler) { mux.Handle(path, h) }
	mount(accessv1connect.NewIdentityServiceHandler(identityService{cfg: cfg}, opts...))
	mount(accessv1connect.NewResourceServiceHandler(resourceService{cfg}, opts...))
	mount(accessv1connect.NewPolicyServiceHandler(policyService{cfg}, opts...))
	mount(accessv1connect.NewRequestServiceHandler(requestService{cfg: cfg}, opts...))
	mount(accessv1connect.NewGrantServiceHandler(grantService{cfg: cfg}, opts...))
	mount(accessv1connect.NewApprovalServiceHandler(approvalService{cfg: cfg, watches: newStreamCount()}, opts...))
	mount(accessv1connect.NewSessionServiceHandler(sessionService{cfg: cfg}, opts...))
	mount(accessv1connect.NewAuditServiceHandler(auditService{cfg: cfg}, opts...))
	mount(accessv1connect.NewEdgeServiceHandler(edgeService{cfg}, opts...))
	mount(accessv1connect.NewLockServiceHandler(lockService{cfg}, opts...))
	mount(accessv1connect.NewPrincipalServiceHandler(principalService{cfg}, opts...))
	mount(accessv1connect.NewNotificationServiceHandler(notificationService{cfg: cfg}, opts...))
	mux.HandleFunc("GET /healthz", cfg.health)
	return harden(mux), nil
}

// health answers load balancers: 200 when this replica can be asked, else 503. It says nothing else to strangers.
func (cfg Config) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := cfg.Ready(ctx); err != nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// streams are the calls whose time is not bounded.
var streams = map[string]bool{
	accessv1connect.SessionServiceReplaySessionProcedure:   true,
	accessv1connect.ApprovalServiceWatchApprovalsProcedure: true,
}

// harden sets headers that keep browsers from misusing an answer, and bounds every body and, except for those that
// stream, every call's time.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		r.Body = http.MaxBytesReader(w, r.Body, maxMessage+64<<10)
		if streams[r.URL.Path] {
			w = newPatient(w, patience)
		} else {
			ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
			defer cancel()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// caller returns who asks. The guard has put it there.
func caller(ctx context.Context) login.Caller {
	c, _ := guard.Caller(ctx)
	return c
}

// seesAll reports whether the caller may see what is not its own.
func seesAll(c login.Caller) bool { return c.Is(login.Admin, login.Auditor) }

// owns reports whether p is the caller, acting for the same people. Without a name it is nobody.
func owns(c login.Caller, p policy.Principal) bool {
	return c.Principal.ID != "" && c.Principal.ID == p.ID && c.Principal.Issuer == p.Issuer &&
		slices.Equal(c.Principal.OnBehalfOf, p.OnBehalfOf)
}

// answersFor reports whether p is the caller or acts for it.
func answersFor(c login.Caller, p policy.Principal) bool {
	return owns(c, p) || c.Principal.ID != "" && slices.Contains(p.OnBehalfOf, c.Principal.ID)
}
