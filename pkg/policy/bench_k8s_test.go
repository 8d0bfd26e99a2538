package policy

import (
	"fmt"
	"strings"
	"testing"
)

// clusterTeams writes five policies per team for ten clusters: two permits for its namespace, a hold, a forbid for others and one
// about an object.
func clusterTeams(teams int) Bundle {
	var b strings.Builder
	for i := range teams {
		fmt.Fprintf(&b, `
@id("t%[1]d-read") permit (principal in Group::"team-%[1]d", action in Action::"k8s:read", resource in Namespace::"c-%[2]d/app-%[1]d");
@id("t%[1]d-write") permit (principal in Group::"team-%[1]d", action in Action::"k8s:write", resource in Namespace::"c-%[2]d/app-%[1]d");
@id("t%[1]d-delete") @approval("1 of sre")
forbid (principal in Group::"team-%[1]d", action in [Action::"k8s:delete", Action::"k8s:deletecollection"], resource in Label::"env=prod")
when { resource is Object && resource.labels.contains("tier=core") } unless { context.approved };
@id("t%[1]d-own") forbid (principal, action in Action::"k8s:write", resource in Namespace::"c-%[2]d/app-%[1]d")
unless { principal in Group::"team-%[1]d" };
@id("t%[1]d-secret") forbid (principal, action in Action::"k8s:read", resource == Object::"c-%[2]d//secrets/app-%[1]d/root");
`, i, i%10)
	}
	b.WriteString(`@id("privileged") forbid (principal, action in Action::"k8s:write", resource) when { context.privileged || context.host_namespaces };
@id("all") permit (principal in Group::"everybody", action in Action::"k8s:read", resource) unless { resource in APIResource::"c-1//secrets" };`)
	return oneFile(b.String())
}

func BenchmarkKubernetes(b *testing.B) {
	known := ObjectInfo{Version: "v1", Resource: "pods", Namespace: "app-1", Name: "web-1", NameKnown: true, LabelsKnown: true, Labels: []string{"tier=web"}}
	named, listed, everywhere := known, known, known
	named.LabelsKnown = false
	listed.LabelsKnown, listed.NameKnown = false, false
	everywhere.LabelsKnown, everywhere.NameKnown, everywhere.AllNamespaces = false, false, true
	body := APIRequest{BodyKnown: true, Images: []string{"nginx:1"}}
	for _, tt := range []struct {
		name   string
		action Action
		o      ObjectInfo
		r      APIRequest
		want   Effect
	}{
		{"get", K8sGet, named, APIRequest{BodyKnown: true}, Allow},
		{"list", K8sList, listed, APIRequest{BodyKnown: true, Collection: true}, Allow},
		{"list everywhere", K8sList, everywhere, APIRequest{BodyKnown: true, Collection: true}, Allow},
		{"create", K8sCreate, known, body, Allow},
		{"patch of unknown effect", K8sPatch, named, APIRequest{}, Deny},
		{"delete", K8sDelete, known, APIRequest{BodyKnown: true}, Allow},
		{"delete of unknown labels", K8sDelete, named, APIRequest{BodyKnown: true}, Hold},
	} {
		set, err := Compile(clusterTeams(200))
		if err != nil {
			b.Fatal(err)
		}
		e, err := set.For(Principal{Kind: KindAgent, ID: "a", Groups: []string{"team-1", "team-2", "team-3", "team-11", "everybody"}},
			Resource{Name: "c-1", Labels: map[string]string{"env": "prod"}}, Origin{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(tt.name, func(b *testing.B) {
			benchDecide(b, e, tt.r.Facts(), Question{Action: tt.action, Entity: ResourceName("c-1").Object(tt.o)}, tt.want)
		})
	}
}
