package aws

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/writhq/writ/pkg/audit"
)

// TestUnknownHosts: who asks in AWS's domains for a host that is nobody's hears why, in the service's own form, and leaves a record.
func TestUnknownHosts(t *testing.T) {
	b := newBed(t)
	for _, region := range []string{"eu-nowhere-9", "xx"} {
		cfg := b.config(true)
		cfg.Region = region
		_, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err == nil || !strings.Contains(err.Error(), "writ: host sts."+region+".amazonaws.com: it is none of the hosts of AWS's services") {
			t.Errorf("%s: %v", region, err)
		}
	}
	cfg := b.config(true)
	cfg.BaseEndpoint = sdk.String("https://vpce-0123456789abcdef0-abcdefgh.sts.eu-west-1.vpce.amazonaws.com")
	if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err == nil || !strings.Contains(err.Error(), "at its public host") {
		t.Errorf("VPC endpoint: %v", err)
	}
	if got := b.reached(); len(got) > 0 {
		t.Errorf("it reached AWS: %s %s", got[0].Method, got[0].Host)
	}
	refused := 0
	for _, r := range b.Records.All() {
		if r.Kind == audit.KindRefusal {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d refusals are recorded, want 3", refused)
	}
}
