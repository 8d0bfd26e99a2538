package tunnel

import (
	"testing"

	"google.golang.org/grpc"

	"github.com/writhq/writ/pkg/token"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

func TestEveryMethodHasARule(t *testing.T) {
	methods := map[string]bool{}
	for _, d := range []grpc.ServiceDesc{edgev1.EnrolmentService_ServiceDesc, edgev1.TunnelService_ServiceDesc} {
		for _, m := range d.Methods {
			methods["/"+d.ServiceName+"/"+m.MethodName] = true
		}
		for _, s := range d.Streams {
			methods["/"+d.ServiceName+"/"+s.StreamName] = true
		}
	}
	for m := range methods {
		if rules[m] == 0 {
			t.Errorf("%s has no rule", m)
		}
		if rules[m] == forAnybody && m != edgev1.EnrolmentService_Enrol_FullMethodName {
			t.Errorf("%s is open to anybody", m)
		}
	}
	for m := range rules {
		if !methods[m] {
			t.Errorf("rule for %s, which does not exist", m)
		}
	}
}

func FuzzResourceOf(f *testing.F) {
	f.Add("resource:orders-db")
	f.Add("resource:")
	f.Add("")
	f.Fuzz(func(t *testing.T, audience string) {
		if name, err := resourceOf(audience); err == nil && token.ResourceAudience(name) != audience {
			t.Fatalf("audience %q became resource %q", audience, name)
		}
	})
}
