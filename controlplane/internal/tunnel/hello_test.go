package tunnel_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// Endpoints are shown to people and to clients: they are few, short and plain, of whatever kind.
func TestHelloWithEndpointsThatAreNone(t *testing.T) {
	p := newPlane(t)
	e := p.newEdge("edge-a")
	p.awaitReady(e)
	kinds := map[string]func(h *edgev1.Hello) *[]string{
		"postgres":   func(h *edgev1.Hello) *[]string { return &h.Endpoints },
		"kubernetes": func(h *edgev1.Hello) *[]string { return &h.KubernetesEndpoints },
		"aws":        func(h *edgev1.Hello) *[]string { return &h.AwsEndpoints },
	}
	for kind, of := range kinds {
		for name, endpoints := range map[string][]string{
			"a line end": {"127.0.0.1:1\n"}, "too long": {strings.Repeat("x", 1<<12)}, "too many": slices.Repeat([]string{"127.0.0.1:1"}, 1000),
		} {
			hello := &edgev1.Hello{Boot: e.boot, Version: "test"}
			*of(hello) = endpoints
			stream, err := e.tunnel.Link(t.Context())
			if err == nil {
				err = stream.Send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Hello{Hello: hello}})
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			wantCode(t, kind+", "+name, err, codes.InvalidArgument)
		}
	}
}
