package convert_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/resources"
)

func TestAccountsGoThereAndBack(t *testing.T) {
	for name, cred := range map[string]resources.AccountCredential{
		"none":  {},
		"plain": {AssumeRole: &resources.AssumeRole{}},
		"full": {AssumeRole: &resources.AssumeRole{
			HubRoleARN: "arn:aws:iam::999988887777:role/hub", ExternalID: "id", Region: "eu-west-1", SessionDuration: 20 * time.Minute, WholeRole: true,
		}},
	} {
		want := resources.Resource{
			Name: "prod", Labels: map[string]string{"env": "prod"}, Edges: []string{"a"}, Description: "d",
			AWS: &resources.AWS{
				Account: "111122223333", RoleARN: "arn:aws:iam::111122223333:role/x", Partition: "aws", Regions: []string{"eu-west-1"},
				Endpoint: "https://vpce:443", TLS: resources.TLS{Mode: resources.VerifyCA, CAPEM: "ca", ServerName: "n"}, Credential: cred,
				Classes: map[string][]string{"pii": {"dynamodb:GetItem:Item.Email"}}, AllowLoopback: true, Detectors: []string{"email"},
			},
		}
		if got := convert.FromResource(convert.Resource(want)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got.AWS, want.AWS)
		}
	}
}
