package guard

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

func methods(visit func(procedure string, m protoreflect.MethodDescriptor)) {
	protoregistry.GlobalFiles.RangeFilesByPackage("access.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				visit("/"+string(service.FullName())+"/"+string(m.Name()), m)
			}
		}
		return true
	})
}

// Every call has a row, and every row a call; only what signs in is public; every field that is recorded exists.
func TestTableCoversEveryCall(t *testing.T) {
	seen := map[string]bool{}
	methods(func(procedure string, m protoreflect.MethodDescriptor) {
		seen[procedure] = true
		rule, ok := table[procedure]
		if !ok {
			t.Errorf("%s has no row", procedure)
			return
		}
		if rule.Public != slices.Contains([]string{
			accessv1connect.IdentityServiceLoginProcedure, accessv1connect.IdentityServiceListSignInMethodsProcedure,
			accessv1connect.IdentityServiceCreateNonceProcedure,
		}, procedure) {
			t.Errorf("%s: public is %v", procedure, rule.Public)
		}
		if !rule.Public && len(rule.Roles) == 0 {
			t.Errorf("%s: nobody may call it", procedure)
		}
		for _, f := range rule.Fields {
			checkPath(t, procedure, m.Input(), f)
		}
		for _, f := range rule.Result {
			checkPath(t, procedure, m.Output(), f)
		}
	})
	for procedure := range table {
		if !seen[procedure] {
			t.Errorf("%s is in the table but does not exist", procedure)
		}
	}
}

func checkPath(t *testing.T, procedure string, m protoreflect.MessageDescriptor, path string) {
	t.Helper()
	for _, name := range strings.Split(path, ".") {
		if m == nil {
			t.Errorf("%s: %q goes on after a plain value", procedure, path)
			return
		}
		field := m.Fields().ByName(protoreflect.Name(name))
		if field == nil {
			t.Errorf("%s: no field %q", procedure, path)
			return
		}
		if slices.Contains([]string{"password", "admin_password", "oidc_token", "admin_token", "token"}, name) {
			t.Errorf("%s: %q would record a secret", procedure, path)
		}
		m = field.Message()
	}
}

// Who may make which call. What members may call, its handler narrows to what is theirs or is no secret to them.
func TestWhoMayCall(t *testing.T) {
	members := []string{
		"Login", "Logout", "WhoAmI", "ListSignInMethods", "CreateNonce", "GetResource", "ListResources", "TestPolicy", "ListEdges",
		"CreateRequest", "WithdrawRequest", "WaitRequest", "ListRequests", "GetGrant", "ListGrants", "IssueToken", "RevokeGrant",
		"WatchApprovals", "ListApprovals", "GetApproval", "Approve", "Deny", "ListSessions", "GetSession", "ReplaySession", "KillSession",
	}
	alsoAuditors := []string{
		"ListPrincipals", "PullPolicy", "ListRevisions", "ReviewGrant", "ListAdminRecords", "SearchRecords", "GetCheckpoint", "ListDeliveries", "ListLocks",
	}
	for procedure, rule := range table {
		name := procedure[strings.LastIndexByte(procedure, '/')+1:]
		is := func(roles ...login.Role) bool { return rule.Public || login.Caller{Roles: roles}.Is(rule.Roles...) }
		if want := slices.Contains(members, name); is(login.Member) != want {
			t.Errorf("%s: that members may call it is %v", procedure, !want)
		}
		if want := slices.Contains(members, name) || slices.Contains(alsoAuditors, name); is(login.Member, login.Auditor) != want {
			t.Errorf("%s: that auditors may call it is %v", procedure, !want)
		}
		if !is(login.Member, login.Admin) {
			t.Errorf("%s: admins may not call it", procedure)
		}
	}
}

type recorder struct {
	mu      sync.Mutex
	records []audit.Record
	err     error
}

func (r *recorder) RecordAdmin(_ context.Context, record audit.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.records = append(r.records, record)
	}
	return r.err
}

func (r *recorder) phases() []string {
	var all []string
	for _, rec := range r.records {
		all = append(all, rec.Attrs[1].Value)
	}
	return all
}

type identities map[string]login.Caller

func (i identities) Identify(_ context.Context, bearer string) (login.Caller, error) {
	c, ok := i[bearer]
	if !ok {
		return login.Caller{}, login.ErrUnauthenticated
	}
	return c, nil
}

func setUp(t *testing.T) (*Guard, *recorder) {
	t.Helper()
	r := new(recorder)
	g, err := New(Config{Records: r, Now: time.Now, Identify: identities{
		"member": {Principal: policy.Principal{ID: "alice"}, Roles: []login.Role{login.Member}},
		"admin":  {Principal: policy.Principal{ID: "root"}, Roles: []login.Role{login.Member, login.Admin}},
		"nobody": {},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return g, r
}

// request is a connect request to any procedure.
type request[T any] struct {
	*connect.Request[T]
	procedure string
}

func (r request[T]) Spec() connect.Spec { return connect.Spec{Procedure: r.procedure} }

func invoke[T any](g *Guard, procedure, bearer string, msg *T, next func() error) error {
	req := request[T]{connect.NewRequest(msg), procedure}
	if bearer != "" {
		req.Header().Set("Authorization", "Bearer "+bearer)
	}
	_, err := g.WrapUnary(func(ctx context.Context, _ connect.AnyRequest) (connect.AnyResponse, error) {
		if err := next(); err != nil {
			return nil, err
		}
		return connect.NewResponse(&accessv1.WhoAmIResponse{}), nil
	})(context.Background(), req)
	return err
}

func TestGuard(t *testing.T) {
	const apply = accessv1connect.ResourceServiceApplyResourcesProcedure
	const who = accessv1connect.IdentityServiceWhoAmIProcedure
	secret := &accessv1.ApplyResourcesRequest{Resources: []*accessv1.Resource{{
		Name: "orders", Target: &accessv1.Resource_Postgres{Postgres: &accessv1.PostgresTarget{
			Credential: &accessv1.PostgresCredential{Source: &accessv1.PostgresCredential_Static{
				Static: &accessv1.StaticCredential{User: "u", Password: "hunter2"},
			}},
		}},
	}}}
	for name, tt := range map[string]struct {
		procedure, bearer string
		fault             error
		code              connect.Code
		runs              bool
		phases            []string
	}{
		"without identity":   {apply, "", nil, connect.CodeUnauthenticated, false, []string{"refused"}},
		"unknown token":      {apply, "x", nil, connect.CodeUnauthenticated, false, []string{"refused"}},
		"identity of nobody": {apply, "nobody", nil, connect.CodePermissionDenied, false, []string{"refused"}},
		"wrong role":         {apply, "member", nil, connect.CodePermissionDenied, false, []string{"refused"}},
		"unknown procedure":  {"/access.v1.Backdoor/Open", "admin", nil, connect.CodePermissionDenied, false, []string{"refused"}},
		"a change":           {apply, "admin", nil, 0, true, []string{"intent", "done"}},
		"a failed change":    {apply, "admin", approvals.ErrInvalid, connect.CodeInvalidArgument, true, []string{"intent", "failed"}},
		"a read":             {who, "member", nil, 0, true, []string{"done"}},
		"a panic":            {who, "member", errPanic, connect.CodeInternal, true, []string{"failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, r := setUp(t)
			ran := false
			err := invoke(g, tt.procedure, tt.bearer, secret, func() error {
				if ran = true; tt.fault == errPanic {
					panic("boom")
				}
				return tt.fault
			})
			if connectCode(err) != tt.code || ran != tt.runs || !slices.Equal(r.phases(), tt.phases) {
				t.Fatalf("got %v, ran %v, records %v", err, ran, r.phases())
			}
			for _, rec := range r.records {
				for _, a := range rec.Attrs {
					if strings.Contains(a.Value, "hunter2") {
						t.Fatalf("a password is in the record: %v", a)
					}
				}
			}
		})
	}
}

var errPanic = errors.New("panic instead")

func connectCode(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}

// No record, no call: neither before a change nor after a read.
func TestWhatCannotBeRecordedIsRefused(t *testing.T) {
	for procedure, runs := range map[string]bool{
		accessv1connect.ResourceServiceApplyResourcesProcedure: false,
		accessv1connect.IdentityServiceWhoAmIProcedure:         true,
	} {
		g, r := setUp(t)
		r.err = errors.New("disk full at /secret/path")
		ran := false
		err := invoke(g, procedure, "admin", &accessv1.WhoAmIRequest{}, func() error { ran = true; return nil })
		if connect.CodeOf(err) != connect.CodeUnavailable || ran != runs || strings.Contains(err.Error(), "/secret") {
			t.Errorf("%s: got %v, ran %v", procedure, err, ran)
		}
	}
}

func TestStrangersCannotFillTheLog(t *testing.T) {
	g, r := setUp(t)
	const calls = 1000
	for range calls {
		_ = invoke(g, accessv1connect.IdentityServiceWhoAmIProcedure, "", &accessv1.WhoAmIRequest{}, func() error { return nil })
	}
	if n := len(r.records); n < strangersBurst || n > calls/2 {
		t.Fatalf("%d records for %d calls", n, calls)
	}
	kept := len(r.records)
	_ = invoke(g, accessv1connect.IdentityServiceWhoAmIProcedure, "member", &accessv1.WhoAmIRequest{}, func() error { return nil })
	last := r.records[len(r.records)-1]
	if !slices.ContainsFunc(last.Attrs, func(a audit.Attr) bool { return a.Name == "refused_unrecorded" }) {
		t.Fatalf("%d refusals left no trace: %v", calls-kept, last.Attrs)
	}
}

func TestInternalsStayInTheLog(t *testing.T) {
	g, _ := setUp(t)
	for _, err := range []error{
		errors.New("dial tcp 10.0.0.3:2379: connection refused"),
		errors.Join(approvals.ErrNotFound, store.ErrUnavailable),
		store.ErrCorrupt,
	} {
		seen := g.people(err)
		if strings.Contains(seen.Message(), "10.0.0.3") || seen.Message() == err.Error() {
			t.Errorf("%v is shown as %v", err, seen)
		}
	}
	denied := &approvals.Denied{Resource: "db", Reason: "Nobody needs this", PolicyIDs: []string{"never"}}
	if seen := g.people(denied); seen.Code() != connect.CodePermissionDenied || !strings.Contains(seen.Message(), "never") {
		t.Errorf("got %v", seen)
	}
}

func TestBearer(t *testing.T) {
	for value, want := range map[string]string{
		"Bearer x": "x", "bearer x": "x", "Basic x": "", "Bearer": "", "": "", "x": "",
	} {
		h := http.Header{}
		if value != "" {
			h.Set("Authorization", value)
		}
		if got := bearer(h); got != want {
			t.Errorf("%q: got %q", value, got)
		}
	}
	if got := bearer(http.Header{"Authorization": {"Bearer a", "Bearer b"}}); got != "" {
		t.Errorf("two headers: got %q", got)
	}
}
