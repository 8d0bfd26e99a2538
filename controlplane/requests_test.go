package controlplane_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

const emergency = `
@id("ask") permit (principal, action == Action::"access:request", resource);
@id("no-ddl") forbid (principal, action == Action::"access:request", resource) when { context.actions.contains("sql:ddl") };
@id("prod") @approval("1 of dba") @approval_hours("Mon-Sun 00:00-24:00 Europe/Berlin")
forbid (principal, action == Action::"access:request", resource in Label::"env=prod")
unless { context.approved || (context.break_glass && principal in Group::"oncall") };
`

// publish fills the inventory and puts a policy in force.
func (r *running) publish(t *testing.T, admin connect.ClientOption, text string) {
	t.Helper()
	if _, err := accessv1connect.NewResourceServiceClient(r.client, r.url(), admin).ApplyResources(t.Context(),
		&accessv1.ApplyResourcesRequest{Resources: []*accessv1.Resource{resource("prod"), resource("dev")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := accessv1connect.NewPolicyServiceClient(r.client, r.url(), admin).PushPolicy(t.Context(),
		&accessv1.PushPolicyRequest{Bundle: &accessv1.Bundle{Files: map[string][]byte{"a.cedar": []byte(text)}}}); err != nil {
		t.Fatal(err)
	}
}

func TestARefusalSaysWhatWouldBePermitted(t *testing.T) {
	r := start(t)
	r.publish(t, as(r.admin(t)), emergency)
	_, err := accessv1connect.NewRequestServiceClient(r.client, r.url(), as(r.idToken(t, "bot", "agent"))).CreateRequest(t.Context(),
		&accessv1.CreateRequestRequest{Resource: "prod", Actions: []string{"sql:read", "sql:ddl"}, Duration: durationpb.New(time.Hour)})
	var refused *connect.Error
	if !errors.As(err, &refused) || refused.Code() != connect.CodePermissionDenied || len(refused.Details()) != 1 {
		t.Fatal(err)
	}
	detail, err := refused.Details()[0].Value()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := detail.(*accessv1.Refusal)
	if !ok || got.GetResource() != "prod" || got.GetRevision() != 1 || strings.Join(got.GetPolicyIds(), " ") != "no-ddl prod" {
		t.Fatalf("%v", detail)
	}
	repair := got.GetRepair()
	if strings.Join(repair.GetActions(), " ") != "sql:read" || strings.Join(repair.GetDropped(), " ") != "sql:ddl" ||
		repair.GetDuration().AsDuration() != time.Hour || len(repair.GetRequirements()) != 1 ||
		repair.GetRequirements()[0].GetHours() != "Mon-Sun 00:00-24:00 Europe/Berlin" {
		t.Errorf("repair: %v", repair)
	}
}

func TestBrokenGlassIsRecordedListedAndReviewed(t *testing.T) {
	r := start(t)
	ctx, admin := t.Context(), as(r.admin(t))
	r.publish(t, admin, emergency)
	kim, ann := as(r.idToken(t, "kim", "person", "oncall", "audit")), as(r.idToken(t, "ann", "person", "audit"))
	got, err := accessv1connect.NewRequestServiceClient(r.client, r.url(), kim).CreateRequest(ctx, &accessv1.CreateRequestRequest{
		Resource: "prod", Duration: durationpb.New(time.Hour), Reason: "orders fail", BreakGlass: true, Intent: &accessv1.Intent{Task: "restart"},
	})
	grant := got.GetGrant()
	if err != nil || !grant.GetBreakGlass() || grant.GetIntent().GetTask() != "restart" ||
		grant.GetExpiresAt().AsTime().Sub(grant.GetStartsAt().AsTime()) != 30*time.Minute {
		t.Fatal(got, err)
	}
	records, err := accessv1connect.NewAuditServiceClient(r.client, r.url(), ann).ListAdminRecords(ctx, &accessv1.ListAdminRecordsRequest{Limit: 100})
	recorded := 0
	for _, rec := range records.GetRecords() {
		if rec.GetKind() == "grant" && rec.GetPrincipal() == "kim" && strings.Contains(rec.GetJson(), `"break_glass"`) && strings.Contains(rec.GetJson(), grant.GetId()) {
			recorded++
		}
	}
	if err != nil || recorded != 1 {
		t.Errorf("%d records, %v", recorded, err)
	}
	grants := accessv1connect.NewGrantServiceClient(r.client, r.url(), ann)
	due, err := grants.ListGrants(ctx, &accessv1.ListGrantsRequest{All: true, NeedsReview: true})
	if err != nil || len(due.GetGrants()) != 1 || due.GetGrants()[0].GetId() != grant.GetId() {
		t.Fatal(due, err)
	}
	if _, err := grants.ReviewGrant(ctx, &accessv1.ReviewGrantRequest{Id: grant.GetId()}); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("while it can be used: %v", err)
	}
	own := accessv1connect.NewGrantServiceClient(r.client, r.url(), kim)
	if _, err := own.RevokeGrant(ctx, &accessv1.RevokeGrantRequest{Id: grant.GetId(), Reason: "fixed"}); err != nil {
		t.Fatal(err)
	}
	if _, err := own.ReviewGrant(ctx, &accessv1.ReviewGrantRequest{Id: grant.GetId(), Justified: true}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("one's own: %v", err)
	}
	reviewed, err := grants.ReviewGrant(ctx, &accessv1.ReviewGrantRequest{Id: grant.GetId(), Justified: true, Comment: "it was"})
	if err != nil || reviewed.GetGrant().GetReview().GetReviewer() != "ann" {
		t.Fatal(reviewed, err)
	}
}

func TestListsAreOnesOwn(t *testing.T) {
	r := start(t)
	ctx, admin := t.Context(), as(r.admin(t))
	r.publish(t, admin, emergency)
	for _, name := range []string{"bot", "other"} {
		service := accessv1connect.NewRequestServiceClient(r.client, r.url(), as(r.idToken(t, name, "agent")))
		if _, err := service.CreateRequest(ctx, &accessv1.CreateRequestRequest{Resource: "dev", Reason: name}); err != nil {
			t.Fatal(err)
		}
	}
	bot, auditor := as(r.idToken(t, "bot", "agent")), as(r.idToken(t, "ann", "person", "audit"))
	for name, tt := range map[string]struct {
		as   connect.ClientOption
		ask  *accessv1.ListRequestsRequest
		want int // -1 is refused
		code connect.Code
	}{
		"one's own":           {as: bot, ask: &accessv1.ListRequestsRequest{}, want: 1},
		"one's own by name":   {as: bot, ask: &accessv1.ListRequestsRequest{Principal: "bot"}, want: 1},
		"another's":           {as: bot, ask: &accessv1.ListRequestsRequest{Principal: "other"}, want: -1, code: connect.CodePermissionDenied},
		"everybody's":         {as: bot, ask: &accessv1.ListRequestsRequest{All: true}, want: -1, code: connect.CodePermissionDenied},
		"an auditor's own":    {as: auditor, ask: &accessv1.ListRequestsRequest{}, want: 0},
		"all, by an auditor":  {as: auditor, ask: &accessv1.ListRequestsRequest{All: true}, want: 2},
		"one, by an auditor":  {as: auditor, ask: &accessv1.ListRequestsRequest{Principal: "bot"}, want: 1},
		"in a state":          {as: auditor, ask: &accessv1.ListRequestsRequest{All: true, State: accessv1.RequestState_REQUEST_STATE_PENDING}, want: 0},
		"in a state of none":  {as: auditor, ask: &accessv1.ListRequestsRequest{All: true, State: 99}, want: -1, code: connect.CodeInvalidArgument},
		"after a wrong token": {as: bot, ask: &accessv1.ListRequestsRequest{PageToken: "x"}, want: -1, code: connect.CodeInvalidArgument},
		"a page too large":    {as: bot, ask: &accessv1.ListRequestsRequest{PageSize: 1000}, want: -1, code: connect.CodeInvalidArgument},
	} {
		got, err := accessv1connect.NewRequestServiceClient(r.client, r.url(), tt.as).ListRequests(ctx, tt.ask)
		if tt.want < 0 && connect.CodeOf(err) != tt.code || tt.want >= 0 && (err != nil || len(got.GetRequests()) != tt.want) {
			t.Errorf("requests, %s: %v, %v", name, got, err)
		}
		if tt.ask.GetState() != 0 {
			continue
		}
		grants, err := accessv1connect.NewGrantServiceClient(r.client, r.url(), tt.as).ListGrants(ctx, &accessv1.ListGrantsRequest{
			All: tt.ask.GetAll(), Principal: tt.ask.GetPrincipal(), PageToken: tt.ask.GetPageToken(), PageSize: tt.ask.GetPageSize(),
		})
		if tt.want < 0 && connect.CodeOf(err) != tt.code || tt.want >= 0 && (err != nil || len(grants.GetGrants()) != tt.want) {
			t.Errorf("grants, %s: %v, %v", name, grants, err)
		}
	}
}

func TestAGrantForLaterHasNoTokenYet(t *testing.T) {
	r := start(t)
	r.publish(t, as(r.admin(t)), emergency)
	bot := as(r.idToken(t, "bot", "agent"))
	got, err := accessv1connect.NewRequestServiceClient(r.client, r.url(), bot).CreateRequest(t.Context(), &accessv1.CreateRequestRequest{
		Resource: "dev", Duration: durationpb.New(time.Hour), StartAt: timestamppb.New(time.Now().Add(time.Hour)),
	})
	if err != nil || got.GetGrant().GetActive() {
		t.Fatal(got, err)
	}
	_, err = accessv1connect.NewGrantServiceClient(r.client, r.url(), bot).IssueToken(t.Context(), &accessv1.IssueTokenRequest{Grant: got.GetGrant().GetId()})
	if connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), got.GetGrant().GetStartsAt().AsTime().Format(time.RFC3339)) {
		t.Fatal(err)
	}
}

func TestAZoneThatDoesNotExistIsRefusedAtItsPlace(t *testing.T) {
	r := start(t)
	policies := accessv1connect.NewPolicyServiceClient(r.client, r.url(), as(r.admin(t)))
	bundle := &accessv1.Bundle{Files: map[string][]byte{"a.cedar": []byte(strings.Replace(emergency, "Europe/Berlin", "Europe/Atlantis", 1))}}
	pushed, err := policies.PushPolicy(t.Context(), &accessv1.PushPolicyRequest{Bundle: bundle})
	if err != nil || pushed.GetRevision() != nil || !placed(pushed.GetProblems()) {
		t.Errorf("push: %v, %v", pushed, err)
	}
	tried, err := policies.TestPolicy(t.Context(), &accessv1.TestPolicyRequest{Bundle: bundle})
	if err != nil || !placed(tried.GetProblems()) {
		t.Errorf("test: %v, %v", tried, err)
	}
}

func placed(problems []*accessv1.Problem) bool {
	return len(problems) == 1 && problems[0].GetFile() == "a.cedar" && problems[0].GetLine() == 4 && problems[0].GetColumn() == 35
}
