package controlplane_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

func TestSearchRecords(t *testing.T) {
	r := start(t)
	r.stock(t)
	r.ask(t, "bot", "fix orders")
	client := func(who string, groups ...string) accessv1connect.AuditServiceClient {
		return accessv1connect.NewAuditServiceClient(r.client, r.url(), as(r.idToken(t, who, "person", groups...)))
	}
	auditor := client("ada", "audit")
	var found []*accessv1.Record
	req := &accessv1.SearchRecordsRequest{Principal: "bot", Text: "createrequest", PageSize: 1}
	for {
		resp, err := auditor.SearchRecords(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, resp.GetRecords()...)
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			break
		}
		if len(resp.GetRecords()) > 1 || resp.GetSearchedBackTo() == nil {
			t.Fatalf("got %v", resp)
		}
	}
	if len(found) != 2 || !strings.Contains(found[0].GetJson(), "done") || !strings.Contains(found[1].GetJson(), "intent") {
		t.Fatalf("got %v", found)
	}
	methods := func(req *accessv1.SearchRecordsRequest) (all string) {
		resp, err := auditor.SearchRecords(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range resp.GetRecords() {
			all += rec.GetJson()
		}
		return all
	}
	if _, err := client("eve", "interns").ListAdminRecords(t.Context(), &accessv1.ListAdminRecordsRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Fatalf("a member lists calls: %v", err)
	}
	if all := methods(&accessv1.SearchRecordsRequest{Kind: "admin"}); !strings.Contains(all, "SearchRecords") || !strings.Contains(all, "CreateRequest") {
		t.Errorf("with reads: %s", all)
	}
	all := methods(&accessv1.SearchRecordsRequest{Kind: "admin", WithoutReads: true})
	if strings.Contains(all, "SearchRecords") || !strings.Contains(all, "CreateRequest") || !strings.Contains(all, "ListAdminRecords") {
		t.Errorf("without reads, but for the refused one: %s", all)
	}
	for name, req := range map[string]*accessv1.SearchRecordsRequest{
		"table": {Table: strings.Repeat("x", 501)}, "action": {Action: strings.Repeat("x", 501)},
		"kind": {Kind: "x"}, "token": {PageToken: "x"}, "time": {From: &timestamppb.Timestamp{Nanos: -5}},
	} {
		if _, err := auditor.SearchRecords(t.Context(), req); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := client("eve", "interns").SearchRecords(t.Context(), &accessv1.SearchRecordsRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Fatalf("a member searches: %v", err)
	}
}
