package kubernetes

import (
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/kubetest"
)

func TestReadThroughTheEdge(t *testing.T) {
	b := newBed(t)
	mark := b.lab.Mark(t)
	out, err := b.kubectl("", "get", "namespaces")
	if err != nil || !strings.Contains(out, "kube-system") {
		t.Fatalf("%v: %s", err, out)
	}
	ns := b.lab.Namespace(t, "read")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "db", "--from-literal=password=hunter2")
	out, err = b.kubectl("", "-n", ns, "get", "secret", "db", "-o", "yaml")
	if err != nil || !strings.Contains(out, "Kioq") || strings.Contains(out, "aHVudGVyMg") {
		t.Fatalf("%v: %s", err, out)
	}
	b.lab.AwaitAudit(t, mark, "the read of the Secret", func(e kubetest.AuditEvent) bool {
		return e.ImpersonatedUser != nil && e.ImpersonatedUser.Username == "writ:ada" && e.ObjectRef.Name == "db"
	})
	for _, rec := range b.Records.Of(audit.KindCommand) {
		t.Log(rec.Statement, rec.Actions, rec.Tables)
	}
}
