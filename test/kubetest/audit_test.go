package kubetest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The audit log tells who asked, in whose name, and what.
func TestAudit(t *testing.T) {
	l := cluster.Lab(t)
	l.Apply(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gateway}
rules:
- {apiGroups: [""], resources: [users, groups, serviceaccounts], verbs: [impersonate]}
- {apiGroups: [authentication.k8s.io], resources: [userextras/session], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: gateway}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gateway}
subjects: [{kind: User, name: gateway}]
`)
	mark := l.Mark(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.Server+"/api/v1/namespaces/default/secrets", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Impersonate-User", "writ:alice")
	req.Header.Set("Impersonate-Group", "writ:dev")
	req.Header.Set("Impersonate-Extra-Session", "s1")
	for _, by := range []struct {
		name   string
		client *http.Client
		token  string
	}{
		{"certificate", l.Client(t, "gateway"), ""},
		{"token", l.client(nil), l.Tokens["gateway"]},
	} {
		if by.token != "" {
			req.Header.Set("Authorization", "Bearer "+by.token)
		}
		resp, err := by.client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", by.name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Fatalf("%s: %s", by.name, resp.Status)
		}
	}
	events := l.AuditSince(t, mark)
	if len(events) != 2 {
		t.Fatal(events)
	}
	for _, e := range events {
		if e.User.Username != "gateway" || e.Actor() != "writ:alice" || !slices.Contains(e.ImpersonatedUser.Groups, "writ:dev") ||
			e.ImpersonatedUser.Extra["session"][0] != "s1" || e.Verb != "list" || e.ObjectRef.Resource != "secrets" || e.ResponseStatus.Code != 403 {
			t.Errorf("%+v", e)
		}
	}
}

// Of writes the audit log tells what they said, and an empty stretch of it means that nothing arrived.
func TestAuditOfWrites(t *testing.T) {
	l := cluster.Lab(t)
	mark := l.Mark(t)
	if events := l.AuditSince(t, mark); len(events) != 0 {
		t.Fatal(events)
	}
	l.Apply(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: told, namespace: default}, data: {key: value-of-it}}")
	e := l.AwaitAudit(t, mark, "the write", func(e AuditEvent) bool { return e.Verb == "create" && e.ObjectRef.Name == "told" })
	if e.User.Username != "admin" || !strings.Contains(string(e.RequestObject), "value-of-it") {
		t.Errorf("%+v", e)
	}
}

// Those who sign in are who they should be.
func TestUsers(t *testing.T) {
	l := cluster.Lab(t)
	ns := l.Namespace(t, "users")
	l.Kubectl(t, "-n", ns, "create", "serviceaccount", "robot")
	for _, test := range []struct {
		name, want string
		args       []string
	}{
		{"certificate", `alice ["devs","system:authenticated"]`, []string{"--kubeconfig", l.UserKubeconfig(t, "alice", "devs")}},
		{"token", `dev ["devs","qa","system:authenticated"]`, []string{"--kubeconfig", l.TokenKubeconfig(t, l.Tokens["dev"])}},
		{"service account", `system:serviceaccount:` + ns + `:robot ["system:serviceaccounts","system:serviceaccounts:` + ns + `","system:authenticated"]`,
			[]string{"--kubeconfig", l.TokenKubeconfig(t, l.Token(t, ns, "robot"))}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}"}, test.args...)
			if got := l.Kubectl(t, args...); got != test.want {
				t.Errorf("%s", got)
			}
		})
	}
}
