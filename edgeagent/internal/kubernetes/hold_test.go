package kubernetes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
)

const holdScale = permitAll + maskSecrets + `
@id("scale") @approval("1 of sre") @reason("Scaling is agreed")
forbid (principal, action in [Action::"k8s:patch", Action::"k8s:update"], resource)
when { resource.resource == "deployments" }
unless { context.approved };
`

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web:1}]
`

func TestHeldScaleIsApproved(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "hold")
	if out, err := b.kubectl(deployment, "-n", ns, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.Policies.Set(t, holdScale)
	mark := b.lab.Mark(t)
	done := make(chan string, 1)
	go func() {
		out, err := b.kubectl("", "-n", ns, "scale", "deployment/web", "--replicas=3")
		done <- fmt.Sprint(out, err)
	}()
	asked := b.Control.Decide(t, 1, enforce.HoldApproved)
	if !strings.Contains(asked.Preview.Diff, "replicas: 3") || !strings.Contains(asked.Preview.Diff, "-  replicas: 1") {
		t.Errorf("preview: %q %q", asked.Preview.Diff, asked.Preview.Detail)
	}
	out := <-done
	if !strings.Contains(out, "scaled") || !strings.Contains(out, "hold-1 was approved") {
		t.Errorf("kubectl: %s", out)
	}
	if got := b.lab.Kubectl(t, "-n", ns, "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"); got != "3" {
		t.Errorf("replicas: %s", got)
	}
	for _, e := range b.lab.AuditSince(t, mark) {
		if e.ObjectRef.Subresource == "scale" && e.Actor() == "writ:ada" && e.Stage == "ResponseComplete" {
			t.Log(e)
		}
	}
}

func TestImpatientClientComesBack(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "back")
	b.lab.Kubectl(t, "-n", ns, "create", "configmap", "c", "--from-literal=a=1")
	b.Policies.Set(t, permitAll+`
@id("ask") @approval("1 of sre") forbid (principal, action == Action::"k8s:delete", resource) unless { context.approved };
`)
	path := "/api/v1/namespaces/" + ns + "/configmaps/c"
	mark := b.lab.Mark(t)
	code, body := b.do(http.MethodDelete, path, "")
	if code != http.StatusForbidden || !strings.Contains(body, "hold-1") || !strings.Contains(body, "send the same request again") {
		t.Fatalf("%d %s", code, body)
	}
	b.Control.Decide(t, 1, enforce.HoldApproved)
	if code, body = b.do(http.MethodDelete, path, ""); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if held := b.Control.Held(); len(held) != 1 {
		t.Errorf("%d holds", len(held))
	}
	if n := b.Control.Opened(); n != 1 {
		t.Errorf("%d sessions for two tokens of one grant", n)
	}
	deletes := 0
	for _, e := range b.lab.AuditSince(t, mark) {
		if e.Verb == "delete" && e.Stage == "ResponseComplete" && e.ObjectRef.Name == "c" {
			deletes++
		}
	}
	if deletes != 1 {
		t.Errorf("%d deletes at the API server", deletes)
	}
	// the approval is spent: the same request asks anew
	b.lab.Kubectl(t, "-n", ns, "create", "configmap", "c", "--from-literal=a=1")
	go b.Control.Decide(t, 2, enforce.HoldDenied)
	if code, body = b.do(http.MethodDelete, path, ""); code != http.StatusForbidden || !strings.Contains(body, "denied by dan") {
		t.Errorf("%d %s", code, body)
	}
}

func TestClientThatGivesUpWithdraws(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, permitAll+`
@id("ask") @approval("1 of sre") forbid (principal, action == Action::"k8s:create", resource) unless { context.approved };
`)
	ns := b.lab.Namespace(t, "gone")
	mark := b.lab.Mark(t)
	client := b.client()
	client.Timeout = 700 * time.Millisecond
	req, err := http.NewRequest(http.MethodPost, b.url+"/api/v1/namespaces/"+ns+"/configmaps", strings.NewReader(`{"metadata":{"name":"x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.Token(t, "grant-1"))
	req.Header.Set("Content-Type", "application/json")
	if _, err := client.Do(req); err == nil {
		t.Fatal("answered")
	}
	b.Records.Await(t, audit.KindHoldDecided, func(r audit.Record) bool { return strings.Contains(r.Reason, "withdrawn") || r.Decision == audit.Deny })
	if b.Control.Withdrawn() != 1 {
		t.Error("the hold stays")
	}
	for _, e := range b.lab.AuditSince(t, mark) {
		if e.Verb == "create" && e.ObjectRef.Resource == "configmaps" && e.ObjectRef.Namespace == ns && !strings.Contains(e.RequestURI, "dryRun") {
			t.Errorf("arrived: %s", e)
		}
	}
}
