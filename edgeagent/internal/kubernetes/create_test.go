package kubernetes

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/writhq/writ/test/kubetest"
)

// Who may not create cannot create by an update: the API server makes some kinds of objects that are not there.
func TestUpdateThatCreates(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "put")
	b.Policies.Set(t, permitAll+`@id("no-new") forbid (principal, action == Action::"k8s:create", resource);`)
	leases := "/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases/"
	body := `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l"%s}}`
	mark := b.lab.Mark(t)
	if code, text := b.do(http.MethodPut, leases+"l", fmt.Sprintf(body, ""), "Content-Type: application/json"); code != http.StatusForbidden {
		t.Errorf("%d %s", code, text)
	}
	for _, e := range b.lab.AuditSince(t, mark) {
		if e.Verb == "update" && e.ObjectRef.Namespace == ns {
			t.Errorf("it reached the API server: %+v", e)
		}
	}
	b.lab.Apply(t, "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: l, namespace: "+ns+"}\n")
	version := b.lab.Kubectl(t, "-n", ns, "get", "lease", "l", "-o", "jsonpath={.metadata.resourceVersion}")
	if code, text := b.do(http.MethodPut, leases+"l", fmt.Sprintf(body, `,"resourceVersion":"`+version+`"`), "Content-Type: application/json"); code != http.StatusOK {
		t.Errorf("an update of what is there: %d %s", code, text)
	}
	b.lab.AwaitAudit(t, mark, "the update", func(e kubetest.AuditEvent) bool {
		return e.Verb == "update" && e.ImpersonatedUser != nil && e.ObjectRef.Namespace == ns
	})
}
