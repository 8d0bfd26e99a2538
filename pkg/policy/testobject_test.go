package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const clusterPolicies = `
@id("read") permit (principal in Group::"dev", action in Action::"k8s:read", resource in Namespace::"prod/shop");
@id("discover") permit (principal, action == Action::"k8s:discover", resource);
@id("scale") permit (principal in Group::"dev", action == Action::"k8s:update", resource is Object)
when { resource.group == "apps" && resource.version == "v1beta1" && resource.subresource == "scale" && context.replicas < 5 && !context.collection };
@id("metrics") permit (principal, action == Action::"k8s:nonresource", resource) when { resource.path == "/metrics" };
@id("forward") permit (principal, action == Action::"k8s:port_forward", resource) when { [80, 81].containsAll(context.ports) };
@id("everything") permit (principal, action == Action::"k8s:create", resource) when {
  context.verb == "create" && context.subresource == "" && context.dry_run && context.images == ["a"] && context.privileged &&
  context.host_namespaces && context.host_paths == ["/"] && context.service_accounts == ["s"] && context.secrets == ["x"] &&
  context.config_maps == ["c"] && context.roles == ["ClusterRole/r"] && context.subjects == ["User/u"] && context.replicas == -1 };
@id("exec") permit (principal, action == Action::"k8s:exec", resource)
when { context.command == "ls /" && context.container == "main" && context.stdin && context.tty && context.verb == "get" };
@id("core") forbid (principal, action in Action::"k8s:all", resource is Object) when { resource.labels.contains("tier=core") };
@id("people") forbid (principal is Person, action in Action::"k8s:all", resource in Namespace::"prod/shop") when { resource is Object && resource.name == "pay" };
@id("reveal") permit (principal, action == Action::"k8s:reveal", resource);
@id("mask") @mask("redact") forbid (principal, action == Action::"k8s:reveal", resource in DataClass::"secret") when { resource.name != "open" };
`

const clusterSubjects = `
principals:
  bot: {kind: agent, groups: [dev]}
  ann: {kind: person, id: ann@corp, groups: [dev]}
  deputy: {kind: agent, groups: [dev], acts_for: [ann]}
  clerk: {kind: agent, groups: [dev], on_behalf_of: [ann@corp]}
  chain: {kind: agent, groups: [dev], acts_for: [deputy]}
  ghost: {kind: agent, groups: [dev], acts_for: [nobody]}
resources:
  prod: {kind: kubernetes, labels: {env: prod}}
tests:
`

func TestResultsForClusters(t *testing.T) {
	const on, get = "principal: bot, resource: prod, ", "principal: bot, resource: prod, action: k8s:get, "
	tests := []struct{ test, want string }{ // want is empty for a test that passes
		{get + "object: pods shop/web, labels: [], expect: allow", ""},
		{get + "object: pods shop/web, labels: [tier=web], expect: allow, policies: [read]", ""},
		{get + "object: pods shop/web, labels: [tier=core], expect: deny, policies: [core]", ""},
		{get + "object: pods shop/web, expect: deny, policies: [core]", ""},
		{get + "object: pods other/web, labels: [], expect: deny, policies: []", ""},
		{on + `action: k8s:list, object: "pods shop/*", labels: [], expect: allow`, ""},
		{on + `action: k8s:list, object: "pods */*", labels: [], expect: deny, policies: []`, ""},
		{on + "action: k8s:get, object: nodes n1, labels: [], expect: deny, policies: []", ""},
		{on + `actions: ["k8s:list", "k8s:watch"], object: "pods.v1.metrics.k8s.io shop/*", labels: [], expect: allow`, ""},
		{on + "action: k8s:discover, expect: allow", ""},
		{on + "action: k8s:nonresource, path: /metrics, expect: allow", ""},
		{on + "action: k8s:update, object: deployments.v1beta1.apps/scale shop/web, labels: [], with: {replicas: 4}, expect: allow", ""},
		{on + "action: k8s:update, object: deployments.v1beta1.apps/scale shop/web, labels: [], with: {replicas: 5}, expect: deny", ""},
		{on + "action: k8s:update, object: deployments.apps/scale shop/web, labels: [], with: {replicas: 4}, expect: deny", ""},
		{on + "action: k8s:update, object: deployments.v1beta1.apps/scale shop/web, labels: [], with: {replicas: 4, body_known: false}, expect: deny", ""},
		{on + "action: k8s:port_forward, object: pods/portforward shop/web, labels: [], with: {ports: [80]}, expect: allow", ""},
		{on + "action: k8s:port_forward, object: pods/portforward shop/web, labels: [], with: {ports: [22]}, expect: deny", ""},
		{on + "action: k8s:port_forward, object: pods/portforward shop/web, labels: [], expect: deny", ""},
		{on + "action: k8s:create, object: pods shop/web, labels: [], expect: allow, with: {dry_run: true, images: [a], privileged: true, host_namespaces: true, " +
			"host_paths: [/], service_accounts: [s], secrets: [x], config_maps: [c], roles: [ClusterRole/r], subjects: [User/u]}", ""},
		{on + `action: k8s:exec, object: pods/exec shop/web, labels: [], with: {verb: get, command: "ls /", container: main, stdin: true, tty: true}, expect: allow`, ""},
		{on + "action: k8s:reveal, object: secrets shop/db, field: data.*, classes: [secret], expect: mask, mask: redact, policies: [mask]", ""},
		{on + "action: k8s:reveal, object: secrets shop/open, field: data.*, classes: [secret], expect: reveal", ""},
		{on + "action: k8s:reveal, object: configmaps shop/db, field: data.a, expect: reveal", ""},

		{"principal: ann, resource: prod, action: k8s:get, object: pods shop/pay, labels: [], expect: deny, policies: [people]", ""},
		{"principal: clerk, resource: prod, action: k8s:get, object: pods shop/pay, labels: [], expect: allow", ""},
		{"principal: deputy, resource: prod, action: k8s:get, object: pods shop/pay, labels: [], expect: deny, policies: [people]", ""},
		{"principal: deputy, resource: prod, action: k8s:get, object: pods shop/web, labels: [], expect: allow", ""},
		{"principal: ghost, resource: prod, action: k8s:get, object: pods shop/web, expect: deny", `principal "ghost": acts_for: unknown principal "nobody"`},
		{"principal: chain, resource: prod, action: k8s:get, object: pods shop/web, expect: deny",
			`principal "chain" acts for "deputy", who acts for others: name them all in acts_for of "chain"`},

		{get + "expect: deny", `k8s:get needs object, for example "pods shop/web"`},
		{get + "object: pods, expect: deny", `object "pods" is not of the form "pods shop/web", "pods shop/*" (all of a namespace), "pods */*" (all of all) or "nodes web-1"`},
		{get + "object: pods a/b/c, expect: deny", `object "pods a/b/c" is not of the form "pods shop/web", "pods shop/*" (all of a namespace), "pods */*" (all of all) or "nodes web-1"`},
		{get + "object: pods shop/web, labels: [core], expect: deny", `labels: "core" is not of the form key=value`},
		{get + "object: pods shop/web, field: data.*, expect: deny", "field does not go with k8s:get"},
		{get + "object: pods shop/web, path: /x, expect: deny", "path does not go with k8s:get"},
		{get + "object: pods shop/web, table: a.b, expect: deny", "table goes with sql: actions"},
		{get + "object: pods shop/web, with: {where: true}, expect: deny", "with.where does not go with k8s:get"},
		{on + "action: k8s:discover, object: pods shop/web, expect: deny", "object does not go with k8s:discover"},
		{on + "action: k8s:nonresource, path: metrics, expect: deny", `path "metrics" does not begin with a slash`},
		{on + "action: k8s:reveal, object: secrets shop/db, expect: reveal", `k8s:reveal needs field, for example "data.*"`},
		{on + "action: k8s:reveal, object: secrets shop/db, field: data.*, expect: allow", "expect reveal or mask goes with action sql:reveal, k8s:reveal or aws:reveal and no other"},
		{on + "actions: [\"k8s:get\", \"k8s:discover\"], object: pods shop/web, expect: deny", "object does not go with k8s:discover"},
		{on + "actions: [\"k8s:get\", \"sql:select\"], object: pods shop/web, expect: deny", "k8s:get and sql:select are never asked together"},
		{on + "action: sql:select, table: a.b, object: pods shop/web, expect: deny", "object goes with k8s: actions"},
		{on + "action: sql:select, table: a.b, with: {replicas: 3}, expect: deny", "with.replicas does not go with sql:select"},
		{on + "action: session:open, with: {ports: [3]}, expect: deny", "with.ports does not go with session:open"},
	}
	s, err := Compile(oneFile(clusterPolicies))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		results, err := RunTests(s, "t.yaml", []byte(clusterSubjects+"  - {name: x, "+tt.test+"}\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.test, err)
			continue
		}
		r := results[0]
		if r.Got == "error" && r.Detail != tt.want || r.Got != "error" && (tt.want != "" || !r.Passed) {
			t.Errorf("%s:\ngot  %s: %s\nwant %s", tt.test, r.Got, r.Detail, tt.want)
		}
	}
}

func TestObjectsOfTests(t *testing.T) {
	for text, want := range map[string]ObjectInfo{
		"pods shop/web":                    {Version: "v1", Resource: "pods", Namespace: "shop", Name: "web", NameKnown: true},
		"deployments.apps/scale shop/web":  {Group: "apps", Version: "v1", Resource: "deployments", Subresource: "scale", Namespace: "shop", Name: "web", NameKnown: true},
		"certificates.cert-manager.io a/*": {Group: "cert-manager.io", Version: "v1", Resource: "certificates", Namespace: "a"},
		"flows.v1beta3.flow.k8s.io web":    {Group: "flow.k8s.io", Version: "v1beta3", Resource: "flows", Name: "web", NameKnown: true},
		"nodes *":                          {Version: "v1", Resource: "nodes"},
		"pods */*":                         {Version: "v1", Resource: "pods", AllNamespaces: true},
		"pods */web":                       {Version: "v1", Resource: "pods", AllNamespaces: true, Name: "web", NameKnown: true},
		"clusterroles.rbac.authorization.k8s.io system:node": {
			Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles", Name: "system:node", NameKnown: true},
	} {
		got, err := parseObject(text)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
