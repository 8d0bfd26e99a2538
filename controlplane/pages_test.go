package controlplane_test

import (
	"encoding/base64"
	"testing"

	"connectrpc.com/connect"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// TestPageTokens holds that every list refuses tokens that it did not give out, in the same way. A place of another list
// is only refused where places have a form of their own: principals go on after any name.
func TestPageTokens(t *testing.T) {
	r := start(t)
	root := as(r.admin(t))
	lists := map[string]func(token string) error{
		"requests": func(token string) error {
			_, err := accessv1connect.NewRequestServiceClient(r.client, r.url(), root).ListRequests(t.Context(), &accessv1.ListRequestsRequest{PageToken: token})
			return err
		},
		"grants": func(token string) error {
			_, err := accessv1connect.NewGrantServiceClient(r.client, r.url(), root).ListGrants(t.Context(), &accessv1.ListGrantsRequest{PageToken: token})
			return err
		},
		"approvals": func(token string) error {
			_, err := accessv1connect.NewApprovalServiceClient(r.client, r.url(), root).ListApprovals(t.Context(), &accessv1.ListApprovalsRequest{PageToken: token})
			return err
		},
		"sessions": func(token string) error {
			_, err := accessv1connect.NewSessionServiceClient(r.client, r.url(), root).ListSessions(t.Context(), &accessv1.ListSessionsRequest{PageToken: token})
			return err
		},
		"records": func(token string) error {
			_, err := accessv1connect.NewAuditServiceClient(r.client, r.url(), root).SearchRecords(t.Context(), &accessv1.SearchRecordsRequest{PageToken: token})
			return err
		},
		"deliveries": func(token string) error {
			_, err := accessv1connect.NewNotificationServiceClient(r.client, r.url(), root).ListDeliveries(t.Context(), &accessv1.ListDeliveriesRequest{PageToken: token})
			return err
		},
		"principals": func(token string) error {
			_, err := accessv1connect.NewPrincipalServiceClient(r.client, r.url(), root).ListPrincipals(t.Context(), &accessv1.ListPrincipalsRequest{PageToken: token})
			return err
		},
	}
	const id = "req-0000000000000000000000000a"
	for name, list := range lists {
		tokens := []string{"%", "a", id + "="}
		if name != "principals" && name != "approvals" {
			tokens = append(tokens, id, base64.RawURLEncoding.EncodeToString([]byte("nonsense")))
		}
		for _, token := range tokens {
			if err := list(token); connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("%s after %q: %v", name, token, err)
			}
		}
		if err := list(""); err != nil {
			t.Errorf("%s, first page: %v", name, err)
		}
	}
}
